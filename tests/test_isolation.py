"""What the kernel refuses a confined process, tried in real child processes."""

import subprocess
import sys
import textwrap

import pytest

CONNECT = """
    import socket
    try:
        socket.socket()
    except OSError as error:
        print(error.errno)
"""


def _run(setup: str, attempt: str) -> str:
    """Return what a child process prints that confines itself and then tries something."""
    script = f"from intmk import isolation\n{textwrap.dedent(setup)}\n{textwrap.dedent(attempt)}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout + done.stderr.strip().rpartition("\n")[2]


@pytest.mark.skipif(sys.platform != "linux", reason="issue 4: seccomp is Linux's")
def test_a_process_without_sockets_gets_none_but_may_open_files() -> None:
    """socket() is refused with EACCES (13); opening a file goes on working."""
    opened = "\nprint(bool(open('/etc/passwd').read()))"
    found = _run("isolation.forbid_sockets()", textwrap.dedent(CONNECT) + opened)
    assert found == "13\nTrue\n"


def test_a_process_without_descriptors_opens_one_file_when_told_to() -> None:
    """Neither a socket nor a file otherwise (EMFILE, 24)."""
    setup = """
        import os, socket
        isolation.keep_only(*os.pipe())
        isolation.forbid_descriptors()
        os.dup2(2, 1)
        with isolation.one_descriptor():
            open("/etc/passwd").close()
    """
    assert _run(setup, CONNECT) == "24"


def test_a_process_over_its_memory_is_told_so() -> None:
    """An allocation beyond the limit fails in that process."""
    found = _run("isolation.limit_memory(50)", "bytearray(100_000_000)")
    assert found == "MemoryError"
    assert _run("isolation.limit_memory(200)", "bytearray(100_000_000)") == ""

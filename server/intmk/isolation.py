"""What a query worker may not do, told to the kernel: take all memory, or open a connection."""

import contextlib
import ctypes
import fcntl
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

# What a worker keeps beside its error output: where questions come from, where answers go.
QUESTIONS_FD, ANSWERS_FD = 3, 4
# Linux call numbers of socket and io_uring_setup, with the architecture's audit number.
_ARCHITECTURES = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES


def limit_memory(megabytes: int) -> None:
    """Let this process take so much more memory than it has now, and leave no core file.

    Where there is no /proc (macOS) the kernel keeps no such limit and nothing is done.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(FileNotFoundError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def die_first() -> None:
    """Let the kernel, should the machine run out of memory, end this process before others."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def go_on_alone() -> None:
    """Let the kernel wake this process, should it be stopped, when its parent ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)


def keep_only(questions_fd: int, answers_fd: int) -> None:
    """Leave this process its error output and two descriptors, which become QUESTIONS_FD and
    ANSWERS_FD."""
    # First out of the way of each other.
    questions, answers = (
        fcntl.fcntl(one, fcntl.F_DUPFD, ANSWERS_FD + 1) for one in (questions_fd, answers_fd)
    )
    os.dup2(questions, QUESTIONS_FD)
    os.dup2(answers, ANSWERS_FD)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.closerange(ANSWERS_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def forbid_descriptors() -> None:
    """Let this process, after ``keep_only``, open nothing more, sockets included (RLIMIT_NOFILE);
    ``one_descriptor`` is the exception."""
    free = os.dup(QUESTIONS_FD)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free + 1))


@contextlib.contextmanager
def one_descriptor() -> Iterator[None]:
    """Let this process open one file despite ``forbid_descriptors``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def forbid_sockets() -> None:
    """Make every later attempt of this process to create a socket fail (seccomp, Linux).

    For workers that must open files. Raises OSError where the kernel offers no such filter.
    """
    program = _filter()
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(header)), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel refuses a seccomp filter")


def _filter() -> bytes:
    """Return the filter in classic BPF: (operation, jump if true, jump if false, operand)."""
    try:
        architecture, socket_call, uring_call = _ARCHITECTURES[platform.machine()]
    except KeyError:
        raise OSError(f"no socket filter is known for {platform.machine()}") from None
    steps = (
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 3, 0, 0x40000000),  # the x32 calls of x86_64
        (_EQUAL, 2, 0, socket_call),
        (_EQUAL, 1, 0, uring_call),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    return b"".join(struct.pack("HBBI", *step) for step in steps)

"""Starts a server, measures the memory of all its processes, and leaves none of them behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_END_S = 10.0
_POLL_S = 0.005


class NotStarted(RuntimeError):  # noqa: N818 - says what happened
    """A server did not answer in time, or ended."""


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a command in ``folder`` until the block ends; gives its process id.

    What it writes goes to the file ``log`` in that folder.
    """
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started: kindly first, then for certain."""
    known = tree(process.pid)
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    for pid in tree(process.pid) | known:
        if pid == process.pid or _session(pid) == process.pid:
            _signal(pid, signal.SIGKILL)
    process.wait()


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    return _state_and_parent(pid)[0] not in ("", "Z")


def tree(pid: int) -> set[int]:
    """Return a process with all its descendants."""
    parents = {
        int(folder.name): _state_and_parent(int(folder.name))[1]
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit()
    }
    found, new = set[int](), {pid} & parents.keys()
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new} - found
    return found


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        # The name in field 2 may hold spaces; state and parent follow it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return fields[0], int(fields[1])


def memory_mb(pid: int) -> float:
    """Return the memory of a process tree: proportional shares, so that nothing counts twice."""
    total_kb = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
    return total_kb / 1000


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process tree has used so far."""
    ticks = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def await_port(pid: int, port: int, patience_s: float) -> None:
    """Return once something accepts connections; raises NotStarted when it ends or takes longer."""
    stop = time.monotonic() + patience_s
    while time.monotonic() < stop and is_running(pid):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(_POLL_S)
    raise NotStarted(f"nothing accepts connections within {patience_s:g} s")

"""Who answers what: memory shared by the nursery, its workers and the front processes.

Each worker has one slot and alone writes it; the others look. A look may fall between two writes,
so what is decided from it must bear to be wrong about a question that has just ended.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import NamedTuple

# process id, time of the question's start (0: idle), question, address
_SLOT = struct.Struct("=Qd16s16s")


class Slot(NamedTuple):
    """A worker at a question: ``started_s`` is ``time.monotonic()``, the others are digests."""

    pid: int
    started_s: float
    question: bytes
    address: bytes

    @property
    def age_s(self) -> float:
        """Seconds since the worker took the question."""
        return time.monotonic() - self.started_s


class Board:
    """The slots of all workers, in a file that every process maps."""

    def __init__(self, path: Path, slots: int = 0) -> None:
        """Map the file, made with so many slots if it is not there. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if slots else 0), 0o600)
        try:
            if slots and not os.fstat(descriptor).st_size:
                os.truncate(descriptor, slots * _SLOT.size)
            self._memory = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)

    def free(self) -> int | None:
        """Return the number of a slot that no living worker has, or None."""
        pids = [row[0] for row in _SLOT.iter_unpack(self._memory)]
        return next((number for number, pid in enumerate(pids) if not _lives(pid)), None)

    def clear(self) -> None:
        """Free every slot."""
        self._memory[:] = bytes(len(self._memory))

    def begin(self, number: int, pid: int, question: bytes, address: bytes) -> None:
        """Write down that the worker of a slot takes a question."""
        slot = (pid, time.monotonic(), question, address)
        _SLOT.pack_into(self._memory, number * _SLOT.size, *slot)

    def rest(self, number: int, pid: int) -> None:
        """Write down that a slot is this worker's, and that it is idle."""
        _SLOT.pack_into(self._memory, number * _SLOT.size, pid, 0.0, b"", b"")

    def busy(self) -> list[Slot]:
        """Return the slots of the workers that are at a question."""
        return [Slot(*row) for row in _SLOT.iter_unpack(self._memory) if row[1]]

    def find(self, question: bytes) -> Slot | None:
        """Return the slot of the worker that is at a question."""
        return next((slot for slot in self.busy() if slot.question == question), None)

    def release(self, pid: int) -> Slot | None:
        """Free the slot of a worker that has ended; returns it if there was a question in it."""
        for number, row in enumerate(_SLOT.iter_unpack(self._memory)):
            if row[0] == pid:
                _SLOT.pack_into(self._memory, number * _SLOT.size, 0, 0.0, b"", b"")
                return Slot(*row) if row[1] else None
        return None


def _lives(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

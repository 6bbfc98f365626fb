"""Who answers what: memory shared by the nursery, its workers and the front processes.

It begins with the version that is being asked, which the nursery writes. Each worker has one slot
and alone writes it; the others look. A look may fall between two writes,
so what is decided from it must bear to be wrong about a question that has just ended.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Any, NamedTuple

# process id, time of the question's start (0: idle), question, address, mailbox
_SLOT = struct.Struct("=Qd16s16s24s")
_VERSION_BYTES = 64
_ADDRESS_OFFSET, _NOBODY = 32, b"\xff" * 16
_IDLE = (0.0, b"", b"", b"")


class Slot(NamedTuple):
    """A worker at a question: ``started_s`` is ``time.monotonic()``, ``question`` and ``address``
    are digests, ``mailbox`` names where the answer goes."""

    pid: int
    started_s: float
    question: bytes
    address: bytes
    mailbox: bytes

    @property
    def is_finished(self) -> bool:
        """Whether only the end of the answer is still to be sent."""
        return self.address == _NOBODY

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
                os.truncate(descriptor, _VERSION_BYTES + slots * _SLOT.size)
            self._memory = mmap.mmap(descriptor, 0)
            self._slots = memoryview(self._memory)[_VERSION_BYTES:]
        finally:
            os.close(descriptor)

    @property
    def version(self) -> str:
        """The id of the version that new questions are put to."""
        return self._memory[:_VERSION_BYTES].rstrip(b"\0").decode()

    @version.setter
    def version(self, version: str) -> None:
        self._memory[:_VERSION_BYTES] = version.encode().ljust(_VERSION_BYTES, b"\0")

    def free(self) -> int | None:
        """Return the number of a slot that no living worker has, or None."""
        pids = [row[0] for row in _SLOT.iter_unpack(self._slots)]
        return next((number for number, pid in enumerate(pids) if not lives(pid)), None)

    def clear(self) -> None:
        """Free every slot."""
        self._memory[:] = bytes(len(self._memory))

    def begin(self, number: int, pid: int, question: bytes, address: bytes, mailbox: bytes) -> None:
        """Write down that the worker of a slot takes a question."""
        slot = (pid, time.monotonic(), question, address, mailbox)
        _SLOT.pack_into(self._slots, number * _SLOT.size, *slot)

    def finish(self, number: int) -> None:
        """Write down that the question of a slot takes nothing from others any more.

        A worker of the slow lane may wait long between its last word and its rest.
        """
        start = number * _SLOT.size + _ADDRESS_OFFSET
        self._slots[start : start + len(_NOBODY)] = _NOBODY

    def rest(self, number: int, pid: int) -> None:
        """Write down that a slot is this worker's, and that it is idle."""
        _SLOT.pack_into(self._slots, number * _SLOT.size, pid, *_IDLE)

    def busy(self) -> list[Slot]:
        """Return the slots of the workers that are at a question."""
        return [_slot(row) for row in _SLOT.iter_unpack(self._slots) if row[1]]

    def workers(self) -> int:
        """Return how many slots have a worker."""
        return sum(1 for row in _SLOT.iter_unpack(self._slots) if row[0])

    def find(self, question: bytes) -> Slot | None:
        """Return the slot of the worker that is at a question."""
        return next((slot for slot in self.busy() if slot.question == question), None)

    def release(self, pid: int) -> Slot | None:
        """Free the slot of a worker that has ended; returns it if there was a question in it."""
        for number, row in enumerate(_SLOT.iter_unpack(self._slots)):
            if row[0] == pid:
                _SLOT.pack_into(self._slots, number * _SLOT.size, 0, *_IDLE)
                return _slot(row) if row[1] else None
        return None


def _slot(row: tuple[Any, ...]) -> Slot:
    slot = Slot(*row)
    return slot._replace(mailbox=slot.mailbox.rstrip(b"\0"))


def lives(pid: int) -> bool:
    """Tell whether a process is there."""
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

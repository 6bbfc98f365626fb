"""How datagrams pass between front processes and query workers: Unix sockets in one folder.

All workers read questions from one socket, so the kernel deals them to whoever is free. Each
thread of a front process has a mailbox, a socket of its own, where its answers arrive. Nothing is
connected or accepted for a question: with other threads waiting for the interpreter, each system
call costs a change of thread, and eleven of them took four times what the query took.
"""

import contextlib
import itertools
import os
import select
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from intmk import isolation, wire

# Where in the folder questions are sent.
QUESTIONS = "queries"
# Longer questions lie in a file beside the mailbox, and an empty datagram says so.
_QUESTION_BYTES = 100_000
_FILE = ".question"
# How long one attempt to send or to receive waits, as the kernel keeps it (struct timeval).
_PATIENCE = struct.pack("@ll", 0, 100_000)
# A worker looks for its nursery this often; it is the longest it outlives it when idle.
_PARENT_POLL_S = 1.0
_numbers = itertools.count()


class Mailbox:
    """Sends the questions of one thread and receives the answers."""

    def __init__(self, folder: str) -> None:
        """Open a mailbox in the folder of a nursery. Raises OSError."""
        self._path = f"{folder}/{os.getpid()}-{next(_numbers)}"
        self._questions = f"{folder}/{QUESTIONS}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reader = os.stat(self._questions).st_ino  # noqa: PTH116 - a path given as text
        self._socket.bind(self._path)
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, direction, _PATIENCE)

    def send(self, question: bytes) -> None:
        """Send a question; raises BlockingIOError while too many wait, OSError if nobody reads."""
        if len(question) > _QUESTION_BYTES:
            Path(self._path + _FILE).write_bytes(question)
            question = b""
        self._socket.sendto(question, self._questions)

    def receive(self) -> bytes:
        """Return the next datagram of an answer; raises BlockingIOError when none came yet."""
        return self._socket.recv(wire.DATAGRAM_BYTES)

    def is_read(self) -> bool:
        """Tell whether the nursery is there that was there when this mailbox was opened."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._questions)
            except OSError:
                return False
        return os.stat(self._questions).st_ino == self._reader  # noqa: PTH116

    def has_letter(self) -> bool:
        """Tell whether something has arrived."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Take the mailbox away: what is still sent to it goes nowhere."""
        if self._socket.fileno() >= 0:
            for path in (self._path, self._path + _FILE):
                Path(path).unlink(missing_ok=True)
            self._socket.close()

    def __del__(self) -> None:
        """Close with the thread."""
        self.close()


def front(name: bytes) -> int:
    """Return the process that a mailbox belongs to."""
    return int(name.partition(b"-")[0])


class Letter(NamedTuple):
    """A question as a worker finds it, and the address of the mailbox for its answer."""

    question: bytes
    sender: str

    @property
    def mailbox(self) -> bytes:
        """The name of the mailbox in its folder."""
        return os.path.basename(self.sender).encode()  # noqa: PTH119 - asked for each question

    def is_waited_for(self) -> bool:
        """Tell whether the mailbox is still there."""
        return os.access(self.sender, os.F_OK)


class Questions:
    """The socket from which all workers take questions, as one of them sees it."""

    def __init__(self, queries: socket.socket) -> None:
        """Take the socket; what waiting for it needs is opened now."""
        queries.setblocking(False)
        self._queries = queries
        self._buffer = bytearray(_QUESTION_BYTES)
        # Of workers that wait so, a question wakes one; with poll it would wake all (Linux 4.5).
        self._poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._poll.register(queries, select.POLLIN | getattr(select, "EPOLLEXCLUSIVE", 0))

    def wait(self) -> None:
        """Return when there is a question, or after a while."""
        is_epoll = hasattr(select, "epoll")
        self._poll.poll(_PARENT_POLL_S if is_epoll else _PARENT_POLL_S * 1000)

    def take(self) -> Letter | None:
        """Return the next question, or None when there is none."""
        try:
            size, sender = self._queries.recvfrom_into(self._buffer)
        except BlockingIOError:
            return None
        return Letter(bytes(self._buffer[:size]) or _filed(sender), sender)


def _filed(sender: str) -> bytes:
    """Return a long question; nothing if whoever asked it has left."""
    with isolation.one_descriptor(), contextlib.suppress(FileNotFoundError):
        return Path(sender + _FILE).read_bytes()
    return b""


def tell(mailbox: str, frame: bytes) -> None:
    """Send a frame to a mailbox from outside an answer, if there is room. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(frame, mailbox)


def listen(folder: Path) -> socket.socket:
    """Return the socket for questions in the folder of a nursery."""
    path = folder / QUESTIONS
    path.unlink(missing_ok=True)
    queries = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    queries.bind(str(path))
    return queries

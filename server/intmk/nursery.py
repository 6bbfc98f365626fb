"""The process that holds the graph in memory and forks query workers from it.

Run as ``python -m intmk.nursery DIRECTORY`` with the settings in the environment. It is
single-threaded, since a fork takes only the forking thread along. In DIRECTORY are the socket from
which the workers take questions, the mailboxes for their answers (see ``mailbox``), and
``control``, a socket for the front processes to say that a question is to end. It ends when its
standard input does, so nothing outlives the server.

A worker that is long at one question moves to the slow lane: it gets less of the processors, and
another worker is forked in its place, so that short questions never wait for long ones. When the
slow lane is full, whoever holds most of it loses the place taken last; when nobody does, the latest
is stopped until a place is free.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from pyoxigraph import RdfFormat, Store

from intmk import evaluation, isolation, mailbox, vocab, wire
from intmk.board import Board, Slot, lives
from intmk.metrics import Tally
from intmk.settings import Settings, read

# Measured: 370 MB of memory for a million triples, whose N-Quads are about 150 MB.
_MEMORY_PER_DUMP_BYTE = 2.5
# How often the version, and how long each question takes, are looked at.
_POLL_S = 0.05
_SLOW_NICENESS = 19
# Long questions that may wait for each place of those that run.
_PARKED_PER_PLACE = 2
_CONTROL_TIMEOUT_S = 1.0
_CONTROL_QUEUE = 128
_REMEMBERED_ENDS = 1024
# Why a worker that did not end by itself was ended, by the signal that did it.
REASONS: dict[int, str] = {
    signal.SIGALRM: "deadline",
    signal.SIGABRT: "memory",
    signal.SIGSEGV: "depth",
    signal.SIGKILL: "killed",
}
_PAUSE_AFTER_FAULT_S = 0.1


class Nursery:
    """The listening sockets, the graph, and the living workers by process id."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        queries: socket.socket,
        control: socket.socket,
        board: Board,
    ) -> None:
        """Load the current version. Raises OSError when there is none or it cannot be read."""
        self._settings = settings
        self._directory = directory
        self._queries = queries
        self._control = control
        self._version = current(settings.store)
        self._folder = settings.store / "versions" / self._version
        self._prefixes = vocab.prefixes(settings.root)
        self._store = self._load()
        self._board = board
        self._tally = Tally(directory / "metrics")
        self._workers: set[int] = set()
        self._slow: set[int] = set()
        # Those of the slow lane that are stopped until a place is free, in their order.
        self._parked: list[int] = []
        self._retired: set[int] = set()
        # Why workers are being ended by us, and why questions ended with their worker.
        self._sentences: dict[int, str] = {}
        self._ends: dict[bytes, str] = {}
        self._is_ending = False

    def _load(self) -> Store | None:
        """Return the graph in memory, or None when it is too large for that."""
        dump = self._folder / "dump.nq"
        size_mb = dump.stat().st_size * _MEMORY_PER_DUMP_BYTE / 1_000_000
        if size_mb > self._settings.memory_store_mb:
            return None
        store = Store()
        store.bulk_load(path=dump, format=RdfFormat.N_QUADS)
        gc.collect()
        gc.freeze()
        return store

    def run(self, older_workers: list[int], ready: bytes) -> None:
        """Fork the workers, send the older ones away, and look after all until told to end.

        ``ready`` is written to the standard output when the first question can be asked.
        """
        wake = _wake_on_signals(self._end)
        self._retired.update(older_workers)
        self._fill()
        for pid in older_workers:
            _signal(pid, signal.SIGTERM)
        # Not before: whoever reads it asks, and must not be answered by an older worker.
        self._board.version = self._version
        os.write(1, ready)
        while not self._is_ending:
            waited: list[Any] = [0, self._control, wake]
            self._attend(select.select(waited, [], [], _POLL_S)[0], wake)
        for pid in self._all():
            _signal(pid, signal.SIGKILL)

    def _all(self) -> set[int]:
        return self._workers | self._slow | self._retired

    def _attend(self, ready: list[Any], wake: int) -> None:
        if wake in ready:
            os.read(wake, 4096)
        self._reap()
        if 0 in ready and not os.read(0, 4096):
            self._is_ending = True
        if self._control in ready:
            self._reply()
        self._part()
        self._fill()
        with contextlib.suppress(FileNotFoundError):
            if current(self._settings.store) != self._version:
                self._start_anew()

    def _end(self, _signal: int, _frame: object) -> None:
        self._is_ending = True

    def _fill(self) -> None:
        parent = os.getpid()
        while len(self._workers) < self._settings.query_workers and not self._is_ending:
            slot = self._board.free()
            if slot is None:
                return
            pid = os.fork()
            if pid == 0:
                self._become_worker(parent, slot)
            self._board.rest(slot, pid)
            self._workers.add(pid)

    def _part(self) -> None:
        """Move workers that are long at their question to the slow lane, and keep it short."""
        for slot in self._board.busy():
            if slot.age_s > _POLL_S and not lives(mailbox.front(slot.mailbox)):
                self._end_worker(slot.pid, "left")
            elif slot.pid in self._workers and slot.age_s > self._settings.slow_after_s:
                self._workers.discard(slot.pid)
                self._slow.add(slot.pid)
                _slow_down(slot.pid)
                if len(self._slow) - len(self._parked) > self._settings.slow_workers:
                    self._make_room()
        while self._parked and len(self._slow) - len(self._parked) < self._settings.slow_workers:
            _signal(self._parked.pop(0), signal.SIGCONT)

    def _make_room(self) -> None:
        """End the latest question of the address that holds most of the slow lane, or let the
        latest of all wait when nobody holds more than others."""
        busy = (slot for slot in self._board.busy() if not slot.is_finished)
        slow = [slot for slot in busy if slot.pid in self._slow]
        running = [slot for slot in slow if slot.pid not in self._parked]
        if len(running) <= self._settings.slow_workers:
            # One has ended in this moment.
            return
        held = Counter(slot.address for slot in slow)
        last = max(slow, key=lambda slot: (held[slot.address], slot.started_s))
        if held[last.address] > 1:
            self._end_worker(last.pid, "share")
        else:
            self._park(max(running, key=lambda slot: slot.started_s).pid)

    def _park(self, pid: int) -> None:
        """Stop a worker until there is a place, or end it when too many wait already."""
        if len(self._parked) >= _PARKED_PER_PLACE * self._settings.slow_workers:
            self._end_worker(pid, "crowd")
            return
        _signal(pid, signal.SIGSTOP)
        self._parked.append(pid)

    def _end_worker(self, pid: int, reason: str) -> None:
        self._sentences[pid] = reason
        _signal(pid, signal.SIGKILL)

    def _become_worker(self, parent: int, slot: int) -> NoReturn:
        """Turn this forked process into a worker; it never returns into the nursery's loop."""
        try:
            _forget_signals()
            isolation.die_first()
            isolation.go_on_alone()
            answers = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            isolation.keep_only(self._queries.fileno(), answers.detach())
            questions = mailbox.Questions(socket.socket(fileno=isolation.QUESTIONS_FD))
            answers = socket.socket(fileno=isolation.ANSWERS_FD)
            store = self._confined_store()
            settings = self._settings
            limits = evaluation.Limits(
                settings.query_timeout_s,
                settings.query_memory_mb,
                settings.result_bytes,
                settings.send_timeout_s,
            )
            worker = evaluation.Worker(store, self._version, self._prefixes, vocab.BASE, limits)
            worker.run(questions, answers, parent, self._board, slot)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(1)

    def _confined_store(self) -> Store:
        if self._store is not None:
            isolation.limit_memory(self._settings.query_memory_mb)
            isolation.forbid_descriptors()
            return self._store
        store = Store.read_only(str(self._folder / "db"))
        isolation.limit_memory(self._settings.query_memory_mb)
        isolation.forbid_sockets()
        return store

    def _reap(self) -> None:
        """Take note of every child that has ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self._note_end(pid, status)

    def _note_end(self, pid: int, status: int) -> None:
        for group in (self._workers, self._slow, self._retired):
            group.discard(pid)
        if pid in self._parked:
            self._parked.remove(pid)
        code = os.waitstatus_to_exitcode(status)
        reason = self._sentences.pop(pid, None) or REASONS.get(-code, "lost")
        if code != 0 and not self._is_ending:
            self._tally.ended(reason)
        slot = self._board.release(pid)
        if slot:
            self._tell(slot, reason)
        if code > 0:
            # A fault of ours, perhaps at every start: do not fork in a tight loop.
            time.sleep(_PAUSE_AFTER_FAULT_S)

    def _tell(self, slot: Slot, reason: str) -> None:
        """Tell whoever waits for an answer that it will not come."""
        # A mailbox without room is looked after by its owner, who asks for the reason.
        self._ends[slot.question] = reason
        if len(self._ends) > _REMEMBERED_ENDS:
            del self._ends[next(iter(self._ends))]
        with contextlib.suppress(OSError):
            path = self._directory / os.fsdecode(slot.mailbox)
            mailbox.tell(str(path), wire.frame(b"L", slot.question + reason.encode()))

    def _reply(self) -> None:
        """Answer one request on the control socket, one JSON line: ``{"cancelled": question}`` and
        ``{"left": question}`` end a question, ``{"ended": question}`` asks why it did, ``{}`` how
        all is."""
        with contextlib.suppress(OSError, ValueError):
            connection, _ = self._control.accept()
            with connection:
                connection.settimeout(_CONTROL_TIMEOUT_S)
                request = json.loads(connection.recv(4096))
                connection.sendall(json.dumps(self._answer(request)).encode())

    def _answer(self, request: dict[str, str]) -> dict[str, object]:
        for reason in ("cancelled", "left"):
            if reason in request:
                slot = self._board.find(bytes.fromhex(request[reason]))
                if slot:
                    self._end_worker(slot.pid, reason)
                return {"found": slot is not None}
        if "ended" in request:
            return {"ended": self._ends.get(bytes.fromhex(request["ended"]))}
        return self._status()

    def _status(self) -> dict[str, object]:
        return {
            "version": self._version,
            "workers": sorted(self._workers),
            "slow": sorted(self._slow),
            "in_memory": self._store is not None,
        }

    def _start_anew(self) -> NoReturn:
        """Become a nursery of the new version; sockets, children and process id stay."""
        for pid in self._parked:
            _signal(pid, signal.SIGCONT)
        for one in (self._queries, self._control):
            one.set_inheritable(True)
        handed = [self._queries.fileno(), self._control.fileno(), *self._all()]
        arguments = ["-m", "intmk.nursery", str(self._directory), *map(str, handed)]
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - our own program


def _slots(settings: Settings) -> int:
    """Return how many workers may live at once, those of the versions before included."""
    return 4 * (settings.query_workers + (1 + _PARKED_PER_PLACE) * settings.slow_workers + 1)


def current(store: Path) -> str:
    """Return the id of the version that a store folder's ``current`` link names.

    Raises FileNotFoundError when nothing was built yet.
    """
    # Asked for each request: six times as fast as Path.readlink.
    return os.readlink(f"{store}/current").rpartition("/")[2]  # noqa: PTH115


def _wake_on_signals(end: Any) -> int:
    """Let ended children and SIGTERM interrupt the loop; returns the descriptor to wait on."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, end)
    # Ctrl-C reaches every process of the terminal; the server ends us in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reader


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _slow_down(pid: int) -> None:
    """Let a process run only when no other wants to."""
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, _SLOW_NICENESS)
        if hasattr(os, "SCHED_IDLE"):
            # Even the nicest process may keep one that has just woken waiting for milliseconds.
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _listen(path: Path, backlog: int) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(backlog)
    return listener


def main(arguments: list[str]) -> None:
    """Run a nursery: a directory for the sockets, then, after a new version, what is handed on."""
    settings = read()
    directory, *handed = arguments
    if handed:
        queries, control = (socket.socket(fileno=int(fd)) for fd in handed[:2])
    else:
        queries = mailbox.listen(Path(directory))
        control = _listen(Path(directory) / "control", _CONTROL_QUEUE)
    try:
        board = Board(Path(directory) / "board", _slots(settings))
        if not handed:
            board.clear()
        nursery = Nursery(settings, Path(directory), queries, control, board)
    except (OSError, SyntaxError) as error:
        sys.exit(f"intmk: the graph in {settings.store} cannot be read: {error}")
    nursery.run([int(pid) for pid in handed[2:]], b"" if handed else b"ready\n")


if __name__ == "__main__":
    main(sys.argv[1:])

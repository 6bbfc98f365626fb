"""A query worker: takes one question at a time, evaluates it within limits, streams the answer.

The engine can neither be timed out nor interrupted, so the kernel ends the whole process by an
alarm on the deadline; ``isolation`` holds the other limits. The nursery ends a worker whose client
has gone.
"""

import io
import os
import re
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any, cast

from pyoxigraph import (
    NamedNode,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    Store,
)

from intmk import errors, formats, results, services, sparql, wire
from intmk.board import Board
from intmk.mailbox import Letter, Questions
from intmk.results import Answer

# Whatever may be a prefix in a query; what is not does no harm.
_PREFIX = re.compile(r"([\w.-]+):")
_RESULTS = {row.extension: row for row in formats.RESULTS}
_GRAPHS = {row.extension: row for row in formats.GRAPHS}
_ABLE: dict[type, dict[str, formats.Format]] = {
    QuerySolutions: _RESULTS,
    QueryBoolean: _RESULTS,
    QueryTriples: _GRAPHS,
}
_KINDS: dict[type, str] = {QuerySolutions: "select", QueryBoolean: "ask", QueryTriples: "graph"}


@dataclass(frozen=True)
class Limits:
    """What one query may take; the names and units are those of the settings."""

    query_timeout_s: float
    query_memory_mb: int
    result_bytes: int
    send_timeout_s: float


class _Lost(Exception):  # noqa: N818 - not a failure: nobody waits for this answer any more
    """The mailbox of this answer has gone."""


class Worker:
    """Answers questions until the nursery ends or retires it."""

    def __init__(
        self, store: Store, version: str, prefixes: Mapping[str, str], base: str, limits: Limits
    ) -> None:
        """Take what every question is answered with: graph, version id, prefixes, base IRI."""
        self._store = store
        self._version = version
        self._prefixes = dict(prefixes)
        self._base = base
        self._limits = limits
        self._is_idle = False
        self._is_retired = False

    def run(
        self, questions: Questions, answers: socket.socket, parent: int, board: Board, slot: int
    ) -> None:
        """Answer until retired (SIGTERM) or until the process ``parent`` has gone.

        Answers leave by a socket of this worker's own. What is being answered stands in a slot of
        the board.
        """
        signal.signal(signal.SIGTERM, self._retire)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _limit_waiting(answers, self._limits.send_timeout_s)
        pid = os.getpid()
        priority = os.getpriority(os.PRIO_PROCESS, 0)
        board.rest(slot, pid)
        while not self._is_retired and os.getppid() == parent:
            letter = questions.take()
            if letter is None:
                # Idle is only who has taken nothing yet: then a worker may end at any moment.
                self._is_idle = True
                questions.wait()
                self._is_idle = False
                continue
            self._serve(letter, answers, board, slot, pid)
            board.rest(slot, pid)
            if os.getpriority(os.PRIO_PROCESS, 0) != priority:
                # In the slow lane: there is a worker in this one's place already.
                return

    def _retire(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_idle:
            os._exit(0)
        self._is_retired = True

    def _serve(
        self, letter: Letter, answers: socket.socket, board: Board, slot: int, pid: int
    ) -> None:
        if not letter.question:
            return
        question, name, address = wire.unpack(letter.question)
        board.begin(slot, pid, name, address, letter.mailbox)
        # In this order: who leaves takes the mailbox away and then looks at the board.
        if not letter.is_waited_for():
            return
        try:
            output = _Output(answers, letter.sender, self._limits)
            self._answer(output, question, lambda: board.finish(slot))
        except BlockingIOError:
            # A client that takes nothing: only the end of the process tells a cut from an end.
            os._exit(0)
        except _Lost:
            return

    def _answer(
        self, output: "_Output", question: wire.Question, finish: Callable[[], None]
    ) -> None:
        try:
            output.resume()
            self._evaluate(question, output)
            finish()
            output.end(wire.frame(b"Z"))
        except errors.GraphError as error:
            finish()
            for frame in wire.error_frames(error):
                output.end(frame)
        except MemoryError:
            # There is none left to say so with; the nursery knows this signal.
            os.abort()

    def _evaluate(self, question: wire.Question, output: "_Output") -> None:
        services.hand_over(question.text, self._prefixes, self._base)
        answer = self._query(question)
        extension, media_type = _chosen(question, answer)
        head = "\n".join((_KINDS[type(answer)], media_type, self._version))
        output.begin(wire.frame(b"H", head.encode()))
        _serialize(answer, extension, cast(IO[bytes], output))

    def _query(self, question: wire.Question) -> Answer:
        dataset = _dataset(question)
        try:
            # Most queries declare what they use; looking for what they do not takes 10 to 30 µs.
            return self._store.query(question.text, base_iri=self._base, **dataset)
        except SyntaxError:
            return self._query_with_prefixes(question.text, dataset)
        except (OSError, RuntimeError, ValueError) as error:
            raise _failed(error) from error

    def _query_with_prefixes(self, text: str, dataset: dict[str, Any]) -> Answer:
        try:
            prefixes = self._used_prefixes(text)
            return self._store.query(text, prefixes=prefixes, base_iri=self._base, **dataset)
        except SyntaxError as error:
            raise sparql.explain(text, self._prefixes, self._parse, error) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise _failed(error) from error

    def _parse(self, text: str) -> Answer:
        return self._store.query(text, prefixes=self._prefixes, base_iri=self._base)

    def _used_prefixes(self, text: str) -> dict[str, str]:
        """Return the prefixes a query may use: all fifty take as long as a lookup, 13 µs."""
        names = set(_PREFIX.findall(text))
        return {name: self._prefixes[name] for name in names if name in self._prefixes}


def _dataset(question: wire.Question) -> dict[str, Any]:
    """Return what a question says of its dataset, as the engine takes it.

    Naming any graph replaces the whole dataset (SPARQL 1.1 Protocol section 2.1.4).
    """
    if question.default_graphs is None and question.named_graphs is None:
        return {}
    return {
        "default_graph": _graphs(question.default_graphs),
        "named_graphs": _graphs(question.named_graphs),
    }


class _Output(io.RawIOBase):
    """Sends what the engine serialises, within a time that does not count waiting for readers."""

    def __init__(self, answers: socket.socket, mailbox: str, limits: Limits) -> None:
        self._answers = answers
        self._mailbox = mailbox
        self._limits = limits
        self._left_s = limits.query_timeout_s
        self._head = b""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._all_bytes = 0

    def resume(self) -> None:
        """Let the clock run (on): the kernel ends this process when it has run down."""
        signal.setitimer(signal.ITIMER_REAL, max(self._left_s, 0.001))

    def writable(self) -> bool:
        return True

    def begin(self, frame: bytes) -> None:
        """Send a frame together with the next, so that a short answer leaves in one piece."""
        self._head = frame

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        self._held_bytes += len(data)
        self._all_bytes += len(data)
        if self._all_bytes > self._limits.result_bytes:
            raise errors.TooLarge(
                f"The answer is longer than {self._limits.result_bytes} bytes.",
                hint="Ask for fewer rows with LIMIT and OFFSET, or for fewer columns.",
            )
        if self._held_bytes >= wire.CHUNK_BYTES:
            self._send(b"")
            self.resume()
        return len(data)

    def end(self, frame: bytes) -> None:
        """Send the last frame; nothing is evaluated after it."""
        self._send(frame)

    def _send(self, tail: bytes) -> None:
        self._left_s = signal.setitimer(signal.ITIMER_REAL, 0)[0]
        *most, last = [*wire.chunks(b"".join(self._held))] or [b""]
        head = self._head
        try:
            for chunk in most:
                self._answers.sendto(head + wire.frame(b"D", chunk), self._mailbox)
                head = b""
            data = wire.frame(b"D", last) if last else b""
            self._answers.sendto(head + data + tail, self._mailbox)
        except BlockingIOError:
            raise
        except OSError as error:
            raise _Lost from error
        self._head, self._held, self._held_bytes = b"", [], 0


def _limit_waiting(connection: socket.socket, seconds: float) -> None:
    """Let the kernel end each wait for room to write, which then raises BlockingIOError."""
    whole, rest = divmod(seconds, 1)
    value = struct.pack("@ll", int(whole), int(rest * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


def _chosen(question: wire.Question, answer: Answer) -> tuple[str, str]:
    """Return extension and media type of the best offer that can carry this kind of answer."""
    able = _ABLE[type(answer)]
    for extension, media_type in question.offers:
        if extension in able:
            return extension, media_type
    wanted = ", ".join(media_type for _, media_type in question.offers)
    raise formats.not_acceptable(wanted, able.values())


def _serialize(answer: Answer, extension: str, output: IO[bytes]) -> None:
    try:
        results.write(answer, _ABLE[type(answer)][extension], output)
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, BlockingIOError):
            raise
        raise _failed(error) from error


def _graphs(iris: tuple[str, ...] | None) -> list[NamedNode]:
    return [_graph(iri) for iri in iris or ()]


def _graph(iri: str) -> NamedNode:
    try:
        return NamedNode(iri)
    except ValueError as error:
        raise errors.InvalidRequest(
            f"The graph {iri[:200]!r} is not an absolute IRI: {error}.",
            hint="default-graph-uri and named-graph-uri take IRIs such as https://example.org/g",
        ) from error


def out_of_memory(limit_mb: int) -> errors.OutOfMemory:
    """Return the error of a query that asked for more memory than it may have."""
    return errors.OutOfMemory(
        f"One query may take {limit_mb} MB.",
        hint="Sort, group or join less at once: add patterns that narrow the search, or LIMIT.",
    )


def _failed(error: Exception) -> errors.GraphError:
    return errors.QueryFailed(f"The engine says: {str(error)[:300]}.")

"""A query worker: takes one question at a time, evaluates it within limits, streams the answer.

The engine can neither be timed out nor interrupted, so an alarm makes the kernel end the whole
process on the deadline; ``isolation`` holds the other limits.
"""

import io
import json
import os
import select
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from pyoxigraph import (
    NamedNode,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    Store,
)

from intmk import errors, formats, results, sparql, wire
from intmk.results import Answer

# The nursery is looked for this often; it is the longest a worker outlives it when idle.
_PARENT_POLL_MS = 1000
_FORMATS = {row.extension: row for row in formats.FORMATS}


@dataclass(frozen=True)
class Limits:
    """What one query may take; the names and units are those of the settings."""

    query_timeout_s: float
    query_memory_mb: int
    result_bytes: int
    send_timeout_s: float


class _Lost(Exception):  # noqa: N818 - not a failure: nobody waits for this answer any more
    """The other side of the connection has gone."""


class Worker:
    """Answers questions from the listening socket until the nursery ends or retires it."""

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

    def run(self, listener: socket.socket, parent: int) -> None:
        """Answer until retired (SIGTERM) or until the process ``parent`` has gone."""
        signal.signal(signal.SIGTERM, self._retire)
        listener.setblocking(False)
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while not self._is_retired and os.getppid() == parent:
            # Idle is only who has accepted nothing yet: then a worker may end at any moment.
            self._is_idle = True
            poll.poll(_PARENT_POLL_MS)
            self._is_idle = False
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                continue
            with connection:
                self._serve(connection)

    def _retire(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_idle:
            os._exit(0)
        self._is_retired = True

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(self._limits.send_timeout_s)
        try:
            with connection.makefile("rb") as stream:
                _, body = wire.receive(stream)
            wire.send_json(connection, b"A", {"pid": os.getpid(), "version": self._version})
            self._answer(connection, wire.question(body))
        except TimeoutError:
            # A client that takes nothing: only the end of the process tells a cut from an end.
            os._exit(0)
        except (_Lost, EOFError, BrokenPipeError, ConnectionError):
            return

    def _answer(self, connection: socket.socket, question: wire.Question) -> None:
        try:
            with _Deadline(self._limits.query_timeout_s) as deadline:
                output = _Output(connection, self._limits.result_bytes, deadline)
                self._evaluate(question, output)
        except errors.GraphError as error:
            wire.send_json(connection, b"E", wire.pack_error(error))
        except MemoryError:
            wire.send_json(
                connection, b"E", wire.pack_error(out_of_memory(self._limits.query_memory_mb))
            )
            os._exit(0)
        else:
            wire.send(connection, b"Z")

    def _evaluate(self, question: wire.Question, output: "_Output") -> None:
        sparql.refuse_service(question.text)
        answer = self._query(question)
        extension, media_type = _chosen(question, answer)
        kind = {QuerySolutions: "select", QueryBoolean: "ask"}.get(type(answer), "graph")
        output.send_head({"kind": kind, "media_type": media_type})
        with io.BufferedWriter(output, wire.CHUNK_BYTES) as buffer:
            _serialize(answer, extension, buffer)

    def _query(self, question: wire.Question) -> Answer:
        try:
            return self._store.query(question.text, **self._options(question))
        except SyntaxError as error:
            raise sparql.explain(question.text, self._prefixes, self._parse, error) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise _failed(error) from error

    def _parse(self, text: str) -> Answer:
        return self._store.query(text, prefixes=self._prefixes, base_iri=self._base)

    def _options(self, question: wire.Question) -> dict[str, Any]:
        options: dict[str, Any] = {"prefixes": self._prefixes, "base_iri": self._base}
        if question.default_graphs is not None or question.named_graphs is not None:
            # Naming any graph replaces the whole dataset (SPARQL 1.1 Protocol section 2.1.4).
            options["default_graph"] = _graphs(question.default_graphs)
            options["named_graphs"] = _graphs(question.named_graphs)
        return options


class _Deadline:
    """An alarm that ends this process after so many seconds of evaluation."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> "_Deadline":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def pause(self) -> float:
        """Stop the clock; returns the seconds that are left."""
        return signal.setitimer(signal.ITIMER_REAL, 0)[0]

    def resume(self, seconds: float) -> None:
        """Let the clock run on."""
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))


class _Output(io.RawIOBase):
    """Sends what the engine serialises; waiting for a slow client is not evaluation."""

    def __init__(self, connection: socket.socket, limit_bytes: int, deadline: _Deadline) -> None:
        self._connection = connection
        self._limit_bytes = limit_bytes
        self._deadline = deadline
        self._sent_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sent_bytes += len(data)
        if self._sent_bytes > self._limit_bytes:
            raise errors.TooLarge(
                f"The answer is longer than {self._limit_bytes} bytes.",
                hint="Ask for fewer rows with LIMIT and OFFSET, or for fewer columns.",
            )
        self._send(b"D", bytes(data))
        return len(data)

    def send_head(self, head: dict[str, str]) -> None:
        """Tell the format, once the query is known to be good."""
        self._send(b"H", json.dumps(head).encode())

    def _send(self, letter: bytes, body: bytes) -> None:
        left_s = self._deadline.pause()
        try:
            wire.send(self._connection, letter, body)
        except TimeoutError:
            raise
        except OSError as error:
            raise _Lost from error
        self._deadline.resume(left_s)


def _chosen(question: wire.Question, answer: Answer) -> tuple[str, str]:
    """Return extension and media type of the best offer that can carry this kind of answer."""
    kind = "graph" if isinstance(answer, QueryTriples) else "results"
    able = [row for row in formats.FORMATS if row.kind == kind]
    names = {row.extension for row in able}
    for extension, media_type in question.offers:
        if extension in names:
            return extension, media_type
    wanted = ", ".join(media_type for _, media_type in question.offers)
    raise formats.not_acceptable(wanted, able)


def _serialize(answer: Answer, extension: str, output: IO[bytes]) -> None:
    try:
        results.write(answer, _FORMATS[extension], output)
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, TimeoutError):
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

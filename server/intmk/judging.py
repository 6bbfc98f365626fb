"""A process that judges what clients send, within limits, by the graph as it is served.

Parsing can end a process: ten thousand brackets overflow the engine's stack, entities fill the
memory. So no front process parses. A process that holds the shapes and the current version
(``python -m intmk.judging``) forks for each document a child with a deadline, a memory limit and no
network; whatever becomes of it, the next document finds everything as it was.
"""

import contextlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pyoxigraph import Quad, RdfFormat, Store, parse

from intmk import errors, gate, isolation, recovery, store, turtle, uploads, vocab, wire
from intmk.errors import GraphError, SourceSyntaxError
from intmk.judge import Judge
from intmk.report import Finding, Report, sorted_report
from intmk.rules import finding
from intmk.settings import Settings, read
from intmk.sources import POSITIONED, Document, Place
from intmk.validation import judge_document

_GRACE_S = 5.0
_LENGTH = struct.Struct(">Q")
_TOO_DEEP = (
    "Die Klammern sind tiefer geschachtelt, als ein Leser folgen kann.",
    "The brackets nest deeper than a reader can follow.",
)


class Sent(NamedTuple):
    """A document that a client sent: what messages call it, its format's extension, its bytes."""

    name: str
    extension: str
    body: bytes


def _send(connection: socket.socket, data: bytes) -> None:
    """Send a length and as many bytes."""
    connection.sendall(_LENGTH.pack(len(data)))
    connection.sendall(data)


def _receive(stream: io.BufferedReader) -> bytes:
    """Return what was sent; raises EOFError when the other side has gone before the end."""
    head = stream.read(_LENGTH.size)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
    data = stream.read(length) if length >= 0 else b""
    if len(data) != length:
        raise EOFError
    return data


class Judges:
    """The front's side: one judging process for this process, started when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        """Take the limits, and the store whose current version is the graph."""
        self._settings = settings
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._end: weakref.finalize[Any, Any] | None = None

    def prepare(self) -> None:
        """Have the process started, so that the first document does not wait for it."""
        if self._lock.acquire(blocking=False):
            try:
                self._start()
            finally:
                self._lock.release()

    def judge(self, sent: Sent) -> Report:
        """Return the report on a document.

        Raises Busy when others are being judged too long, CheckTimeout, OutOfMemory, TooLarge and
        NetworkForbidden for what cannot be judged, Unavailable when there is no graph to judge by.
        """
        if not self._lock.acquire(timeout=self._settings.write_wait_s):
            raise errors.Busy("Other documents are being judged.", hint="Try again in a moment.")
        try:
            answer = self._ask(sent)
        finally:
            self._lock.release()
        if "class" in answer:
            raise wire.unpack_error(answer)
        return sorted_report(Finding(**one) for one in answer["findings"])

    def close(self) -> None:
        """End the process; it ends with this object anyway."""
        if self._end:
            self._end()
        self._process = self._connection = None

    def _ask(self, sent: Sent) -> dict[str, Any]:
        head = json.dumps({"name": sent.name, "extension": sent.extension}).encode()
        try:
            connection = self._start()
            _send(connection, head + b"\n" + sent.body)
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(_receive(stream))
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise errors.Unavailable(
                "The process that judges documents was lost.", hint="Try again."
            ) from error
        return answer

    def _start(self) -> socket.socket:
        """Return the connection to the process, which is started when it is not there."""
        if self._process and self._process.poll() is not None:
            self.close()
        if self._connection is None:
            self._connection, theirs = socket.socketpair()
            # Reading the graph takes its time too, once.
            self._connection.settimeout(2 * self._settings.write_timeout_s + _GRACE_S)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "intmk.judging"],
                    stdin=theirs.fileno(),
                    env=os.environ | self._settings.environment(),
                )
            self._end = weakref.finalize(self, _end, self._process, self._connection)
        return self._connection


def _end(process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
    connection.close()
    process.kill()
    process.wait()


class _Bench:
    """The process's side: the shapes, the graph, and a child for each document."""

    def __init__(self, settings: Settings, connection: socket.socket) -> None:
        self._settings = settings
        self._connection = connection
        self._version = ""

    def run(self) -> None:
        """Judge one document after the other until the other side has gone."""
        with contextlib.suppress(FileNotFoundError):
            self._follow()
        with self._connection.makefile("rb") as stream, contextlib.suppress(EOFError, OSError):
            while True:
                head, _, body = _receive(stream).partition(b"\n")
                sent = Sent(body=body, **json.loads(head))
                _send(self._connection, json.dumps(self._answer(sent)).encode())

    def _follow(self) -> None:
        """Read the current version when it is not the one read last."""
        folder = store.current_path(self._settings.store)
        if folder.name != self._version:
            self._graph = Store()
            self._graph.bulk_load(path=folder / "dump.nq", format=RdfFormat.N_QUADS)
            rules = _rules(folder / "dump.nq")
            self._judge = Judge(gate.rules(rules))
            self._judge.hasten(self._settings.store / gate.REACH, gate.key(rules))
            self._prefixes = vocab.prefixes(self._settings.root)
            self._version = folder.name

    def _answer(self, sent: Sent) -> dict[str, Any]:
        try:
            self._follow()
        except GraphError as error:
            return wire.pack_error(errors.Unavailable(error.detail, hint=error.hint))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._become_child(sent, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code or not answer:
            return self._lost(code, sent)
        value: dict[str, Any] = json.loads(answer)
        return value

    def _become_child(self, sent: Sent, writer: int) -> NoReturn:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, self._settings.write_timeout_s)
            isolation.limit_memory(self._settings.write_memory_mb)
            isolation.forbid_sockets()
            self._connection.close()
            with io.FileIO(writer, "w") as pipe, io.BufferedWriter(pipe) as output:
                output.write(json.dumps(self._judged(sent)).encode())
            os._exit(0)
        finally:
            os._exit(1)

    def _judged(self, sent: Sent) -> dict[str, Any]:
        try:
            found = _judge(self._judge, self._graph, sent, self._prefixes, self._settings)
        except SourceSyntaxError as error:
            place = Place(sent.name, error.line, error.column)
            detail = f"{error.detail} {error.hint}".strip()
            found = [finding("syntax", place, de=detail, en=detail)]
        except GraphError as error:
            return wire.pack_error(error)
        except MemoryError:
            return wire.pack_error(self._out_of_memory())
        return {"findings": [asdict(one) for one in found]}

    def _lost(self, code: int, sent: Sent) -> dict[str, Any]:
        """Return what is to be said of a child that ended without an answer."""
        if code == -signal.SIGSEGV:
            german, english = _TOO_DEEP
            found = finding("syntax", Place(sent.name), de=german, en=english)
            return {"findings": [asdict(found)]}
        if code == -signal.SIGABRT:
            return wire.pack_error(self._out_of_memory())
        if code == -signal.SIGALRM:
            limit_s = self._settings.write_timeout_s
            hint = "Send it in smaller parts."
            return wire.pack_error(
                errors.CheckTimeout(f"The check was stopped after {limit_s:g} s.", hint=hint)
            )
        return wire.pack_error(errors.Unavailable("The check was lost.", hint="Try again."))

    def _out_of_memory(self) -> errors.OutOfMemory:
        limit = self._settings.write_memory_mb
        return errors.OutOfMemory(
            f"One check may take {limit} MB.", hint="Send the document in smaller parts."
        )


def _judge(
    judge: Judge, graph: Store, sent: Sent, prefixes: dict[str, str], settings: Settings
) -> list[Finding]:
    """Read a document past its errors and judge it together with the graph, which it changes."""
    form = RdfFormat.from_extension(sent.extension) or RdfFormat.TRIG
    path = Path(sent.name)
    if form in POSITIONED:
        text = turtle.decode(sent.body, sent.name)
        recovered = recovery.read(text, form, sent.name, path, prefixes)
        found = judge_document(judge, graph, recovered.document, recovered.lost)
        return [*recovered.findings, *found]
    quads = list(uploads.read(sent.body, form, vocab.BASE, settings.write_bytes))
    return judge_document(judge, graph, Document(sent.name, path, "", form, quads, []))


def _rules(dump: Path) -> list[Quad]:
    """Return the shapes and the ontology of a version, its blank nodes named as in the dump."""
    ends = tuple(f" {graph} .\n".encode() for graph in gate.RULES)
    with dump.open("rb") as file:
        return list(
            parse(b"".join(line for line in file if line.endswith(ends)), RdfFormat.N_QUADS)
        )


def main() -> None:
    """Judge what comes over the socket that is the standard input."""
    _Bench(read(), socket.socket(fileno=0)).run()


if __name__ == "__main__":
    main()

"""Asks query workers and hands their answers on: whole, or as a clear error.

The front's side of ``nursery`` and ``evaluation``. Nothing of a query is parsed here: ten
thousand parentheses end the process that parses them.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from intmk import errors, evaluation, nursery, wire
from intmk.settings import Settings

Question = wire.Question
# Longer answers wait in a file until they are whole; memory is for the many short ones.
_IN_MEMORY_BYTES = 2_000_000
_CONTROL_TIMEOUT_S = 5.0
_START_PAUSE_S = 0.2
# How long after its deadline a worker that the kernel did not end is ended by us.
_GRACE_S = 2.0


@dataclass
class Answer:
    """A whole answer: its ``length`` bytes are the ``content``, or in that file when they are many.

    ``seconds`` is the time it took, waiting for a worker included.
    """

    kind: str
    media_type: str
    version: str
    content: bytes | IO[bytes]
    length: int
    seconds: float

    def read(self) -> bytes:
        """Return all bytes, and close the file if there is one."""
        if isinstance(self.content, bytes):
            return self.content
        with self.content as file:
            return file.read()


class Engine:
    """Asks the workers of one nursery, found in its directory. Holds no connection open."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        """Take the nursery's directory and the settings with which it was started."""
        self.directory = directory
        self._settings = settings

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question.

        Raises Busy when no worker was free in time, Unavailable when there is none, and whatever
        the worker found wrong with the query (see ``errors``).
        """
        return _Conversation(self, self._settings, self._connect("queries")).answer(question)

    def version(self) -> str:
        """Return the id of the current version; raises Unavailable when nothing is built."""
        try:
            return nursery.current(self._settings.store)
        except OSError as error:
            raise errors.Unavailable("There is no built graph.", hint="Run: intmk build") from error

    def status(self) -> dict[str, Any]:
        """Return ``version``, ids of the ``workers``, and whether the graph is ``in_memory``."""
        return self._control({})

    def end(self, pid: int) -> int | None:
        """End a worker, and return how it ended: 0, an exit code, or minus the signal."""
        end: int | None = self._control({"end": pid})["end"]
        return end

    def _control(self, request: dict[str, object]) -> dict[str, Any]:
        with self._connect("control") as connection:
            try:
                connection.settimeout(_CONTROL_TIMEOUT_S)
                connection.sendall(json.dumps(request).encode())
                answer: dict[str, Any] = json.loads(connection.recv(65_536))
            except (OSError, ValueError) as error:
                raise _unavailable() from error
        return answer

    def _connect(self, name: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(str(self.directory / name))
        except BlockingIOError as error:
            connection.close()
            raise _busy("The queue is full.") from error
        except OSError as error:
            connection.close()
            raise _unavailable() from error
        return connection


class _Conversation:
    """One question and its answer on one connection."""

    def __init__(self, engine: Engine, settings: Settings, connection: socket.socket) -> None:
        self._engine = engine
        self._settings = settings
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._started = time.perf_counter()
        self._pid = 0
        self._has_head = False

    def answer(self, question: Question) -> Answer:
        try:
            accepted = self._ask(question)
            head = self._head()
            content, length = self._content()
        finally:
            self.close()
        seconds = time.perf_counter() - self._started
        return Answer(
            head["kind"], head["media_type"], accepted["version"], content, length, seconds
        )

    def close(self) -> None:
        """Hang up; a worker that is still sending stops."""
        self._stream.close()
        self._connection.close()

    def _ask(self, question: Question) -> dict[str, Any]:
        self._connection.settimeout(self._settings.queue_wait_s)
        try:
            wire.send_json(self._connection, b"Q", question)
            _, body = wire.receive(self._stream)
        except TimeoutError:
            raise _busy(f"No worker was free for {self._settings.queue_wait_s:g} s.") from None
        except (EOFError, OSError):
            raise _unavailable() from None
        accepted: dict[str, Any] = json.loads(body)
        self._pid = accepted["pid"]
        self._connection.settimeout(self._settings.query_timeout_s + _GRACE_S)
        return accepted

    def _head(self) -> dict[str, str]:
        _, body = self._frame()
        head: dict[str, str] = json.loads(body)
        self._has_head = True
        return head

    def _content(self) -> tuple[bytes | IO[bytes], int]:
        parts: list[bytes] = []
        length = 0
        for part in self._parts():
            parts.append(part)
            length += len(part)
            if length > _IN_MEMORY_BYTES:
                return self._file(parts, length)
        return b"".join(parts), length

    def _file(self, parts: list[bytes], length: int) -> tuple[IO[bytes], int]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends the answer closes it
        try:
            file.writelines(parts)
            for part in self._parts():
                file.write(part)
                length += len(part)
            file.seek(0)
        except OSError as error:
            file.close()
            raise errors.OutOfMemory("There is no room to prepare the answer.") from error
        except BaseException:
            file.close()
            raise
        return file, length

    def _parts(self) -> Iterator[bytes]:
        while True:
            letter, body = self._frame()
            if letter == b"Z":
                return
            yield body

    def _frame(self) -> tuple[bytes, bytes]:
        try:
            letter, body = wire.receive(self._stream)
        except TimeoutError:
            self._engine.end(self._pid)
            raise self._too_slow() from None
        except (EOFError, OSError):
            raise self._lost(self._engine.end(self._pid)) from None
        if letter == b"E":
            raise wire.unpack_error(json.loads(body))
        return letter, body

    def _lost(self, end: int | None) -> errors.GraphError:
        """Return the reason for which a worker ended in the middle of an answer."""
        if end == -signal.SIGALRM:
            return self._too_slow()
        if end == -signal.SIGABRT:
            return evaluation.out_of_memory(self._settings.query_memory_mb)
        if end == -signal.SIGSEGV and not self._has_head:
            return errors.QueryTooDeep(
                "The query needs more nesting than the parser can follow.",
                hint="Use VALUES or FILTER … IN for long lists; nest fewer brackets and operators.",
            )
        return errors.Unavailable("The worker was lost with this query.", hint="Ask again.")

    def _too_slow(self) -> errors.QueryTimeout:
        limit_s = self._settings.query_timeout_s
        return errors.QueryTimeout(
            f"The query was stopped after {limit_s:g} s.",
            hint="Narrow the search: bind a subject or a type, or add LIMIT without ORDER BY.",
            limit_s=limit_s,
        )


def _busy(detail: str) -> errors.Busy:
    return errors.Busy(detail, hint="Ask again in a moment.")


def _unavailable() -> errors.Unavailable:
    return errors.Unavailable("No query worker answers.", hint="Ask again in a moment.")


class Workers:
    """Starts a nursery, starts it again should it end, and ends it: ``with Workers(settings)``."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is started yet."""
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="intmk-")
        self._is_ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = threading.Thread(target=self._keep_alive, daemon=True)

    @property
    def directory(self) -> Path:
        """Where the nursery's sockets are; only this user may look into it."""
        return Path(self._folder.name)

    @property
    def pid(self) -> int:
        """The nursery's process id; 0 before it is started."""
        return self._process.pid if self._process else 0

    def __enter__(self) -> "Workers":
        """Start the nursery and wait until it can be asked.

        Raises Unavailable when it cannot start; it has said why on the error output.
        """
        try:
            self._process = self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the nursery, which ends its workers."""
        self._is_ending.set()
        if self._process:
            _hang_up(self._process)
        self._watch.join()
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "intmk.nursery", str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | self._settings.environment(),
        )
        assert process.stdout  # noqa: S101 - Popen was given PIPE
        with process.stdout as output:
            is_ready = output.readline()
        if not is_ready:
            _hang_up(process)
            process.wait()
            raise errors.Unavailable("The query engine did not start.")
        return process

    def _keep_alive(self) -> None:
        while self._process:
            self._process.wait()
            _hang_up(self._process)
            if self._is_ending.wait(_START_PAUSE_S):
                return
            with contextlib.suppress(errors.Unavailable):
                self._process = self._start()


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    """Close a nursery's standard input, which is how it is told to end."""
    if process.stdin:
        process.stdin.close()

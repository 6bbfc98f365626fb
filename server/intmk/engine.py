"""Asks query workers and hands their answers on: whole, or as a clear error.

The front's side of ``nursery`` and ``evaluation``. Nothing of a query is parsed here: ten
thousand parentheses end the process that parses them.
"""

import contextlib
import hashlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

from intmk import errors, evaluation, nursery, wire
from intmk.board import Board
from intmk.mailbox import Mailbox
from intmk.settings import Settings

Question = wire.Question
# Longer answers wait in a file until they are whole; memory is for the many short ones.
_IN_MEMORY_BYTES = 2_000_000
_CONTROL_TIMEOUT_S = 5.0
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


class Asker(NamedTuple):
    """Who asks: digests of sixteen bytes of the Query-Id and the address, and whether the client
    has gone meanwhile."""

    question: bytes
    address: bytes = bytes(16)
    has_left: Callable[[], bool] = lambda: False


def question_name(query_id: str) -> bytes:
    """Return the name under which the workers know the question of a Query-Id."""
    return hashlib.blake2b(query_id.encode(errors="replace"), digest_size=16).digest()


# Whoever speaks to a client says here for whom all questions of this thread are asked.
asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


class Engine:
    """Asks the workers of one nursery, found in its directory; safe to be used by many threads."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        """Take the nursery's directory and the settings with which it was started."""
        self.directory = directory
        self._settings = settings
        self._own = threading.local()
        self._asked = 0
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question.

        Raises Busy when no worker was free in time, TooManyQueries when the asker's address has
        too many, Unavailable when there is no worker, QueryCancelled, ClientLeft, and whatever the
        worker found wrong with the query (see ``errors``).
        """
        by = asker.get() or Asker(os.urandom(16))
        with self._place():
            conversation = _Conversation(self, self._settings, self._mailbox(), by)
            try:
                return conversation.answer(question)
            finally:
                if not conversation.is_over:
                    self._leave(by.question)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """Hold a place among the questions that are answered or wait; raises Busy without one."""
        with self._lock:
            self._asked += 1
            is_crowded = self._asked > self._settings.queue_length
        try:
            if is_crowded and self._asked > self._settings.queue_length + self._board.workers():
                raise _busy("The queue is full.")
            yield
        finally:
            with self._lock:
                self._asked -= 1

    def _mailbox(self) -> Mailbox:
        """Return this thread's mailbox. Raises Unavailable when there is no nursery."""
        try:
            found: Mailbox = self._own.mailbox
        except AttributeError:
            try:
                found = self._own.mailbox = Mailbox(str(self.directory))
            except OSError as error:
                raise _unavailable() from error
        return found

    def _leave(self, question: bytes) -> None:
        """Let nobody go on with a question, and nothing of its answer reach the next."""
        self._own.mailbox.close()
        del self._own.mailbox
        with contextlib.suppress(errors.Unavailable):
            if self.is_begun(question):
                self._control({"left": question.hex()})

    def version(self) -> str:
        """Return the id of the version that new questions are put to.

        Raises Unavailable when nothing is built.
        """
        try:
            return self._board.version
        except errors.Unavailable:
            return self.newest()

    def newest(self) -> str:
        """Return the id of the version built last, which is asked a moment later.

        Raises Unavailable when nothing is built.
        """
        try:
            return nursery.current(self._settings.store)
        except OSError as error:
            raise errors.Unavailable("There is no built graph.", hint="Run: intmk build") from error

    def status(self) -> dict[str, Any]:
        """Return ``version``, ids of the ``workers`` and of the ``slow`` ones, and whether the
        graph is ``in_memory``."""
        return self._control({})

    def cancel(self, question: bytes) -> bool:
        """Stop a question that is being answered; returns whether there was one."""
        found: bool = self._control({"cancelled": question.hex()})["found"]
        return found

    def ended(self, question: bytes) -> str | None:
        """Return why the worker ended that was at a question: one of ``nursery.REASONS``,
        ``share``, ``crowd``, ``cancelled``, or None when that is not known."""
        reason: str | None = self._control({"ended": question.hex()})["ended"]
        return reason

    def is_begun(self, question: bytes) -> bool:
        """Tell whether a worker is at a question."""
        return self._board.find(question) is not None

    @cached_property
    def _board(self) -> Board:
        try:
            return Board(self.directory / "board")
        except OSError as error:
            raise _unavailable() from error

    def _control(self, request: dict[str, object]) -> dict[str, Any]:
        with _connect(str(self.directory / "control")) as connection:
            try:
                connection.settimeout(_CONTROL_TIMEOUT_S)
                connection.sendall(json.dumps(request).encode())
                answer: dict[str, Any] = json.loads(connection.recv(65_536))
            except (OSError, ValueError) as error:
                raise _unavailable() from error
        return answer


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        connection.connect(path)
    except BlockingIOError as error:
        connection.close()
        raise _busy("The queue is full.") from error
    except OSError as error:
        connection.close()
        raise _unavailable() from error
    return connection


class _Conversation:
    """One question and its answer. Until it ``is_over`` something may still arrive."""

    def __init__(self, engine: Engine, settings: Settings, mailbox: Mailbox, by: Asker) -> None:
        self.is_over = False
        self._engine = engine
        self._settings = settings
        self._mailbox = mailbox
        self._by = by
        self._frames = wire.frames(self._receive)
        self._started = time.perf_counter()
        self._begun: float | None = None
        self._has_head = False

    def answer(self, question: Question) -> Answer:
        self._ask(wire.pack(question, self._by.question, self._by.address))
        kind, media_type, version = self._frame()[1].decode().split("\n")
        self._has_head = True
        content, length = self._content()
        seconds = time.perf_counter() - self._started
        return Answer(kind, media_type, version, content, length, seconds)

    def _ask(self, question: bytes) -> None:
        while True:
            try:
                self._mailbox.send(question)
            except BlockingIOError:
                self._look_around()
            except OSError:
                raise _unavailable() from None
            else:
                return

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
        letter, body = self._next()
        error = b""
        while letter == b"P":
            error += body
            letter, body = self._next()
        self.is_over = letter in b"ZE"
        if letter == b"E":
            raise wire.unpack_error(json.loads(error + body))
        return letter, body

    def _next(self) -> tuple[bytes, bytes]:
        """Return the next frame; raises what ended the worker when the nursery tells that."""
        while True:
            letter, body = next(self._frames)
            if letter != b"L":
                return letter, body
            # One of the question before may come late: its worker ended when all was said.
            if body.startswith(self._by.question):
                self.is_over = True
                raise self._lost(body[len(self._by.question) :].decode())

    def _receive(self) -> bytes:
        """Return what has arrived, looking after the question while nothing does."""
        while True:
            try:
                return self._mailbox.receive()
            except BlockingIOError:
                self._look_around()

    def _look_around(self) -> None:
        """Raise ClientLeft, Busy, QueryTimeout or what ended the worker when waiting on makes no
        sense."""
        if self._by.has_left():
            raise errors.ClientLeft("The client hung up.")
        if not self._mailbox.is_read():
            raise _unavailable()
        now = time.perf_counter()
        is_begun = self._engine.is_begun(self._by.question)
        if self._begun is None and (self._has_head or is_begun):
            self._begun = now
        if self._begun is None:
            if now - self._started > self._settings.queue_wait_s:
                raise self._no_worker()
        elif not is_begun:
            self._look_closely()
        elif now - self._begun > self._settings.query_timeout_s + _GRACE_S and not self._has_head:
            raise self._too_slow()

    def _look_closely(self) -> None:
        """Raise what ended the worker, unless its last words have just arrived."""
        if not self._mailbox.has_letter():
            raise self._lost(self._engine.ended(self._by.question))

    def _no_worker(self) -> errors.Busy:
        return _busy(f"No worker was free for {self._settings.queue_wait_s:g} s.")

    def _lost(self, reason: str | None) -> errors.GraphError:
        """Return the error for the reason for which a worker ended in the middle of an answer."""
        if reason == "deadline":
            return self._too_slow()
        if reason == "memory":
            return evaluation.out_of_memory(self._settings.query_memory_mb)
        if reason == "depth" and not self._has_head:
            return errors.QueryTooDeep(
                "The query needs more nesting than the parser can follow.",
                hint="Use VALUES or FILTER … IN for long lists; nest fewer brackets and operators.",
            )
        if reason == "share":
            return errors.TooManyQueries(
                "Other queries of yours run long already, and the places for those are taken.",
                hint="Ask one after the other, or narrow the search.",
            )
        if reason == "crowd":
            return _busy("All places for queries that run long are taken.")
        if reason == "cancelled":
            return errors.QueryCancelled("It was stopped by its Query-Id.")
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

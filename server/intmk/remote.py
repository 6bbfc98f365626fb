"""Asks another server's SPARQL endpoint in place of workers of our own.

SPARQL 1.1 Protocol section 2.1, from the client's side. The other server is asked for the two
formats that every engine writes best, SPARQL JSON and N-Triples, and they are read to their end and
written anew: so a client gets any format, exactly as from our own engine, and an answer that was
cut or ends in an error text is an error here.
"""

import io
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from contextvars import ContextVar
from email.message import Message
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import urllib3
from pyoxigraph import (
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
    parse,
    parse_query_results,
)
from urllib3.connection import HTTPConnection, HTTPSConnection

from intmk import errors, formats, outgoing, results, vocab
from intmk.engine import Answer, Asker, Engine, Question, asker
from intmk.settings import Settings, credentials

_IN_MEMORY_BYTES = 2_000_000
_CHUNK_BYTES = 65_536
_CONNECT_S = 3.0
# How often a question that is being answered is looked after.
_LOOK_S = 0.1
_MESSAGE_BYTES = 4000
_ACCEPTED = {
    "results": "application/sparql-results+json, application/json;q=0.5",
    "graph": "application/n-triples, text/turtle;q=0.8, application/rdf+xml;q=0.6",
}
_JSON = ("application/sparql-results+json", "application/json")
_GRAPHS = {
    "application/n-triples": RdfFormat.N_TRIPLES,
    "text/plain": RdfFormat.N_TRIPLES,
    "text/turtle": RdfFormat.TURTLE,
    "application/rdf+xml": RdfFormat.RDF_XML,
}
_DATASET = ("default-graph-uri", "named-graph-uri")
# With these Virtuoso tells that it has left rows out.
_CUT = ("X-SPARQL-MaxRows", "X-SQL-State")
_ALIVE = Question("ASK {}", (("json", _JSON[0]),))


class Remote(Engine):
    """The engine behind a SPARQL endpoint. It has no versions: ``Answer.version`` is empty."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        """Take a folder that all processes of this server share, and the settings."""
        super().__init__(directory, settings)
        self._running = directory / "running"
        self._running.mkdir(exist_ok=True)
        self._prefixes = vocab.prefixes(settings.root)
        address = urlsplit(settings.remote)
        self._path = address.path or "/"
        self._parameters = parse_qsl(address.query, keep_blank_values=True)
        self._pool = _pool(settings.remote, settings.front_threads)
        self._headers = {"User-Agent": "intmk", "Accept-Encoding": "identity"}
        self._headers |= credentials(settings.remote)

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question.

        Raises UpdateForbidden, NetworkForbidden, QuerySyntaxError and NotAcceptable for what is
        not passed on; QueryFailed for what the endpoint refuses; StoreFailed, Unavailable, Busy,
        QueryTimeout, TooLarge, QueryCancelled and ClientLeft.
        """
        started = time.perf_counter()
        sent = outgoing.prepared(question.text, self._prefixes, vocab.BASE)
        row, media_type = _chosen(question.offers, sent.kind)
        by = asker.get() or Asker(os.urandom(16))
        with _Watch(by, self._running, self._settings.query_timeout_s) as watch:
            kind, output = self._answered(question, sent, row, watch)
        content, length = output.content()
        seconds = time.perf_counter() - started
        return Answer(kind, media_type, "", content, length, seconds)

    def version(self) -> str:
        """Return nothing: no protocol tells whether another server's graph has changed."""
        return ""

    def status(self) -> dict[str, Any]:
        """Return nothing once the endpoint has answered; raises what ``ask`` raises."""
        self.ask(_ALIVE).read()
        return {}

    def cancel(self, question: bytes) -> bool:
        """Stop waiting for the answer to a question; returns whether there was one."""
        found = list(self._running.glob(f"{question.hex()}-*"))
        for path in found:
            path.unlink(missing_ok=True)
        return bool(found)

    def _answered(
        self, question: Question, sent: outgoing.Outgoing, row: formats.Format, watch: "_Watch"
    ) -> tuple[str, "_Output"]:
        output = _Output(self._settings.result_bytes, watch)
        try:
            with closing(self._response(question, sent)) as response:
                media_type = _checked(response)
                body = _received(response, self._settings.result_bytes)
            with body:
                return _written(body, media_type, sent, row, output), output
        except BaseException as error:
            output.discard()
            # What follows from our hanging up is not what went wrong.
            watch.check()
            if isinstance(error, _FAILURES):
                raise _failure(error, self._settings.query_timeout_s) from error
            raise

    def _response(
        self, question: Question, sent: outgoing.Outgoing
    ) -> urllib3.response.BaseHTTPResponse:
        fields = [("query", sent.text), *self._dataset(question, sent)]
        limit_s = self._settings.query_timeout_s
        return self._pool.urlopen(
            "POST",
            self._path,
            urlencode(fields, errors="surrogatepass").encode(),
            self._headers
            | {"Content-Type": "application/x-www-form-urlencoded", "Accept": _ACCEPTED[sent.kind]},
            retries=False,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(_CONNECT_S, limit_s), read=limit_s + 1),
        )

    def _dataset(self, question: Question, sent: outgoing.Outgoing) -> list[tuple[str, str]]:
        """Return the parameters of the address; a question's own dataset replaces its.

        Where the address names a default graph, the graphs that the query names are named with it,
        or the dataset would be without them (section 2.1.4; Virtuoso keeps to it for IRIs only).
        """
        if question.default_graphs is None and question.named_graphs is None:
            is_named = any(name in _DATASET for name, _ in self._parameters)
            graphs = sent.graphs if is_named else ()
            return [*self._parameters, *((_DATASET[1], graph) for graph in graphs)]
        kept = [(name, value) for name, value in self._parameters if name not in _DATASET]
        kept += [(_DATASET[0], graph) for graph in question.default_graphs or ()]
        return kept + [(_DATASET[1], graph) for graph in question.named_graphs or ()]


def _chosen(offers: tuple[tuple[str, str], ...], kind: formats.Kind) -> tuple[formats.Format, str]:
    """Return the first format that can hold the answer; raises NotAcceptable without one."""
    rows = formats.RESULTS if kind == "results" else formats.GRAPHS
    able = {row.extension: row for row in rows}
    for extension, media_type in offers:
        if extension in able:
            return able[extension], media_type
    raise formats.not_acceptable(", ".join(kind for _, kind in offers), rows)


def _checked(response: urllib3.response.BaseHTTPResponse) -> str:
    """Return the media type of an answer that can be relied on; raises for any other."""
    if response.status != 200:
        raise _refusal(response)
    if any(name in response.headers for name in _CUT):
        raise errors.StoreFailed("It has cut its answer.", hint="Ask for fewer rows with LIMIT.")
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if not chunked and "Content-Length" not in response.headers:
        raise errors.StoreFailed("It does not tell where its answer ends.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.StoreFailed("It has compressed its answer without being asked to.")
    return _media_type(response)


def _media_type(response: urllib3.response.BaseHTTPResponse) -> str:
    head = Message()
    head["Content-Type"] = response.headers.get("Content-Type", "")
    return head.get_content_type()


def _refusal(response: urllib3.response.BaseHTTPResponse) -> errors.GraphError:
    """Return what an endpoint's status means to who has asked us."""
    status, said = response.status, _said(response)
    if status == 400:
        hint = "Lines are those of your query; the first may begin with declarations of ours."
        return errors.QueryFailed(f"The engine says: {said}", hint=hint)
    if status in (429, 503):
        return errors.Busy("The engine behind this server is busy.", hint="Ask again in a moment.")
    if status in (408, 504):
        return errors.QueryTimeout("The engine behind this server gave up.", hint=_NARROW)
    return errors.StoreFailed(f"It answered with status {status}: {said}")


def _said(response: urllib3.response.BaseHTTPResponse) -> str:
    """Return the beginning of an error's text, on one line."""
    with suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
        text = response.read(_MESSAGE_BYTES, decode_content=False).decode(errors="replace")
        with suppress(ValueError, AttributeError):
            problem = json.loads(text)
            text = str(problem.get("detail") or problem.get("message") or text)
        # After an empty line Virtuoso repeats the query.
        return " ".join(text.strip().partition("\n\n")[0].split())[:300] or "nothing."
    return "nothing."


def _received(response: urllib3.response.BaseHTTPResponse, limit_bytes: int) -> IO[bytes]:
    """Return the body of an answer, whole; it is in memory while it is short."""
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    length = 0
    try:
        for part in response.stream(_CHUNK_BYTES, decode_content=False):
            length += len(part)
            if length > limit_bytes:
                raise _too_large(limit_bytes)
            file.write(part)
    except BaseException:
        file.close()
        raise
    response.release_conn()
    file.seek(0)
    return cast(IO[bytes], file)


def _written(
    body: IO[bytes],
    media_type: str,
    sent: outgoing.Outgoing,
    row: formats.Format,
    output: "_Output",
) -> str:
    """Write an answer in a format and return its kind. Raises SyntaxError when it is none."""
    if sent.kind == "graph" and media_type in _GRAPHS:
        triples = parse(body, format=_GRAPHS[media_type])
        assert isinstance(row.engine, RdfFormat)  # noqa: S101 - all of GRAPHS are
        results.write_graph(triples, row.engine, cast(IO[bytes], output))
        return "graph"
    if sent.kind == "graph" or media_type not in _JSON:
        raise errors.StoreFailed(f"Its answer is {media_type[:80]}, which is not what was asked.")
    answer: results.Answer = parse_query_results(body, format=QueryResultsFormat.JSON)
    if sent.form == "ASK" and isinstance(answer, QuerySolutions):
        answer = _truth(answer)
    results.write(answer, row, cast(IO[bytes], output))
    return "ask" if isinstance(answer, QueryBoolean) else "select"


def _truth(answer: QuerySolutions) -> results.Answer:
    """Return the answer to an ASK that Virtuoso gives as a table with 1 or 0 in it."""
    values = [term.value for solution in answer for term in cast(Iterable[Any], solution)]
    is_true = values == ["1"] or values == ["true"]
    text = json.dumps({"head": {}, "boolean": is_true})
    return parse_query_results(text, format=QueryResultsFormat.JSON)


def _too_large(limit_bytes: int) -> errors.TooLarge:
    return errors.TooLarge(
        f"The answer is longer than {limit_bytes} bytes.",
        hint="Ask for fewer rows with LIMIT and OFFSET, or for fewer columns.",
    )


_NARROW = "Narrow the search: bind a subject or a type, or add LIMIT without ORDER BY."


def _too_slow(limit_s: float) -> errors.QueryTimeout:
    return errors.QueryTimeout(
        f"The query was given up after {limit_s:g} s.", hint=_NARROW, limit_s=limit_s
    )


# What the connection, and who reads its bytes, may raise.
_FAILURES = (urllib3.exceptions.HTTPError, OSError, ValueError, SyntaxError)


def _failure(error: Exception, limit_s: float) -> errors.GraphError:
    """Return what a failure on the way to an endpoint, or of its answer, means."""
    if isinstance(error, SyntaxError):
        return errors.StoreFailed(f"Its answer is not whole, or not what it says: {error.msg}.")
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return _too_slow(limit_s)
    if isinstance(
        error, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    ):
        return errors.Unavailable(
            "The SPARQL endpoint behind this server cannot be reached.",
            hint="Ask again in a moment.",
        )
    return errors.StoreFailed(f"The connection to it was lost ({type(error).__name__}).")


class _Output(io.RawIOBase):
    """Takes what is written for a client, within its limit; long answers wait in a file."""

    def __init__(self, limit_bytes: int, watch: "_Watch") -> None:
        self._limit_bytes = limit_bytes
        self._watch = watch
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - an answer's
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._watch.check()
        self._length += len(data)
        if self._length > self._limit_bytes:
            raise _too_large(self._limit_bytes)
        return self._file.write(data)

    def discard(self) -> None:
        """Let go of what was written."""
        self._file.close()

    def content(self) -> tuple[bytes | IO[bytes], int]:
        """Return all that was written, and how long it is."""
        self._file.seek(0)
        if self._length > _IN_MEMORY_BYTES:
            return cast(IO[bytes], self._file), self._length
        with self._file:
            return self._file.read(), self._length


_watch: ContextVar["_Watch | None"] = ContextVar("watch", default=None)


class _Watch:
    """Hangs up on the endpoint when the deadline passes, the client leaves, or somebody cancels.

    A file in a folder stands for the question; who removes it cancels it, in whichever process.
    """

    def __init__(self, by: Asker, folder: Path, limit_s: float) -> None:
        self._by = by
        self._limit_s = limit_s
        self._end = time.monotonic() + limit_s
        handle, name = tempfile.mkstemp(prefix=f"{by.question.hex()}-", dir=folder)
        os.close(handle)
        self._path = Path(name)
        self._is_done = threading.Event()
        self._error: errors.GraphError | None = None
        self.connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._token = _watch.set(self)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()
        _watch.reset(self._token)
        self._path.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise what this question was given up for, if it was."""
        if self._error:
            raise self._error

    def _look(self) -> None:
        while not self._is_done.wait(min(_LOOK_S, max(self._end - time.monotonic(), 0.001))):
            self._error = self._error or self._reason()
            if self._error and self.connection:
                with suppress(OSError):
                    # Not the method of a TLS socket, which would take its state from the reader.
                    socket.socket.shutdown(self.connection, socket.SHUT_RDWR)

    def _reason(self) -> errors.GraphError | None:
        if time.monotonic() >= self._end:
            return _too_slow(self._limit_s)
        if not self._path.exists():
            return errors.QueryCancelled("It was stopped by its Query-Id.")
        return errors.ClientLeft("The client hung up.") if self._by.has_left() else None


class _Shown(HTTPConnection):
    """A connection that shows the watch its socket while an answer is awaited."""

    def getresponse(self) -> Any:
        watch = _watch.get()
        if watch:
            watch.connection = self.sock
        return super().getresponse()


class _ShownTls(HTTPSConnection, _Shown):
    """The same over TLS."""


def _pool(address: str, size: int) -> urllib3.HTTPConnectionPool:
    """Return connections to the server of an address that a watch can hang up."""
    parts = urlsplit(address)
    is_secure = parts.scheme == "https"
    kind = urllib3.HTTPSConnectionPool if is_secure else urllib3.HTTPConnectionPool
    pool = kind(parts.hostname or "", parts.port, maxsize=max(size, 1))
    pool.ConnectionCls = _ShownTls if is_secure else _Shown
    return pool

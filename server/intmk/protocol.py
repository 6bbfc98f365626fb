"""The query operation of the SPARQL 1.1 Protocol (section 2.1), whatever carries it.

Parameters are read strictly: each exactly once, each valid UTF-8. Answers are formatted by the
engine, and given again from memory while the version lasts; entity tags, codings and digests are
those of RFC 9110 and RFC 9530.
"""

import binascii
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, NamedTuple
from urllib.parse import unquote_to_bytes

from intmk import capabilities, formats, replies, wire
from intmk.cache import Cache, Kept
from intmk.engine import Answer, Engine, Question
from intmk.errors import GraphError, InvalidRequest, UnsupportedMediaType, UpdateForbidden, slug
from intmk.federation import Federation
from intmk.metrics import Tally
from intmk.past import Moment, Past
from intmk.replies import Headers, Reply
from intmk.settings import Settings

FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
UPDATE = "application/sparql-update"
_READ_ONLY = "This address answers SELECT, ASK, CONSTRUCT and DESCRIBE."
# Two evaluations of such a query may differ, so its answer is not worth keeping.
_VOLATILE = re.compile(r"\b(now|rand|uuid|struuid|bnode|service)\b")
# Looked for first, since it is ten times as fast: most queries have none of it.
_VOLATILE_PARTS = ("now", "rand", "uuid", "bnode", "service")
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_KEPT_BYTES = 1_000_000
# Addresses up to this length are read once only while they are repeated.
_REMEMBERED_CHARACTERS = 8192
_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([^\s;"]+)""", re.IGNORECASE)


class Request(NamedTuple):
    """What the protocol looks at in a request; ``body`` reads it, within the server's limit."""

    method: str
    query_string: str
    accept: str | None = None
    accept_encoding: str | None = None
    if_none_match: str | None = None
    content_type: str = ""
    body: Callable[[], bytes] = bytes


class Parameters:
    """The parameters of a request, taken out one by one so that none is given twice unnoticed."""

    def __init__(self, *encoded: bytes) -> None:
        """Read URL-encoded texts; raises InvalidRequest where one is not UTF-8."""
        try:
            pairs = [_pair(part) for text in encoded for part in text.split(b"&") if part]
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"The parameters are not UTF-8: {error}.",
                hint="Percent-encode every character outside ASCII as UTF-8.",
            ) from error
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a parameter."""
        return tuple(self._values.get(name, ()))

    def one(self, name: str) -> str | None:
        """Return the only value of a parameter, or None; raises InvalidRequest for several."""
        values = self.all(name)
        if len(values) > 1:
            raise InvalidRequest(
                f"The parameter {name} is given {len(values)} times.", hint="Give it once."
            )
        return values[0] if values else None


def _pair(part: bytes) -> tuple[str, str]:
    name, _, value = part.replace(b"+", b" ").partition(b"=")
    return _unquoted(name).decode(), _unquoted(value).decode()


def _unquoted(text: bytes) -> bytes:
    """Return percent-encoded bytes decoded (RFC 3986 section 2.1); what is malformed stays."""
    if _MALFORMED.search(text):
        return unquote_to_bytes(text)
    # Quoted-printable differs in the sign alone, and is decoded in C: four times as fast.
    return binascii.a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))


def _is_volatile(query: str) -> bool:
    text = query.lower()
    return any(part in text for part in _VOLATILE_PARTS) and bool(_VOLATILE.search(text))


@dataclass(frozen=True)
class Operation:
    """One query operation as the client asked for it, whichever of the three ways it took.

    ``query`` is None for a GET that asks for the service description, ``at`` the number or id of
    a version, None for the current one.
    """

    query: str | None
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    format: str | None = None
    accept: str | None = None
    at: str | None = None

    @property
    def wants_html(self) -> bool:
        """Whether a page is the best answer to this client; pages show the current version."""
        if self.at is not None:
            return False
        if self.format is None:
            return formats.prefers_html(self.accept)
        return self.format == "html"

    @property
    def dataset(self) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """The default and the named graphs asked for; None twice for the graph as it is."""
        has_dataset = bool(self.default_graphs or self.named_graphs)
        return (self.default_graphs, self.named_graphs) if has_dataset else (None, None)

    def question(self, text: str, kinds: tuple[formats.Format, ...] = formats.FORMATS) -> Question:
        """Return what to ask the engine; raises NotAcceptable when no format will do."""
        offers = _offers(self.accept, self.format, kinds)
        return Question(text, offers, *self.dataset)


def _in_address(query_string: str, accept: str | None) -> Operation:
    return read(Request("GET", query_string, accept))


def read(request: Request) -> Operation:
    """Return the operation of a request; raises InvalidRequest, UnsupportedMediaType, ...."""
    parameters, query = _read(request)
    if parameters.all("update"):
        raise UpdateForbidden("The request has the parameter update.", hint=_READ_ONLY)
    return Operation(
        query,
        parameters.all("default-graph-uri"),
        parameters.all("named-graph-uri"),
        parameters.one("format"),
        request.accept,
        parameters.one("at"),
    )


def _read(request: Request) -> tuple[Parameters, str | None]:
    """Return the parameters and the query of a request."""
    in_address = request.query_string.encode("latin-1")
    if request.method != "POST":
        parameters = Parameters(in_address)
        return parameters, parameters.one("query")
    media_type = _media_type(request.content_type)
    if media_type == FORM:
        parameters = Parameters(in_address, request.body())
        query = parameters.one("query")
    else:
        parameters, query = Parameters(in_address), _direct(request.body())
        if parameters.all("query"):
            raise InvalidRequest("There is a query both in the address and in the body.")
    if query is None:
        raise InvalidRequest("The request has no query.", hint="Send it as the parameter query.")
    return parameters, query


def _media_type(content_type: str) -> str:
    """Return FORM or QUERY; raises UnsupportedMediaType for any other."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == UPDATE:
        raise UpdateForbidden("The request body is an update.", hint=_READ_ONLY)
    charset = _CHARSET.search(content_type)
    is_utf8 = charset is None or charset[1].lower() in ("utf-8", "utf8", "us-ascii")
    if media_type not in (FORM, QUERY) or not is_utf8:
        raise UnsupportedMediaType(
            f"The request body is {content_type[:200] or 'of no stated type'}.",
            hint=f"Send {QUERY} or {FORM}, in UTF-8.",
            offered=[QUERY, FORM],
        )
    return media_type


def _direct(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The query is not UTF-8: {error}.") from error


@lru_cache(maxsize=256)
def _offers(
    accept: str | None, name: str | None, kinds: tuple[formats.Format, ...]
) -> tuple[tuple[str, str], ...]:
    """Return (extension, media type) of every format the client accepts, best first."""
    if name is not None:
        wanted: tuple[formats.Offer, ...] = formats.named(name)
    else:
        wanted = formats.rank(accept, kinds)
    if not wanted:
        raise formats.not_acceptable(accept or "", kinds)
    return tuple((offer.format.extension, offer.media_type) for offer in wanted)


class Endpoint:
    """Answers operations: from what the client has, from memory, or from the engine."""

    def __init__(self, engine: Engine, past: Past, settings: Settings, tally: Tally) -> None:
        """Take who is asked about the present and the past, the settings, and where queries are
        counted."""
        self._engine = engine
        self._past = past
        self._tally = tally
        self._federation = Federation(settings)
        self._cache = Cache(settings.cache_mb * 1_000_000)
        self._description = capabilities.description(settings)
        self._remembered = lru_cache(maxsize=1024)(_in_address)

    def read(self, request: Request) -> Operation:
        """Return the operation of a request, read once while it is repeated.

        Raises InvalidRequest, UnsupportedMediaType, ....
        """
        if request.method == "POST" or len(request.query_string) > _REMEMBERED_CHARACTERS:
            return read(request)
        return self._remembered(request.query_string, request.accept)

    def answer(self, operation: Operation, request: Request) -> Reply:
        """Return the answer to an operation; raises what ``Engine.ask`` raises."""
        started = time.perf_counter()
        try:
            engine = self._engine if operation.at is None else self._past.at(operation.at)
            asked = _Asked(operation, request, engine.version(), self._description, started)
            kind, outcome, reply = self._answer(asked, engine)
        except GraphError as error:
            self._tally.query("unknown", slug(type(error)), time.perf_counter() - started)
            raise
        self._tally.query(kind, outcome, time.perf_counter() - started)
        return reply

    def _answer(self, asked: "_Asked", engine: Engine | Moment) -> tuple[str, str, Reply]:
        """Return the kind of the answer, the outcome, and the reply."""
        tag = asked.held_tag()
        if tag:
            return "unknown", "not-modified", asked.not_modified(tag)
        kept = self._kept(asked)
        if kept:
            return kept.kind, "answered", asked.short(kept, "cache")
        answer = self._federation.ask(engine.ask, asked.question)
        if not isinstance(answer.content, bytes):
            return answer.kind, "answered", asked.long(answer, answer.content)
        kept = Kept(answer.kind, answer.media_type, answer.version, answer.content)
        if asked.is_kept and answer.length <= _KEPT_BYTES:
            self._cache.put(asked.question, kept)
        return kept.kind, "answered", asked.short(kept, "query")

    def _kept(self, asked: "_Asked") -> Kept | None:
        kept = self._cache.get(asked.version, asked.question) if asked.is_kept else None
        self._tally.cache("hit" if kept else "miss" if asked.is_kept else "unkept")
        return kept


class _Asked:
    """An operation on the version it begins with, and how its answer is put to this client."""

    def __init__(
        self, operation: Operation, request: Request, version: str, about: str, started: float
    ) -> None:
        if operation.query is None:
            self.question = operation.question(about, formats.GRAPHS)
        else:
            self.question = operation.question(operation.query)
        self.version = version
        # Without a version nobody knows whether the next answer would be the same.
        is_stable = bool(version) and not _is_volatile(self.question.text)
        self.is_kept = is_stable and operation.at is None
        # What is posted is not cached by anyone between us and the client (RFC 9110 9.3.3).
        self._is_tagged = is_stable and request.method != "POST"
        self._if_none_match = request.if_none_match
        self._coding = replies.coding(request.accept_encoding)
        self._started = started

    def held_tag(self) -> str:
        """Return the entity tag of the answer that the client has already, or nothing."""
        if not self._if_none_match or not self._is_tagged:
            return ""
        return replies.held_tag(self._if_none_match, self._tag(self.version))

    def _tag(self, version: str) -> str:
        """Return a strong entity tag: same version, question and formats, same bytes."""
        return f'"{version}-{hashlib.sha256(wire.body(self.question)).hexdigest()[:16]}"'

    def not_modified(self, tag: str) -> Reply:
        """Return the reply to who has the answer already."""
        return Reply(
            304,
            [("ETag", tag), ("Graph-Version", self.version), *_OF_TAGGED],
            outcome="not-modified",
        )

    def short(self, kept: Kept, source: str) -> Reply:
        """Return a reply with length and digest; ``source`` names the time in Server-Timing."""
        coding = self._coding if len(kept.plain) >= replies.COMPRESSED_BYTES else ""
        body, digest = kept.body(coding)
        headers = self._headers(kept.media_type, kept.version, source, coding)
        headers.append(("Content-Length", str(len(body))))
        headers.append(("Repr-Digest", digest))
        return Reply(200, headers, body)

    def long(self, answer: Answer, file: IO[bytes]) -> Reply:
        """Return a reply from a file; compressed, its length is not known before."""
        headers = self._headers(answer.media_type, answer.version, "query", self._coding)
        if not self._coding:
            headers.append(("Content-Length", str(answer.length)))
        return Reply(200, headers, replies.Chunks(file, self._coding))

    def _headers(self, media_type: str, version: str, source: str, coding: str) -> Headers:
        spent_ms = (time.perf_counter() - self._started) * 1000
        text = media_type.startswith("text/")
        headers = [
            ("Content-Type", media_type + ("; charset=utf-8" if text else "")),
            ("Server-Timing", f"{source};dur={spent_ms:.2f}"),
        ]
        if version:
            headers.append(("Graph-Version", version))
        if self._is_tagged:
            tag = self._tag(version)
            headers.append(("ETag", replies.coded_tag(tag, coding)))
        if coding:
            headers.append(("Content-Encoding", coding))
        return headers + (_OF_TAGGED if self._is_tagged else _OF_OTHERS)


_OF_TAGGED: Headers = [("Vary", "Accept, Accept-Encoding"), ("Cache-Control", "no-cache")]
_OF_OTHERS: Headers = [("Vary", "Accept, Accept-Encoding"), ("Cache-Control", "no-store")]

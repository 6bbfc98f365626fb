"""Every request passes here: /sparql is answered at once, anything else by the application.

A WSGI callable (PEP 3333) around the application's. Flask takes 0.25 ms where the protocol takes
0.03, so it sees of /sparql only what is shown to browsers. All answers get the same headers,
codings, counts and line in the access log here.
"""

import hashlib
import ipaddress
import itertools
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from intmk import accesslog, errors, replies
from intmk.engine import Asker, asker, question_name
from intmk.errors import GraphError
from intmk.metrics import Tally
from intmk.presence import Presence
from intmk.protocol import Endpoint, Request
from intmk.replies import Headers, Reply
from intmk.settings import Settings

Environ = dict[str, Any]
# The start_response of PEP 3333, for which servers and clients have types of their own.
Start = Any
Application = Callable[[Environ, Start], Iterable[bytes]]
# Where the application finds what was read of a request, what was wrong with it, and says so.
OPERATION, ERROR, OUTCOME = "intmk.operation", "intmk.error", "intmk.outcome"
# Longer answers of the application are handed on in the pieces in which they come.
_BUFFERED_BYTES = 2_000_000
_QUERY_ID = re.compile(r"[A-Za-z0-9_.~-]{16,64}", re.ASCII)
_numbers = itertools.count()
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Gateway:
    """The WSGI callable of one process."""

    def __init__(
        self, application: Application, endpoint: Endpoint, settings: Settings, tally: Tally
    ) -> None:
        """Take the application's callable, who answers /sparql, and where requests are counted."""
        self._application = application
        self._endpoint = endpoint
        self._tally = tally
        self._log = accesslog.opened(settings.access_log)
        self._limit_bytes = settings.query_bytes
        self._mount = urlsplit(settings.public_url).path.rstrip("/")
        self._proxies = _networks(settings.trusted_proxies)
        self._crowd = _Crowd(settings.front_threads)

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        query_id = _query_id(environ)
        address = _client(
            environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR"), self._proxies
        )
        asker.set(Asker(question_name(query_id), address, Presence(environ, started)))
        if self._mount:
            _mount(environ, self._mount)
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        reply = self._admitted(environ, address)
        headers = [*reply.headers, *replies.COMMON, ("Query-Id", query_id)]
        self._tally.request(reply.status)
        if self._log:
            self._note(self._log, environ, is_head, reply, query_id, started)
        start_response(_STATUS.get(reply.status, f"{reply.status} Unknown"), headers)
        return _without_body(reply) if is_head else _body(reply)

    def _admitted(self, environ: Environ, address: bytes) -> Reply:
        if not self._crowd.enter(address):
            return self._refused(environ, _too_many())
        try:
            return self._answered(environ)
        finally:
            self._crowd.leave(address)

    def _answered(self, environ: Environ) -> Reply:
        method = environ["REQUEST_METHOD"]
        if environ["PATH_INFO"] != "/sparql" or method not in ("GET", "HEAD", "POST"):
            return self._applied(environ)
        request = self._request(environ, method)
        try:
            operation = self._endpoint.read(request)
            environ[OPERATION] = operation
            if not operation.wants_html:
                return self._endpoint.answer(operation, request)
        except GraphError as error:
            return self._refused(environ, error)
        return self._applied(environ)

    def _request(self, environ: Environ, method: str) -> Request:
        get = environ.get
        return Request(
            method,
            environ["QUERY_STRING"],
            get("HTTP_ACCEPT"),
            get("HTTP_ACCEPT_ENCODING"),
            get("HTTP_IF_NONE_MATCH"),
            get("CONTENT_TYPE", ""),
            lambda: self._body(environ),
        )

    def _body(self, environ: Environ) -> bytes:
        """Return the body of a query; raises TooLarge, UnsupportedMediaType or Busy."""
        coding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
        if coding != "identity":
            # A thousand bytes may hold a million times as many.
            raise errors.UnsupportedMediaType(
                f"The request body is compressed ({coding[:40]}).", hint="Send it as it is."
            )
        with self._crowd.reading():
            return _read(environ, self._limit_bytes)

    def _refused(self, environ: Environ, error: GraphError) -> Reply:
        """Return an error; the application shows it to who likes HTML best."""
        reply = replies.problem(error, environ.get("HTTP_ACCEPT"))
        if reply:
            return reply
        environ[ERROR] = error
        return self._applied(environ)

    def _applied(self, environ: Environ) -> Reply:
        """Return the application's answer."""
        asked = environ.get("HTTP_IF_NONE_MATCH", "")
        environ |= {
            name: replies.plain_tags(environ[name])
            for name in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")
            if name in environ
        }
        if environ["REQUEST_METHOD"] == "HEAD":
            # What GET would say, so that its length and tag are right; the body is left out later.
            environ["REQUEST_METHOD"] = "GET"
        reply = _collected(self._application, environ)
        if reply.status == 304 and replies.plain_tags(asked) != asked:
            held = [
                (name, replies.held_tag(asked, value) or value if name == "ETag" else value)
                for name, value in reply.headers
            ]
            return reply._replace(headers=held)
        return replies.coded(reply, environ.get("HTTP_ACCEPT_ENCODING"))

    def _note(
        self,
        log: accesslog.AccessLog,
        environ: Environ,
        is_head: bool,
        reply: Reply,
        query_id: str,
        started: float,
    ) -> None:
        headers = dict(reply.headers)
        query = getattr(environ.get(OPERATION), "query", None)
        log.write(
            method="HEAD" if is_head else environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"][:500],
            status=reply.status,
            outcome=reply.outcome,
            bytes=0 if is_head else headers.get("Content-Length"),
            ms=round((time.perf_counter() - started) * 1000, 2),
            query_id=query_id,
            version=headers.get("Graph-Version"),
            query_sha256=query and hashlib.sha256(query.encode(errors="replace")).hexdigest(),
        )


class _Crowd:
    """Keeps a share of this process's threads free: of a crowd, and of slow senders."""

    def __init__(self, threads: int) -> None:
        self._crowded = max(threads * 3 // 4, 1)
        self._share = max(threads // 4, 1)
        self._places: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self._readers = threading.BoundedSemaphore(max(threads // 2, 1))
        self._total = 0

    def enter(self, address: bytes) -> bool:
        """Take a place, unless places are few and this address has its share of them."""
        with self._lock:
            if self._total >= self._crowded and self._places[address] >= self._share:
                return False
            self._total += 1
            self._places[address] += 1
            return True

    def leave(self, address: bytes) -> None:
        with self._lock:
            self._total -= 1
            self._places[address] -= 1
            if not self._places[address]:
                del self._places[address]

    def reading(self) -> "_Reading":
        return _Reading(self._readers)


class _Reading:
    """A place among those whose request body is being read; raises Busy when there is none."""

    def __init__(self, places: threading.Semaphore) -> None:
        self._places = places

    def __enter__(self) -> None:
        if not self._places.acquire(blocking=False):
            raise errors.Busy(
                "Too many request bodies are on their way.", hint="Ask again in a moment."
            )

    def __exit__(self, *_: object) -> None:
        self._places.release()


def _too_many() -> errors.TooManyQueries:
    return errors.TooManyQueries(
        "Requests from your address take most of what this server can do at once.",
        hint="Send fewer at a time.",
    )


def _query_id(environ: Environ) -> str:
    """Return the id the client gave its query, or a new one that cannot be guessed."""
    given = environ.get("HTTP_QUERY_ID")
    return given if given and _QUERY_ID.fullmatch(given) else _new_query_id()


def _new_query_id() -> str:
    """Return an id that nobody can guess; asking the kernel each time would change threads."""
    number = next(_numbers).to_bytes(8, "big")
    return hashlib.blake2b(number, key=_secret(), digest_size=16).hexdigest()


@cache
def _secret() -> bytes:
    """Return what makes this process's ids its own; made after the fork or spawn."""
    return os.urandom(32)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    names = [] if text == "none" else text.split(",")
    return tuple(ipaddress.ip_network(name.strip()) for name in names)


@lru_cache(maxsize=1024)
def _client(peer: str, forwarded: str | None, proxies: tuple[Network, ...]) -> bytes:
    """Return a digest of who asks: the last address that is not a proxy of ours.

    Of an IPv6 address the first 64 bits, since whoever has one has all that begin with them.
    """
    hops = [*(forwarded or "").split(","), peer] if proxies else [peer]
    for hop in reversed(hops):
        try:
            address = ipaddress.ip_address(hop.strip())
        except ValueError:
            return _digest(peer)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not any(address in network for network in proxies):
            return _digest(str(address)) if address.version == 4 else address.packed[:8] + bytes(8)
    return _digest(peer)


def _mount(environ: Environ, mount: str) -> None:
    """Take the path of the public address off the request's, where a proxy has left it there."""
    path = environ["PATH_INFO"]
    if path == mount or path.startswith(mount + "/"):
        environ["SCRIPT_NAME"] = mount
        environ["PATH_INFO"] = path[len(mount) :] or "/"


def _read(environ: Environ, limit_bytes: int) -> bytes:
    too_large = errors.TooLarge(
        f"The request body is longer than {limit_bytes} bytes.", hint="Send a shorter query."
    )
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > limit_bytes:
        raise too_large
    if not length and not environ.get("wsgi.input_terminated"):
        return b""
    wanted = min(int(length), limit_bytes + 1) if length.isdigit() else limit_bytes + 1
    parts, read = [], 0
    while read < wanted and (part := environ["wsgi.input"].read(wanted - read)):
        parts.append(part)
        read += len(part)
    if read > limit_bytes:
        raise too_large
    return b"".join(parts)


def _collected(application: Application, environ: Environ) -> Reply:
    """Return what the application answers; a long or unmeasured body as it comes."""
    started: list[tuple[str, Headers]] = []

    def start(status: str, headers: Headers, _: object = None) -> None:
        started[:] = [(status, headers)]

    body = application(environ, start)
    status, given = started[0]
    headers = [pair for pair in given if pair[0].lower() not in replies.COMMON_NAMES]
    outcome = environ.get(OUTCOME, "")
    length = next((value for name, value in headers if name.lower() == "content-length"), None)
    if length is None or int(length) > _BUFFERED_BYTES:
        return Reply(int(status[:3]), headers, body, outcome)
    try:
        return Reply(int(status[:3]), headers, b"".join(body), outcome)
    finally:
        _close(body)


def _body(reply: Reply) -> Iterable[bytes]:
    return [reply.body] if isinstance(reply.body, bytes) else reply.body


def _without_body(reply: Reply) -> Iterable[bytes]:
    _close(reply.body)
    return [b""]


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close:
        close()

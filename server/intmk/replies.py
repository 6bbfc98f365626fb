"""What goes back to a client: status, headers and body, and the parts that all answers share.

Errors are RFC 9457 problem documents; codings follow RFC 9110 section 12.5.3, digests RFC 9530.
"""

import base64
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import IO, Any, NamedTuple

from intmk import errors, formats
from intmk.errors import GraphError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Headers = list[tuple[str, str]]
CHUNK_BYTES = 65_536
# Below, compressing costs more than it saves.
COMPRESSED_BYTES = 1000
# Best first. Fast rather than small: 1.8 MB of JSON take 0.5 ms and 22 kB in zstd, 2.7 ms and
# 107 kB in gzip.
CODINGS = ("zstd", "gzip")
_LEVEL = 1
_GZIP = 31
_COMPRESSIBLE = re.compile(r"text/|application/(?:[\w.-]*\+)?(?:json|xml|n-|trig|javascript)")
# Tells the coding in a strong entity tag (RFC 9110 section 8.8.3.3): "version-question-gzip".
_CODED = re.compile(rf'-(?:{"|".join(CODINGS)})"')
EXPOSED = (
    "ETag, Graph-Version, Link, Location, Query-Id, Repr-Digest, Retry-After, Server-Timing, "
    "WWW-Authenticate"
)
# Any page may read any answer; nothing here depends on who asks.
COMMON: Headers = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", EXPOSED),
    ("X-Content-Type-Options", "nosniff"),
]
COMMON_NAMES = frozenset(name.lower() for name, _ in COMMON)


class Reply(NamedTuple):
    """An answer to a request; a long ``body`` comes piece by piece.

    ``outcome`` is for the access log: what went wrong, if anything.
    """

    status: int
    headers: Headers
    body: bytes | Iterable[bytes] = b""
    outcome: str = ""


def problem(error: GraphError, accept: str | None) -> Reply | None:
    """Return an error as the client likes to read it, as a problem document by default.

    Returns None for who likes HTML best.
    """
    content_type = max(_WRITERS, key=lambda one: formats.quality(accept or "*/*", one))
    if content_type == "text/html":
        return None
    text = content_type.startswith("text/")
    body = _WRITERS[content_type](errors.problem(error)).encode()
    headers = [
        ("Content-Type", content_type + ("; charset=utf-8" if text else "")),
        ("Content-Length", str(len(body))),
        *problem_headers(error),
    ]
    return Reply(error.status, headers, body, errors.slug(type(error)))


def problem_headers(error: GraphError) -> Headers:
    """Return the headers an error has in whatever form it is told."""
    headers = [("Cache-Control", "no-store"), ("Vary", "Accept")]
    if isinstance(error, errors.Busy):
        headers.append(("Retry-After", str(error.retry_after_s)))
    allow = error.extra.get("allow")
    if isinstance(allow, list) and allow:
        headers.append(("Allow", ", ".join(allow)))
    return headers


def _json(body: dict[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False)


def _text(body: dict[str, object]) -> str:
    place = f"Line {body['line']}, column {body['column']}" if "line" in body else ""
    lines = (body["title"], place, body["detail"], body.get("hint"))
    return "".join(f"{line}\n" for line in lines if line)


# The first is the default: whichever the client likes as well as any other.
_WRITERS = {
    "application/problem+json": _json,
    "application/json": _json,
    "text/html": _text,
    "text/plain": _text,
}


@lru_cache(maxsize=256)
def coding(accept_encoding: str | None) -> str:
    """Return the coding that a client likes best, or nothing when it is to have none."""
    weights = {}
    for part in (accept_encoding or "").lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip().removeprefix("x-")] = _weight(parameter)
    others = weights.get("*", 0.0)
    best = max(CODINGS, key=lambda name: weights.get(name, others))
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else ""


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def compress(body: bytes, coding: str) -> bytes:
    """Return a body in one of the codings, always the same bytes for the same body."""
    return zstd.compress(body, _LEVEL) if coding == "zstd" else zlib.compress(body, _LEVEL, _GZIP)


class Chunks:
    """A long body from a file, plain or in a coding; closing it closes the file."""

    def __init__(self, file: IO[bytes], coding: str) -> None:
        """Take the file, which is read from where it stands."""
        self._file = file
        self._coding = coding

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        plain = iter(partial(self._file.read, CHUNK_BYTES), b"")
        if not self._coding:
            yield from plain
            return
        packer = _packer(self._coding)
        yield from filter(None, map(packer.compress, plain))
        yield packer.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _packer(coding: str) -> Any:
    if coding == "zstd":
        return zstd.ZstdCompressor(_LEVEL)
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)


def digest(body: bytes) -> str:
    """Return the SHA-256 of a body as Repr-Digest and Content-Digest have it."""
    return in_field(hashlib.sha256(body).digest())


def in_field(sha256: bytes) -> str:
    """Return a SHA-256 as these fields write it."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def coded_tag(tag: str, coding: str) -> str:
    """Return the entity tag of a representation in a coding from that of the plain one."""
    return f'{tag[:-1]}-{coding}"' if coding and tag.endswith('"') else tag


def plain_tags(header: str) -> str:
    """Return If-None-Match or If-Match with the tags of the plain representations."""
    return _CODED.sub('"', header)


def held_tag(if_none_match: str, tag: str) -> str:
    """Return the tag of the representation that a client has, plain or in a coding, or nothing."""
    tags = (coded_tag(tag, coding) for coding in ("", *CODINGS))
    return next((one for one in tags if has_tag(if_none_match, one)), "")


def has_tag(if_none_match: str, tag: str) -> bool:
    """Tell whether If-None-Match names an entity tag (weakly, RFC 9110 section 13.1.2)."""
    named = (one.strip().removeprefix("W/") for one in if_none_match.split(","))
    return any(one in (tag, "*") for one in named)


def coded(reply: Reply, accept_encoding: str | None) -> Reply:
    """Return a reply in a coding if the client takes one, and it has a body that is worth it."""
    names = {name.lower(): value for name, value in reply.headers}
    if "content-encoding" in names or not _COMPRESSIBLE.match(names.get("content-type", "")):
        return reply
    vary = ", ".join(filter(None, (names.get("vary"), "Accept-Encoding")))
    reply = reply._replace(headers=replaced(reply.headers, [("Vary", vary)]))
    name = coding(accept_encoding)
    if not name or not isinstance(reply.body, bytes) or len(reply.body) < COMPRESSED_BYTES:
        return reply
    body = compress(reply.body, name)
    new = [("Content-Encoding", name), ("Content-Length", str(len(body)))]
    if "etag" in names:
        new.append(("ETag", coded_tag(names["etag"], name)))
    return reply._replace(headers=replaced(reply.headers, new), body=body)


def replaced(headers: Iterable[tuple[str, str]], new: Headers) -> Headers:
    """Return headers in which ``new`` takes the place of those of the same names."""
    names = {name.lower() for name, _ in new}
    return [pair for pair in headers if pair[0].lower() not in names] + new

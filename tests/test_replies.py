"""Codings, entity tags, digests and errors, as their specifications have them."""

import base64
import gzip
import hashlib
import io
import json
import sys
from collections.abc import Callable

import pytest

from intmk import errors, replies
from intmk.replies import Chunks, Reply

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}
JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, ""),
        ("", ""),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("br;q=1.0, gzip;q=0.8", "gzip"),
        ("gzip;q=0.8, zstd;q=0.5", "gzip"),
        ("gzip;q=0.5, zstd;q=0.8", "zstd"),
        ("gzip;q=0", ""),
        ("gzip, zstd;q=0", "gzip"),
        ("gzip;q=0.0, *", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("zstd;q=0, gzip;q=0, *", ""),
        ("*", "zstd"),
        ("gzip, *;q=0.5", "gzip"),
        ("*;q=0", ""),
        ("identity, gzip;q=0.5", ""),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("br", ""),
        ("gzip;q=x", ""),
    ],
)
def test_a_coding_is_for_who_takes_it(accept_encoding: str | None, coding: str) -> None:
    """RFC 9110 section 12.5.3: weights, wildcard, and zero for not at all."""
    assert replies.coding(accept_encoding) == coding


@pytest.mark.parametrize(
    ("header", "has"),
    [
        ('"v-1"', True),
        ('W/"v-1"', True),
        ('"v-0", "v-1"', True),
        ("*", True),
        ('"v-1-gz"', False),
        ('"v-10"', False),
        ("v-1", False),
    ],
)
def test_a_tag_is_compared_as_a_whole(header: str, has: bool) -> None:
    """RFC 9110 section 13.1.2."""
    assert replies.has_tag(header, '"v-1"') is has


def test_a_tag_tells_its_coding() -> None:
    """There and back, each coding with one of its own, and none for none."""
    assert replies.coded_tag('"a"', "gzip") == '"a-gzip"'
    assert replies.coded_tag('"a"', "") == '"a"'
    assert replies.plain_tags('"a-gzip", W/"b-zstd", "c-x"') == '"a", W/"b", "c-x"'


@pytest.mark.parametrize(
    ("header", "held"),
    [
        ('"a"', '"a"'),
        ('"a-gzip"', '"a-gzip"'),
        ('"b", W/"a-zstd"', '"a-zstd"'),
        ("*", '"a"'),
        ('"b", "a-br"', ""),
    ],
)
def test_a_client_is_told_which_representation_it_has(header: str, held: str) -> None:
    """RFC 9110 section 15.4.5: 304 has the tag of what it is about."""
    assert replies.held_tag(header, '"a"') == held


def test_a_digest_is_that_of_rfc_9530() -> None:
    """A byte sequence between colons."""
    expected = base64.b64encode(hashlib.sha256(b"body").digest()).decode()
    assert replies.digest(b"body") == f"sha-256=:{expected}:"


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_a_long_body_comes_in_pieces(size: int) -> None:
    """Plain or in a coding it is the same in the end; closing it closes the file."""
    content = bytes(range(256)) * (size // 256 + 1)
    for coding, decode in DECODERS.items():
        file = io.BytesIO(content[:size])
        chunks = Chunks(file, coding)
        body = b"".join(chunks)
        assert decode(body) == content[:size]
        chunks.close()
        assert file.closed


def test_a_reply_is_compressed_when_it_is_worth_it() -> None:
    """Length, tag and Vary follow; a short one only says that it might have been."""
    reply = Reply(200, [JSON, ("ETag", '"a"'), ("Vary", "Accept")], b" " * 5000)
    for coding in replies.CODINGS:
        found = replies.coded(reply, coding)
        headers = dict(found.headers)
        assert isinstance(found.body, bytes)
        assert DECODERS[coding](found.body) == reply.body
        assert headers["Content-Encoding"] == coding
        assert headers["Content-Length"] == str(len(found.body))
        assert headers["ETag"] == f'"a-{coding}"'
        assert headers["Vary"] == "Accept, Accept-Encoding"
    short = replies.coded(reply._replace(body=b"{}"), "gzip")
    assert short.body == b"{}"
    assert dict(short.headers)["Vary"] == "Accept, Accept-Encoding"
    assert replies.coded(reply, None).body == reply.body


def test_what_does_not_grow_small_is_left_alone() -> None:
    """Images and fonts are compressed already; who has a coding keeps it."""
    for headers in ([("Content-Type", "image/png")], [JSON, ("Content-Encoding", "br")]):
        reply = Reply(200, headers, bytes(5000))
        assert replies.coded(reply, "gzip") is reply


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/problem+json"),
        ("text/csv", "application/problem+json"),
        ("application/json", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
    ],
)
def test_an_error_is_told_as_the_client_reads_it(accept: str | None, content_type: str) -> None:
    """A problem document unless something else is liked better; never cached."""
    reply = replies.problem(errors.Busy("Full.", hint="Wait."), accept)
    assert reply
    headers = dict(reply.headers)
    assert (reply.status, reply.outcome) == (503, "busy")
    assert headers["Content-Type"] == content_type
    assert headers["Retry-After"] == "2"
    assert headers["Cache-Control"] == "no-store"
    assert isinstance(reply.body, bytes)
    assert b"Full." in reply.body
    if content_type.endswith("json"):
        assert json.loads(reply.body)["hint"] == "Wait."


def test_html_is_left_to_who_has_pages() -> None:
    """A browser gets no problem document."""
    assert replies.problem(errors.NotFound("x"), "text/html,*/*;q=0.8") is None

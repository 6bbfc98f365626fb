"""How a question reaches a query worker and its answer comes back: as datagrams full of frames.

A frame is one letter, a length and as many bytes; a datagram holds whole frames. An answer is
``H`` (head: kind, media type, version), any number of ``D`` (data) and ``Z`` (end), or in place of
the rest ``E`` (error, after any number of ``P``, parts of a long one) or, from the nursery, ``L``
(name of the question whose worker ended, and why).
"""

import json
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from intmk import errors

CHUNK_BYTES = 65_536
# A chunk with the frames of head and end.
DATAGRAM_BYTES = CHUNK_BYTES + 1024
_HEAD = struct.Struct(">cI")
_LENGTH = struct.Struct(">I")


class Question(NamedTuple):
    """What a worker is asked.

    ``default_graphs`` and ``named_graphs`` are IRIs, or None where the request names no dataset
    (SPARQL 1.1 Protocol section 2.1.4). ``offers`` are the formats the client accepts, best first,
    as (extension, media type).
    """

    text: str
    offers: tuple[tuple[str, str], ...]
    default_graphs: tuple[str, ...] | None = None
    named_graphs: tuple[str, ...] | None = None


def frame(letter: bytes, body: bytes = b"") -> bytes:
    """Return one frame."""
    return _HEAD.pack(letter, len(body)) + body


def error_frames(error: errors.GraphError) -> Iterator[bytes]:
    """Yield the frames of an error, each short enough for a datagram."""
    *most, last = chunks(json.dumps(pack_error(error)).encode())
    yield from (frame(b"P", part) for part in most)
    yield frame(b"E", last)


def frames(receive: Callable[[], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield letter and body of each frame in the datagrams that ``receive`` returns."""
    while True:
        data, start = receive(), 0
        while start < len(data):
            letter, length = _HEAD.unpack_from(data, start)
            start += _HEAD.size
            yield letter, data[start : start + length]
            start += length


def chunks(data: bytes) -> Iterator[bytes]:
    """Yield data in pieces that fit into one datagram with the frames around them."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def pack(question: Question, name: bytes, address: bytes) -> bytes:
    """Return a question as it is sent; its name and who asks are digests of sixteen bytes."""
    return name + address + body(question)


def body(question: Question) -> bytes:
    """Return a question as bytes, the same for the same question."""
    rest = _encoded(question.offers, question.default_graphs, question.named_graphs)
    return _LENGTH.pack(len(rest)) + rest + question.text.encode(errors="surrogatepass")


def unpack(data: bytes) -> tuple[Question, bytes, bytes]:
    """Return the question, its name and who asks from what :func:`pack` returned."""
    start = 32 + _LENGTH.size
    end = start + _LENGTH.unpack_from(data, 32)[0]
    text = data[end:].decode(errors="surrogatepass")
    return Question(text, *_decoded(data[start:end])), data[:16], data[16:32]


Graphs = tuple[str, ...] | None
Offers = tuple[tuple[str, str], ...]


# All but the text is the same for many questions.
@lru_cache(maxsize=256)
def _encoded(offers: Offers, default_graphs: Graphs, named_graphs: Graphs) -> bytes:
    return json.dumps((offers, default_graphs, named_graphs)).encode()


@lru_cache(maxsize=256)
def _decoded(data: bytes) -> tuple[Offers, Graphs, Graphs]:
    offers, default_graphs, named_graphs = json.loads(data)
    return (
        tuple((name, kind) for name, kind in offers),
        None if default_graphs is None else tuple(default_graphs),
        None if named_graphs is None else tuple(named_graphs),
    )


def pack_error(error: errors.GraphError) -> dict[str, Any]:
    """Return an error as JSON values."""
    fields = {"hint": error.hint, "line": error.line, "column": error.column} | error.extra
    return {"class": type(error).__name__, "detail": error.detail, "fields": fields}


def unpack_error(value: dict[str, Any]) -> errors.GraphError:
    """Return the error that :func:`pack_error` packed."""
    kind: type[errors.GraphError] = getattr(errors, value["class"])
    return kind(value["detail"], **value["fields"])

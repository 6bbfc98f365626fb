"""How a question reaches a query worker and its answer comes back: frames over a Unix socket.

A frame is one letter, a length and as many bytes. A question is one frame ``Q``. An answer is
``H`` (head: kind, media type, version), any number of ``D`` (data) and ``Z`` (end), or ``E``
(error) in place of the rest. An answer without ``Z`` or ``E`` was lost.
"""

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from intmk import errors

CHUNK_BYTES = 65_536
_HEAD = struct.Struct(">cI")


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


def json_frame(letter: bytes, value: object) -> bytes:
    """Return one frame whose body is JSON."""
    return frame(letter, json.dumps(value).encode())


def frames(receive: Callable[[], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield letter and body of each frame of what ``receive`` returns piece by piece.

    Raises EOFError at the end (``receive`` returned nothing), and whatever ``receive`` raises.
    """
    buffer = bytearray()
    while True:
        while len(buffer) < _HEAD.size:
            buffer += receive() or _end()
        letter, length = _HEAD.unpack_from(buffer)
        while len(buffer) < _HEAD.size + length:
            buffer += receive() or _end()
        body = bytes(memoryview(buffer)[_HEAD.size : _HEAD.size + length])
        del buffer[: _HEAD.size + length]
        yield letter, body


def _end() -> bytes:
    raise EOFError


def pack(question: Question, name: bytes, address: bytes) -> bytes:
    """Return the frame of a question; its name and who asks are digests of sixteen bytes."""
    return frame(b"Q", name + address + json.dumps(question).encode())


def unpack(body: bytes) -> tuple[Question, bytes, bytes]:
    """Return the question, its name and who asks from the body of a ``Q`` frame."""
    text, offers, default_graphs, named_graphs = json.loads(body[32:])
    question = Question(
        text, tuple((name, kind) for name, kind in offers), default_graphs, named_graphs
    )
    return question, body[:16], body[16:32]


def pack_error(error: errors.GraphError) -> dict[str, Any]:
    """Return an error as JSON values."""
    fields = {"hint": error.hint, "line": error.line, "column": error.column} | error.extra
    return {"class": type(error).__name__, "detail": error.detail, "fields": fields}


def unpack_error(value: dict[str, Any]) -> errors.GraphError:
    """Return the error that :func:`pack_error` packed."""
    kind: type[errors.GraphError] = getattr(errors, value["class"])
    return kind(value["detail"], **value["fields"])

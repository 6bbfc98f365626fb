"""How a question reaches a query worker and its answer comes back: frames over a Unix socket.

A frame is one letter, a length and as many bytes. A question is one frame ``Q``. An answer is
``A`` (accepted: worker and version), ``H`` (head: kind and format), any number of ``D`` (data)
and ``Z`` (end), or ``E`` (error) in place of the rest. An answer without ``Z`` or ``E`` was lost.
"""

import io
import json
import socket
import struct
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


def send(connection: socket.socket, letter: bytes, body: bytes = b"") -> None:
    """Send one frame; raises OSError when the other side has gone."""
    if len(body) < CHUNK_BYTES:
        connection.sendall(_HEAD.pack(letter, len(body)) + body)
    else:
        connection.sendall(_HEAD.pack(letter, len(body)))
        connection.sendall(body)


def send_json(connection: socket.socket, letter: bytes, value: object) -> None:
    """Send one frame whose body is JSON."""
    send(connection, letter, json.dumps(value).encode())


def receive(stream: io.BufferedReader) -> tuple[bytes, bytes]:
    """Return letter and body of the next frame; raises EOFError when there is no whole one."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise EOFError
    letter, length = _HEAD.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return letter, body


def question(body: bytes) -> Question:
    """Read a question from the body of a ``Q`` frame."""
    text, offers, default_graphs, named_graphs = json.loads(body)
    return Question(
        text, tuple((name, kind) for name, kind in offers), default_graphs, named_graphs
    )


def pack_error(error: errors.GraphError) -> dict[str, Any]:
    """Return an error as JSON values."""
    fields = {"hint": error.hint, "line": error.line, "column": error.column} | error.extra
    return {"class": type(error).__name__, "detail": error.detail, "fields": fields}


def unpack_error(value: dict[str, Any]) -> errors.GraphError:
    """Return the error that :func:`pack_error` packed."""
    kind: type[errors.GraphError] = getattr(errors, value["class"])
    return kind(value["detail"], **value["fields"])

"""Writes answers and statements in a format: the engine's own bytes wherever those are right.

Two corrections. CSV after SPARQL 1.1 Query Results CSV and TSV Formats section 3: pyoxigraph 0.5.13
does not quote an IRI with a comma in it, so a row gets a cell too many. XML 1.0 sections 2.2 and
2.11: pyoxigraph writes a carriage return as it is, which a reader takes for a line feed, and writes
what no XML document can hold. tests/test_results.py notices when either is no longer needed.
"""

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, cast

from pyoxigraph import (
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Triple,
    serialize,
)

from intmk import formats
from intmk.errors import NotAcceptable

Answer = QuerySolutions | QueryBoolean | QueryTriples
# What XML 1.0 cannot hold: most control characters, and U+FFFE and U+FFFF.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
# How the engine writes a property whose IRI does not end in an XML name: not well-formed.
_NAMELESS = re.compile(rb'<oxprefix: xmlns:oxprefix="([^"]*)"')
_XML = (QueryResultsFormat.XML, RdfFormat.RDF_XML)


def write(answer: Answer, row: formats.Format, output: IO[bytes]) -> None:
    """Write an answer to ``output`` in the format of a row of ``formats.FORMATS``.

    Raises NotAcceptable when the format cannot hold this answer, and whatever the engine raises
    while it evaluates (OSError, RuntimeError, ValueError).
    """
    if row.engine is QueryResultsFormat.CSV and isinstance(answer, QuerySolutions):
        _write_csv(answer, output)
        return
    with _guarded(output, row.engine) as guard:
        answer.serialize(guard, format=row.engine)  # type: ignore[arg-type]


def rdf(
    statements: Iterable[Triple] | Iterable[Quad], form: RdfFormat, prefixes: Mapping[str, str]
) -> bytes:
    """Return statements in a format, with prefixes; raises NotAcceptable as :func:`write` does."""
    output = io.BytesIO()
    write_graph(statements, form, output, prefixes)
    return output.getvalue()


def write_graph(
    statements: Iterable[Triple] | Iterable[Quad],
    form: RdfFormat,
    output: IO[bytes],
    prefixes: Mapping[str, str] | None = None,
) -> None:
    """Write statements to ``output``; raises NotAcceptable as :func:`write` does."""
    with _guarded(output, form) as guard:
        serialize(statements, guard, form, prefixes=dict(prefixes or {}))


@contextlib.contextmanager
def _guarded(output: IO[bytes], form: QueryResultsFormat | RdfFormat) -> Iterator[IO[bytes]]:
    """Let what is XML be written through a guard, and everything else as it is."""
    if form not in _XML:
        yield output
        return
    guard = _XmlGuard(output)
    yield cast(IO[bytes], guard)
    guard.finish()


def _write_csv(answer: QuerySolutions, output: IO[bytes]) -> None:
    text = io.TextIOWrapper(cast(Any, output), encoding="utf-8", newline="")
    try:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([variable.value for variable in answer.variables])
        writer.writerows(map(_csv_cells, cast(Iterable[Iterable[Any]], answer)))
    finally:
        text.detach()


def _csv_cells(solution: Iterable[Any]) -> list[str]:
    return [_csv_cell(term) for term in solution]


def _csv_cell(term: Any) -> str:
    """Return a value without brackets and datatype; nothing where nothing is bound."""
    if isinstance(term, (NamedNode, Literal)):
        return term.value
    # Blank nodes as _:b; and triples as values (RDF 1.2), of which the format says nothing.
    return "" if term is None else str(term)


class _XmlGuard(io.RawIOBase):
    """Hands XML on, carriage returns escaped; raises NotAcceptable at what XML cannot hold."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._held = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        # Up to the last "<" every character and every tag is whole.
        text = self._held + bytes(data)
        cut = max(text.rfind(b"<"), 0)
        self._hand_on(text[:cut])
        self._held = text[cut:]
        return len(data)

    def finish(self) -> None:
        """Hand on what was held back."""
        self._hand_on(self._held)
        self._held = b""

    def _hand_on(self, text: bytes) -> None:
        forbidden = _FORBIDDEN.search(text)
        if forbidden:
            raise _unwritable(f"the character U+{ord(forbidden[0].decode()):04X}")
        nameless = _NAMELESS.search(text)
        if nameless:
            raise _unwritable(f"the property <{nameless[1].decode()}>")
        self._output.write(text.replace(b"\r", b"&#13;"))


def _unwritable(what: str) -> NotAcceptable:
    others = [row for row in formats.FORMATS if row.engine not in _XML]
    return NotAcceptable(
        f"The answer holds {what}, which XML cannot.",
        hint="Ask for JSON, or for Turtle where the answer is a graph.",
        offered=[row.media_types[0] for row in others],
    )

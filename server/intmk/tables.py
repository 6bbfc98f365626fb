"""An answer as a page shows it: its first rows, and how many there are in all."""

import io
import re
from dataclasses import dataclass
from typing import IO

from pyoxigraph import QueryResultsFormat, RdfFormat, parse

from intmk.engine import Answer
from intmk.errors import GraphError
from intmk.statements import Term, rows

SHOWN_ROWS = 1000
# What the engine is asked for when a page is wanted: formats with one row in one line, so that a
# long answer can be counted without being held.
OFFERS = (("tsv", "text/tab-separated-values"), ("nt", "application/n-triples"))


@dataclass(frozen=True)
class Table:
    """The first rows of an answer; ``total`` counts all. ``truth`` answers an ASK query."""

    kind: str
    columns: list[str]
    rows: list[list[Term | None]]
    total: int
    truth: bool = False


def table(answer: Answer) -> Table:
    """Return the table of an answer that was asked for in ``OFFERS``."""
    with (
        io.BytesIO(answer.content) if isinstance(answer.content, bytes) else answer.content as file
    ):
        if answer.kind == "ask":
            return Table("ask", [], [], 1, file.read().strip() == b"true")
        if answer.kind == "select":
            return _solutions(file)
        return _triples(file)


def _first_lines(file: IO[bytes], wanted: int) -> tuple[bytes, int]:
    """Return the first lines, and the number of all."""
    first, total = [], 0
    for total, line in enumerate(file, 1):
        if total <= wanted:
            first.append(line)
    return b"".join(first), total


def _triples(file: IO[bytes]) -> Table:
    text, total = _first_lines(file, SHOWN_ROWS)
    triples = parse(text, format=RdfFormat.N_TRIPLES)
    shown: list[list[Term | None]] = [list(quad.triple) for quad in triples]
    return Table("graph", ["subject", "predicate", "object"], shown, total)


def _solutions(file: IO[bytes]) -> Table:
    # The names of the columns take a line too.
    text, total = _first_lines(file, SHOWN_ROWS + 1)
    header = text.split(b"\n", 1)[0].decode()
    columns = [name.removeprefix("?") for name in header.split("\t") if name]
    found = rows(text, QueryResultsFormat.TSV)
    shown = [[row.get(name) for name in columns] for row in found]
    return Table("select", columns, shown, total - 1)


@dataclass(frozen=True)
class Place:
    """Where in a query an error is: the lines around it, and the marked one taken apart."""

    before: list[tuple[int, str]]
    number: int
    line: str
    caret: str
    after: list[tuple[int, str]]


def place(query: str, error: GraphError) -> Place | None:
    """Return the place of an error that has a line within the query, else None."""
    lines = re.split(r"\r\n|\n|\r", query)
    if not error.line or not 1 <= error.line <= len(lines):
        return None
    at = error.line - 1
    numbered = list(enumerate(lines, 1))
    line = lines[at]
    column = max(1, min(error.column or 1, len(line) + 1))
    # A tab stays a tab, so that the caret stands under its character whatever a tab's width.
    caret = re.sub(r"[^\t]", " ", line[: column - 1]) + "^"
    return Place(numbered[max(0, at - 2) : at], error.line, line, caret, numbered[at + 1 : at + 3])

"""The files of the graph: what each says, where it says it, and the dataset they make together.

DESIGN section 3 is the rule: every passage is a named graph, and the default graph is the union of
the accepted ones. Everything here is pure reading; ``store`` writes and ``validation`` judges.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, RdfFormat, parse

from intmk import turtle
from intmk.errors import CannotCheck, SourceSyntaxError
from intmk.vocab import (
    ACCEPTED,
    ONTOLOGY_GRAPH,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    STATUS,
    THEMES_GRAPH,
)

POSITIONED = (RdfFormat.TURTLE, RdfFormat.TRIG, RdfFormat.N_TRIPLES, RdfFormat.N_QUADS)
SUFFIXES = (".ttl", ".trig", ".nt", ".nq")

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""


class Place(NamedTuple):
    """Where something stands: the file as named by the user, line and column from 1."""

    file: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Document:
    """One RDF file: its text, its quads as the engine reads them, and their places."""

    name: str
    path: Path
    text: str
    format: RdfFormat
    quads: list[Quad] = field(repr=False)

    @cached_property
    def statements(self) -> list[turtle.Statement]:
        """Every statement with its spans in ``text``; empty for RDF/XML and JSON-LD."""
        if self.format not in POSITIONED:
            return []
        return list(turtle.statements(self.text, self.name))

    @cached_property
    def _lines(self) -> turtle.Lines:
        return turtle.Lines(self.text)

    def place(self, span: turtle.Span) -> Place:
        """Return the place at which ``span`` begins."""
        return Place(self.name, *self._lines(span.start))


def read(path: Path, name: str | None = None) -> Document:
    """Read one RDF file, in the format its extension says.

    ``name`` is what messages call it (default: the path). Raises CannotCheck when there is no such
    file or its extension is not of RDF, SourceSyntaxError with line and column when it is not RDF.
    """
    name = name or str(path)
    form = RdfFormat.from_extension(path.suffix.lstrip("."))
    if form is None:
        raise CannotCheck(
            f"{name} has no extension of an RDF format.", hint="Use .ttl, .trig, .nt, .nq or .rdf."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CannotCheck(f"{name} cannot be read: {error.strerror}.") from error
    text = _decode(data, name)
    return Document(name, path, text, form, _parse(text, form, name))


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = turtle.Lines(data[: error.start].decode())(len(data[: error.start].decode()))
        raise SourceSyntaxError(
            "the file is not UTF-8", file=name, line=line, column=column
        ) from error


def _parse(text: str, form: RdfFormat, name: str) -> list[Quad]:
    try:
        return list(parse(text, form, rename_blank_nodes=True))
    except SyntaxError as error:
        message = error.msg.partition(": ")[2] or error.msg
        raise SourceSyntaxError(
            message, file=name, line=error.lineno, column=error.offset
        ) from error


Key = tuple[str | None, ...]


class Places:
    """An index from triples to the places that state them."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        """Index every statement of ``documents``; of equal ones the first comes first."""
        self._at: dict[Key, list[tuple[Document, turtle.Statement]]] = {}
        for document in documents:
            self.add(document)

    def add(self, document: Document) -> None:
        """Index the statements of one more document."""
        for statement in document.statements:
            subject, predicate, value = (_key(term) for term in tuple(statement.quad)[:3])
            for key in ((subject,), (subject, predicate), (subject, predicate, value)):
                self._at.setdefault(key, []).append((document, statement))

    def find(
        self, subject: object, predicate: object = None, value: object = None
    ) -> tuple[Document, turtle.Statement] | None:
        """Return the first statement with these terms, or None.

        Blank nodes are alike: their labels differ between readers.
        """
        key = [_key(term) for term in (subject, predicate, value) if term is not None]
        return self._at.get(tuple(key), [None])[0]

    def nearest(self, subject: object, predicate: object = None, value: object = None) -> Place:
        """Return the place of the value, else of the predicate, else of the subject, else none."""
        if value is not None and (found := self.find(subject, predicate, value)):
            return found[0].place(found[1].object)
        if predicate is not None and (found := self.find(subject, predicate)):
            return found[0].place(found[1].predicate)
        found = self.find(subject)
        return found[0].place(found[1].subject) if found else Place("")


def _key(term: object) -> str | None:
    return None if isinstance(term, BlankNode) else str(term)


def files(root: Path) -> dict[NamedNode, list[Path]]:
    """Return the files of ``root`` by the graph their default-graph triples belong to."""
    ontology = _rdf_files(root / "ontology")
    themes = [path for path in ontology if path.stem == "themes"]
    return {
        ONTOLOGY_GRAPH: [path for path in ontology if path not in themes],
        THEMES_GRAPH: themes,
        SHAPES_GRAPH: _rdf_files(root / "shapes"),
        SOURCE_GRAPH: _rdf_files(root / "data"),
    }


def _rdf_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)


def place_in(graph: NamedNode, document: Document) -> Iterator[Quad]:
    """Yield the document's quads as they stand in the store: default-graph triples in ``graph``."""
    for quad in document.quads:
        if quad.graph_name == DefaultGraph():
            yield Quad(quad.subject, quad.predicate, quad.object, graph)
        else:
            yield quad


def accepted(quads: Iterable[Quad]) -> set[NamedNode]:
    """Return the passages that the register (the source graph) says are accepted."""
    return {
        quad.subject
        for quad in quads
        if quad.predicate == STATUS
        and quad.object == ACCEPTED
        and quad.graph_name == SOURCE_GRAPH
        and isinstance(quad.subject, NamedNode)
    }


def materialise(quads: Iterable[Quad]) -> set[Quad]:
    """Return the default graph: the union of the accepted passages' graphs, and nothing else."""
    quads = list(quads)
    passages = accepted(quads)
    return {
        Quad(quad.subject, quad.predicate, quad.object)
        for quad in quads
        if quad.graph_name in passages
    }

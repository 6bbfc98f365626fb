"""The files of the graph: what each says, where it says it, and the dataset they make together.

docs/ontology.md gives the rule: every passage is a named graph, and the default graph is the union
of the accepted ones. Everything here is pure reading; ``store`` writes and ``validation`` judges.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Triple, parse

from intmk import turtle
from intmk.errors import CannotCheck, GraphError, SourceSyntaxError
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

Term = NamedNode | BlankNode | Literal | Triple
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""


def quiet(stage: str, done: int, total: int) -> None:
    """Take progress and show none."""


class Place(NamedTuple):
    """Where something stands: the file as named by the user, line and column from 1."""

    file: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Document:
    """One RDF file: its text, its quads as the engine reads them, and their places.

    ``statements`` are the quads with their spans in ``text``; empty for RDF/XML and JSON-LD.
    """

    name: str
    path: Path
    text: str
    format: RdfFormat
    quads: list[Quad] = field(repr=False)
    statements: list[turtle.Statement] = field(repr=False)

    @cached_property
    def _lines(self) -> turtle.Lines:
        return turtle.Lines(self.text)

    def place(self, span: turtle.Span) -> Place:
        """Return the place at which ``span`` begins."""
        return Place(self.name, *self._lines(span.start))

    def terms(self) -> Iterator[tuple[Quad, Term, Callable[[], Place]]]:
        """Yield each term of each quad with a way to its place; without positions, the file."""
        for statement in self.statements:
            yield statement.quad, statement.quad.subject, partial(self.place, statement.subject)
            yield statement.quad, statement.quad.predicate, partial(self.place, statement.predicate)
            yield statement.quad, statement.quad.object, partial(self.place, statement.object)
        if self.format not in POSITIONED:
            for quad in self.quads:
                for term in (quad.subject, quad.predicate, quad.object):
                    yield quad, term, lambda: Place(self.name)


def read(path: Path, name: str | None = None) -> Document:
    """Read one RDF file, in the format its extension says, else as TriG.

    ``name`` is what messages call it (default: the path). Raises CannotCheck when the file cannot
    be read, SourceSyntaxError with line and column when it is not RDF.
    """
    name = name or str(path)
    form = RdfFormat.from_extension(path.suffix.lstrip(".")) or RdfFormat.TRIG
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CannotCheck(f"{error.strerror}.", file=name) from error
    text = turtle.decode(data, name)
    quads = _parse(text, form, name)
    statements = list(turtle.statements(text, name)) if form in POSITIONED else []
    return Document(name, path, text, form, quads, statements)


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

    def __init__(self, documents: Iterable[Document], without: Container[object] = ()) -> None:
        """Index every statement of ``documents`` but those in the graphs ``without``."""
        self._at: dict[Key, list[tuple[Document, turtle.Statement]]] = {}
        for document in documents:
            self._add(document, without)

    def _add(self, document: Document, without: Container[object]) -> None:
        for statement in document.statements:
            if statement.quad.graph_name in without:
                continue
            subject, predicate, value = (_key(term) for term in tuple(statement.quad)[:3])
            for key in ((subject,), (subject, predicate), (subject, predicate, value)):
                self._at.setdefault(key, []).append((document, statement))

    def find(
        self, subject: object, predicate: object = None, value: object = None
    ) -> tuple[Document, turtle.Statement] | None:
        """Return the first statement with these terms, or None.

        Blank nodes are alike: their labels differ between readers.
        """
        terms = (subject, predicate, value)
        key = tuple(_key(term) for term in terms[: 3 - terms.count(None)])
        found = self._at.get(key)
        return found[0] if found else None

    def nearest(self, subject: object, predicate: object = None, value: object = None) -> Place:
        """Return the place of the value, else of the predicate, else of the subject, else none."""
        if None not in (predicate, value) and (found := self.find(subject, predicate, value)):
            return found[0].place(found[1].object)
        if predicate is not None and (found := self.find(subject, predicate)):
            return found[0].place(found[1].predicate)
        found = self.find(subject)
        return found[0].place(found[1].subject) if found else Place("")


def _key(term: object) -> str | None:
    return None if isinstance(term, BlankNode) else str(term)


@dataclass(frozen=True)
class Collection:
    """All files of one root, by the graph their default-graph triples belong to.

    ``failures`` holds the errors of those that could not be read.
    """

    root: Path
    graphs: dict[NamedNode, list[Document]]
    failures: list[GraphError]

    @property
    def documents(self) -> list[Document]:
        """Every readable file, ontology first, data last."""
        return [document for documents in self.graphs.values() for document in documents]

    def quads(self) -> Iterator[Quad]:
        """Yield the quads of all files as they stand in the store, without the default graph."""
        for graph, documents in self.graphs.items():
            for document in documents:
                yield from place_in(graph, document)


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


def collect(root: Path, progress: Progress = quiet) -> Collection:
    """Read every file of ``root``; a file that cannot be read becomes a failure.

    Raises CannotCheck when the folder is not laid out as docs/design.md says.
    """
    missing = [name for name in ("ontology", "shapes", "data") if not (root / name).is_dir()]
    if missing:
        raise CannotCheck(
            f"{root} has no folder {' or '.join(missing)}.", hint="Name the right one with --root."
        )
    graphs: dict[NamedNode, list[Document]] = {}
    failures: list[GraphError] = []
    paths = files(root)
    done, total = 0, sum(map(len, paths.values()))
    for graph, members in paths.items():
        graphs[graph] = []
        for path in members:
            try:
                graphs[graph].append(read(path, path.relative_to(root).as_posix()))
            except (CannotCheck, SourceSyntaxError) as error:
                failures.append(error)
            done += 1
            progress("reading", done, total)
    return Collection(root, graphs, failures)


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

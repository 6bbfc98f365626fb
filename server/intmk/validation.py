"""Judging RDF before it gets in: what is wrong, where it stands, and what would be right.

Files are judged together with the root they belong to, documents with the graph as it is.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pyoxigraph import NamedNode, Quad, Store

from intmk import checks, recovery, turtle, vocab
from intmk.errors import CannotCheck, GraphError, SourceSyntaxError
from intmk.judge import Change, Judge
from intmk.judged import Judged, default_graph
from intmk.report import Finding, Report, sorted_report
from intmk.rules import finding
from intmk.sources import (
    Collection,
    Document,
    Place,
    Progress,
    form_of,
    place_in,
    quiet,
)
from intmk.vocab import DISPUTED, PREFIXES_FILE, SHAPES_GRAPH, SOURCE_GRAPH, STATUS

# To judge twice as a whole takes less time than to judge what a larger part of the graph reaches.
_SMALL = 0.1


def validate(
    collection: Collection,
    files: Sequence[Path] = (),
    progress: Progress = quiet,
    kept: Path | None = None,
) -> Report:
    """Check the files of a root, or ``files`` together with it.

    Without ``files`` every finding is reported. With them, only what concerns them: findings that
    stand in one of them, or that would not be there without them. A file outside the root is
    judged as if its statements were accepted. A file that cannot be read is a finding with the
    rule ``syntax`` or ``unreadable``. ``kept`` is the folder for what is worked out once for the
    shapes (see ``reach``). Raises CannotCheck when the shapes cannot be used.
    """
    prefixes = _prefixes(collection)
    given, unread, lost = _read_given(collection, files, prefixes)
    progress("checking", 0, 2)
    found = [*unread, *_failures(collection, files)]
    texts = shape_texts(collection.documents)
    judge = Judge(texts)
    progress("checking", 1, 2)
    if collection.failures and not files:
        found += [one.finding for one in checks.check(Judged(_members(collection)))]
    elif not files:
        found += judge.findings(Judged(_members(collection)))
    elif not any(one.rule == "syntax" and one not in unread for one in found):
        if sum(len(one.quads) for one in given) <= _SMALL * sum(
            len(one.quads) for one in collection.documents
        ):
            judge.hasten(kept, texts)
        found += _concerning(judge, collection, given, lost)
    progress("checking", 2, 2)
    return sorted_report(found)


def _members(collection: Collection) -> list[tuple[NamedNode, Document]]:
    return [(graph, one) for graph, documents in collection.graphs.items() for one in documents]


def shape_texts(documents: Iterable[Document]) -> list[str]:
    """Return those documents that hold shapes, or the prefixes their queries use."""
    names = ("shapes/", SHAPES_GRAPH.value)
    return [
        one.text
        for one in documents
        if one.name.startswith(names) or one.path.match(str(PREFIXES_FILE))
    ]


def _prefixes(collection: Collection) -> dict[str, str]:
    return vocab.declared(quad for document in collection.documents for quad in document.quads)


def _concerning(
    judge: Judge, collection: Collection, given: list[Document], lost: str
) -> list[Finding]:
    """Return the findings that stand in the given files or would not be there without them."""
    judged, change = _together(collection, given)
    names = {document.name for document in given}
    found = judge.findings(judged, change, lost)
    return [one for one in found if one.file in names or not one.is_known]


def _together(collection: Collection, given: list[Document]) -> tuple[Judged, Change]:
    """Return the given files with the rest of the root, and what they change in it."""
    graphs = {one.path.resolve(): graph for graph, one in _members(collection)}
    paths = {document.path.resolve() for document in given}
    rest = [one for one in _members(collection) if one[1].path.resolve() not in paths]
    members = [(graphs.get(one.path.resolve(), SOURCE_GRAPH), one) for one in given]
    outside = [one for one in given if one.path.resolve() not in graphs]
    before = [quad for graph, one in rest for quad in place_in(graph, one)]
    after = before + [quad for graph, one in members for quad in place_in(graph, one)]
    store = Store()
    was, now = default_graph(before), default_graph(after, outside)
    store.bulk_extend([*after, *now])
    judged = Judged(members, outside, store, [document for _, document in rest])
    return judged, Change(now - was, was - now)


def judge_document(judge: Judge, graph: Store, document: Document, lost: str = "") -> list[Finding]:
    """Return what is wrong with a document, or elsewhere because of it.

    ``graph`` is the whole graph as it is, and is changed: afterwards it says what the document
    says. What that says counts as accepted unless it is disputed.
    """
    quads = list(place_in(SOURCE_GRAPH, document))
    disputed = {q.subject for q in quads if q.predicate == STATUS and q.object == DISPUTED}
    said = {
        Quad(quad.subject, quad.predicate, quad.object)
        for quad in document.quads
        if quad.graph_name not in disputed
    }
    change = Change({quad for quad in said if quad not in graph}, set())
    graph.extend([*quads, *change.added])
    judged = Judged([(SOURCE_GRAPH, document)], [document], graph)
    found = judge.findings(judged, change, lost)
    return [one for one in found if one.file == document.name or not one.is_known]


def _failures(collection: Collection, files: Sequence[Path]) -> Iterator[Finding]:
    """Yield what could not be read in the root; without it no file can be judged."""
    given = {path.resolve() for path in files}
    for error in collection.failures:
        if (collection.root / str(error.extra["file"])).resolve() not in given:
            yield _failure(error)


def _read_given(
    collection: Collection, files: Sequence[Path], prefixes: dict[str, str]
) -> tuple[list[Document], list[Finding], str]:
    """Read the files that are not in the collection, and rename those that are as given."""
    known = {document.path.resolve(): document for document in collection.documents}
    given, unread, lost = [], [], []
    for path in files:
        if document := known.get(path.resolve()):
            given.append(dataclasses.replace(document, name=str(path)))
            continue
        try:
            text, form = turtle.decode(path.read_bytes(), str(path)), form_of(path)
            recovered = recovery.read(text, form, str(path), path, prefixes)
        except OSError as error:
            unread.append(_failure(CannotCheck(f"{error.strerror}.", file=str(path))))
        except SourceSyntaxError as error:
            unread.append(_failure(error))
        else:
            given.append(recovered.document)
            unread += recovered.findings
            lost.append(recovered.lost)
    return given, unread, "\n".join(lost)


def _failure(error: GraphError) -> Finding:
    rule = "syntax" if isinstance(error, SourceSyntaxError) else "unreadable"
    place = Place(str(error.extra.get("file", "")), error.line, error.column)
    detail = f"{error.detail} {error.hint}".strip()
    return finding(rule, place, de=detail, en=detail)

"""Judging RDF before it gets in: what is wrong, where it stands, and what would be right.

Checks that need no shapes come first (names, literals, passages: docs/ontology.md), then SHACL over
the default graph as a build would make it. Every finding carries the place of its statement.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from pyoxigraph import Quad

from intmk import shacl
from intmk.checks import Judged, check, finding, iri
from intmk.errors import CannotCheck, GraphError, SourceSyntaxError
from intmk.report import Finding, Report, sorted_report
from intmk.sources import (
    Collection,
    Document,
    Place,
    Progress,
    materialise,
    quiet,
    read,
)
from intmk.vocab import (
    ONTOLOGY_GRAPH,
    PREFIXES_FILE,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    shrink,
)

_IRI = re.compile(r"https?://[^\s<>\"“”]*[\w/#-]")


def validate(
    collection: Collection, files: Sequence[Path] = (), progress: Progress = quiet
) -> Report:
    """Check the files of a root, or ``files`` together with it.

    Without ``files`` every finding is reported. With them, only what concerns them: findings that
    stand in one of them, or that would not be there without them. A file outside the root is
    judged as if its statements were accepted. A file that cannot be read is a finding with the
    rule ``syntax`` or ``unreadable``. Raises CannotCheck when the shapes cannot be used.
    """
    given, unread = _read_given(collection, files)
    judged = _judged(collection, given)
    progress("checking", 0, 2)
    found = list(check(judged))
    progress("checking", 1, 2)
    if not collection.failures:
        found += _shacl(judged)
    if files:
        found = _concerning(collection, given, found)
    progress("checking", 2, 2)
    return sorted_report([*unread, *_failures(collection, files), *found])


def _failures(collection: Collection, files: Sequence[Path]) -> Iterator[Finding]:
    """Yield what could not be read in the root; without it no file can be judged."""
    given = {path.resolve() for path in files}
    for error in collection.failures:
        if (collection.root / str(error.extra["file"])).resolve() not in given:
            yield _failure(error)


def _judged(collection: Collection, given: list[Document], without: bool = False) -> Judged:
    """Return the given files and the rest of the collection, or ``without`` the given ones."""
    paths = {document.path.resolve() for document in given}
    inside, rest = {}, []
    for graph, documents in collection.graphs.items():
        for document in documents:
            if document.path.resolve() in paths:
                inside[document.path.resolve()] = graph
            else:
                rest.append((graph, document))
    if without:
        return Judged(rest)
    first = [(inside.get(document.path.resolve(), SOURCE_GRAPH), document) for document in given]
    outside = [document for document in given if document.path.resolve() not in inside]
    return Judged(first + rest, outside)


def _concerning(
    collection: Collection, given: list[Document], found: list[Finding]
) -> list[Finding]:
    """Return the findings that stand in the given files or would not be there without them."""
    names = {document.name for document in given}
    here = [one for one in found if one.file in names]
    elsewhere = [one for one in found if one.file not in names]
    if elsewhere:
        before = _judged(collection, given, without=True)
        known = {_identity(one) for one in [*check(before), *_shacl(before)]}
        here += [one for one in elsewhere if _identity(one) not in known]
    return here


def _identity(finding: Finding) -> tuple[str, ...]:
    return finding.rule, finding.focus, finding.path, finding.value, finding.message_en


def _read_given(
    collection: Collection, files: Sequence[Path]
) -> tuple[list[Document], list[Finding]]:
    """Read the files that are not in the collection, and rename those that are as given."""
    known = {document.path.resolve(): document for document in collection.documents}
    given, unread = [], []
    for path in files:
        try:
            document = known.get(path.resolve()) or read(path)
        except (CannotCheck, SourceSyntaxError) as error:
            unread.append(_failure(error))
        else:
            given.append(dataclasses.replace(document, name=str(path)))
    return given, unread


def _failure(error: GraphError) -> Finding:
    rule = "syntax" if isinstance(error, SourceSyntaxError) else "unreadable"
    place = Place(str(error.extra.get("file", "")), error.line, error.column)
    return finding(rule, place, detail=f"{error.detail} {error.hint}".strip())


def _shacl(judged: Judged) -> Iterator[Finding]:
    """Yield the results of the shapes on the default graph that these files would make."""
    shapes = [
        document.text
        for graph, document in judged.members
        if graph == SHAPES_GRAPH or document.path.match(str(PREFIXES_FILE))
    ]
    for result in shacl.results(_default_graph(judged), shapes):
        yield _shape_finding(result, judged)


def _default_graph(judged: Judged) -> set[Quad]:
    """Return the default graph, with the ontology, whose class hierarchy the shapes rely on.

    What a file outside the root says counts as accepted, unless the file itself disputes it.
    """
    ontology = (quad for quad in judged.quads if quad.graph_name == ONTOLOGY_GRAPH)
    outside = (
        quad
        for document in judged.outside
        for quad in document.quads
        if quad.graph_name not in judged.disputed
    )
    return materialise(judged.quads) | {
        Quad(quad.subject, quad.predicate, quad.object) for quad in chain(ontology, outside)
    }


def _shape_finding(result: shacl.Result, judged: Judged) -> Finding:
    english = result.messages.get("en") or next(iter(result.messages.values()), result.component)
    return Finding(
        *judged.accepted_places.nearest(result.focus, result.path, result.value),
        severity=result.severity,
        rule=result.shape or result.component,
        message_de=_with_curies(result.messages.get("de") or english, judged),
        message_en=_with_curies(english, judged),
        focus=iri(result.focus),
        path=iri(result.path),
        value="" if result.value is None else str(result.value),
    )


def _with_curies(message: str, judged: Judged) -> str:
    """Shorten the IRIs that a shape's message names, so that it reads like the file."""
    return _IRI.sub(lambda found: shrink(found[0], judged.prefixes).strip("<>"), message)

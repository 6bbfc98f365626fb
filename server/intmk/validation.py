"""Judging RDF before it gets in: what is wrong, where it stands, and what would be right.

Rules that need no shapes come first (checks, passages, facts), then SHACL over the default graph as
a build would make it, then domains and ranges that no shape speaks of. What is found wrong is left
out of what comes next, so that one mistake is told once.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import BlankNode, NamedNode, Quad, RdfFormat, Store

from intmk import checks, facts, passages, recovery, turtle, vocab
from intmk.checks import Fault
from intmk.errors import CannotCheck, GraphError, SourceSyntaxError
from intmk.judged import Judged, default_graph, iri
from intmk.reach import Reach, Units
from intmk.report import Finding, Report, sorted_report
from intmk.rules import finding
from intmk.shacl import Result, Shapes
from intmk.sources import (
    Collection,
    Document,
    Place,
    Progress,
    form_of,
    place_in,
    quiet,
)
from intmk.vocab import DISPUTED, PREFIXES_FILE, SHAPES_GRAPH, SOURCE_GRAPH, STATUS, shrink

_IRI = re.compile(r"https?://[^\s<>\"“”]*[\w/#-]")


class Change(NamedTuple):
    """What the default graph gains and loses."""

    added: set[Quad]
    removed: set[Quad]


class Judge:
    """Shapes read once, with which any number of graphs and changes are judged."""

    def __init__(self, shapes: Iterable[str]) -> None:
        """Read the shapes, texts in Turtle. Raises CannotCheck when they cannot be used."""
        self.shapes = Shapes(shapes)
        self._reach: Reach | None = None

    @property
    def is_quick(self) -> bool:
        """Whether of a change only what it reaches is judged."""
        return self._reach is not None

    def hasten(self) -> None:
        """Work out what each shape reads, so that changes are judged by what they reach.

        It takes about as long as to judge ten thousand triples.
        """
        self._reach = Reach(self.shapes.graph, self.shapes.targeted)

    def findings(
        self, judged: Judged, change: Change | None = None, lost: str = ""
    ) -> list[Finding]:
        """Return what is wrong with the members of ``judged``.

        With ``change``, by which the default graph came about, what is wrong because of it, and
        what was wrong before at the things it reaches (``is_known``). ``lost`` is text that could
        not be read: what the shapes miss of the things in it is not told.
        """
        faults = list(checks.check(judged))
        without = {quad for fault in faults for quad in fault.wrong}
        misnamed = {one.finding.focus for one in faults if one.finding.rule in checks.NAMING}
        faults += facts.check(judged, self.shapes.functional, without, misnamed)
        without |= {quad for fault in faults for quad in fault.wrong}
        unbacked = list(passages.check(judged))
        told = _Told(self, judged, faults, unbacked, lost)
        found = [fault.finding for fault in faults] + unbacked
        with _mended(judged.store, faults) as mended:
            results = self.results(judged.store, change and _with(change, mended))
            by_shapes = [_shape_finding(*one, judged) for one in results if told.is_news(one[0])]
        places = {(one.focus, one.path, one.value) for one in by_shapes}
        found += [*by_shapes, *facts.ranges(judged, without, places)]
        return [_spelt(_named(one, judged), judged) for one in found]

    def results(self, store: Store, change: Change | None) -> list[tuple[Result, bool]]:
        """Return the results of the shapes, each with whether it was there before the change."""
        if change is None:
            return [(result, False) for result in self.shapes.results(store)]
        focus = self._focus(store, change)
        results = self.shapes.results(store, focus)
        if not results:
            return []
        with _undone(store, change):
            if focus is not None and self._reach:
                wrong = {iri(one.focus) for one in results}
                focus = {unit: nodes & wrong for unit, nodes in focus.items()}
                focus = self._reach.targets(store, focus)
            before = {_identity(result) for result in self.shapes.results(store, focus)}
        return [(result, _identity(result) in before) for result in results]

    def _focus(self, store: Store, change: Change) -> Units | None:
        """Return the nodes to be judged by each shape, or None for all."""
        if self._reach is None:
            return None
        focus = self._reach.focus(store, change.added)
        if change.removed:
            with _undone(store, change):
                for unit, nodes in self._reach.focus(store, change.removed).items():
                    focus.setdefault(unit, set()).update(nodes)
        return self._reach.targets(store, focus)


def _identity(result: Result) -> tuple[object, ...]:
    return (
        result.shape,
        result.focus,
        result.path,
        result.value,
        tuple(sorted(result.messages.items())),
    )


@contextmanager
def _undone(store: Store, change: Change) -> Iterator[None]:
    """Take a change back for a while."""
    _apply(store, Change(change.removed, change.added))
    try:
        yield
    finally:
        _apply(store, change)


def _apply(store: Store, change: Change) -> None:
    for quad in change.removed:
        store.remove(quad)
    store.extend(change.added)


@contextmanager
def _mended(store: Store, faults: list[Fault]) -> Iterator[Change]:
    """Let the default graph say for a while what was meant; yields how it differs then."""
    wrong = {_triple(quad) for fault in faults for quad in fault.wrong}
    right = {_triple(quad) for fault in faults for quad in fault.right if any(
        _triple(one) in store for one in fault.wrong)}  # fmt: skip
    change = Change(
        {quad for quad in right if quad not in store},
        {quad for quad in wrong - right if quad in store},
    )
    _apply(store, change)
    try:
        yield change
    finally:
        _apply(store, Change(change.removed, change.added))


def _with(change: Change, mended: Change) -> Change:
    """Return two changes, one after the other, as one."""
    added = (change.added - mended.removed) | (mended.added - change.removed)
    removed = (change.removed - mended.added) | (mended.removed - change.added)
    return Change(added, removed)


def _triple(quad: Quad) -> Quad:
    return Quad(quad.subject, quad.predicate, quad.object)


class _Told:
    """What has been told already, and what of the shapes' results follows from it."""

    def __init__(
        self, judge: "Judge", judged: Judged, faults: list[Fault], about: list[Finding], lost: str
    ) -> None:
        self._shapes, self._judged, self._lost = judge.shapes, judged, lost
        self._values: dict[tuple[str, str], set[object]] = {}
        self._left_out: dict[object, set[str]] = {}
        for fault in faults:
            for quad in (*fault.wrong, *fault.right):
                key = iri(quad.subject), quad.predicate.value
                self._values.setdefault(key, set()).add(quad.object)
            for quad in fault.wrong if not fault.right else ():
                name = judged.name(quad.predicate)
                self._left_out.setdefault(quad.subject, set()).add(name)
        self._nameless = {NamedNode(one.focus) for one in about} | {
            term
            for fault in faults
            for quad in fault.wrong
            for term in (quad.subject, quad.object)
            if not fault.right
            and (quad.predicate == vocab.TYPE or fault.finding.rule == "unknown-thing")
        }

    def is_news(self, result: Result) -> bool:
        """Whether a result is not a consequence of what has been told."""
        about = [term for term in (result.focus, result.value) if term is not None]
        if any(isinstance(term, BlankNode) or term in self._nameless for term in about):
            return False
        values = self._values.get((iri(result.focus), iri(result.path)))
        if values is not None and (result.value is None or result.value in values):
            return False
        return not (self._misses(result) or any(self._is_lost(iri(term)) for term in about))

    def _misses(self, result: Result) -> bool:
        """Whether the shape asks for a property of which a wrong value was left out."""
        query = self._shapes.query(result.shape)
        return any(name in query for name in self._left_out.get(result.focus, ()))

    def _is_lost(self, name: str) -> bool:
        if not self._lost or not name:
            return False
        return name in self._lost or shrink(name, self._judged.prefixes) in self._lost


def validate(
    collection: Collection, files: Sequence[Path] = (), progress: Progress = quiet
) -> Report:
    """Check the files of a root, or ``files`` together with it.

    Without ``files`` every finding is reported. With them, only what concerns them: findings that
    stand in one of them, or that would not be there without them. A file outside the root is
    judged as if its statements were accepted. A file that cannot be read is a finding with the
    rule ``syntax`` or ``unreadable``. Raises CannotCheck when the shapes cannot be used.
    """
    prefixes = _prefixes(collection)
    given, unread, lost = _read_given(collection, files, prefixes)
    progress("checking", 0, 2)
    found = [*unread, *_failures(collection, files)]
    judge = Judge(shape_texts(collection.documents))
    progress("checking", 1, 2)
    if collection.failures and not files:
        found += [one.finding for one in checks.check(Judged(_members(collection)))]
    elif not files:
        found += judge.findings(Judged(_members(collection)))
    elif not any(one.rule == "syntax" and one not in unread for one in found):
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
    said = {_triple(quad) for quad in document.quads if quad.graph_name not in disputed}
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


def _shape_finding(result: Result, is_known: bool, judged: Judged) -> Finding:
    english = result.messages.get("en") or next(iter(result.messages.values()), result.component)
    place = judged.accepted_places.nearest(result.focus, result.path, result.value)
    return Finding(
        place.file, place.line, place.column,
        severity=result.severity,
        rule=result.shape or result.component,
        message_de=_with_value(result, result.messages.get("de") or english, "Hier steht", judged),
        message_en=_with_value(result, english, "Given is", judged),
        focus=iri(result.focus),
        path=iri(result.path),
        value="" if result.value is None else str(result.value),
        end_line=place.end_line,
        end_column=place.end_column,
        is_known=is_known,
    )  # fmt: skip


def _with_value(result: Result, message: str, words: str, judged: Judged) -> str:
    """Let a shape's message name the value that is wrong, where it does not do so itself."""
    text = _with_curies(message, judged)
    if result.value is None or result.value == result.focus:
        return text
    plain = getattr(result.value, "value", "")
    given = judged.term(result.value)
    return text if plain in text or given in text else f"{text} {words}: {given}."


def _with_curies(message: str, judged: Judged) -> str:
    """Shorten the IRIs that a shape's message names, so that it reads like the file."""
    return _IRI.sub(lambda found: shrink(found[0], judged.prefixes).strip("<>"), message)


def _named(found: Finding, judged: Judged) -> Finding:
    """Let a finding say which thing it is about, by its label where it has one."""
    if not found.focus:
        return found
    node = NamedNode(found.focus)
    name = judged.name(node)
    labels = {one: " ".join(judged.label(node, one).split()) for one in ("de", "en")}
    return dataclasses.replace(
        found,
        label=labels["de"],
        message_de=_with_name(found.message_de, name, labels["de"] and f"„{labels['de']}“"),
        message_en=_with_name(found.message_en, name, labels["en"] and f"“{labels['en']}”"),
    )


def _spelt(found: Finding, judged: Judged) -> Finding:
    """Let a correction be written so that it can stand in the file: with prefixes this has."""
    prefix, colon, local = found.fix.partition(":")
    if not colon or not local or prefix not in judged.prefixes:
        return found
    whole = f"{judged.prefixes[prefix]}{local}"
    document = next((one for _, one in judged.members if one.name == found.file), None)
    is_turtle = document is not None and document.format in (RdfFormat.TURTLE, RdfFormat.TRIG)
    declared = turtle.prefixes(document.text) if document and is_turtle else ()
    names = {name: space for name, space, _ in declared}
    return dataclasses.replace(found, fix=shrink(whole, names))


def _with_name(message: str, name: str, label: str) -> str:
    if name in message and not label:
        return message
    whole = f"{label} ({name.strip('<>')})" if label else name
    if message.startswith(f"{name}:"):
        return whole + message[len(name) :]
    return message if name in message else f"{whole}: {message}"

"""Who says it: every statement in a described passage, every passage in a known source."""

from collections.abc import Iterator
from difflib import get_close_matches

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat

from intmk.judged import PASSAGE_KINDS, Judged, Said, iri
from intmk.report import Finding
from intmk.rules import finding, suggestion
from intmk.sources import Document
from intmk.vocab import (
    ACCEPTED,
    AGENT,
    DERIVATION,
    DISPUTED,
    FIRST_LINE,
    IS_PART_OF,
    LAST_LINE,
    LINE_COUNT,
    PAGE_PASSAGE,
    QUALITY_GRAPH,
    REGISTERED,
    SOURCE_GRAPH,
    STATUS,
    TEXT_PASSAGE,
    TYPE,
    WAS_DERIVED_FROM,
)

# In these a statement can name its passage; a file in any other is judged as if one did.
_DATASETS = (RdfFormat.TRIG, RdfFormat.N_QUADS)


def check(judged: Judged) -> Iterator[Finding]:
    """Yield the statements without a passage, and what is wrong with the passages."""
    yield from unbacked(judged)
    yield from undescribed(judged)
    for node in _touched(judged):
        if judged.is_passage(node):
            yield from _passage(judged, node, judged.register(node))


def unbacked(judged: Judged) -> Iterator[Finding]:
    """Yield the first statement on each thing that a file makes outside any passage."""
    for document in judged.data:
        seen: set[object] = set()
        for quad, places in document.facts() if document.format in _DATASETS else ():
            subject = quad.subject
            if subject in seen:
                continue
            if quad.graph_name == DefaultGraph() and not _is_registered(judged, subject):
                seen.add(subject)
                yield finding("no-passage", places[0](), iri(subject), quad.predicate.value)


def _is_registered(judged: Judged, node: object) -> bool:
    """Whether a thing belongs to the register of passages, sources and who keeps it."""
    kinds = {
        above for kind in judged.register(node).get(TYPE, []) for above in judged.ancestors(kind)
    }
    is_named = iri(node).startswith(f"{SOURCE_GRAPH.value}/")
    return is_named or bool(kinds & (PASSAGE_KINDS | {REGISTERED, AGENT}))


def undescribed(judged: Judged) -> Iterator[Finding]:
    """Yield each named graph of the data that the register does not describe as a passage."""
    seen = set()
    for document in judged.data:
        for quad, places in document.facts():
            graph = quad.graph_name
            if graph not in seen and not isinstance(graph, DefaultGraph):
                seen.add(graph)
                if not judged.is_passage(graph):
                    words = suggestion(_near(judged, graph, _described_in(document)))
                    words["passage"] = judged.name(graph)
                    yield finding("passage-undescribed", places[0](), iri(graph), **words)


def _described_in(document: Document) -> list[str]:
    """Return the passages that a document describes and gives no statements."""
    filled = {quad.graph_name for quad in document.quads}
    found = {q.subject for q in document.quads if q.predicate == TYPE and q.object in PASSAGE_KINDS}
    return sorted(iri(node) for node in found - filled)


def _near(judged: Judged, node: object, names: list[str]) -> str:
    close = get_close_matches(iri(node), names, n=1, cutoff=0.8)
    return judged.name(NamedNode(close[0])) if close else ""


def _touched(judged: Judged) -> list[NamedNode]:
    """Return the passages that the members speak of, or that rest on what these speak of."""
    found: dict[NamedNode, None] = {}
    for quad in judged.quads:
        nodes: list[object] = [quad.graph_name]
        if quad.graph_name == SOURCE_GRAPH:
            nodes = [quad.subject, *_resting(judged, quad)]
        found.update((node, None) for node in nodes if isinstance(node, NamedNode))
    return list(found)


def _resting(judged: Judged, quad: Quad) -> list[object]:
    if judged.known is None or quad.predicate not in (TYPE, LINE_COUNT):
        return []
    return [
        resting.subject
        for predicate in (IS_PART_OF, WAS_DERIVED_FROM)
        for resting in judged.find(None, predicate, quad.subject, SOURCE_GRAPH)
    ]


def _passage(judged: Judged, node: NamedNode, said: Said) -> Iterator[Finding]:
    # What is measured comes with the build.
    if node != QUALITY_GRAPH and not any(judged.find(None, None, None, node)):
        yield _about(judged, node, TYPE, "passage-empty")
    if len(said.get(STATUS, [])) != 1 or said[STATUS][0] not in (ACCEPTED, DISPUTED):
        yield _about(judged, node, STATUS, "passage-status")
    yield from _origin(judged, node, said)


def _about(
    judged: Judged,
    passage: NamedNode,
    path: NamedNode,
    rule: str,
    value: object = None,
    **words: str,
) -> Finding:
    place = judged.nearest(passage, path, value)
    words["passage"] = judged.name(passage)
    about = passage.value, path.value, "" if value is None else str(value)
    return finding(rule, place, *about, **words)


def _origin(judged: Judged, passage: NamedNode, said: Said) -> Iterator[Finding]:
    kinds = said[TYPE]
    bases = said.get(WAS_DERIVED_FROM, [])
    if DERIVATION in kinds and not any(judged.is_passage(base) for base in bases):
        yield _about(judged, passage, WAS_DERIVED_FROM, "derivation-source")
    if TEXT_PASSAGE in kinds or PAGE_PASSAGE in kinds:
        named = said.get(IS_PART_OF, [])
        sources = [source for source in named if judged.register(source).get(TYPE)]
        if not sources:
            fix = _near(judged, named[0], _sources(judged)) if named else ""
            value = named[0] if named else None
            yield _about(judged, passage, IS_PART_OF, "passage-source", value, fix=fix)
        elif TEXT_PASSAGE in kinds:
            yield from _lines(judged, passage, said, judged.register(sources[0]))


def _sources(judged: Judged) -> list[str]:
    """Return the sources that the register knows, without their passages."""
    found = {quad.subject for quad in judged.find(None, TYPE, None, SOURCE_GRAPH)}
    own = f"{SOURCE_GRAPH.value}/"
    return sorted(iri(node) for node in found if iri(node).startswith(own) and "#" not in iri(node))


def _lines(judged: Judged, passage: NamedNode, said: Said, source: Said) -> Iterator[Finding]:
    """Check a text passage's lines: docs/ontology.md and RFC 5147 section 2.2.2."""
    first, last = _number(said, FIRST_LINE), _number(said, LAST_LINE)
    count = _number(source, LINE_COUNT)
    lines = f"{'?' if first is None else first}–{'?' if last is None else last}"  # noqa: RUF001
    if first is None or last is None or not 1 <= first <= last <= (count or last):
        limit = "?" if count is None else str(count)
        yield _about(judged, passage, FIRST_LINE, "passage-lines", lines=lines, line_count=limit)
    elif passage.value.partition("#")[2] != (fragment := f"line={first - 1},{last}"):
        yield _about(judged, passage, FIRST_LINE, "passage-iri", lines=lines, fragment=fragment)


def _number(said: Said, predicate: NamedNode) -> int | None:
    values = said.get(predicate, [])
    texts = [value.value for value in values if isinstance(value, Literal)]
    return int(texts[0]) if len(texts) == 1 and texts[0].isascii() and texts[0].isdigit() else None

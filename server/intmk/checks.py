"""The rules that need no shapes: declared terms, typed literals, named things, described passages.

Each check takes a :class:`Judged` graph and yields findings with their places. The rules and their
texts are one table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad

from intmk import literals, vocab
from intmk.report import Finding, Severity
from intmk.sources import Document, Place, Places, place_in
from intmk.vocab import (
    ACCEPTED,
    DECLARATION,
    DERIVATION,
    DISPUTED,
    FIRST_LINE,
    INTMK,
    IS_PART_OF,
    LAST_LINE,
    LINE_COUNT,
    ONTOLOGY_GRAPH,
    PAGE_PASSAGE,
    QUALITY_GRAPH,
    SOURCE_GRAPH,
    STATUS,
    TEXT_PASSAGE,
    TYPE,
    WAS_DERIVED_FROM,
    shrink,
)

PASSAGE_KINDS = {TEXT_PASSAGE, PAGE_PASSAGE, DERIVATION, DECLARATION}


class Rule(NamedTuple):
    """A rule of ours: how bad its breach is, and what is said in German and in English."""

    severity: Severity
    de: str
    en: str


RULES = {
    "syntax": Rule("error", "Das ist kein gültiges RDF: {detail}", "This is not RDF: {detail}"),
    "unreadable": Rule("error", "Nicht zu prüfen: {detail}", "Cannot be checked: {detail}"),
    "unknown-term": Rule(
        "error",
        "Der Begriff {term} ist in der Ontologie nicht erklärt.{suggestion_de}",
        "The term {term} is not declared in the ontology.{suggestion_en}",
    ),
    "ill-typed-literal": Rule(
        "error",
        "„{text}“ ist kein Wert des Typs {datatype}. Richtig wäre zum Beispiel {example}.",
        '"{text}" is not a value of type {datatype}. A right one would be {example}.',
    ),
    "blank-node": Rule(
        "error",
        "Leere Knoten sind in den Daten nicht erlaubt, weil sie nicht zitiert werden können. "
        "Gib dem Ding einen IRI wie <https://w3id.org/intmk/id/conference/intmk-18>.",
        "Blank nodes are not allowed in the data, since they cannot be cited. "
        "Give the thing an IRI such as <https://w3id.org/intmk/id/conference/intmk-18>.",
    ),
    "passage-undescribed": Rule(
        "error",
        "Der Graph {passage} ist nirgends als Beleg beschrieben. Ergänze im Standardgraphen der "
        "Datei Klasse, Quelle, Zeilen und Status.",
        "The graph {passage} is nowhere described as a passage. Add its class, source, lines and "
        "status to the default graph of the file.",
    ),
    "passage-empty": Rule(
        "warning",
        "Der Beleg {passage} stützt keine Aussage: sein Graph ist leer.",
        "The passage {passage} supports nothing: its graph is empty.",
    ),
    "passage-status": Rule(
        "error",
        "Der Beleg {passage} braucht genau einen Status, kind:accepted oder kind:disputed.",
        "The passage {passage} needs exactly one status, kind:accepted or kind:disputed.",
    ),
    "passage-source": Rule(
        "error",
        "Der Beleg {passage} nennt mit dcterms:isPartOf keine bekannte Quelle. "
        "Quellen stehen in data/sources.ttl.",
        "The passage {passage} names no known source with dcterms:isPartOf. "
        "Sources stand in data/sources.ttl.",
    ),
    "passage-lines": Rule(
        "error",
        "Der Beleg {passage} braucht intmk:firstLine und intmk:lastLine, gezählt ab 1, mit "
        "erster ≤ letzter ≤ {line_count} (Zeilenzahl der Quelle); angegeben sind {lines}.",
        "The passage {passage} needs intmk:firstLine and intmk:lastLine, counted from 1, with "
        "first ≤ last ≤ {line_count} (lines of the source); given are {lines}.",
    ),
    "passage-iri": Rule(
        "error",
        "Der IRI des Belegs {passage} stimmt nicht mit seinen Zeilen überein (RFC 5147): für die "
        "Zeilen {lines} endet er auf #{fragment}.",
        "The IRI of the passage {passage} does not agree with its lines (RFC 5147): for lines "
        "{lines} it ends in #{fragment}.",
    ),
    "derivation-source": Rule(
        "error",
        "Die Herleitung {passage} nennt mit prov:wasDerivedFrom keinen beschriebenen Beleg.",
        "The derivation {passage} names no described passage with prov:wasDerivedFrom.",
    ),
}


def finding(
    rule: str, place: Place, focus: str = "", path: str = "", value: str = "", **words: object
) -> Finding:
    """Return a finding by one of ``RULES``, its texts filled with ``words``."""
    severity, german, english = RULES[rule]
    return Finding(
        *place, severity, rule, german.format(**words), english.format(**words), focus, path, value
    )


Said = dict[NamedNode, list[object]]
Register = dict[object, Said]


@dataclass(frozen=True)
class Judged:
    """The files that are judged together, by the graph they are read into.

    Of several places for one finding the earlier file's is reported. ``outside`` lists those
    members that do not belong to the root.
    """

    members: list[tuple[NamedNode, Document]]
    outside: list[Document] = field(default_factory=list)

    @cached_property
    def quads(self) -> list[Quad]:
        """All quads as they would stand in the store, without the default graph."""
        return [quad for graph, document in self.members for quad in place_in(graph, document)]

    @cached_property
    def places(self) -> Places:
        """Where each statement stands."""
        return Places(document for _, document in self.members)

    @cached_property
    def disputed(self) -> set[object]:
        """The passages whose claims are not accepted."""
        return {node for node, said in self.register.items() if DISPUTED in said.get(STATUS, [])}

    @cached_property
    def accepted_places(self) -> Places:
        """Where each statement stands that can be in the default graph."""
        return Places((document for _, document in self.members), self.disputed)

    @cached_property
    def prefixes(self) -> dict[str, str]:
        """The prefixes that the ontology declares."""
        return vocab.declared(self.quads)

    @cached_property
    def register(self) -> Register:
        """What the source graph says of each passage and source: subject, predicate, objects."""
        register: Register = {}
        for quad in self.quads:
            if quad.graph_name == SOURCE_GRAPH:
                said = register.setdefault(quad.subject, {})
                said.setdefault(quad.predicate, []).append(quad.object)
        return register

    @property
    def data(self) -> Iterator[Document]:
        """The documents that hold data, as opposed to ontology and shapes."""
        return (document for graph, document in self.members if graph == SOURCE_GRAPH)

    def name(self, node: object) -> str:
        """Return a node as a curator would write it."""
        return shrink(node.value, self.prefixes) if isinstance(node, NamedNode) else str(node)


def iri(term: object) -> str:
    """Return the IRI of a named node, "" for any other term."""
    return term.value if isinstance(term, NamedNode) else ""


def check(judged: Judged) -> Iterator[Finding]:
    """Yield the findings of every rule."""
    yield from unknown_terms(judged)
    yield from ill_typed_literals(judged)
    yield from blank_nodes(judged)
    yield from undescribed_graphs(judged)
    yield from passages(judged)


def unknown_terms(judged: Judged) -> Iterator[Finding]:
    """Yield each use of a term of our namespace that the ontology does not declare."""
    declared = {
        quad.subject.value
        for quad in judged.quads
        if quad.graph_name == ONTOLOGY_GRAPH and isinstance(quad.subject, NamedNode)
    }
    for _, document in judged.members:
        for quad, term, place in document.terms():
            if isinstance(term, NamedNode) and _ours(term.value) and term.value not in declared:
                words = _suggestion(term.value, declared)
                focus = iri(quad.subject)
                yield finding("unknown-term", place(), focus, term=judged.name(term), **words)


def _ours(iri: str) -> bool:
    return iri.startswith(INTMK) and iri != INTMK


def _suggestion(iri: str, declared: Iterable[str]) -> dict[str, str]:
    names = [name.removeprefix(INTMK) for name in declared if name.startswith(INTMK)]
    close = get_close_matches(iri.removeprefix(INTMK), names, n=1)
    return {
        "suggestion_de": f" Gemeint ist vielleicht intmk:{close[0]}." if close else "",
        "suggestion_en": f" Did you mean intmk:{close[0]}?" if close else "",
    }


def ill_typed_literals(judged: Judged) -> Iterator[Finding]:
    """Yield each literal that is not a value of its datatype."""
    wrong = literals.ill_typed(q.object for q in judged.quads if isinstance(q.object, Literal))
    for _, document in judged.members:
        for quad, term, place in document.terms():
            if isinstance(term, Literal) and term in wrong:
                yield finding(
                    "ill-typed-literal",
                    place(),
                    iri(quad.subject),
                    quad.predicate.value,
                    str(term),
                    text=term.value,
                    datatype=judged.name(term.datatype),
                    example=wrong[term],
                )


def blank_nodes(judged: Judged) -> Iterator[Finding]:
    """Yield the first mention of each blank node in the data."""
    for document in judged.data:
        seen = set()
        for _, term, place in document.terms():
            if isinstance(term, BlankNode) and term not in seen:
                seen.add(term)
                yield finding("blank-node", place())


def undescribed_graphs(judged: Judged) -> Iterator[Finding]:
    """Yield each named graph of the data that the register does not describe as a passage."""
    seen = set()
    for document in judged.data:
        for quad, _, place in document.terms():
            graph = quad.graph_name
            if graph not in seen and not isinstance(graph, DefaultGraph):
                seen.add(graph)
                if not _is_passage(judged, graph):
                    yield finding(
                        "passage-undescribed", place(), iri(graph), passage=judged.name(graph)
                    )


def _is_passage(judged: Judged, node: object) -> bool:
    kinds = judged.register.get(node, {}).get(TYPE, [])
    return any(kind in PASSAGE_KINDS for kind in kinds)


def passages(judged: Judged) -> Iterator[Finding]:
    """Yield what is wrong with the description of each passage."""
    graphs = {quad.graph_name for quad in judged.quads}
    for node, said in judged.register.items():
        if not isinstance(node, NamedNode) or not _is_passage(judged, node):
            continue
        # What is measured comes with the build.
        if node not in graphs and node != QUALITY_GRAPH:
            yield _about(judged, node, TYPE, "passage-empty")
        if len(said.get(STATUS, [])) != 1 or said[STATUS][0] not in (ACCEPTED, DISPUTED):
            yield _about(judged, node, STATUS, "passage-status")
        yield from _origin(judged, node, said)


def _about(
    judged: Judged, passage: NamedNode, path: NamedNode, rule: str, **words: object
) -> Finding:
    place = judged.places.nearest(passage, path)
    words["passage"] = judged.name(passage)
    return finding(rule, place, passage.value, path.value, "", **words)


def _origin(judged: Judged, passage: NamedNode, said: Said) -> Iterator[Finding]:
    kinds = said[TYPE]
    if DERIVATION in kinds:
        bases = said.get(WAS_DERIVED_FROM, [])
        if not any(isinstance(base, NamedNode) and _is_passage(judged, base) for base in bases):
            yield _about(judged, passage, WAS_DERIVED_FROM, "derivation-source")
    if TEXT_PASSAGE in kinds or PAGE_PASSAGE in kinds:
        sources = [s for s in said.get(IS_PART_OF, []) if judged.register.get(s, {}).get(TYPE)]
        if not sources:
            yield _about(judged, passage, IS_PART_OF, "passage-source")
        elif TEXT_PASSAGE in kinds:
            yield from _lines(judged, passage, said, judged.register[sources[0]])


def _lines(
    judged: Judged,
    passage: NamedNode,
    said: Said,
    source: Said,
) -> Iterator[Finding]:
    """Check a text passage's lines: docs/ontology.md and RFC 5147 section 2.2.2."""
    first, last = _number(said, FIRST_LINE), _number(said, LAST_LINE)
    count = _number(source, LINE_COUNT)
    lines = f"{'?' if first is None else first}–{'?' if last is None else last}"  # noqa: RUF001
    if first is None or last is None or not 1 <= first <= last <= (count or last):
        limit = "?" if count is None else count
        yield _about(judged, passage, FIRST_LINE, "passage-lines", lines=lines, line_count=limit)
    elif passage.value.partition("#")[2] != (fragment := f"line={first - 1},{last}"):
        yield _about(judged, passage, FIRST_LINE, "passage-iri", lines=lines, fragment=fragment)


def _number(said: Said, predicate: NamedNode) -> int | None:
    values = said.get(predicate, [])
    texts = [value.value for value in values if isinstance(value, Literal)]
    return int(texts[0]) if len(texts) == 1 and texts[0].isascii() and texts[0].isdigit() else None

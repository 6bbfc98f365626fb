"""How good the record is, measured class by class, as statements of the graph itself.

The metrics and what is expected of a class are declared in ``ontology/quality.ttl``; the values are
worked out here, from the other named graphs alone, after the W3C Data Quality Vocabulary (DQV,
section 5). Nothing in them depends on when they are made.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from pyoxigraph import Literal, NamedNode, Quad

from intmk import vocab
from intmk.sources import accepted
from intmk.vocab import (
    BASE,
    DECLARATION,
    DERIVATION,
    DQV,
    INTMK,
    IS_PART_OF,
    ONTOLOGY_GRAPH,
    PAGE_PASSAGE,
    QUALITY_GRAPH,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    TEXT_PASSAGE,
    TYPE,
)

MEASUREMENT = f"{BASE}id/measurement/"
METRIC = f"{BASE}id/metric/"
EXPECTED_PROPERTY = NamedNode(f"{INTMK}expectedProperty")
MEASURED_PROPERTY = NamedNode("https://schema.org/measuredProperty")
MEASURED_BY = NamedNode(f"{DQV}isMeasurementOf")
COMPUTED_ON = NamedNode(f"{DQV}computedOn")
VALUE = NamedNode(f"{DQV}value")

_MEASUREMENT_CLASS = NamedNode(f"{DQV}QualityMeasurement")
_SOURCE = NamedNode(f"{INTMK}Source")
_PUBLISHER = NamedNode(f"{vocab.DCTERMS}publisher")
_SUBCLASS = NamedNode(f"{vocab.RDFS}subClassOf")
_TARGET, _PROPERTY, _PATH, _MIN_COUNT = (
    NamedNode(vocab.SH + name) for name in ("targetClass", "property", "path", "minCount")
)
_STATED = {TEXT_PASSAGE, PAGE_PASSAGE}
_DECIMAL = NamedNode(f"{vocab.XSD}decimal")
_PLACES = Decimal("0.0001")

# Objects of a subject by predicate, of one graph.
Said = dict[object, dict[NamedNode, set[object]]]
# A metric's slug, a property or None, and the value.
Value = tuple[str, NamedNode | None, Fraction]


def measured(quads: Iterable[Quad]) -> set[Quad]:
    """Return quads with the graph of measurements made anew from their other named graphs.

    Where no accepted passage ``https://w3id.org/intmk/quality`` is described there is nothing that
    could say the measurements, and none are made.
    """
    rest = {quad for quad in quads if quad.graph_name != QUALITY_GRAPH}
    return rest | set(_measurements(rest)) if QUALITY_GRAPH in accepted(rest) else rest


def _measurements(quads: Iterable[Quad]) -> Iterator[Quad]:
    record = _Record(quads)
    for kind in record.classes:
        for metric, path, value in record.measure(kind):
            name = f"{record.slug(kind)}-{metric}"
            if path:
                name += f"-{record.slug(path)}"
                yield _quad(name, MEASURED_PROPERTY, path)
            yield _quad(name, TYPE, _MEASUREMENT_CLASS)
            yield _quad(name, MEASURED_BY, NamedNode(METRIC + metric))
            yield _quad(name, COMPUTED_ON, kind)
            yield _quad(name, VALUE, _decimal(value))


def _quad(name: str, predicate: NamedNode, value: NamedNode | Literal) -> Quad:
    return Quad(NamedNode(MEASUREMENT + name), predicate, value, QUALITY_GRAPH)


def _decimal(value: Fraction) -> Literal:
    """Return a number to four places, written as the store writes it."""
    rounded = (Decimal(value.numerator) / value.denominator).quantize(_PLACES)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return Literal(text or "0", datatype=_DECIMAL)


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)


def _said(quads: Iterable[Quad], graph: NamedNode) -> Said:
    said: Said = defaultdict(lambda: defaultdict(set))
    for quad in quads:
        if quad.graph_name == graph:
            said[quad.subject][quad.predicate].add(quad.object)
    return said


def _iris(terms: Iterable[object]) -> set[NamedNode]:
    return {term for term in terms if isinstance(term, NamedNode)}


class _Record:
    """The named graphs, indexed by what the metrics ask: who says what about which thing."""

    def __init__(self, quads: Iterable[Quad]) -> None:
        quads = list(quads)
        self._register = _said(quads, SOURCE_GRAPH)
        self._ontology = _said(quads, ONTOLOGY_GRAPH)
        self._shapes = _said(quads, SHAPES_GRAPH)
        self._prefixes = vocab.declared(quads)
        self._accepted = accepted(quads)
        # The passages that make a statement, by subject and then by property and value.
        self._about: dict[object, dict[tuple[NamedNode, object], set[object]]] = defaultdict(dict)
        for quad in quads:
            if quad.graph_name in self._register:
                statements = self._about[quad.subject]
                statements.setdefault((quad.predicate, quad.object), set()).add(quad.graph_name)

    @cached_property
    def _things(self) -> dict[NamedNode, list[object]]:
        """The things of each class, by what accepted passages say they are."""
        things: dict[NamedNode, list[object]] = defaultdict(list)
        for thing, statements in self._about.items():
            for (predicate, value), passages in statements.items():
                if predicate == TYPE and isinstance(value, NamedNode) and self._is_said(passages):
                    things[value].append(thing)
        return things

    @property
    def classes(self) -> list[NamedNode]:
        """The classes of which passages speak, and those of the sources."""
        found = [kind for kind in self._things if self._is_source(kind) or self._is_told_of(kind)]
        return sorted(found, key=str)

    def _is_source(self, kind: NamedNode) -> bool:
        return _SOURCE in self._above(kind)

    def _is_told_of(self, kind: NamedNode) -> bool:
        """Whether anything but the project's own registers speaks of things of a class."""
        return any(
            self._kinds(passages) - {DECLARATION}
            for one in self._things[kind]
            for passages in self._about[one].values()
        )

    def slug(self, term: NamedNode) -> str:
        """Return the name of a term within an IRI: chair-term, schema-start-date."""
        short = vocab.shrink(term.value, self._prefixes).strip("<>").removeprefix("intmk:")
        apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", short)
        return re.sub(r"[^A-Za-z0-9]+", "-", apart).strip("-").lower()

    def measure(self, kind: NamedNode) -> Iterator[Value]:
        """Yield the values of all metrics for a class."""
        things = self._things[kind]
        yield "instances", None, Fraction(len(things))
        yield from self._completeness(kind, things)
        if not self._is_source(kind):
            yield "stated-share", None, self._stated_share(things)
            yield from self._independence(things)
            yield "disputed-statements", None, Fraction(sum(map(self._disputed, things)))

    def _completeness(self, kind: NamedNode, things: list[object]) -> Iterator[Value]:
        shares = []
        for path in sorted(self._expected(kind), key=str):
            shares.append(_share(sum(self._has(one, path) for one in things), len(things)))
            yield "property-completeness", path, shares[-1]
        if shares:
            yield "completeness", None, Fraction(sum(shares)) / len(shares)

    def _has(self, thing: object, path: NamedNode) -> bool:
        return any(
            predicate == path and self._is_said(passages)
            for (predicate, _), passages in self._about[thing].items()
        )

    def _expected(self, kind: NamedNode) -> set[NamedNode]:
        """Return what shapes require of a class and of those above it, or the ontology expects."""
        above = self._above(kind)
        expected = {path for one in above for path in _iris(self._ontology[one][EXPECTED_PROPERTY])}
        for said in list(self._shapes.values()):
            if said[_TARGET] & above:
                for one in (said, *(self._shapes[part] for part in said[_PROPERTY])):
                    expected |= self._required(one)
        return expected

    @staticmethod
    def _required(shape: dict[NamedNode, set[object]]) -> set[NamedNode]:
        """Return the path of a property shape that demands a value."""
        counts = [one for one in shape[_MIN_COUNT] if isinstance(one, Literal)]
        return _iris(shape[_PATH]) if any(one.value != "0" for one in counts) else set()

    def _above(self, kind: NamedNode) -> set[NamedNode]:
        """Return a class and all classes above it."""
        found: set[NamedNode] = set()
        waiting = {kind}
        while waiting:
            found |= waiting
            parents = {above for one in waiting for above in _iris(self._ontology[one][_SUBCLASS])}
            waiting = parents - found
        return found

    def _is_said(self, passages: Iterable[object]) -> bool:
        return any(one in self._accepted for one in passages)

    def _kinds(self, passages: Iterable[object]) -> set[object]:
        """Return the classes of the accepted ones among passages."""
        return {
            kind for one in passages if one in self._accepted for kind in self._register[one][TYPE]
        }

    def _stated_share(self, things: Iterable[object]) -> Fraction:
        """Return the share of statements that a source itself makes; what the project lays down
        does not count.
        """
        kinds = [self._kinds(said) for one in things for said in self._about[one].values()]
        stated = sum(bool(some & _STATED) for some in kinds)
        return _share(stated, stated + sum(some - {DECLARATION} == {DERIVATION} for some in kinds))

    def _independence(self, things: list[object]) -> Iterator[Value]:
        sources = [self._origins(one) for one in things]
        publishers = [
            {who for one in some for who in self._register[one][_PUBLISHER]} for some in sources
        ]
        yield "publishers", None, _share(sum(map(len, publishers)), len(things))
        several = sum(len(some) > 1 for some in publishers)
        yield "several-publishers", None, _share(several, len(things))
        yield "single-source", None, _share(sum(len(some) == 1 for some in sources), len(things))

    def _origins(self, thing: object) -> set[object]:
        """Return the sources of which an accepted place speaks of a thing."""
        return {
            source
            for passages in self._about[thing].values()
            for one in passages
            if one in self._accepted and self._register[one][TYPE] & _STATED
            for source in self._register[one][IS_PART_OF]
        }

    def _disputed(self, thing: object) -> int:
        """Return how many statements about a thing no accepted passage makes."""
        return sum(not self._is_said(passages) for passages in self._about[thing].values())

"""Random changes to a graph: statements lost, moved, exchanged and made up from others."""

import random
from collections.abc import Iterable

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from intmk.judge import Change
from intmk.vocab import ONTOLOGY_GRAPH, SHAPES_GRAPH, TYPE, XSD

_UNTOUCHED = (DefaultGraph(), ONTOLOGY_GRAPH, SHAPES_GRAPH)
_DATE = f"{XSD}date"


def change(triples: Iterable[Quad], seed: int, size: int = 10) -> Change:
    """Return a change of about ``size`` triples; the same seed gives the same change."""
    rng = random.Random(seed)
    everything = sorted(triples, key=str)
    known = set(everything)
    removed, added = set(), set()
    for _ in range(size):
        triple = rng.choice(everything)
        if rng.random() < 0.6:
            removed.add(triple)
        if rng.random() < 0.7:
            added.add(_variant(triple, everything, rng))
    return Change(added - known, removed - added)


def of_passages(quads: Iterable[Quad], seed: int, size: int = 10) -> Change:
    """Return a change of about ``size`` quads of the named graphs that are no rules."""
    rng = random.Random(seed)
    known = set(quads)
    pool = sorted((q for q in known if q.graph_name not in _UNTOUCHED), key=str)
    removed, added = set(), set()
    for _ in range(size):
        quad = rng.choice(pool)
        other = rng.choice([one for one in pool if one.predicate == quad.predicate])
        if rng.random() < 0.5:
            removed.add(quad)
        if rng.random() < 0.7:
            added.add(rng.choice(_moved(quad, other)))
    return Change(added - known, removed - added)


def _moved(quad: Quad, other: Quad) -> list[Quad]:
    """Return a quad with something of another one, of a new thing, or misspelt."""
    subject, predicate, value, graph = quad
    new, misspelt = NamedNode(f"{subject.value}-neu"), NamedNode(f"{predicate.value}x")
    return [
        Quad(other.subject, predicate, value, graph),
        Quad(subject, predicate, other.object, graph),
        Quad(subject, predicate, value, other.graph_name),
        Quad(new, predicate, value, graph),
        Quad(subject, misspelt, value, graph),
    ]


def _variant(triple: Quad, everything: list[Quad], rng: random.Random) -> Quad:
    """Return a triple like this one, with another subject, object or date."""
    alike = [one for one in everything if one.predicate == triple.predicate]
    other = rng.choice(alike)
    if isinstance(triple.object, Literal) and triple.object.datatype.value == _DATE:
        year = int(triple.object.value[:4]) + rng.randint(-2, 2)
        moved = Literal(f"{year}{triple.object.value[4:]}", datatype=triple.object.datatype)
        return Quad(triple.subject, triple.predicate, moved)
    if triple.predicate == TYPE and rng.random() < 0.5:
        return Quad(NamedNode(f"{triple.subject.value}-neu"), TYPE, triple.object)
    if rng.random() < 0.5:
        return Quad(other.subject, triple.predicate, triple.object)
    return Quad(triple.subject, triple.predicate, other.object)

"""Which things a change can make right or wrong: the reverse of what each shape reads.

A triple that is added or removed can matter to those focus nodes only from which a pattern of a
shape matches it, in the graph that holds it.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store
from rdflib import Graph, URIRef, Variable

from intmk import durable, matching, patterns
from intmk.matching import Step
from intmk.patterns import THIS, Reader, Unit, Use

Units = dict[Unit, set[str]]
"""Focus nodes, by what judges them."""


class Way(NamedTuple):
    """One way on which a unit reads a triple with the ``predicate`` ("" is any).

    ``step`` has the terms of the triple, in N-Triples or as ?variables; ``text`` is the pattern, in
    SPARQL, that leads from it to ?this. Without a text the subject itself is ?this.
    """

    unit: Unit
    predicate: str
    step: tuple[str, str, str]
    text: str


class Reach:
    """The focus nodes of each shape that a change reaches."""

    def __init__(self, targets: dict[str, str], ways: Iterable[Way]) -> None:
        """Take the targets of each shape as a SPARQL pattern, and all ways of all shapes."""
        self._targets = targets
        self._ways: dict[str, list[Way]] = {}
        for way in ways:
            self._ways.setdefault(way.predicate, []).append(way)

    def to_json(self) -> str:
        """Return all of it as text, for ``from_json``."""
        ways = [way for some in self._ways.values() for way in some]
        return json.dumps({"targets": self._targets, "ways": ways})

    @classmethod
    def from_json(cls, text: str) -> "Reach":
        """Return what ``to_json`` was called on. Raises ValueError for any other text."""
        try:
            value = json.loads(text)
            ways = [
                Way(Unit(*unit), name, tuple(step), by) for unit, name, step, by in value["ways"]
            ]
            return cls(value["targets"], ways)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no reach: {error}") from error

    def focus(self, store: Store, triples: Iterable[Quad]) -> Units:
        """Return the nodes, by unit, from which the shapes read one of ``triples``.

        The triples are in the default graph of ``store``: call it once with the graph before and
        what is removed, and once with the graph after and what is added.
        """
        by_predicate: dict[str, list[Quad]] = {}
        for triple in triples:
            by_predicate.setdefault(triple.predicate.value, []).append(triple)
        found: Units = {}
        for predicate, members in by_predicate.items():
            subjects = {q.subject.value for q in members if isinstance(q.subject, NamedNode)}
            for way in self._ways.get(predicate, []) + self._ways.get("", []):
                reached = _focus(way, store, members) if way.text else subjects
                found.setdefault(way.unit, set()).update(reached)
        return found

    def targets(self, store: Store, focus: Units) -> Units:
        """Return those of the nodes that are targets of their shape in this graph.

        A node that a shape judges as a whole is left out of its parts.
        """
        by_shape: dict[str, set[str]] = {}
        for unit, nodes in focus.items():
            by_shape.setdefault(unit.shape, set()).update(nodes)
        targets = {
            shape: _nodes(store, f"{_values(nodes)} {self._targets[shape]}")
            for shape, nodes in by_shape.items()
            if nodes
        }
        found: Units = {}
        for unit, nodes in focus.items():
            whole = focus.get(Unit(unit.shape, unit.shape), set()) if unit.is_part else set()
            if right := (nodes & targets.get(unit.shape, set())) - whole:
                found[unit] = right
        return found


def derive(graph: Graph, targeted: Iterable[URIRef]) -> Reach:
    """Return what the ``targeted`` shapes of ``graph`` read.

    It takes as long as to judge some ten thousand triples, nearly all of it for parsing queries.
    """
    reader, shapes = Reader(graph), list(targeted)
    ways = {_way(use) for shape in shapes for use in reader.uses(shape)}
    return Reach({str(shape): reader.target(shape) for shape in shapes}, sorted(ways))


def _way(use: Use) -> Way:
    subject, _, value = use.step
    is_free = isinstance(value, Variable) and value != THIS
    is_direct = subject == THIS and is_free and len(use.group.patterns) == 1
    terms = tuple(map(_term, use.step))
    if is_direct:
        return Way(use.unit, use.predicate, ("?this", terms[1], "?value"), "")
    return Way(use.unit, use.predicate, terms, use.group.text())  # type: ignore[arg-type]


def _term(term: Step) -> str:
    """Return a variable as a query has it, a constant as the engine writes it."""
    if isinstance(term, Variable):
        return f"?{term}"
    if isinstance(term, URIRef):
        return str(NamedNode(str(term)))
    language, datatype = getattr(term, "language", None), getattr(term, "datatype", None)
    if language:
        return str(Literal(str(term), language=language))
    return str(Literal(str(term), datatype=NamedNode(str(datatype)) if datatype else None))


def kept(folder: Path, key: Iterable[str], graph: Graph, targeted: Iterable[URIRef]) -> Reach:
    """Return what shapes read as it was kept in a folder, or derive it and keep it there.

    ``key`` are texts that tell these shapes from others. What cannot be kept is derived each time.
    """
    path = folder / f"{_digest(key)}.json"
    try:
        return Reach.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = derive(graph, targeted)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        durable.write(path, found.to_json())
    return found


def _digest(key: Iterable[str]) -> str:
    """Return a name for texts that changes with the program too."""
    digest = hashlib.sha256()
    for module in (__file__, patterns.__file__, matching.__file__):
        digest.update(Path(module).read_bytes())
    for text in key:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


def _focus(way: Way, store: Store, triples: list[Quad]) -> set[str]:
    """Return the focus nodes from which a way leads over one of the triples."""
    rows = [row for triple in triples if (row := _row(way, triple)) is not None]
    if not rows:
        return set()
    names = " ".join(rows[0])
    values = " ".join(sorted({f"({' '.join(row.values())})" for row in rows}))
    return _nodes(store, f"VALUES ({names}) {{ {values} }} {way.text}")


def _row(way: Way, triple: Quad) -> dict[str, str] | None:
    """Return the values of the pattern's variables, or None when it does not match.

    A blank node cannot be named in a query, so its variable stays open.
    """
    bound: dict[str, str] = {}
    for term, value in zip(way.step, tuple(triple)[:3], strict=True):
        if term.startswith("?"):
            text = "UNDEF" if isinstance(value, BlankNode) else str(value)
            if bound.setdefault(term, text) != text:
                return None
        elif term != str(value):
            return None
    return bound


def _values(nodes: Iterable[str]) -> str:
    return f"VALUES ?this {{ {' '.join(f'<{node}>' for node in sorted(nodes))} }}"


def _nodes(store: Store, where: str) -> set[str]:
    rows = store.query(f"SELECT DISTINCT ?this WHERE {{ {where} }}")
    return {row["this"].value for row in rows if isinstance(row["this"], NamedNode)}  # type: ignore[union-attr]

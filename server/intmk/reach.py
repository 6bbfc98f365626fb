"""Which things a change can make right or wrong: the reverse of what each shape reads.

A triple that is added or removed can matter to those focus nodes only from which a pattern of a
shape matches it, in the graph that holds it.
"""

from collections.abc import Iterable

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store
from rdflib import Graph, URIRef, Variable

from intmk.patterns import THIS, Reader, Step, Unit, Use

Units = dict[Unit, set[str]]
"""Focus nodes, by what judges them."""


class Reach:
    """The focus nodes of each shape that a change reaches."""

    def __init__(self, graph: Graph, targeted: Iterable[URIRef]) -> None:
        """Read what the ``targeted`` shapes of ``graph`` look at."""
        reader = Reader(graph)
        self._targets = {str(shape): reader.target(shape) for shape in targeted}
        self._direct: dict[str, set[Unit]] = {}
        self._uses: dict[str, list[Use]] = {}
        for shape in map(URIRef, self._targets):
            for use in reader.uses(shape):
                if _is_direct(use):
                    self._direct.setdefault(use.predicate, set()).add(use.unit)
                else:
                    self._uses.setdefault(use.predicate, []).append(use)

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
            for unit in self._direct.get(predicate, set()) | self._direct.get("", set()):
                found.setdefault(unit, set()).update(subjects)
            for use in self._uses.get(predicate, []) + self._uses.get("", []):
                found.setdefault(use.unit, set()).update(_focus(use, store, members))
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


def _values(nodes: Iterable[str]) -> str:
    return f"VALUES ?this {{ {' '.join(f'<{node}>' for node in sorted(nodes))} }}"


def _nodes(store: Store, where: str) -> set[str]:
    rows = store.query(f"SELECT DISTINCT ?this WHERE {{ {where} }}")
    return {row["this"].value for row in rows if isinstance(row["this"], NamedNode)}  # type: ignore[union-attr]


def _is_direct(use: Use) -> bool:
    """Whether the subject of any triple with the predicate is a focus node."""
    subject, _, value = use.step
    is_free = isinstance(value, Variable) and value != THIS
    return subject == THIS and is_free and len(use.group.patterns) == 1


def _focus(use: Use, store: Store, triples: list[Quad]) -> set[str]:
    """Return the focus nodes from which a pattern matches one of the triples."""
    rows = [row for triple in triples if (row := _row(use, triple)) is not None]
    if not rows:
        return set()
    names = " ".join(f"?{name}" for name in rows[0])
    values = " ".join(sorted({f"({' '.join(row.values())})" for row in rows}))
    return _nodes(store, f"VALUES ({names}) {{ {values} }} {use.group.text()}")


def _row(use: Use, triple: Quad) -> dict[str, str] | None:
    """Return the values of the pattern's variables, or None when it does not match.

    A blank node cannot be named in a query, so its variable stays open.
    """
    bound: dict[str, str] = {}
    for term, value in zip(use.step, tuple(triple)[:3], strict=True):
        if isinstance(term, Variable):
            text = "UNDEF" if isinstance(value, BlankNode) else str(value)
            if bound.setdefault(str(term), text) != text:
                return None
        elif _engine(term) != value:
            return None
    return bound


def _engine(term: Step) -> object:
    """Return a constant of a query as the engine has it."""
    if isinstance(term, URIRef):
        return NamedNode(str(term))
    language, datatype = getattr(term, "language", None), getattr(term, "datatype", None)
    if language:
        return Literal(str(term), language=language)
    return Literal(str(term), datatype=NamedNode(str(datatype)) if datatype else None)

"""What each shape reads: patterns that begin at its focus node, derived from the shape.

A shape reads its targets, its paths, the classes of values, and what the queries of its constraints
match (SHACL section 2.1, SHACL-SPARQL section 5).
"""

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple
from typing import Literal as OneOf

from rdflib import Graph, URIRef, Variable
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SH
from rdflib.paths import AlternativePath, InvPath, MulPath, SequencePath
from rdflib.plugins.sparql import prepareQuery
from rdflib.term import Node

from intmk import matching
from intmk.errors import CannotCheck
from intmk.matching import Condition, Group, Pattern

THIS = Variable("this")

# Values of these parameters are shapes that look at the value nodes (SHACL section 4.6 and 4.7).
_NESTED = (SH.property, SH.node, SH["not"], SH.qualifiedValueShape)
_NESTED_LISTS = (SH["and"], SH["or"], SH.xone)
# Values of these are further properties of the focus node (SHACL section 4.5).
_COMPARED = (SH.equals, SH.disjoint, SH.lessThan, SH.lessThanOrEquals)
_REPEATED: tuple[tuple[URIRef, OneOf["*", "+", "?"]], ...] = (
    (SH.zeroOrMorePath, "*"),
    (SH.oneOrMorePath, "+"),
    (SH.zeroOrOnePath, "?"),
)
_SUBCLASS = MulPath(RDFS.subClassOf, "*")


class Unit(NamedTuple):
    """What is judged by itself: a targeted ``shape`` as a whole, or a property shape of it."""

    shape: str
    part: str

    @property
    def is_part(self) -> bool:
        """Whether it is not the shape as a whole."""
        return self.shape != self.part


class Use(NamedTuple):
    """One pattern by which a unit reads the graph.

    ``step`` is a single triple with the predicate ("" is any), ``group`` all that must match with
    it.
    """

    unit: Unit
    predicate: str
    step: Pattern
    group: Group


class Reader:
    """Turns shapes into groups of patterns that begin at ?this."""

    def __init__(self, graph: Graph) -> None:
        """Take the triples of the shapes."""
        self._graph = graph
        self._numbers = count()

    def _fresh(self) -> Variable:
        return Variable(f"reach{next(self._numbers)}")

    def target(self, shape: Node) -> str:
        """Return the targets of a shape as a SPARQL pattern (SHACL section 2.1.3)."""
        return " UNION ".join(f"{{ {group.text()} }}" for group in self._targets(shape))

    def _targets(self, shape: Node) -> Iterator[Group]:
        graph = self._graph
        classes = set(graph.objects(shape, SH.targetClass))
        if (shape, RDF.type, RDFS.Class) in graph:
            classes.add(shape)
        for kind in sorted(classes, key=str):
            yield Group(((THIS, SequencePath(RDF.type, _SUBCLASS), kind),))
        for predicate in sorted(graph.objects(shape, SH.targetSubjectsOf), key=str):
            yield Group(((THIS, predicate, self._fresh()),))
        for predicate in sorted(graph.objects(shape, SH.targetObjectsOf), key=str):
            yield Group(((self._fresh(), predicate, THIS),))
        for node in sorted(graph.objects(shape, SH.targetNode), key=str):
            yield Group((), (Condition(node.n3(), frozenset(), "this"),))

    def uses(self, shape: URIRef) -> Iterator[Use]:
        """Yield every pattern by which a shape reads the graph, of its property shapes by part."""
        targets = list(self._targets(shape))
        whole, nothing = Unit(str(shape), str(shape)), Group(())
        for group in targets:
            yield from self._uses(whole, group)
        for group in self._groups(shape, THIS, nothing, is_split=True):
            yield from self._tied(whole, group, targets)
        for part in self._parts(shape):
            for group in self._groups(part, THIS, nothing):
                yield from self._tied(Unit(str(shape), str(part)), group, targets)

    def _parts(self, shape: URIRef) -> list[URIRef]:
        """Return the property shapes of a shape that have names."""
        found = self._graph.objects(shape, SH.property)
        return [part for part in found if isinstance(part, URIRef)]

    def _tied(self, unit: Unit, group: Group, targets: list[Group]) -> Iterator[Use]:
        # What is tied to the focus node by no pattern matters to every target.
        is_tied = str(THIS) in group.variables
        for whole in [group] if is_tied else [group + target for target in targets]:
            yield from self._uses(unit, whole)

    def _uses(self, unit: Unit, group: Group) -> Iterator[Use]:
        for number, pattern in enumerate(group.patterns):
            rest = group.patterns[:number] + group.patterns[number + 1 :]
            for step, beside in self._steps(pattern):
                predicate = "" if isinstance(step[1], Variable) else str(step[1])
                whole = Group((step, *beside, *rest), group.conditions)
                yield Use(unit, predicate, step, whole)

    def _steps(self, pattern: Pattern) -> Iterator[tuple[Pattern, tuple[Pattern, ...]]]:
        """Yield each single triple that a path goes through, with the ways to its ends."""
        subject, path, value = pattern
        if isinstance(path, InvPath):
            yield from self._steps((value, path.arg, subject))
        elif isinstance(path, AlternativePath):
            for arg in path.args:
                yield from self._steps((subject, arg, value))
        elif isinstance(path, MulPath):
            before, after = self._fresh(), self._fresh()
            many = MulPath(path.path, "*")
            for step, beside in self._steps((before, path.path, after)):
                yield step, (*beside, (subject, many, before), (after, many, value))
        elif isinstance(path, SequencePath):
            nodes = [subject, *(self._fresh() for _ in path.args[1:]), value]
            parts = list(zip(nodes, path.args, nodes[1:], strict=False))
            for number, part in enumerate(parts):
                rest = (*parts[:number], *parts[number + 1 :])
                for step, beside in self._steps(part):
                    yield step, (*beside, *rest)
        elif isinstance(path, Node):
            yield (subject, path, value), ()
        else:
            raise CannotCheck(f"the shapes cannot be used: a path {path.n3()} is not known.")

    def _groups(
        self, shape: Node, focus: Variable, so_far: Group, is_split: bool = False
    ) -> Iterator[Group]:
        """Yield what a shape reads from ``focus`` on, itself reached by ``so_far``.

        With ``is_split`` the property shapes that have names are left out.
        """
        graph = self._graph
        value, here = focus, so_far
        if (path := graph.value(shape, SH.path)) is not None:
            value = self._fresh()
            here = so_far + Group(((focus, self._shacl_path(path), value),))
            yield here
        for predicate in _COMPARED:
            for other in graph.objects(shape, predicate):
                yield so_far + Group(((focus, other, self._fresh()),))
        if (shape, SH["class"], None) in graph:
            yield here + Group(((value, SequencePath(RDF.type, _SUBCLASS), self._fresh()),))
        if (shape, SH.closed, None) in graph:
            yield here + Group(((value, self._fresh(), self._fresh()),))
        for query in graph.objects(shape, SH.sparql):
            for group in self._query(query):
                yield so_far + _renamed(group, focus)
        apart = self._parts(URIRef(str(shape))) if is_split else []
        for nested in self._nested(shape):
            if nested not in apart:
                yield from self._groups(nested, value, here)

    def _nested(self, shape: Node) -> Iterator[Node]:
        for predicate in _NESTED:
            yield from self._graph.objects(shape, predicate)
        for predicate in _NESTED_LISTS:
            for head in self._graph.objects(shape, predicate):
                yield from Collection(self._graph, head)

    def _shacl_path(self, node: Node) -> Any:
        """Return a SHACL path (section 2.3.1) as rdflib has it."""
        graph = self._graph
        if isinstance(node, URIRef):
            return node
        if (graph.value(node, RDF.first)) is not None:
            return SequencePath(*map(self._shacl_path, Collection(graph, node)))
        if (head := graph.value(node, SH.alternativePath)) is not None:
            return AlternativePath(*map(self._shacl_path, Collection(graph, head)))
        if (inner := graph.value(node, SH.inversePath)) is not None:
            return InvPath(self._shacl_path(inner))
        for predicate, sign in _REPEATED:
            if (inner := graph.value(node, predicate)) is not None:
                return MulPath(self._shacl_path(inner), sign)
        raise CannotCheck("the shapes cannot be used: a path is not known.")

    def _query(self, constraint: Node) -> Iterator[Group]:
        """Yield what the query of a SPARQL constraint matches, its inner groups one by one."""
        text = str(self._graph.value(constraint, SH.select))
        spaces = {
            str(self._graph.value(declared, SH.prefix)): str(
                self._graph.value(declared, SH.namespace)
            )
            for prefixes in self._graph.objects(constraint, SH.prefixes)
            for declared in self._graph.objects(prefixes, SH.declare)
        }
        query = prepareQuery(text.replace("$", "?"), initNs=spaces)
        yield from matching.groups(query.algebra)


def _renamed(group: Group, focus: Variable) -> Group:
    """Return a query's group with ``focus`` for ?this; conditions are left out when it differs."""
    if focus == THIS:
        return group
    return Group(
        tuple(
            (focus if s == THIS else s, p, focus if o == THIS else o) for s, p, o in group.patterns
        )
    )

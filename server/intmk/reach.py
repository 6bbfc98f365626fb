"""Which things a change can make right or wrong: the reverse of what each shape reads.

A shape reads the graph in patterns that begin at its focus node: its target, its paths, the
classes of values, and what the queries of its constraints match (SHACL section 2.1, SHACL-SPARQL
section 5). All of it is derived from the shapes. A triple that is added or removed can matter to
those focus nodes only from which a pattern matches it, in the graph that holds it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple
from typing import Literal as OneOf

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store
from rdflib import Graph, URIRef, Variable
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SH
from rdflib.paths import AlternativePath, InvPath, MulPath, Path, SequencePath
from rdflib.plugins.sparql import prepareQuery
from rdflib.plugins.sparql.parserutils import CompValue
from rdflib.term import Node

from intmk.errors import CannotCheck

THIS = Variable("this")
Step = Node | Path
Pattern = tuple[Node, Step, Node]

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


Units = dict[Unit, set[str]]
"""Focus nodes, by what judges them."""


@dataclass(frozen=True)
class Condition:
    """A filter, or with ``name`` a BIND, as SPARQL text, and the variables it depends on."""

    text: str
    variables: frozenset[str]
    name: str = ""


@dataclass(frozen=True)
class Group:
    """Patterns that match together, and conditions that each match fulfils."""

    patterns: tuple[Pattern, ...]
    conditions: tuple[Condition, ...] = ()

    def __add__(self, other: "Group") -> "Group":
        """Return the group that matches where both do."""
        return Group(self.patterns + other.patterns, self.conditions + other.conditions)

    @property
    def variables(self) -> set[str]:
        """The variables of the patterns."""
        return {str(t) for pattern in self.patterns for t in pattern if isinstance(t, Variable)}

    def text(self) -> str:
        """Return the group in SPARQL; a condition on what the patterns do not bind is left out."""
        known = self.variables
        parts = [f"{s.n3()} {p.n3()} {o.n3()} ." for s, p, o in self.patterns]
        for one in self.conditions:
            if not one.variables <= known:
                continue
            if not one.name:
                parts.append(f"FILTER({one.text})")
            elif one.name in known:
                # An expression that fails leaves the variable open, so it rules nothing out.
                parts.append(f"FILTER(COALESCE(?{one.name} = ({one.text}), true))")
            else:
                parts.append(f"BIND({one.text} AS ?{one.name})")
                known.add(one.name)
        return " ".join(parts)


class Reach:
    """The focus nodes of each shape that a change reaches."""

    def __init__(self, graph: Graph, targeted: Iterable[URIRef]) -> None:
        """Read what the ``targeted`` shapes of ``graph`` look at."""
        reader = _Reader(graph)
        self._targets = {str(shape): reader.target(shape) for shape in targeted}
        self._direct: dict[str, set[Unit]] = {}
        self._uses: dict[str, list[_Use]] = {}
        for shape in map(URIRef, self._targets):
            for use in reader.uses(shape):
                if use.is_direct:
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
                found.setdefault(use.unit, set()).update(use.focus(store, members))
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


@dataclass(frozen=True)
class _Use:
    """One pattern of a shape, by its predicate ("" is any), and what must match beside it."""

    unit: Unit
    predicate: str
    step: Pattern
    group: Group

    @property
    def is_direct(self) -> bool:
        """Whether the subject of any triple with the predicate is a focus node."""
        subject, _, value = self.step
        is_free = isinstance(value, Variable) and value != THIS
        return subject == THIS and is_free and len(self.group.patterns) == 1

    def focus(self, store: Store, triples: list[Quad]) -> set[str]:
        """Return the focus nodes from which this pattern matches one of the triples."""
        rows = [row for triple in triples if (row := self._row(triple)) is not None]
        if not rows:
            return set()
        names = " ".join(f"?{name}" for name in rows[0])
        values = " ".join(sorted({f"({' '.join(row.values())})" for row in rows}))
        return _nodes(store, f"VALUES ({names}) {{ {values} }} {self.group.text()}")

    def _row(self, triple: Quad) -> dict[str, str] | None:
        """Return the values of the pattern's variables, or None when it does not match.

        A blank node cannot be named in a query, so its variable stays open.
        """
        bound: dict[str, str] = {}
        for term, value in zip(self.step, tuple(triple)[:3], strict=True):
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


class _Reader:
    """Turns shapes into groups of patterns that begin at ?this."""

    def __init__(self, graph: Graph) -> None:
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

    def uses(self, shape: URIRef) -> Iterator[_Use]:
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

    def _tied(self, unit: Unit, group: Group, targets: list[Group]) -> Iterator[_Use]:
        # What is tied to the focus node by no pattern matters to every target.
        is_tied = str(THIS) in group.variables
        for whole in [group] if is_tied else [group + target for target in targets]:
            yield from self._uses(unit, whole)

    def _uses(self, unit: Unit, group: Group) -> Iterator[_Use]:
        for number, pattern in enumerate(group.patterns):
            rest = group.patterns[:number] + group.patterns[number + 1 :]
            for step, beside in self._steps(pattern):
                predicate = "" if isinstance(step[1], Variable) else str(step[1])
                whole = Group((step, *beside, *rest), group.conditions)
                yield _Use(unit, predicate, step, whole)

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
        yield from _Part(query.algebra).groups(Group(()))


def _renamed(group: Group, focus: Variable) -> Group:
    """Return a query's group with ``focus`` for ?this; conditions are left out when it differs."""
    if focus == THIS:
        return group
    return Group(
        tuple(
            (focus if s == THIS else s, p, focus if o == THIS else o) for s, p, o in group.patterns
        )
    )


class _Part:
    """A part of a query that matches as a whole, with its optional and negated parts inside."""

    def __init__(self, node: CompValue) -> None:
        self._patterns: list[Pattern] = []
        self._conditions: list[Condition] = []
        self._inner: list[_Part] = []
        self._read(node)

    def groups(self, outer: Group) -> Iterator[Group]:
        """Yield the patterns of this part and, each together with them, those of the inner ones."""
        here = outer + Group(tuple(self._patterns), tuple(self._conditions))
        if self._patterns:
            yield here
        for part in self._inner:
            yield from part.groups(here)

    def _read(self, node: CompValue) -> None:
        """Read an algebra node of SPARQL section 18.2 as rdflib gives it."""
        if node.name == "BGP":
            self._patterns += node.triples
        elif node.name == "Union":
            self._inner += [_Part(node.p1), _Part(node.p2)]
        elif node.name in ("LeftJoin", "Minus"):
            self._read(node.p1)
            self._inner.append(_Part(node.p2))
        elif node.name == "Join":
            self._read(node.p1)
            self._read(node.p2)
        elif isinstance(node.p, CompValue):
            self._read(node.p)
        if isinstance(node.expr, CompValue | Node):
            self._condition(node)

    def _condition(self, node: CompValue) -> None:
        self._inner += [_Part(graph) for graph in _exists(node.expr)]
        if node.name in ("Filter", "Extend") and (text := _expression(node.expr)) is not None:
            name = str(node.var) if node.name == "Extend" else ""
            self._conditions.append(Condition(text, frozenset(_variables(node.expr)), name))


def _parts(expression: object) -> Iterator[object]:
    """Yield an expression and all expressions inside it, but not what EXISTS looks for."""
    yield expression
    if isinstance(expression, CompValue):
        values = [value for name, value in expression.items() if name != "graph"]
    else:
        values = list(expression) if isinstance(expression, list) else []
    for value in values:
        yield from _parts(value)


def _exists(expression: object) -> Iterator[CompValue]:
    for part in _parts(expression):
        if isinstance(part, CompValue) and part.name in ("Builtin_EXISTS", "Builtin_NOTEXISTS"):
            yield part.graph


def _variables(expression: object) -> Iterator[str]:
    return (str(part) for part in _parts(expression) if isinstance(part, Variable))


def _expression(expression: object) -> str | None:
    """Return an expression as SPARQL text, or None when it is of a kind not known here."""
    if isinstance(expression, Node):
        return expression.n3()
    if isinstance(expression, list):
        parts = [_expression(one) for one in expression]
        return None if None in parts else f"({', '.join(map(str, parts))})"
    if not isinstance(expression, CompValue):
        return None
    if expression.name.startswith("Builtin_"):
        return _call(expression)
    return _operation(expression)


def _call(call: CompValue) -> str | None:
    """Return a call of a built-in function, whose arguments rdflib keeps in their order."""
    if "EXISTS" in call.name:
        return None
    values = [
        one for value in call.values() for one in (value if isinstance(value, list) else [value])
    ]
    arguments = [_expression(value) for value in values]
    name = call.name.removeprefix("Builtin_")
    return None if None in arguments else f"{name}({', '.join(map(str, arguments))})"


def _operation(node: CompValue) -> str | None:
    """Return an operation or a cast (SPARQL section 19.8, rules 111 to 118 and 128)."""
    if node.name == "Function":
        arguments = _expression(list(node.expr))
        return None if arguments is None else f"{node.iri.n3()}{arguments}"
    first = _expression(node.expr)
    signs = {"ConditionalAndExpression": "&&", "ConditionalOrExpression": "||"}
    if first is None or node.name in ("UnaryNot", "UnaryMinus", "UnaryPlus"):
        return first and f"({ {'UnaryNot': '!', 'UnaryMinus': '-'}.get(node.name, '+') }{first})"
    if node.name == "RelationalExpression" and node.op in ("IN", "NOT IN"):
        return (
            None if (row := _expression(list(node.other))) is None else f"({first} {node.op} {row})"
        )
    others = node.other if isinstance(node.other, list) else [node.other]
    operators = [signs[node.name]] * len(others) if node.name in signs else node.op
    operators = operators if isinstance(operators, list) else [operators]
    rest = [_expression(one) for one in others]
    if None in rest:
        return None
    return f"({first} {' '.join(f'{op} {one}' for op, one in zip(operators, rest, strict=True))})"

"""What each shape reads: patterns that begin at its focus node, derived from the shape.

A shape reads its targets, its paths, the classes of values, and what the queries of its constraints
match (SHACL section 2.1, SHACL-SPARQL section 5).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple
from typing import Literal as OneOf

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
        here = outer + Group(tuple(self._patterns))
        here += Group((), tuple(self._kept(here.variables)))
        if self._patterns:
            yield here
        for part in self._inner:
            yield from part.groups(here)

    def _kept(self, known: set[str]) -> Iterator[Condition]:
        """Yield the conditions on what this part binds itself.

        One on what an optional part binds holds for other matches when that part no longer does.
        """
        for condition in self._conditions:
            if condition.variables <= known:
                known = known | {condition.name}
                yield condition

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
    # Beside the arguments rdflib notes the variables that they mention.
    values = [value for name, value in call.items() if name != "_vars"]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    arguments = [_expression(one) for one in flat]
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

"""What matches together: patterns with conditions, and those of a SPARQL query.

A query is read from rdflib's algebra (SPARQL section 18.2); conditions become SPARQL again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rdflib import Variable
from rdflib.paths import Path
from rdflib.plugins.sparql.parserutils import CompValue
from rdflib.term import Node

Step = Node | Path
Pattern = tuple[Node, Step, Node]


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


def groups(query: CompValue) -> Iterator[Group]:
    """Yield what a query, as rdflib's algebra, matches, its inner groups one by one."""
    yield from _Part(query).groups(Group(()))


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

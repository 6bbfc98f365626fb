"""The SERVICE clauses of a query: found, and replaced by what the other servers answered.

SPARQL 1.1 Federated Query sections 2 and 4. A worker, which can reach nobody, reads the clauses;
whoever asked it asks the others (``federation``) and comes back with their solutions as VALUES,
which joins them in the same place.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from pyoxigraph import NamedNode, QuerySolutions, Store

from intmk import sparql
from intmk.errors import GraphError, NetworkForbidden, QueryFailed, ServiceNeeded
from intmk.sparql import Token

_BLACK = re.compile(r"[^\n\r]")
_UNKNOWN_FUNCTION = re.compile(r"The custom function <([^>]*)> is not supported")
_BEFORE_STAR = frozenset(("SELECT", "DISTINCT", "REDUCED", "DESCRIBE"))


class Clause(NamedTuple):
    """A SERVICE clause: the characters from ``start`` to ``end`` of a query.

    Its place is taken by the solutions of ``query`` for ``variables``, as the endpoint (an IRI)
    gives them. ``line`` and ``column`` are its place for people.
    """

    endpoint: str
    is_silent: bool
    query: str
    variables: tuple[str, ...]
    start: int
    end: int
    line: int
    column: int


def hand_over(text: str, prefixes: Mapping[str, str], base: str) -> None:
    """Raise ServiceNeeded with the SERVICE clauses of a query, if it has any.

    Raises QuerySyntaxError, QueryFailed, and NetworkForbidden for what nobody is ever asked: a
    SERVICE inside another, since who is asked there is not ours to decide, and a variable
    endpoint, since it would let the data choose.
    """
    if "service" in text.lower():
        clauses = _Reader(text, prefixes, base).clauses()
        if clauses:
            first = clauses[0]
            raise ServiceNeeded(
                "The query uses SERVICE.",
                hint="Ask the other server directly and join the answers on your side.",
                line=first.line,
                column=first.column,
                clauses=clauses,
            )


def replaced(text: str, parts: Mapping[Clause, str]) -> str:
    """Return a query with the clauses replaced, so that what follows stands on the same line."""
    for clause in sorted(parts, key=lambda clause: -clause.start):
        lines = "\n" * text.count("\n", clause.start, clause.end)
        text = text[: clause.start] + parts[clause] + lines + text[clause.end :]
    return text


class _Reader:
    """Reads the clauses of one query. It evaluates on no data, to learn what the engine makes of
    the text."""

    def __init__(self, text: str, prefixes: Mapping[str, str], base: str) -> None:
        self._text = text
        self._prefixes = prefixes
        self._base = base
        self._tokens = list(sparql.tokens(text))
        words = (one for one in self._tokens if one.kind == "word")
        verb = next((one for one in words if not sparql.is_prologue(one)), None)
        self._verb = verb.start if verb else len(text)

    def clauses(self) -> list[Clause]:
        found = [self._clause(*numbers) for numbers in self._places()]
        if found:
            self._check(found)
        return found

    def _places(self) -> Iterator[tuple[int, int]]:
        """Yield the numbers of the first token of each clause and of the one after it."""
        after = 0
        for number, token in enumerate(self._tokens):
            if token.kind == "word" and token.text.upper() == "SERVICE":
                if number < after:
                    raise self._forbidden(token, "There is a SERVICE inside another.")
                after = self._after(number)
                yield number, after

    def _after(self, first: int) -> int:
        depth = 0
        for number in range(first, len(self._tokens)):
            text = self._tokens[number].text
            depth += (text == "{") - (text == "}")
            if text == "}" and depth <= 0:
                return number + 1
        return len(self._tokens)

    def _clause(self, first: int, after: int) -> Clause:
        service, *rest = self._tokens[first:after]
        is_silent = bool(rest) and rest[0].text.upper() == "SILENT"
        name, head = [*rest[is_silent:], service, service][:2]
        if name.kind == "variable":
            raise self._forbidden(name, f"SERVICE would ask whatever {name.text} is.")
        if name.kind not in ("iri", "pname") or head.text != "{":
            raise self._explained(self._text, SyntaxError())
        end = rest[-1].start + 1
        wanted = self._wanted(self._in_scope(service.start, head.start, end), first, after)
        names = " ".join(f"?{one}" for one in wanted) or "*"
        query = f"{self._prologue()}SELECT {names} WHERE {self._text[head.start : end]}"
        place = sparql.position(self._text, service.start)
        return Clause(self._iri(name), is_silent, query, wanted, service.start, end, *place)

    def _in_scope(self, start: int, head: int, end: int) -> list[str]:
        """Return the variables that a clause binds; raises QuerySyntaxError in its place."""
        before = self._text[: self._verb] + _blank(self._text[self._verb : start])
        # As long as SERVICE.
        text = before + "SELECT*" + _blank(self._text[start + 7 : head]) + self._text[head:end]
        found = self._evaluated(text, text)
        assert isinstance(found, QuerySolutions)  # noqa: S101 - it begins with SELECT
        return [one.value for one in found.variables]

    def _wanted(self, names: list[str], first: int, after: int) -> tuple[str, ...]:
        """Return those of the variables that the rest of the query speaks of."""
        rest = self._tokens[:first] + self._tokens[after:]
        if any(b.text == "*" and a.text.upper() in _BEFORE_STAR for a, b in pairwise(rest)):
            return tuple(names)
        used = {one.text[1:] for one in rest if one.kind == "variable"}
        return tuple(name for name in names if name in used)

    def _check(self, clauses: list[Clause]) -> None:
        """Raise QuerySyntaxError where the query is wrong outside its clauses."""
        parts = {}
        for one in clauses:
            # It fits: a clause holds each of its variables, and as many other characters.
            table = "VALUES(" + "".join(f"?{name}" for name in one.variables) + "){}"
            parts[one] = table + _blank(self._text[one.start : one.end])[len(table) :]
        text = self._text
        for one, table in parts.items():
            text = text[: one.start] + table + text[one.end :]
        self._evaluated(text)

    def _iri(self, name: Token) -> str:
        found = self._evaluated(f"{self._text[: self._verb]}SELECT ({name.text} AS ?i) {{}}")
        return str(next(iter(found))[0].value)

    def _prologue(self) -> str:
        """Return the declarations with which the clauses mean the same elsewhere."""
        prologue = [one for one in self._tokens if one.start < self._verb]
        own = {one.text[:-1] for one in prologue if one.kind == "pname"}
        used = {one.text.partition(":")[0] for one in self._tokens if one.kind == "pname"}
        names = sorted((used - own) & self._prefixes.keys())
        implied = "".join(f"PREFIX {name}: <{self._prefixes[name]}>\n" for name in names)
        has_base = any(one.text.upper() == "BASE" for one in prologue)
        base = "" if has_base else f"BASE <{self._base}>\n"
        return base + implied + self._text[: self._verb] + "\n"

    def _evaluated(self, text: str, shown: str = "") -> Any:
        """Evaluate a text on no data; what is wrong is explained of what is ``shown``."""
        try:
            return self._parse(text)
        except SyntaxError as error:
            raise self._explained(shown or self._text, error) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise QueryFailed(f"The engine says: {str(error)[:300]}.") from error

    def _parse(self, text: str) -> Any:
        functions: dict[NamedNode, Any] = {}
        options: Any = {"prefixes": dict(self._prefixes), "base_iri": self._base}
        while True:
            try:
                return Store().query(text, **options, custom_functions=functions)
            except RuntimeError as error:
                # The other server may know the function.
                unknown = _UNKNOWN_FUNCTION.search(str(error))
                if not unknown or NamedNode(unknown[1]) in functions:
                    raise
                functions[NamedNode(unknown[1])] = lambda *_: None

    def _explained(self, text: str, error: SyntaxError) -> GraphError:
        def parse(text: str) -> None:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                self._parse(text)

        return sparql.explain(text, self._prefixes, parse, error)

    def _forbidden(self, token: Token, detail: str) -> NetworkForbidden:
        line, column = sparql.position(self._text, token.start)
        hint = "Name the endpoint by its IRI, and ask each by itself."
        return NetworkForbidden(detail, hint=hint, line=line, column=column)


def _blank(text: str) -> str:
    return _BLACK.sub(" ", text)

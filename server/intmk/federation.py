"""Asks the servers that queries name with SERVICE, as far as the operator allows.

SPARQL 1.1 Federated Query sections 2 and 4. An endpoint is asked for the solutions of the whole
pattern, and the query goes to the engine with these in its place.
"""

import json
import threading
from collections.abc import Callable
from typing import Any, cast

from pyoxigraph import Literal, NamedNode

from intmk import errors, outbound, services
from intmk.engine import Answer, Question, asker
from intmk.errors import ServiceFailed, ServiceTimeout
from intmk.outbound import Budget
from intmk.services import Clause
from intmk.settings import Settings

_MOST_CLAUSES = 8
_MEDIA_TYPES = ("application/sparql-results+json", "application/json")
# One solution that binds nothing: what SILENT makes of a failure.
_NOTHING = "VALUES () { () }"


class Federation:
    """Asks the engine, and other servers on behalf of it."""

    def __init__(self, settings: Settings) -> None:
        """Take the endpoints that may be asked, and the limits."""
        names = [] if settings.services == "none" else settings.services.split(",")
        self._allowed = frozenset(name.strip() for name in names)
        self._settings = settings
        # Most threads are for those who wait for nobody else.
        self._places = threading.BoundedSemaphore(max(settings.front_threads // 4, 1))

    def ask(self, ask: Callable[[Question], Answer], question: Question) -> Answer:
        """Return what ``ask`` answers, with the solutions of other servers where it needs them.

        Raises what ``ask`` raises; NetworkForbidden for an endpoint that is not allowed;
        ServiceFailed, ServiceTimeout and ClientLeft.
        """
        try:
            return ask(question)
        except errors.ServiceNeeded as need:
            clauses = _clauses(need)
        for clause in clauses:
            self._refuse_unknown(clause)
        if len(clauses) > _MOST_CLAUSES:
            raise errors.InvalidRequest(
                f"The query has {len(clauses)} SERVICE clauses; {_MOST_CLAUSES} are allowed."
            )
        if not self._places.acquire(blocking=False):
            raise errors.Busy("Too many queries wait for other servers.", hint="Ask again soon.")
        try:
            parts = self._answered(clauses)
        finally:
            self._places.release()
        return ask(question._replace(text=services.replaced(question.text, parts)))

    def _refuse_unknown(self, clause: Clause) -> None:
        if clause.endpoint not in self._allowed:
            others = ", ".join(sorted(self._allowed))
            raise errors.NetworkForbidden(
                f"The query uses SERVICE for <{clause.endpoint[:200]}>.",
                hint=f"The operator allows {others}."
                if others
                else "Ask the other server directly and join the answers on your side.",
                line=clause.line,
                column=clause.column,
            )

    def _answered(self, clauses: list[Clause]) -> dict[Clause, str]:
        by = asker.get()
        limits = self._settings.service_timeout_s, self._settings.service_bytes
        budget = Budget(*limits, by.has_left if by else lambda: False)
        known: dict[tuple[str, str], object] = {}
        parts = {}
        for clause in clauses:
            try:
                key = clause.endpoint, clause.query
                known[key] = known.get(key) or _solutions(clause, budget)
                parts[clause] = _table(clause, known[key])
            except (ServiceFailed, ServiceTimeout) as error:
                if not clause.is_silent:
                    error.line, error.column = clause.line, clause.column
                    raise
                parts[clause] = _NOTHING
        return parts


def _clauses(need: errors.ServiceNeeded) -> list[Clause]:
    rows = cast(list[list[Any]], need.extra["clauses"])
    return [Clause(*row)._replace(variables=tuple(row[3])) for row in rows]


def _solutions(clause: Clause, budget: Budget) -> object:
    """Return what an endpoint answers to the query of a clause, as JSON values."""
    body = outbound.post(clause.endpoint, {"query": clause.query}, _MEDIA_TYPES, budget)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _not_results(clause) from error


def _not_results(clause: Clause) -> ServiceFailed:
    return ServiceFailed(f"<{clause.endpoint}> answered no SPARQL results in JSON.")


def _table(clause: Clause, solutions: Any) -> str:
    """Return solutions as VALUES; raises ServiceFailed, and QueryFailed for blank nodes."""
    try:
        rows = solutions["results"]["bindings"]
        lines = (" ".join(_term(row.get(name), name) for name in clause.variables) for row in rows)
        table = " ".join(f"({line})" for line in lines)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _not_results(clause) from error
    names = " ".join(f"?{name}" for name in clause.variables)
    return f"VALUES ({names}) {{ {table} }}"


def _term(value: Any, name: str) -> str:
    """Return a term of the JSON results format (section 3.2.2) as SPARQL has it."""
    if value is None:
        return "UNDEF"
    kind, text = value["type"], value["value"]
    if kind == "bnode":
        raise errors.QueryFailed(
            f"The other server answers ?{name} with a blank node, which has no name here.",
            hint=f"Leave ?{name} inside SERVICE, or add FILTER(!isBlank(?{name})) there.",
        )
    if kind == "uri":
        return str(NamedNode(text))
    if kind not in ("literal", "typed-literal"):
        raise ValueError(kind)
    language, datatype = value.get("xml:lang"), value.get("datatype")
    if language or not datatype:
        return str(Literal(text, language=language))
    return str(Literal(text, datatype=NamedNode(datatype)))

"""SHACL Core and SHACL-SPARQL through pySHACL, on the engine's own store.

On our graph of 8,000 quads the shapes take 0.6 s on the engine's store and 61 s on an rdflib graph.
Everything particular to pySHACL is here: how it is called, what it must be cured of, and how its
report graph becomes plain results. Nothing is fetched: ``owl:imports`` stays off.
"""

import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal as OneOf

import pyshacl
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store
from pyshacl.errors import ReportableRuntimeError
from pyshacl.graph_abstraction import OxigraphDataGraph
from rdflib import Graph, URIRef
from rdflib import Literal as RdfLiteral
from rdflib.namespace import RDF, SH
from rdflib.term import Node

from intmk.errors import CannotCheck

# Every truth test of pySHACL's graph object counts the whole store: 79 s at 1M triples where 2.4 s
# is possible. tests/test_shacl.py notices when upstream defines it and this can go.
UPSTREAM_HAS_BOOL = "__bool__" in vars(OxigraphDataGraph)
OxigraphDataGraph.__bool__ = lambda self: True  # type: ignore[attr-defined]

Term = NamedNode | BlankNode | Literal
Severity = OneOf["error", "warning", "info"]

_SEVERITIES: dict[Node | None, Severity] = {SH.Warning: "warning", SH.Info: "info"}


@dataclass(frozen=True)
class Result:
    """One validation result (SHACL section 3.6.2) in the engine's terms.

    ``shape`` is the IRI of the shape or named SPARQL constraint, ``messages`` its texts by
    language, under "" those without one.
    """

    severity: Severity
    focus: Term
    path: NamedNode | None
    value: Term | None
    shape: str
    component: str
    messages: dict[str, str]


def results(data: Iterable[Quad], shapes: Iterable[str]) -> Iterator[Result]:
    """Validate the triples of ``data`` against ``shapes``, texts in Turtle.

    Raises CannotCheck when the shapes themselves cannot be used.
    """
    graph = Graph(bind_namespaces="none")
    for text in shapes:
        graph.parse(data=text, format="turtle")
    with _quiet():
        yield from _read(_run(_store(data), graph), graph)


def _store(data: Iterable[Quad]) -> Store:
    store = Store()
    store.bulk_extend(Quad(quad.subject, quad.predicate, quad.object) for quad in data)
    return store


def _run(store: Store, shapes: Graph) -> Graph:
    try:
        _, report, text = pyshacl.validate(store, shacl_graph=shapes, inplace=True)  # type: ignore[arg-type]
    except ReportableRuntimeError as error:
        raise CannotCheck(f"the shapes cannot be used: {error}") from error
    if not isinstance(report, Graph):
        raise CannotCheck(f"the shapes cannot be used: {text}")
    return report


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence rdflib's remarks on ill-typed literals, which are reported with their place."""
    logger = logging.getLogger("rdflib.term")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            yield
    finally:
        logger.setLevel(level)


def _read(report: Graph, shapes: Graph) -> Iterator[Result]:
    for node in report.subjects(RDF.type, SH.ValidationResult):
        path = report.value(node, SH.resultPath)
        yield Result(
            severity=_SEVERITIES.get(report.value(node, SH.resultSeverity), "error"),
            focus=_term(report.value(node, SH.focusNode)),
            path=NamedNode(str(path)) if isinstance(path, URIRef) else None,
            value=_optional(report.value(node, SH.value)),
            shape=_rule(report, node, shapes),
            component=str(report.value(node, SH.sourceConstraintComponent)),
            messages=_messages(report, node, shapes),
        )


def _messages(report: Graph, node: Node, shapes: Graph) -> dict[str, str]:
    """Return the texts of a result by language.

    pySHACL drops the language of a text that names variables, so it is found again in the template
    the text was made from.
    """
    found: dict[str, str] = {}
    templates = list(_templates(report, node, shapes))
    for text in sorted(report.objects(node, SH.resultMessage), key=str):
        language = getattr(text, "language", None)
        if not language:
            language = next((tag for tag, form in templates if form.fullmatch(str(text))), "")
        found.setdefault(language, str(text))
    return found


def _templates(report: Graph, node: Node, shapes: Graph) -> Iterator[tuple[str, re.Pattern[str]]]:
    for role in (SH.sourceConstraint, SH.sourceShape):
        # Only the messages of this shape: None would stand for those of every shape.
        holder = report.value(node, role)
        for text in shapes.objects(holder, SH.message) if holder is not None else ():
            parts = re.split(r"\{[?$]\w+\}", str(text))
            pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
            yield str(getattr(text, "language", None) or ""), pattern


def _rule(report: Graph, node: Node, shapes: Graph) -> str:
    """Return the IRI of the SPARQL constraint that failed if it has one, else of the shape."""
    constraint = report.value(node, SH.sourceConstraint)
    if isinstance(constraint, URIRef):
        return str(constraint)
    return _named_shape(report.value(node, SH.sourceShape), shapes)


def _named_shape(node: Node | None, shapes: Graph) -> str:
    """Return the IRI of the shape, or of the nearest named one that holds it."""
    seen = set()
    while node is not None and not isinstance(node, URIRef) and node not in seen:
        seen.add(node)
        node = next(shapes.subjects(None, node), None)
    return str(node) if isinstance(node, URIRef) else ""


def _optional(node: Node | None) -> Term | None:
    return None if node is None else _term(node)


def _term(node: Node | None) -> Term:
    if isinstance(node, URIRef):
        return NamedNode(str(node))
    if not isinstance(node, RdfLiteral):
        return BlankNode()
    if node.language:
        return Literal(str(node), language=node.language)
    if node.datatype:
        return Literal(str(node), datatype=NamedNode(str(node.datatype)))
    return Literal(str(node))

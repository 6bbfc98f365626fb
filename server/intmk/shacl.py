"""SHACL Core and SHACL-SPARQL through pySHACL, on the engine's own store.

On our graph of 8,000 quads the shapes take 0.6 s on the engine's store and 61 s on an rdflib graph.
Everything particular to pySHACL is here: how it is called, what it must be cured of, and how its
report graph becomes plain results. Nothing is fetched: ``owl:imports`` stays off.
"""

import logging
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from typing import Literal as OneOf

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store
from pyshacl.errors import ReportableRuntimeError, ValidationFailure
from pyshacl.graph_abstraction import DataGraph, OxigraphDataGraph
from pyshacl.pytypes import SHACLExecutor
from pyshacl.shape import Shape
from pyshacl.shapes_graph import ShapesGraph
from pyshacl.validator import Validator
from rdflib import Graph, URIRef
from rdflib import Literal as RdfLiteral
from rdflib.namespace import RDF, RDFS, SH
from rdflib.term import Node

from intmk.errors import CannotCheck

# Every truth test of pySHACL's graph object counts the whole store: 79 s at 1M triples where 2.4 s
# is possible. tests/test_shacl.py notices when upstream defines it and this can go.
UPSTREAM_HAS_BOOL = "__bool__" in vars(OxigraphDataGraph)
OxigraphDataGraph.__bool__ = lambda self: True  # type: ignore[attr-defined]

Term = NamedNode | BlankNode | Literal
# Nodes by unit: the IRIs of a targeted shape, and of itself or of the part of it that judges.
Focus = Mapping[Any, Collection[str]]
Severity = OneOf["error", "warning", "info"]

ANY_CLASS = "*"

_LOGGER = logging.getLogger("pyshacl")
_TARGETS = (SH.targetClass, SH.targetNode, SH.targetSubjectsOf, SH.targetObjectsOf)
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


class Shapes:
    """Shapes, read once, that judge any number of graphs; ``graph`` holds their triples."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Read shapes in Turtle. Raises CannotCheck when they cannot be used."""
        self.graph = Graph(bind_namespaces="none")
        for text in texts:
            self.graph.parse(data=text, format="turtle")
        try:
            self._known = ShapesGraph(self.graph, False, _LOGGER)
            self._targeted = [one for one in self._known.shapes if self._has_target(one.node)]
        except ReportableRuntimeError as error:
            raise CannotCheck(f"the shapes cannot be used: {error}") from error

    def _has_target(self, shape: Node) -> bool:
        is_class = (shape, RDF.type, RDFS.Class) in self.graph
        return is_class or any((shape, target, None) in self.graph for target in _TARGETS)

    @property
    def targeted(self) -> list[URIRef]:
        """The shapes that have targets of their own (SHACL section 2.1.3)."""
        return [shape.node for shape in self._targeted]

    @cached_property
    def functional(self) -> dict[str, set[object]]:
        """The classes for which a property has one value at most, by the property's IRI.

        ANY_CLASS stands among them when it has for every thing that is a target otherwise.
        """
        found: dict[str, set[object]] = {}
        for shape in self.graph.subjects(SH.maxCount, RdfLiteral(1)):
            holders = [shape, *self.graph.subjects(SH.property, shape)]
            for path in self.graph.objects(shape, SH.path):
                if isinstance(path, URIRef):
                    classes = found.setdefault(str(path), set())
                    classes.update(kind for one in holders for kind in self._kinds(one))
        return found

    def query(self, shape: str) -> str:
        """Return the queries of a shape's SPARQL constraints, "" when it has none."""
        constraints = self.graph.objects(URIRef(shape), SH.sparql)
        return "\n".join(str(self.graph.value(one, SH.select)) for one in constraints)

    def _kinds(self, shape: Node) -> Iterator[object]:
        for kind in self.graph.objects(shape, SH.targetClass):
            yield NamedNode(str(kind))
        if (shape, SH.targetSubjectsOf, None) in self.graph:
            yield ANY_CLASS

    def results(self, store: Store, focus: Focus | None = None) -> list[Result]:
        """Judge the default graph of ``store``; named graphs are not looked at.

        With ``focus``, IRIs by unit (a targeted shape and itself or a property shape of it), only
        these nodes are judged by them; they must be targets. Raises CannotCheck when a shape cannot
        be used.
        """
        graph = DataGraph.from_oxigraph_store(store)
        found: list[Any] = []
        with _quiet():
            if focus is None:
                for shape in self._targeted:
                    found += _judge(shape, graph)
            for (_, part), nodes in (focus or {}).items():
                found += _judge(self._known.lookup_shape_from_node(URIRef(part)), graph, nodes)
            report, _ = Validator.create_validation_report(self._known, not found, found)
            return list(_read(report, self.graph))


def _judge(shape: Shape, graph: DataGraph, nodes: Iterable[str] | None = None) -> list[Any]:
    """Return pySHACL's results on some nodes, or on all targets of the shape."""
    focus = None if nodes is None else [URIRef(node) for node in sorted(nodes)]
    try:
        return list(shape.validate(SHACLExecutor(), graph, focus=focus)[1])
    except (ReportableRuntimeError, ValidationFailure) as error:
        raise CannotCheck(f"the shapes cannot be used: {error}") from error


def results(data: Iterable[Quad], shapes: Iterable[str]) -> list[Result]:
    """Validate the triples of ``data`` against ``shapes``, texts in Turtle.

    Raises CannotCheck when the shapes themselves cannot be used.
    """
    store = Store()
    store.bulk_extend(Quad(quad.subject, quad.predicate, quad.object) for quad in data)
    return Shapes(shapes).results(store)


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
        source = report.value(node, role)
        for text in shapes.objects(source, SH.message) if source is not None else ():
            yield str(getattr(text, "language", None) or ""), _pattern(str(text))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of the texts that are made from a template with variables."""
    parts = re.split(r"\{[?$]\w+\}", template)
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)


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

"""Everything the graph says about one thing, for people (with passages) and machines (as RDF)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat

from intmk import results, vocab
from intmk.errors import NotFound
from intmk.statements import PASSAGE, Ask, Statement, labels, node, statements

# Statements about others that one page shows; the next pages show the rest.
PAGE_ROWS = 200
_DATASETS = (RdfFormat.TRIG, RdfFormat.N_QUADS)
# What is said of a thing: once in the default graph, and in every passage that says it.
_EVERYWHERE = "{ <THING> ?p ?o } UNION { GRAPH ?g { <THING> ?p ?o } ?g intmk:status ?status }"


@dataclass(frozen=True)
class Description:
    """What is said about a thing (``outgoing``) and what refers to it (``incoming``).

    ``incoming`` is one page of ``incoming_total`` statements. ``supports`` is what the thing
    itself states when it is a derivation. ``labels`` has those of every thing mentioned.
    """

    iri: str
    outgoing: list[Statement]
    incoming: list[Statement]
    incoming_total: int
    supports: list[Statement]
    labels: Mapping[str, Literal]
    page: int

    @property
    def types(self) -> list[str]:
        """The IRIs of the thing's classes."""
        return [one.object.value for one in self.outgoing if one.predicate == vocab.TYPE]

    @property
    def pages(self) -> int:
        """How many pages the incoming statements fill, at least one."""
        return max(1, -(-self.incoming_total // PAGE_ROWS))


def describe(iri: str, ask: Ask, language: str, page: int = 1) -> Description:
    """Return the description of a thing, with a page (from 1) of what refers to it.

    Raises NotFound when no passage mentions the thing, or the page does not exist.
    """
    thing = NamedNode(iri)
    outgoing = statements(ask(_outgoing(thing)), s=thing)
    incoming = statements(ask(_incoming(thing, page)), o=thing)
    if not (incoming or (outgoing and page == 1)):
        raise unknown(iri)
    total = _count(ask, thing) if page > 1 or len(incoming) == PAGE_ROWS else len(incoming)
    supports = statements(ask(_supported(thing))) if _is_derivation(outgoing) else []
    names = labels(mentioned([*outgoing, *incoming, *supports]) | {iri}, ask, language)
    return Description(iri, outgoing, incoming, total, supports, names, page)


def _is_derivation(outgoing: list[Statement]) -> bool:
    return any(one.predicate == vocab.TYPE and one.object == vocab.DERIVATION for one in outgoing)


def unknown(iri: str) -> NotFound:
    """Return the error for a thing that the graph does not know."""
    return NotFound(
        f"The graph says nothing about {iri}.",
        hint="Look for it on the start page or with a query at /sparql.",
    )


def mentioned(several: list[Statement]) -> set[str]:
    """Return the IRIs that occur in statements, and those of their passages and sources."""
    terms = {term for one in several for term in (one.subject, one.predicate, one.object)}
    passages = {each for one in several for each in one.passages}
    places = {iri for each in passages for iri in (each.iri, each.source)}
    return {term.value for term in terms if isinstance(term, NamedNode)} | places


def _outgoing(thing: NamedNode) -> str:
    return (
        f"SELECT * WHERE {{ GRAPH ?passage {{ {thing} ?p ?o }} {PASSAGE} }} ORDER BY ?p ?o ?passage"
    )


def _incoming(thing: NamedNode, page: int) -> str:
    window = f"LIMIT {PAGE_ROWS} OFFSET {(page - 1) * PAGE_ROWS}"
    return (
        f"SELECT * WHERE {{ {{ {_referring(thing)} ORDER BY ?p ?s {window} }} "
        f"GRAPH ?passage {{ ?s ?p {thing} }} {PASSAGE} }} ORDER BY ?p ?s ?passage"
    )


def _referring(thing: NamedNode) -> str:
    return (
        f"SELECT DISTINCT ?s ?p WHERE {{ GRAPH ?g {{ ?s ?p {thing} }} ?g intmk:status ?accepted }}"
    )


def _count(ask: Ask, thing: NamedNode) -> int:
    answer = ask(f"SELECT (COUNT(*) AS ?count) WHERE {{ {{ {_referring(thing)} }} }}")
    return int(answer[0]["count"].value)


def _supported(thing: NamedNode) -> str:
    return (
        f"SELECT * WHERE {{ VALUES ?passage {{ {thing} }} GRAPH ?passage {{ ?s ?p ?o }} "
        f"{PASSAGE} }} ORDER BY ?s ?p ?o"
    )


def require(iri: str, ask: Ask) -> None:
    """Raise NotFound when no passage mentions the thing."""
    thing = NamedNode(iri)
    found = f"{{ {thing} ?p ?o }} UNION {{ ?s ?p {thing} }}"
    query = f"SELECT ?g WHERE {{ GRAPH ?g {{ {found} }} ?g intmk:status ?status }} LIMIT 1"
    if not ask(query):
        raise unknown(iri)


def rdf(iri: str, ask: Ask, form: RdfFormat, prefixes: Mapping[str, str]) -> bytes:
    """Return the RDF of a thing: its default-graph statements, and in a dataset format also
    every passage's statements about it.

    Raises NotFound when no passage mentions the thing.
    """
    thing = NamedNode(iri)
    found = ask(f"SELECT ?g ?p ?o WHERE {{ {_EVERYWHERE.replace('<THING>', str(thing))} }}")
    if not found:
        require(iri, ask)
    quads = [Quad(thing, row["p"], row["o"], row.get("g", DefaultGraph())) for row in found]
    return write(quads, form, prefixes)


def graph(iri: str, ask: Ask, form: RdfFormat, prefixes: Mapping[str, str]) -> bytes:
    """Return one named graph as RDF; in a dataset format under its name."""
    name = NamedNode(iri)
    found = ask(f"SELECT ?s ?p ?o WHERE {{ GRAPH {name} {{ ?s ?p ?o }} }}")
    place = name if form in _DATASETS else DefaultGraph()
    return write([Quad(row["s"], row["p"], row["o"], place) for row in found], form, prefixes)


def source(iri: str, ask: Ask, form: RdfFormat, prefixes: Mapping[str, str]) -> bytes:
    """Return the RDF of a source: the source, its passages, and in a dataset format also what each
    passage states. Raises NotFound when there is no such source.
    """
    place = node(iri)
    about = (
        f"{{ VALUES ?s {{ {place} }} ?s ?p ?o }} UNION {{ ?s dcterms:isPartOf {place} ; ?p ?o }}"
    )
    stated = f"UNION {{ ?g dcterms:isPartOf {place} . GRAPH ?g {{ ?s ?p ?o }} }}"
    if form not in _DATASETS:
        stated = ""
    found = ask(f"SELECT ?g ?s ?p ?o WHERE {{ {about} {stated} }}")
    if not found:
        raise unknown(iri)
    quads = [Quad(row["s"], row["p"], row["o"], row.get("g", DefaultGraph())) for row in found]
    return write(quads, form, prefixes)


def write(quads: list[Quad], form: RdfFormat, prefixes: Mapping[str, str]) -> bytes:
    """Return quads in a format, in a fixed order, with the prefixes they use.

    A format without graphs gets those of the default graph. Raises NotAcceptable when the format
    cannot hold them.
    """
    ordered = sorted(set(quads), key=_place)
    used = {name: space for name, space in prefixes.items() if _uses(ordered, space)}
    if form in _DATASETS:
        return results.rdf(ordered, form, used)
    plain = [quad.triple for quad in ordered if quad.graph_name == DefaultGraph()]
    return results.rdf(plain, form, used)


def _place(quad: Quad) -> tuple[bool, str, str]:
    """Return what to sort a quad by: the default graph comes first."""
    graph_name = quad.graph_name
    return graph_name != DefaultGraph(), str(graph_name), str(quad.triple)


def _uses(quads: list[Quad], space: str) -> bool:
    return any(
        term.value.startswith(space)
        for quad in quads
        for term in (quad.subject, quad.predicate, quad.object, quad.graph_name)
        if isinstance(term, NamedNode)
    ) or any(
        quad.object.datatype.value.startswith(space)
        for quad in quads
        if isinstance(quad.object, Literal)
    )

"""The lists people browse: sources with their passages, ontology, themes, shapes, and the kinds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pyoxigraph import NamedNode

from intmk import vocab
from intmk.errors import NotFound
from intmk.statements import PASSAGE, Ask, Passage, Row, Statement, Term, node, passage, statements

SKOS = "http://www.w3.org/2004/02/skos/core#"
OWL = "http://www.w3.org/2002/07/owl#"
SCHEMA = "https://schema.org/"
# Things that one page of a list shows.
LIST_ROWS = 250


class Block:
    """All statements about one subject within one graph, by property."""

    def __init__(self, iri: str) -> None:
        """Take the subject's IRI, or the label of a blank node."""
        self.iri = iri
        self._values: dict[str, list[Term]] = defaultdict(list)

    def add(self, predicate: str, value: Term) -> None:
        """Take one statement."""
        self._values[predicate].append(value)

    def all(self, *predicates: str) -> list[Term]:
        """Return the values of these properties (IRIs), sorted."""
        return sorted({one for name in predicates for one in self._values.get(name, ())}, key=str)

    def iris(self) -> set[str]:
        """Return the IRIs among properties and values."""
        values = {one.value for one in self.all(*self._values) if isinstance(one, NamedNode)}
        return values | set(self._values)

    def text(self, predicate: str, language: str) -> str:
        """Return a property's literal in a language, or in any, or an empty text."""
        values = [one for one in self.all(predicate) if not isinstance(one, NamedNode)]
        values.sort(key=lambda one: getattr(one, "language", None) != language)
        return values[0].value if values else ""

    def is_a(self, *types: str) -> bool:
        """Whether the subject has one of these types (IRIs)."""
        return any(one.value in types for one in self.all(vocab.TYPE.value))


def blocks(graph: str, ask: Ask) -> list[Block]:
    """Return the subjects of a named graph, ordered by IRI."""
    found: dict[str, Block] = {}
    for row in ask(f"SELECT ?s ?p ?o WHERE {{ GRAPH {node(graph)} {{ ?s ?p ?o }} }}"):
        iri = row["s"].value
        found.setdefault(iri, Block(iri)).add(row["p"].value, row["o"])
    return sorted(found.values(), key=lambda block: block.iri.lower())


@dataclass(frozen=True)
class Terms:
    """The ontology, grouped for reading; ``lists`` are the closed lists with their values."""

    head: Block
    classes: list[Block]
    relations: list[Block]
    attributes: list[Block]
    lists: list[tuple[Block, list[Block]]]


def ontology(ask: Ask) -> Terms:
    """Return the terms of the ontology graph. Raises NotFound when there are none."""
    every = blocks(vocab.ONTOLOGY, ask)
    head = next((block for block in every if block.iri == vocab.ONTOLOGY), None)
    if head is None:
        raise NotFound("This graph has no ontology.", hint="Run: intmk build")
    schemes = [block for block in every if block.is_a(SKOS + "ConceptScheme")]
    return Terms(
        head,
        [block for block in every if block.is_a(OWL + "Class")],
        [block for block in every if block.is_a(OWL + "ObjectProperty")],
        [block for block in every if block.is_a(OWL + "DatatypeProperty")],
        [(scheme, _members(scheme, every)) for scheme in schemes],
    )


def _members(scheme: Block, every: Iterable[Block]) -> list[Block]:
    return [block for block in every if _points(block, SKOS + "inScheme", scheme.iri)]


def _points(block: Block, predicate: str, iri: str) -> bool:
    return any(one.value == iri for one in block.all(predicate))


@dataclass(frozen=True)
class Theme:
    """A theme, the wordings of it with the passages that use them, and what is narrower."""

    block: Block
    wordings: list[Statement]
    narrower: list["Theme"]


def themes(ask: Ask) -> list[Theme]:
    """Return the themes that no other theme is broader than, each with its narrower ones."""
    concepts = [one for one in blocks(vocab.THEMES_GRAPH.value, ask) if one.is_a(_THEME)]
    query = f"GRAPH ?passage {{ ?s skos:altLabel ?o }} ?s a intmk:Theme . {PASSAGE}"
    found = statements(ask(f"SELECT * WHERE {{ {query} }} ORDER BY ?o ?s"), p=_ALT_LABEL)
    return _narrower(None, concepts, found, frozenset())


_THEME = vocab.INTMK + "Theme"
_ALT_LABEL = NamedNode(SKOS + "altLabel")


def _narrower(
    above: str | None, concepts: list[Block], said: list[Statement], seen: frozenset[str]
) -> list[Theme]:
    """Return the themes under a theme; ``seen`` ends a circle in the data."""
    under = [one for one in concepts if _is_under(one, above) and one.iri not in seen]
    return [
        Theme(
            one,
            [each for each in said if each.subject.value == one.iri],
            _narrower(one.iri, concepts, said, seen | {one.iri}),
        )
        for one in under
    ]


def _is_under(block: Block, above: str | None) -> bool:
    broader = block.all(SKOS + "broader")
    return _points(block, SKOS + "broader", above) if above else not broader


def shapes(ask: Ask) -> list[Block]:
    """Return the named shapes that have a message; a property's shape has its node's targets."""
    every = {block.iri: block for block in blocks(vocab.SHAPES_GRAPH.value, ask)}
    for block in every.values():
        parts = [one for one in block.all(vocab.SH + "property") if one.value in every]
        for part in parts:
            for target in block.all(_TARGET):
                every[part.value].add(_TARGET, target)
    return [one for one in every.values() if one.all(vocab.SH + "message")]


_TARGET = vocab.SH + "targetClass"


@dataclass(frozen=True)
class Measures:
    """What was measured on a class: values by the slug of the metric, and shares by property."""

    kind: str
    values: dict[str, Decimal]
    properties: dict[str, Decimal]


def measures(ask: Ask) -> list[Measures]:
    """Return the measurements of each class, by IRI."""
    rows = ask(
        """SELECT ?class ?metric ?property ?value WHERE {
        ?measurement dqv:isMeasurementOf ?metric ; dqv:computedOn ?class ; dqv:value ?value
        OPTIONAL { ?measurement schema:measuredProperty ?property } } ORDER BY ?class"""
    )
    found: dict[str, Measures] = {}
    for row in rows:
        kind = row["class"].value
        one = found.setdefault(kind, Measures(kind, {}, {}))
        metric = row["metric"].value.rpartition("/")[2]
        if "property" in row:
            one.properties[row["property"].value] = Decimal(row["value"].value)
        else:
            one.values[metric] = Decimal(row["value"].value)
    return list(found.values())


def metrics(ask: Ask) -> list[Block]:
    """Return the metrics in the order in which they are read."""
    every = {one.iri.rpartition("/")[2]: one for one in blocks(vocab.ONTOLOGY, ask)}
    return [every[name] for name in METRICS if name in every]


METRICS = (
    "instances",
    "completeness",
    "property-completeness",
    "stated-share",
    "publishers",
    "several-publishers",
    "single-source",
    "disputed-statements",
)


@dataclass(frozen=True)
class Support:
    """A passage of a source: what is known of the passage itself, and what it states."""

    passage: Passage
    about: Block
    states: list[Statement]


def supports(source: str, ask: Ask) -> list[Support]:
    """Return the passages of a source in the order of its lines, derivations last.

    The project's own registers are passages too; what they state has its own page, so it is left
    out here.
    """
    only = f"VALUES ?source {{ {node(source)} }} {PASSAGE}"
    passages = {passage(row) for row in ask(f"SELECT * WHERE {{ {only} }}")}
    about = _about(ask(f"SELECT ?passage ?p ?o WHERE {{ {only} ?passage ?p ?o }}"))
    said = _said(ask(f"SELECT * WHERE {{ {only} {_STATED} }} ORDER BY ?s ?p ?o"))
    ordered = sorted(passages, key=lambda one: (not one.first, one))
    return [Support(one, about[one.iri], said.get(one, [])) for one in ordered]


_STATED = f"FILTER(?class != {vocab.DECLARATION}) GRAPH ?passage {{ ?s ?p ?o }}"


def _about(found: list[Row]) -> dict[str, Block]:
    result: dict[str, Block] = {}
    for row in found:
        iri = row["passage"].value
        result.setdefault(iri, Block(iri)).add(row["p"].value, row["o"])
    return result


def _said(found: list[Row]) -> Mapping[Passage, list[Statement]]:
    grouped: dict[Passage, list[Row]] = defaultdict(list)
    for row in found:
        grouped[passage(row)].append(row)
    return {one: statements(its) for one, its in grouped.items()}


def sources(ask: Ask) -> list[Row]:
    """Return every source with its publisher, its date (EDTF) where known, and the numbers of its
    passages and of the statements in them.
    """
    counted = f"""SELECT ?source (COUNT(DISTINCT ?passage) AS ?passages) (COUNT(?p) AS ?statements)
        WHERE {{ {PASSAGE} OPTIONAL {{ GRAPH ?passage {{ ?s ?p ?o }} }} }} GROUP BY ?source"""
    return ask(
        f"""SELECT * WHERE {{ {{ {counted} }} OPTIONAL {{ ?source dcterms:publisher ?publisher }}
        OPTIONAL {{ ?source intmk:edtf ?edtf }} }} ORDER BY ?edtf ?source"""
    )


def kinds(ask: Ask) -> list[tuple[str, int]]:
    """Return each kind of thing (the part of the IRI after ``id/``) with its number of things."""
    found = ask(
        f"""SELECT ?kind (COUNT(DISTINCT ?thing) AS ?count) WHERE {{ ?thing a ?class
        FILTER(STRSTARTS(STR(?thing), "{vocab.BASE}id/"))
        BIND(STRBEFORE(STRAFTER(STR(?thing), "{vocab.BASE}id/"), "/") AS ?kind) }}
        GROUP BY ?kind ORDER BY ?kind"""
    )
    return [(row["kind"].value, int(row["count"].value)) for row in found]


def things(kind: str, ask: Ask, page: int) -> tuple[list[Row], int]:
    """Return a page (from 1) of the things of a kind with class and first day (else last day), and
    how many there are in all.

    Dated things come first, in the order of their dates. Raises NotFound for a kind or page that is
    not.
    """
    total = dict(kinds(ask)).get(kind, 0)
    if not 0 <= (page - 1) * LIST_ROWS < total:
        raise NotFound(f"There is no page {page} of the kind {kind!r}.", hint="See the start page.")
    rows = ask(
        f"""SELECT ?thing (SAMPLE(?type) AS ?class)
        (COALESCE(MIN(?day), MIN(?end)) AS ?earliest) (MIN(?date) AS ?edtf) WHERE {{ ?thing a ?type
        FILTER(STRSTARTS(STR(?thing), "{vocab.BASE}id/{kind}/"))
        OPTIONAL {{ ?thing intmk:earliest ?day }} OPTIONAL {{ ?thing intmk:latest ?end }}
        OPTIONAL {{ ?thing intmk:edtf ?date }} }}
        GROUP BY ?thing ORDER BY (!BOUND(?earliest)) ?earliest ?thing
        LIMIT {LIST_ROWS} OFFSET {(page - 1) * LIST_ROWS}"""
    )
    return rows, total


def counts(ask: Ask) -> dict[str, int]:
    """Return the number of ``statements``, ``passages`` and ``sources`` of the graph."""
    queries = {
        "statements": "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }",
        "passages": f"SELECT (COUNT(?passage) AS ?n) WHERE {{ {PASSAGE} }}",
        "sources": f"SELECT (COUNT(DISTINCT ?source) AS ?n) WHERE {{ {PASSAGE} }}",
    }
    return {name: int(ask(query)[0]["n"].value) for name, query in queries.items()}

"""Measurements: recomputed here by SPARQL, and on a record small enough to count by hand."""

import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from pyoxigraph import DefaultGraph, Literal, Quad, RdfFormat, Store, parse

from intmk import quality, sources, vocab
from server_fixtures import ROOT

PREFIXES = vocab.prefixes(ROOT)
INTMK = vocab.INTMK
# Every accepted passage's statements, with what kind of passage it is.
SAID = """GRAPH ?passage { ?thing ?p ?o } ?passage intmk:status kind:accepted ; a ?how .
    ?thing a <CLASS> ."""
STATED = "FILTER(?how IN (intmk:TextPassage, intmk:PagePassage))"


@pytest.fixture(scope="module")
def record() -> set[Quad]:
    """Every quad of the project's files, without the default graph."""
    return set(sources.collect(ROOT).quads())


@pytest.fixture(scope="module")
def graph(record: set[Quad]) -> Store:
    """The project's graph as a build makes it."""
    quads = quality.measured(record)
    store = Store()
    store.bulk_extend(quads | sources.materialise(quads))
    return store


def rows(graph: Store, query: str) -> list[tuple[str, ...]]:
    """Return the rows of a query as plain texts."""
    found = graph.query(query, prefixes=PREFIXES)
    return [tuple(term.value for term in row) for row in found]  # type: ignore[union-attr]


def value(graph: Store, name: str) -> Decimal:
    """Return the value of a measurement."""
    ((text,),) = rows(graph, f"SELECT ?v {{ <{quality.MEASUREMENT}{name}> dqv:value ?v }}")
    return Decimal(text)


def number(graph: Store, kind: str, query: str) -> Decimal:
    """Return the one number that a query about a class answers, to four places."""
    ((text,),) = rows(graph, query.replace("CLASS", INTMK + kind))
    return round(Decimal(text), 4)


@pytest.mark.parametrize(("kind", "slug"), [("Conference", "conference"), ("Law", "law")])
def test_values_are_those_that_sparql_finds(graph: Store, kind: str, slug: str) -> None:
    """Each metric of a class is what a query on the served graph gives for it."""
    by_thing = f"""SELECT ?thing (COUNT(DISTINCT ?publisher) AS ?n)
        (COUNT(DISTINCT ?s) AS ?sources)
        {{ {{ SELECT ?thing {{ ?thing a <CLASS> }} }}
           OPTIONAL {{ {SAID} {STATED}
             ?passage dcterms:isPartOf ?s . ?s dcterms:publisher ?publisher }} }} GROUP BY ?thing"""
    statements = f"""SELECT ?thing ?p ?o (MAX(IF(?how = intmk:Derivation, 0, 1)) AS ?stated)
        {{ {SAID} FILTER(?how != intmk:Declaration) }} GROUP BY ?thing ?p ?o"""
    queries = {
        "instances": "SELECT (COUNT(?thing) AS ?n) { ?thing a <CLASS> }",
        "publishers": f"SELECT (AVG(?n) AS ?mean) {{ {by_thing} }}",
        "several-publishers": f"SELECT (AVG(IF(?n > 1, 1, 0)) AS ?mean) {{ {by_thing} }}",
        "single-source": f"SELECT (AVG(IF(?sources = 1, 1, 0)) AS ?mean) {{ {by_thing} }}",
        "stated-share": f"SELECT (AVG(?stated) AS ?mean) {{ {statements} }}",
        "disputed-statements": """SELECT (COUNT(*) AS ?n) { SELECT DISTINCT ?thing ?p ?o {
            GRAPH ?passage { ?thing ?p ?o } ?passage intmk:status kind:disputed .
            ?thing a <CLASS> FILTER NOT EXISTS { ?thing ?p ?o } } }""",
    }
    expected = {metric: number(graph, kind, query) for metric, query in queries.items()}
    assert {metric: value(graph, f"{slug}-{metric}") for metric in queries} == expected
    assert expected["instances"] > 5


@pytest.mark.parametrize(("kind", "slug"), [("Conference", "conference"), ("Law", "law")])
def test_completeness_is_what_sparql_finds(graph: Store, kind: str, slug: str) -> None:
    """Each property that is required or expected is measured, and the mean is that of them all."""
    shape = "GRAPH <https://w3id.org/intmk/shapes>"
    paths = rows(
        graph,
        f"""SELECT DISTINCT ?path {{ <{INTMK}{kind}> rdfs:subClassOf* ?above .
        {{ ?above intmk:expectedProperty ?path }} UNION {{ {shape} {{
           ?node sh:targetClass ?above ; sh:property? ?part .
           ?part sh:path ?path ; sh:minCount ?least FILTER(?least > 0 && isIRI(?path)) }} }} }}""",
    )
    share = "SELECT (AVG(IF(EXISTS { ?thing <PATH> ?o }, 1, 0)) AS ?n) { ?thing a <CLASS> }"
    expected = {path: number(graph, kind, share.replace("PATH", path)) for (path,) in paths}
    measured = rows(
        graph,
        f"""SELECT ?path ?v {{ ?m dqv:computedOn <{INTMK}{kind}> ; dqv:value ?v ;
            dqv:isMeasurementOf metric:property-completeness ; schema:measuredProperty ?path }}""",
    )
    assert {path: Decimal(text) for path, text in measured} == expected
    assert len(expected) > 5
    mean = sum(expected.values(), Decimal(0)) / len(expected)
    assert abs(value(graph, f"{slug}-completeness") - mean) < Decimal("0.0002")
    assert 0 < mean < 1


def test_every_measurement_is_whole(graph: Store, record: set[Quad]) -> None:
    """Each names its metric, which is explained, its class and one decimal, and has one name."""
    measured = {quad for quad in graph if quad.graph_name == vocab.QUALITY_GRAPH}
    names = {quad.subject for quad in measured}
    whole = """SELECT ?m { ?m a dqv:QualityMeasurement ; dqv:isMeasurementOf ?metric ;
        dqv:computedOn ?class ; dqv:value ?value . ?metric a dqv:Metric ; rdfs:label ?de, ?en .
        FILTER(LANG(?de) = "de" && LANG(?en) = "en" && DATATYPE(?value) = xsd:decimal) }"""
    found = [name for (name,) in rows(graph, whole)]
    assert sorted(found) == sorted(name.value for name in names)
    assert len(found) > 300
    shares = "?m dqv:isMeasurementOf ?metric ; dqv:value ?v FILTER(?v < 0 || ?v > 1)"
    above = rows(graph, f"SELECT DISTINCT ?metric {{ {shares} }}")
    counts = {"instances", "publishers", "disputed-statements"}
    assert {name.removeprefix(quality.METRIC) for (name,) in above} <= counts
    assert {quad.graph_name for quad in record}.isdisjoint({vocab.QUALITY_GRAPH})


def test_every_metric_is_measured(graph: Store) -> None:
    """No metric is declared without values."""
    idle = """SELECT ?metric { ?metric a dqv:Metric
        FILTER NOT EXISTS { ?m dqv:isMeasurementOf ?metric } }"""
    assert rows(graph, idle) == []


def test_every_expectation_is_of_a_class_in_use(graph: Store) -> None:
    """What is expected of a class is measured on it: none is expected in vain."""
    idle = """SELECT ?class ?path { ?class intmk:expectedProperty ?path FILTER NOT EXISTS {
        ?m schema:measuredProperty ?path ; dqv:computedOn/rdfs:subClassOf* ?class } }"""
    assert rows(graph, idle) == []


def test_measurements_have_a_passage_like_all_else(graph: Store) -> None:
    """They are in the default graph because their graph is an accepted passage."""
    passage = f"<{vocab.QUALITY_GRAPH.value}> intmk:status kind:accepted"
    assert rows(graph, f"SELECT ?how {{ {passage} ; a ?how }}") == [(INTMK + "Declaration",)]
    held = {quad for quad in graph if quad.subject.value.startswith(quality.MEASUREMENT)}
    assert {quad.graph_name for quad in held} == {DefaultGraph(), vocab.QUALITY_GRAPH}


def test_measuring_again_changes_nothing(record: set[Quad]) -> None:
    """Neither the order of the statements nor old measurements matter."""
    once = quality.measured(record)
    shuffled = list(once | sources.materialise(once))
    random.Random(3).shuffle(shuffled)
    again = quality.measured(shuffled)
    assert {quad for quad in again if quad.graph_name != DefaultGraph()} == once


SMALL = """
<https://w3id.org/intmk/quality> a intmk:Declaration ; intmk:status kind:accepted .
<https://w3id.org/intmk/source> a intmk:Declaration ; intmk:status kind:accepted .
source:a a intmk:WebPage ; dcterms:publisher agent:x .
source:b a intmk:WebPage ; dcterms:publisher agent:x .
source:c a intmk:WebPage ; dcterms:publisher agent:y .
<urn:a> a intmk:PagePassage ; dcterms:isPartOf source:a ; intmk:status kind:accepted .
<urn:b> a intmk:PagePassage ; dcterms:isPartOf source:b ; intmk:status kind:accepted .
<urn:c> a intmk:PagePassage ; dcterms:isPartOf source:c ; intmk:status kind:disputed .
<urn:d> a intmk:Derivation ; dcterms:isPartOf source:c ; prov:wasDerivedFrom <urn:c> ;
  intmk:status kind:accepted .
GRAPH <urn:a> { summit:one a intmk:Summit ; rdfs:label "One"@en . }
GRAPH <urn:b> { summit:one a intmk:Summit ; intmk:kind kind:a . summit:two a intmk:Summit . }
GRAPH <urn:c> { summit:one intmk:kind kind:a , kind:b . summit:three a intmk:Summit . }
GRAPH <urn:d> { summit:two rdfs:label "Two"@en . }
GRAPH <https://w3id.org/intmk/ontology> { intmk:WebPage rdfs:subClassOf intmk:Source .
  intmk:Summit intmk:expectedProperty intmk:kind . }
GRAPH <https://w3id.org/intmk/shapes> {
  [] sh:targetClass intmk:Summit ; sh:property [ sh:path rdfs:label ; sh:minCount 1 ] ,
    [ sh:path intmk:motto ; sh:minCount 0 ] , [ sh:path intmk:theme ] .
  [] sh:targetClass intmk:Plan ; sh:path intmk:land ; sh:minCount 1 .
}
"""


@pytest.fixture
def measure() -> Callable[[str], dict[str, str]]:
    """Return a function that measures TriG: the values by name without prefix, where given."""

    def run(text: str) -> dict[str, str]:
        names = {
            Quad(quad.subject, quad.predicate, quad.object, vocab.ONTOLOGY_GRAPH)
            for quad in parse(path=ROOT / vocab.PREFIXES_FILE, format=RdfFormat.TURTLE)
        }
        header = "".join(f"@prefix {name}: <{space}> .\n" for name, space in PREFIXES.items())
        quads = {
            Quad(quad.subject, quad.predicate, quad.object, vocab.SOURCE_GRAPH)
            if isinstance(quad.graph_name, DefaultGraph)
            else quad
            for quad in parse(header + text, format=RdfFormat.TRIG)
        } | names
        return {
            str(quad.subject).strip("<>").removeprefix(quality.MEASUREMENT): quad.object.value
            for quad in quality.measured(quads)
            if quad.predicate == quality.VALUE and isinstance(quad.object, Literal)
        }

    return run


def test_a_small_record_is_counted_right(measure: Callable[[str], dict[str, str]]) -> None:
    """Two pages of one publisher are one independent source; what is disputed does not count."""
    assert measure(SMALL) == {
        "summit-instances": "2",
        "summit-completeness": "0.75",
        "summit-property-completeness-kind": "0.5",
        "summit-property-completeness-rdfs-label": "1",
        # Four of the five statements: the label of the second is derived.
        "summit-stated-share": "0.8",
        "summit-publishers": "1",
        "summit-several-publishers": "0",
        "summit-single-source": "0.5",
        "summit-disputed-statements": "1",
        "web-page-instances": "3",
    }


def test_without_the_passage_nothing_is_measured(
    measure: Callable[[str], dict[str, str]],
) -> None:
    """No accepted passage could say the measurements of such a record."""
    assert measure(SMALL.replace("kind:accepted", "kind:disputed", 1)) == {}
    assert measure(SMALL.replace("<https://w3id.org/intmk/quality>", "<urn:other>")) == {}

"""The data as code: who says each statement, where it stands, and that nothing changes unchecked.

``data/passages.approved.txt`` holds the number of statements of each passage and of each entry of
the register, with a digest: what was compared with the sources. A statement added, taken away or
bent fails here until it has been compared again and ``INTMK_APPROVE=1`` has written the file anew.
"""

import hashlib
import os
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, DefaultGraph, Literal, Store

from intmk import canonical, literals, quality, sources, validation, vocab
from intmk.vocab import BASE, INTMK, SOURCE_GRAPH

ROOT = Path(__file__).parent.parent
APPROVED = Path(__file__).parent / "data" / "passages.approved.txt"
IS_APPROVING = bool(os.environ.get("INTMK_APPROVE")) and not os.environ.get("CI")
PREFIXES = vocab.prefixes(ROOT)
FILES = [*sorted((ROOT / "data").glob("*.t*")), ROOT / "ontology" / "themes.ttl"]
# The warnings that the data are known to give: gaps in what the documents say.
GAPS = {"CoalitionAgreement-date", "Conference-ordinal-gap", "OfficeTerm-dated"}

collection = sources.collect(ROOT)
DOCUMENTS = collection.graphs[SOURCE_GRAPH]
DATA = [quad for document in DOCUMENTS for quad in document.quads]
IN_PASSAGES = [quad for quad in DATA if quad.graph_name != DefaultGraph()]


@pytest.fixture(scope="module")
def graph() -> Store:
    """Hold the graph as a build makes it: every named graph, and the default graph from them."""
    quads = quality.measured(collection.quads())
    store = Store()
    store.bulk_extend(quads)
    store.bulk_extend(sources.materialise(quads))
    return store


def rows(graph: Store, query: str) -> list[tuple[str, ...]]:
    """Return the rows of a query as texts."""
    return [tuple(str(term) for term in row) for row in graph.query(query, prefixes=PREFIXES)]


def count(graph: Store, pattern: str) -> int:
    """Return how many solutions a pattern has."""
    ((number,),) = graph.query(f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}", prefixes=PREFIXES)
    return int(number.value)


def test_every_statement_has_a_passage(graph):
    """Each statement of the default graph is in the graph of an accepted passage: 2900 or more."""
    unsaid = """?s ?p ?o FILTER NOT EXISTS {
        GRAPH ?passage { ?s ?p ?o } ?passage intmk:status kind:accepted }"""
    assert count(graph, "?s ?p ?o") >= 2900
    assert count(graph, unsaid) == 0


def test_every_accepted_statement_is_in_the_default_graph(graph):
    """Nothing that an accepted passage says is missing from the default graph."""
    missing = """GRAPH ?passage { ?s ?p ?o } ?passage intmk:status kind:accepted
        FILTER NOT EXISTS { ?s ?p ?o }"""
    assert count(graph, missing) == 0


def test_every_graph_is_a_passage_with_a_source(graph):
    """Each named graph but the shapes is a passage of a described source: 70 or more."""
    shapes = f"<{vocab.SHAPES_GRAPH.value}>"
    graphs = f"{{ SELECT DISTINCT ?g {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(?g != {shapes}) }} }}"
    described = "?g intmk:status ?status ; dcterms:isPartOf ?source . ?source dcterms:title ?title"
    assert count(graph, graphs) >= 70
    assert rows(graph, f"SELECT ?g {{ {graphs} FILTER NOT EXISTS {{ {described} }} }}") == []


def test_every_line_range_exists(graph):
    """Each text passage's lines are in its document, and its IRI gives them after RFC 5147."""
    ranges = rows(
        graph,
        """SELECT (STR(?p) AS ?iri) (STR(?a) AS ?first) (STR(?b) AS ?last) (STR(?n) AS ?count) {
        ?p a intmk:TextPassage ; intmk:firstLine ?a ; intmk:lastLine ?b ;
           dcterms:isPartOf/intmk:lineCount ?n }""",
    )
    assert len(ranges) == count(graph, "?p a intmk:TextPassage") >= 40
    for iri, *numbers in ranges:
        first, last, lines = (int(number.strip('"')) for number in numbers)
        assert 1 <= first <= last <= lines
        assert iri.strip('"').endswith(f"#line={first - 1},{last}")


def test_every_passage_says_something(graph):
    """Each passage has a graph of its own or is what a derivation rests on."""
    idle = """?passage intmk:checkedHow ?how
        FILTER NOT EXISTS { GRAPH ?passage { ?s ?p ?o } }
        FILTER NOT EXISTS { ?derivation prov:wasDerivedFrom ?passage }"""
    assert rows(graph, f"SELECT ?passage {{ {idle} }}") == []


def test_the_data_conform():
    """The files break no rule and no shape; what only warns is a known gap of the documents."""
    report = validation.validate(collection)
    assert report.conforms, [finding.message_en for finding in report.findings]
    assert {finding.short_rule for finding in report.findings} <= GAPS


def test_everything_named_is_described(graph):
    """Each thing that a statement names as its object has a type and a German name."""
    named = f"""SELECT DISTINCT ?thing {{ ?s ?p ?thing
        FILTER(isIRI(?thing) && STRSTARTS(STR(?thing), "{BASE}id/"))
        FILTER NOT EXISTS {{ ?thing a ?type ; rdfs:label|skos:prefLabel ?name
          FILTER(LANG(?name) = "de") }}
        FILTER NOT EXISTS {{ ?thing a intmk:Derivation }} }}"""
    assert rows(graph, named) == []


def test_everything_described_is_ours():
    """Passages speak of things of the graph only, by the kind that their IRI names."""
    subjects = {quad.subject.value for quad in IN_PASSAGES}
    namespaces = tuple(PREFIXES.values())
    assert len(subjects) > 100
    for subject in subjects:
        assert re.fullmatch(rf"{re.escape(BASE)}(id/[a-z-]+|source)/[a-z0-9-]+", subject), subject
        assert subject.rpartition("/")[0] + "/" in namespaces


def test_there_are_no_blank_nodes():
    """Every subject and object of the data has a name or is a literal."""
    terms = {term for quad in DATA for term in (quad.subject, quad.object)}
    assert len(terms) > 500
    assert not any(isinstance(term, BlankNode) for term in terms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_in_the_canonical_layout(path):
    """Each data file is laid out as ``intmk format`` lays it out."""
    assert not canonical.format_file(path, check=True, prefixes=PREFIXES)


def test_literals_are_values_of_their_datatypes():
    """No literal is ill-typed, and none is a mere year or month."""
    values = {quad.object for quad in DATA if isinstance(quad.object, Literal)}
    assert len(values) > 400
    assert literals.ill_typed(values) == {}
    kinds = Counter(value.datatype.value for value in values)
    assert not {kind for kind in kinds if kind.startswith(f"{vocab.XSD}gYear")}


def test_addresses_are_those_of_offices(graph):
    """An e-mail address, telephone or fax number is given for contacts of authorities only."""
    addresses = [q for q in DATA if isinstance(q.object, Literal) and "@" in q.object.value]
    assert [q.predicate.value for q in addresses] == ["https://schema.org/email"] * len(addresses)
    owners = """?contact schema:email|schema:telephone|schema:faxNumber ?value
        FILTER NOT EXISTS { ?authority schema:contactPoint ?contact .
          ?authority a/rdfs:subClassOf* org:Organization }"""
    assert count(graph, "?contact schema:email|schema:telephone|schema:faxNumber ?value") >= 2
    assert count(graph, owners) == 0


def test_no_prose_is_copied():
    """What passages quote are names and titles: none is as long as a sentence of a source."""
    quoted = {quad.object.value for quad in IN_PASSAGES if isinstance(quad.object, Literal)}
    assert len(quoted) > 200
    assert [text for text in quoted if len(text.split()) > 20 or text.count(". ") > 1] == []


def test_every_document_supports_something():
    """Each source document has a file of its own name, and each file is of a source document."""
    documents = {
        quad.subject.value.rpartition("/")[2]
        for quad in DATA
        if quad.predicate == vocab.TYPE
        and quad.object.value in (f"{INTMK}TextDocument", f"{INTMK}WebPage")
    }
    assert documents == {path.stem for path in FILES if path.suffix == ".trig"}
    assert len(documents) >= 6


def test_nothing_changed_since_it_was_checked():
    """Every passage and every entry of the register says what was compared with the sources."""
    digests = "".join(f"{line}\n" for line in sorted(checked()))
    if IS_APPROVING:
        APPROVED.write_text(digests, encoding="utf-8")
    assert digests == APPROVED.read_text(encoding="utf-8")


def checked() -> list[str]:
    """Return for each passage or entry its name, the number of its statements and their digest."""
    said: dict[str, set[str]] = defaultdict(set)
    for quad in DATA:
        where = quad.subject if quad.graph_name == DefaultGraph() else quad.graph_name
        kind = "entry" if quad.graph_name == DefaultGraph() else "says"
        said[f"{vocab.shrink(where.value, PREFIXES)} {kind}"].add(str(quad))
    return [f"{what} {len(lines)} {digest(lines)}" for what, lines in said.items()]


def digest(lines: set[str]) -> str:
    """Return a short digest of statements, whatever their order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]

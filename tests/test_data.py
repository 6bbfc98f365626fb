"""The data as code: who says each statement, where it stands, and that nothing changes unchecked.

``data/passages.approved.txt`` holds the number of statements of each passage and of each entry of
the register, of a web page those of its whole file, with a digest: what was compared with the
sources. A statement added, taken away or bent fails here until it has been compared again and
``INTMK_APPROVE=1`` has written the file anew.
"""

import hashlib
import os
import re
from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, DefaultGraph, Literal, Quad, Store

from intmk import canonical, literals, quality, sources, validation, vocab
from intmk.vocab import BASE, INTMK, SOURCE_GRAPH, THEMES_GRAPH

ROOT = Path(__file__).parent.parent
APPROVED = Path(__file__).parent / "data" / "passages.approved.txt"
IS_APPROVING = bool(os.environ.get("INTMK_APPROVE")) and not os.environ.get("CI")
PREFIXES = vocab.prefixes(ROOT)
FILES = [*sorted((ROOT / "data").rglob("*.t*")), ROOT / "ontology" / "themes.ttl"]
# The warnings that the data are known to give: gaps in what the documents say, each argued at its
# shape. Empty passages are what derivations rest on.
GAPS = {
    "ChairTerm-start",
    "CoalitionAgreement-date",
    "Conference-numbered",
    "Document-date",
    "Ministry-land",
    "OfficeTerm-dated",
    "WebPage-page",
    "passage-empty",
}
# What quotes a name of something: names of things, titles of works, mottos, numbers of documents.
NAMES = {
    "dcterms:title", "intmk:motto", "rdfs:label", "schema:alternativeHeadline",
    "schema:identifier", "schema:sha256", "skos:altLabel",
}  # fmt: skip
# The IRIs of other vocabularies that things of ours are matched with.
FOREIGN = {
    "http://www.wikidata.org/entity/": "Q[1-9][0-9]*",
    "https://d-nb.info/gnd/": "[1-9][0-9]+-?[0-9X]",
    "https://sws.geonames.org/": "[1-9][0-9]*/",
    "http://dcat-ap.de/def/politicalGeocoding/stateKey/": "(0[1-9]|1[0-6])",
    "http://publications.europa.eu/mdr/resource/authority/country/": "[A-Z]{3}",
    "http://publications.europa.eu/resource/authority/data-theme/": "[A-Z]{4}",
    "http://eurovoc.europa.eu/": "([1-9][0-9]*|c_[0-9a-f]{8})",
    "http://zbw.eu/stw/descriptor/": "[0-9]{5}-[0-9]",
    "http://www.eionet.europa.eu/gemet/concept/": "[1-9][0-9]*",
    "http://lod.gesis.org/thesoz/": "concept_[0-9]{8}",
}

collection = sources.collect(ROOT)
DOCUMENTS = collection.graphs[SOURCE_GRAPH]
DATA = [quad for document in DOCUMENTS for quad in document.quads]
IN_PASSAGES = [quad for quad in DATA if quad.graph_name != DefaultGraph()]


@pytest.fixture(scope="module")
def graph() -> Store:
    """Hold the graph as a build makes it: every named graph, and the default graph from them."""
    quads = list(quality.measured(set(collection.quads())))
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


@pytest.fixture(scope="module")
def by_passage(graph) -> dict[object, set[tuple[object, ...]]]:
    """Hold the triples of every named graph, by its name."""
    triples: dict[object, set[tuple[object, ...]]] = defaultdict(set)
    for quad in graph:
        if quad.graph_name != DefaultGraph():
            triples[quad.graph_name].add((quad.subject, quad.predicate, quad.object))
    return triples


def of_status(graph: Store, status: str) -> set[object]:
    """Return the passages of a status."""
    query = f"SELECT ?passage {{ ?passage intmk:status kind:{status} }}"
    return {row["passage"] for row in graph.query(query, prefixes=PREFIXES)}


def default(graph: Store) -> set[tuple[object, ...]]:
    """Return the triples of the default graph."""
    quads = graph.quads_for_pattern(None, None, None, DefaultGraph())
    return {(quad.subject, quad.predicate, quad.object) for quad in quads}


def test_default_graph_is_what_accepted_passages_say(graph, by_passage):
    """The default graph is the union of all accepted passages: 20,000 statements or more."""
    said = set().union(*(by_passage[passage] for passage in of_status(graph, "accepted")))
    assert len(said) >= 20_000
    assert default(graph) == said


def test_disputed_statements_stay_apart(graph, by_passage):
    """What a disputed passage says is no fact, unless an accepted passage says the same."""
    disputed = of_status(graph, "disputed")
    accepted = set().union(*(by_passage[passage] for passage in of_status(graph, "accepted")))
    assert len(disputed) >= 50
    only_disputed = set().union(*(by_passage[passage] for passage in disputed)) - accepted
    assert len(only_disputed) >= 50
    assert not only_disputed & default(graph)


def test_every_disagreement_names_its_other_side(graph):
    """A disputed passage names a passage of another claim, and gives its reason twice."""
    ill = """?passage intmk:status kind:disputed FILTER NOT EXISTS {
        ?passage intmk:contradicts ?other ; intmk:reason ?german , ?english .
        ?other intmk:status ?status
        FILTER(?other != ?passage && LANG(?german) = "de" && LANG(?english) = "en") }"""
    assert rows(graph, f"SELECT ?passage {{ {ill} }}") == []


def test_every_graph_is_a_passage_with_a_source(graph, by_passage):
    """Each named graph but the shapes is a passage of a described source, 1,100 of 580 sources."""
    described = """SELECT ?g { ?g intmk:status ?status ; dcterms:isPartOf ?source .
        ?source dcterms:title ?title ; dcterms:publisher ?publisher }"""
    known = {row["g"] for row in graph.query(described, prefixes=PREFIXES)}
    graphs = set(by_passage) - {vocab.SHAPES_GRAPH}
    assert len(graphs) >= 1100
    assert count(graph, "?source a intmk:WebPage") >= 580
    assert graphs - known == set()


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
    assert {finding.short_rule for finding in report.findings} == GAPS
    assert len(report.findings) <= 110


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
    assert len(subjects) > 1000
    for subject in subjects:
        assert re.fullmatch(rf"{re.escape(BASE)}(id/[a-z-]+|source)/[a-z0-9-]+", subject), subject
        assert subject.rpartition("/")[0] + "/" in namespaces


def test_there_are_no_blank_nodes():
    """Every subject and object of the data has a name or is a literal."""
    terms = {term for quad in DATA for term in (quad.subject, quad.object)}
    assert len(terms) > 8000
    assert not any(isinstance(term, BlankNode) for term in terms)


def test_files_are_in_the_canonical_layout():
    """Each data file is laid out as ``intmk format`` lays it out."""
    assert len(FILES) >= 580
    changed = [p for p in FILES if canonical.format_file(p, check=True, prefixes=PREFIXES)]
    assert changed == []


def test_literals_are_values_of_their_datatypes():
    """No literal is ill-typed, and none is a mere year or month."""
    values = {quad.object for quad in DATA if isinstance(quad.object, Literal)}
    assert len(values) > 4000
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
    """What passages quote are names and titles; all else that they say is short."""
    quoted = [quad for quad in IN_PASSAGES if isinstance(quad.object, Literal)]
    assert len({quad.object for quad in quoted}) > 3000
    for quad in quoted:
        limit = 150 if vocab.shrink(quad.predicate.value, PREFIXES) in NAMES else 45
        assert len(quad.object.value) <= limit, quad


def test_every_document_has_its_file():
    """Each source has a file of its own name, which describes it or holds its passages."""
    documents = {
        quad.subject.value.rpartition("/")[2]
        for quad in DATA
        if quad.predicate == vocab.TYPE
        and quad.object.value in (f"{INTMK}TextDocument", f"{INTMK}WebPage")
    }
    assert documents == {path.stem for path in FILES if path.suffix == ".trig"}
    assert len(documents) >= 580


def matches() -> list[tuple[str, str, str]]:
    """Return subject, property and value of every match with another vocabulary."""
    quads = [*DATA, *(quad for file in collection.graphs[THEMES_GRAPH] for quad in file.quads)]
    return [
        (quad.subject.value, quad.predicate.value, quad.object.value)
        for quad in quads
        if quad.predicate.value.startswith(PREFIXES["skos"]) and "Match" in quad.predicate.value
    ]


def test_matches_are_well_formed():
    """Each match is an IRI of a known vocabulary in the form that the vocabulary gives it."""
    foreign = {value for _, _, value in matches()}
    assert len(foreign) > 200
    for value in foreign:
        space = next(space for space in sorted(FOREIGN, reverse=True) if value.startswith(space))
        assert re.fullmatch(FOREIGN[space], value.removeprefix(space)), value


def test_check_digits_of_the_gnd_are_right():
    """Each identifier of the GND ends with its check digit, modulo 11 and weighted from the end."""
    space = "https://d-nb.info/gnd/"
    numbers = {v.removeprefix(space) for _, _, v in matches() if v.startswith(space)}
    assert len(numbers) > 50
    for number in numbers:
        *digits, check = number.replace("-", "")
        total = sum(int(digit) * weight for weight, digit in enumerate(reversed(digits), 2))
        expected = total if "-" in number else -total
        assert "0123456789X"[expected % 11] == check, number


def test_no_two_things_are_the_same_elsewhere():
    """What is exactly matched is matched by one thing: else two of ours would be one."""
    exact = {(s, v) for s, p, v in matches() if p.endswith("#exactMatch")}
    assert len(exact) > 100
    assert [v for v, n in Counter(v for _, v in exact).items() if n > 1] == []


@pytest.mark.parametrize("code", ["iso31662", "ags", "nuts1", "capital"])
def test_sixteen_laender_have_sixteen_codes(graph, code):
    """Each of the 16 Länder has one code of each kind, and no two have the same."""
    codes = rows(graph, f"SELECT ?land ?code {{ ?land a intmk:Land ; intmk:{code} ?code }}")
    assert len(codes) == len({land for land, _ in codes}) == len({code for _, code in codes}) == 16


def test_chair_terms_follow_the_rotation_rules(graph):
    """Terms join without gap, begin on the day of the rule in force, and one has nine months."""
    terms = rows(
        graph,
        """SELECT (STR(?s) AS ?start) (STR(?e) AS ?end) (STR(?d) AS ?day) {
        ?term a intmk:ChairTerm ; schema:startDate ?s ; schema:endDate ?e ; org:organization ?body .
        ?rule intmk:body ?body ; intmk:handOverDay ?d ; schema:startDate ?from
        OPTIONAL { ?rule schema:endDate ?to } FILTER(?s >= ?from && COALESCE(?s <= ?to, true)) }
        ORDER BY ?start""",
    )
    days = [tuple(text.strip('"') for text in term) for term in terms]
    assert len(days) >= 17
    assert {day for _, _, day in days} == {"--10-01", "--07-01"}
    assert all(start[4:] == day[1:] for start, _, day in days)
    spans = [(date.fromisoformat(start), date.fromisoformat(end)) for start, end, _ in days]
    assert all((b[0] - a[1]).days == 1 for a, b in pairwise(spans))
    assert Counter(round((end - start).days / 30.5) for start, end in spans) == {
        12: len(spans) - 1,
        9: 1,
    }


def test_nothing_changed_since_it_was_checked():
    """Every passage and every entry of the register says what was compared with the sources."""
    digests = "".join(f"{line}\n" for line in sorted(checked()))
    if IS_APPROVING:
        APPROVED.write_text(digests, encoding="utf-8")
    assert digests == APPROVED.read_text(encoding="utf-8")


def checked() -> list[str]:
    """Return for each passage, entry or page its name, number of statements and digest."""
    said: dict[str, set[str]] = defaultdict(set)
    for document in DOCUMENTS:
        for quad in document.quads:
            said[named(document, quad)].add(str(quad))
    return [f"{what} {len(lines)} {digest(lines)}" for what, lines in said.items()]


def named(document: sources.Document, quad: Quad) -> str:
    """Return what a statement is counted under: its page's file, or its passage or entry."""
    if document.path.parent.name == "pages":
        return f"pages/{document.path.stem}"
    is_entry = quad.graph_name == DefaultGraph()
    where = quad.subject if is_entry else quad.graph_name
    return f"{vocab.shrink(where.value, PREFIXES)} {'entry' if is_entry else 'says'}"


def digest(lines: set[str]) -> str:
    """Return a short digest of statements, whatever their order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]

"""The twelve kinds of query of this domain, and requests made of them, each unlike the others.

A kind has a text with parameters and a query for their values, so that the same kinds serve the
real graph and the generated ones. What makes every request unique, besides its parameters, is its
LIMIT: far above the length of any answer, another one each time.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pyoxigraph import Store

SEED = 4
_VALUES = 2000
_FIRST_LIMIT = 1_000_000
_PREFIXES = {
    "intmk": "https://w3id.org/intmk/ontology#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "org": "http://www.w3.org/ns/org#",
    "schema": "https://schema.org/",
    "dcterms": "http://purl.org/dc/terms/",
    "eli": "http://data.europa.eu/eli/ontology#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
RESULTS, GRAPH = "application/sparql-results+json", "application/n-triples"


class Kind(NamedTuple):
    """One kind of query: ``$1`` and ``$2`` in ``text`` stand for what ``values`` selects."""

    name: str
    values: str
    text: str
    accept: str = RESULTS


KINDS = (
    Kind(
        "lookup",
        "SELECT DISTINCT ?a { ?a a intmk:Conference }",
        "SELECT ?property ?value { $1 ?property ?value }",
    ),
    Kind(
        "ask",
        "SELECT ?a ?b { ?a a intmk:Conference . ?b a intmk:Theme }",
        "ASK { $1 intmk:theme $2 }",
    ),
    Kind(
        "label-search",
        "SELECT DISTINCT ?a { ?person schema:familyName ?name BIND(LCASE(?name) AS ?a) }",
        "SELECT ?thing ?label { ?thing rdfs:label ?label "
        "FILTER(CONTAINS(LCASE(STR(?label)), $1)) }",
    ),
    Kind(
        "chair-on-day",
        "SELECT DISTINCT ?a ?b { ?t a intmk:ChairTerm ; org:organization ?a ; "
        "schema:startDate ?b }",
        "SELECT ?land ?label ?start { ?term a intmk:ChairTerm ; org:organization $1 ; "
        "org:member ?land ; schema:startDate ?start . ?land rdfs:label ?label "
        'OPTIONAL { ?term schema:endDate ?end } FILTER(LANG(?label) = "de") '
        "FILTER(?start <= $2 && (!BOUND(?end) || $2 <= ?end)) }",
    ),
    Kind(
        "events-of-year",
        "SELECT DISTINCT ?a { ?e a intmk:Conference ; intmk:earliest ?d BIND(YEAR(?d) AS ?a) }",
        "SELECT ?event ?label ?earliest { ?event a intmk:Conference ; rdfs:label ?label ; "
        'intmk:earliest ?earliest ; intmk:latest ?latest FILTER(LANG(?label) = "de") '
        "FILTER(YEAR(?earliest) <= $1 && $1 <= YEAR(?latest)) }",
    ),
    Kind(
        "join",
        "SELECT DISTINCT ?a { ?e intmk:body ?a ; intmk:chairTerm ?t }",
        "SELECT ?conference ?label ?name { ?conference intmk:body $1 ; intmk:chairTerm ?term ; "
        "rdfs:label ?label . ?personTerm intmk:withinTerm ?term ; org:member ?person . "
        '?person schema:name ?name FILTER(LANG(?label) = "de") }',
    ),
    Kind(
        "group-by",
        "SELECT DISTINCT ?a { ?r eli:passed_by ?a ; intmk:theme ?t }",
        "SELECT ?theme (COUNT(?resolution) AS ?count) { ?resolution eli:passed_by $1 ; "
        "intmk:theme ?theme } GROUP BY ?theme",
    ),
    Kind(
        "order-by",
        "SELECT DISTINCT ?a { ?e intmk:theme ?a ; intmk:earliest ?d }",
        "SELECT ?thing ?title ?earliest { ?thing intmk:theme $1 ; intmk:earliest ?earliest ; "
        'rdfs:label ?title FILTER(LANG(?title) = "de") } ORDER BY DESC(?earliest) ?thing',
    ),
    Kind(
        "optional",
        "SELECT DISTINCT ?a { ?t a intmk:ChairTerm ; org:organization ?a }",
        "SELECT ?term ?land ?name ?end { ?term a intmk:ChairTerm ; org:organization $1 ; "
        "org:member ?land OPTIONAL { ?personTerm intmk:withinTerm ?term ; org:member ?person . "
        "?person schema:name ?name } OPTIONAL { ?term schema:endDate ?end } }",
    ),
    Kind(
        "path",
        "SELECT DISTINCT ?a { ?a a intmk:Theme ; skos:broader ?b . ?c skos:broader ?a }",
        "SELECT ?narrower ?label { ?narrower skos:broader* $1 ; skos:prefLabel ?label "
        'FILTER(LANG(?label) = "de") }',
    ),
    Kind(
        "provenance",
        "SELECT DISTINCT ?a { ?a a intmk:Conference }",
        "SELECT ?passage ?line ?property ?value { GRAPH ?passage { $1 ?property ?value } "
        "?passage dcterms:isPartOf ?source OPTIONAL { ?passage intmk:firstLine ?line } }",
    ),
    Kind(
        "construct",
        "SELECT DISTINCT ?a { ?a a intmk:Conference ; intmk:chairTerm ?t }",
        "CONSTRUCT { $1 ?property ?value . ?term ?termProperty ?termValue } "
        "WHERE { $1 ?property ?value ; intmk:chairTerm ?term . "
        "?term ?termProperty ?termValue }",
        GRAPH,
    ),
)
# Never ends within a deadline, on any graph of more than a few hundred things.
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


def _with_prefixes(text: str) -> str:
    used = (f"PREFIX {name}: <{iri}>\n" for name, iri in _PREFIXES.items() if f"{name}:" in text)
    return "".join(used) + text


class Load:
    """The queries of one kind on one graph, in an order that is the same in every run."""

    def __init__(self, kind: Kind, store: Store) -> None:
        """Take the values of the parameters from the graph; raises ValueError for none."""
        self.kind = kind
        rows = store.query(_with_prefixes(kind.values) + f" LIMIT {_VALUES}")
        values = sorted(tuple(str(term) for term in row) for row in rows)  # type: ignore
        if not values:
            raise ValueError(f"The graph has nothing to ask for by {kind.name}.")
        random.Random(f"{SEED}{kind.name}").shuffle(values)
        self._texts = [_with_prefixes(_fill(kind.text, row)) for row in values]

    def query(self, number: int) -> str:
        """Return the text of request ``number``."""
        return f"{self._texts[number % len(self._texts)]} LIMIT {_FIRST_LIMIT + number}"

    def requests(self, path: str, numbers: Iterator[int]) -> Iterator[bytes]:
        """Return HTTP requests, one for each number, ready to be sent to ``path``."""
        heads = [f"GET {path}query={quote(text)}%20LIMIT%20".encode() for text in self._texts]
        tail = _tail(self.kind.accept)
        count = len(heads)
        for number in numbers:
            yield b"%b%d%b" % (heads[number % count], _FIRST_LIMIT + number, tail)

    def repeated(self, path: str) -> Iterator[bytes]:
        """Return the first request again and again."""
        return itertools.repeat(next(self.requests(path, iter([0]))))


def request(path: str, text: str, accept: str = RESULTS) -> bytes:
    """Return one GET request of the SPARQL protocol; ``path`` ends in ``?`` or ``&``."""
    return f"GET {path}query={quote(text)}".encode() + _tail(accept)


def _tail(accept: str) -> bytes:
    fields = ("Host: 127.0.0.1", f"Accept: {accept}", "User-Agent: benchmark")
    return "\r\n".join((" HTTP/1.1", *fields, "", "")).encode()


def _fill(text: str, values: Sequence[str]) -> str:
    for number, value in enumerate(values, 1):
        text = text.replace(f"${number}", value)
    return text


def loads(store: Store, names: Sequence[str] = ()) -> list[Load]:
    """Return the loads of these kinds, of all when none is named."""
    return [Load(kind, store) for kind in KINDS if not names or kind.name in names]


def open_graph(dump: Path) -> Store:
    """Return the N-Quads of a file as a store in memory."""
    store = Store()
    store.bulk_load(path=dump)
    return store

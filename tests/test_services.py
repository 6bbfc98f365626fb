"""SERVICE clauses: what is asked of whom, where they stand, and what takes their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Store

from intmk import services
from intmk.errors import GraphError, NetworkForbidden, QuerySyntaxError, ServiceNeeded
from intmk.services import Clause

PREFIXES = {"rdfs": "http://www.w3.org/2000/01/rdf-schema#", "x": "http://x/"}
BASE = "https://w3id.org/intmk/"
NAMES = st.sampled_from(
    ["?a", "$b", "?c1", "x:p", "<http://x/SERVICE>", "'}'", '"""SERVICE { """', "1"]
)


def clauses(text: str) -> list[Clause]:
    """Return the clauses of a query."""
    with pytest.raises(ServiceNeeded) as caught:
        services.hand_over(text, PREFIXES, BASE)
    found = caught.value.extra["clauses"]
    assert isinstance(found, list)
    return found


def refused(text: str) -> GraphError:
    """Return why a query is not handed over."""
    with pytest.raises(GraphError) as caught:
        services.hand_over(text, PREFIXES, BASE)
    return caught.value


@pytest.mark.parametrize(
    ("text", "endpoint", "query", "variables"),
    [
        ("SELECT * { SERVICE <http://e/> { ?s ?p 1 } }", "http://e/", "?p ?s | { ?s ?p 1 }", "ps"),
        ("SELECT ?s { SERVICE <http://e/> { ?s ?p 1 } }", "http://e/", "?s | { ?s ?p 1 }", "s"),
        ("SELECT ?s { ?s x:q $p service x:e{?s ?p 1}}", "http://x/e", "?p ?s | {?s ?p 1}", "ps"),
        ("ASK { SERVICE<e>{ ?s ?p '}' } }", f"{BASE}e", "* | { ?s ?p '}' }", ""),
        ("BASE <http://b/> ASK { SERVICE <e> { <s> ?p 1 } }", "http://b/e", "* | { <s> ?p 1 }", ""),
        ("SELECT (COUNT(*) AS ?n) { SERVICE x:e {?s ?p 1} }", "http://x/e", "* | {?s ?p 1}", ""),
        (
            "SELECT ?n { SERVICE x:e { { SELECT (<urn:f>(?a) AS ?n) {?a ?b ?c} } } }",
            "http://x/e",
            "?n | { { SELECT (<urn:f>(?a) AS ?n) {?a ?b ?c} } }",
            "n",
        ),
    ],
)
def test_an_endpoint_is_asked_for_what_the_query_uses(
    text: str, endpoint: str, query: str, variables: str
) -> None:
    """The pattern is asked as it stands, for the variables that occur elsewhere too."""
    (one,) = clauses(text)
    projection, pattern = query.split(" | ")
    assert one.endpoint == endpoint
    assert one.query.endswith(f"SELECT {projection} WHERE {pattern}")
    assert "".join(one.variables) == variables
    assert text[one.start : one.end].upper().startswith("SERVICE")
    assert text[one.start : one.end].endswith("}")


def test_a_pattern_means_elsewhere_what_it_means_here() -> None:
    """It takes declarations along: the query's own, those it need not make, and the base."""
    own = "PREFIX x: <http://other/> # }\n"
    (one,) = clauses(own + "SELECT * { SERVICE x:e { ?s rdfs:label ?o ; x:p <s> } }")
    expected = f"BASE <{BASE}>\nPREFIX rdfs: <{PREFIXES['rdfs']}>\n{own}"
    assert one.query.startswith(expected)
    assert "http://x/" not in one.query
    Store().query(one.query)


def test_several_clauses_are_replaced_and_lines_stay() -> None:
    """Each by its own solutions; the rest stands where it stood."""
    text = "ASK {\n SERVICE <a> { ?s ?p\n ?o } SERVICE SILENT <b>\n{ } ?s ?p 7\n}"
    first, second = clauses(text)
    assert (first.is_silent, second.is_silent) == (False, True)
    assert (first.line, first.column) == (2, 2)
    assert (second.line, second.column) == (3, 7)
    found = services.replaced(text, {first: "VALUES ?s { 1 }", second: "VALUES () { () }"})
    assert found == "ASK {\n VALUES ?s { 1 }\n VALUES () { () }\n ?s ?p 7\n}"


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("ASK {\n SERVICE ?x { } }", 2, 10, "?x"),
        ("ASK { SERVICE <a> { {}\n SERVICE <b> {} } }", 2, 2, "inside"),
    ],
)
def test_what_nobody_is_asked(text: str, line: int, column: int, word: str) -> None:
    """An endpoint that the data would choose, and one that is asked by another."""
    error = refused(text)
    assert type(error) is NetworkForbidden
    assert (error.line, error.column) == (line, column)
    assert word in error.detail


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("ASK { SERVICE <x> { ?s ?p } }", 1, 27, "'}'"),
        ("ASK {\n SERVICE <x> {\n ?s ?p ?o FILTER(?x >) } }", 3, 22, "')'"),
        ("ASK { SERVICE <x> {} UNION {} }", 1, 22, "'UNION'"),
        ("ASK { OPTIONAL SERVICE <x> {} }", 1, 16, "'SERVICE'"),
        ("ASK { SERVICE <x> {} }\nLIMT 4", 2, 1, "'LIMT'"),
        ("ASK { SERVICE zz:y {} }", 1, 15, "zz:"),
        ("ASK { SERVICE <x> { ?s zz:y 1 } }", 1, 24, "zz:"),
        ("ASK { SERVICE 'x' {} }", 1, 15, "'x'"),
        ("ASK { SERVICE <a b> {} }", 1, 15, "IRI"),
        ("ASK { SERVICE <x> ?s", 1, 19, "'?s'"),
        ("ASK { SERVICE <x> {", 1, 20, "too early"),
        ("SERVICE", 1, 1, "'SERVICE'"),
        ("ASK { SERVICE SILENT }", 1, 22, "'}'"),
        ("SELECT * { SERVICE <x> {?a ?b ?c} BIND(1 AS ?a) }", 1, 49, "'}'"),
    ],
)
def test_a_syntax_error_is_told_before_anybody_is_asked(
    text: str, line: int, column: int, word: str
) -> None:
    """In the clause or beside it, with its place in the text as it was sent."""
    error = refused(text)
    assert type(error) is QuerySyntaxError
    assert (error.line, error.column) == (line, column), error
    assert word in error.detail


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { ?s ?p 'SERVICE' }",
        "SELECT * { <http://x/SERVICE> ?p ?service } # SERVICE",
        "PREFIX service: <http://x/> ASK { ?s service:x 'a'@service }",
    ],
)
def test_the_word_alone_is_no_clause(text: str) -> None:
    """In a string, an IRI, a name or a comment it means nothing."""
    services.hand_over(text, PREFIXES, BASE)


@given(
    st.lists(NAMES, min_size=1, max_size=6), st.booleans(), st.sampled_from([" ", "\n", "# }\n"])
)
def test_any_clause_is_found_whole(terms: list[str], is_silent: bool, space: str) -> None:
    """Whatever stands in it, the text before and after it is what was written."""
    silent = "SILENT" if is_silent else ""
    pattern = "{" + " ".join(f"?s ?p {term} .{space}" for term in terms) + "}"
    clause = f"SERVICE{space}{silent}{space}<http://e/>{space}{pattern}"
    text = f"SELECT * {{ ?a ?b 1 . {clause} ?b ?c1 2 }}"
    (one,) = clauses(text)
    assert text[one.start : one.end] == clause
    assert one.is_silent is is_silent
    assert one.query.endswith(pattern)
    Store().query(services.replaced(text, {one: "VALUES () { () }"}))

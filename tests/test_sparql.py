"""Where a query's errors are, and what its text gives away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Store

from intmk import sparql
from intmk.errors import GraphError, NetworkForbidden, UpdateForbidden

PREFIXES = {"intmk": "https://w3id.org/intmk/ontology#", "org": "http://www.w3.org/ns/org#"}


def _explained(text: str) -> GraphError:
    def parse(query: str) -> object:
        return Store().query(query, prefixes=PREFIXES, base_iri="http://x/")

    with pytest.raises(SyntaxError) as caught:
        parse(text)
    return sparql.explain(text, PREFIXES, parse, caught.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("SELECT * WHERE { ?s ?p }", 1, 24, "'}'"),
        ("SELCT * WHERE { ?s ?p ?o }", 1, 1, "'SELCT'"),
        ("SELECT * {\n ?s ?p ?o .\n ?s ?p ) .\n}", 3, 8, "')'"),
        ("SELECT * {\n ?s ?p ?o\n ?s ?p ?o\n}", 3, 2, "'?s'"),
        ("SELECT * {\n FILTR(?x > 1)\n ?s ?p ?o }", 2, 2, "'FILTR'"),
        ("SELECT ?s, ?o { ?s ?p ?o }", 1, 10, "','"),
        ("SELECT * { ?s ?p 'abc }", 1, 18, "does not end"),
        ("SELECT * { ?s ?p ?o FILTER(?o > ) }", 1, 33, "')'"),
        ("SELECT * { ?s ?p ?o } LIMIT x", 1, 29, "'x'"),
        ("SELECT * { ?s ?p ?o }}", 1, 22, "'}'"),
        ("SELECT (COUNT(?s) ?n) { ?s ?p ?o }", 1, 19, "'?n'"),
        ("SELECT * { ?s ?p ?o FILTER(FOO(?o)) }", 1, 28, "'FOO'"),
        ("SELECT * { ?s ?p ?o ", 1, 20, "ends too early"),
        ("SELECT * { ?s ?p ?o } ORDER BY  # so", 1, 37, "ends too early"),
        ("SELECT * {\n ?s ?p 'abc\n. ?s ?p 'abc' }", 2, 8, "does not end"),
        ("SELECT * { ?s ?p <a b> }", 1, 18, "IRI"),
        ("SELECT * { ?s ?p <a b>, <c> }", 1, 18, "IRI"),
        ("SELECT * { ?s ?p 'Länder 😀' . ) }", 1, 31, "')'"),
        ("# }\nSELECT ?s (COUNT(?s) AS ?n) { ?s ?p ?o }", 2, 1, "unbound"),
        ("SELECT (1 AS ?a) (2 AS ?a) {}", 1, 1, "Duplicated"),
        ("SELECT * {\n ?s x:y 'x:z' }", 2, 5, "x:"),
        ("SELECT * {\r\n ?s ?p 'a'^^xsd:date }", 2, 13, "xsd:"),
    ],
)
def test_a_syntax_error_is_where_the_query_goes_wrong(
    text: str, line: int, column: int, word: str
) -> None:
    """Line and column are those of the first token that does not fit, and the message names it."""
    error = _explained(text)
    assert (error.line, error.column) == (line, column), error
    assert word in error.detail


def test_an_unknown_prefix_is_answered_with_the_one_that_was_meant() -> None:
    """A misspelt common prefix is corrected; another is to be declared."""
    assert _explained("SELECT * { ?s imtk:chair ?o }").hint == "Did you mean intmk:?"
    assert _explained("SELECT * { ?s zzz:chair ?o }").hint == (
        "Add PREFIX zzz: <…> before the query."
    )


def test_an_empty_query_is_said_to_be_empty() -> None:
    """Nothing but white space has no position."""
    error = _explained(" \n")
    assert "empty" in error.detail
    assert error.line is None


@pytest.mark.parametrize(
    "text",
    ["INSERT DATA { <a:b> <a:c> 1 }", "PREFIX a: <b:c>\ndelete where { ?s ?p ?o }", "clear all"],
)
def test_an_update_is_refused_as_an_update(text: str) -> None:
    """An update is not called a syntax error."""
    assert isinstance(_explained(text), UpdateForbidden)


def test_a_very_long_query_keeps_the_position_the_parser_gave() -> None:
    """Beyond the limit of careful explanation there is still a line."""
    error = _explained("SELECT * {\n" + "?s ?p ?o .\n" * 10_000 + ") }")
    assert error.line == 10_002


SERVICE = [
    "SELECT * { SERVICE <http://x/> { ?s ?p ?o } }",
    "SELECT * { ?s ?p ?o .service silent ?x { ?s ?p ?o } }",
    "SELECT * { ?s ?p '#' . SERVICE<http://x/>{ ?s ?p ?o } }",
    "SELECT * {\n# '\n SERVICE <http://x/> { ?s ?p ?o } # '\n}",
    "SELECT * { { SELECT * { SERVICE <http://x/> { ?s ?p ?o } } } }",
]


@pytest.mark.parametrize("text", SERVICE)
def test_a_query_to_another_server_is_refused_with_its_place(text: str) -> None:
    """SERVICE is found wherever it stands, in any case."""
    with pytest.raises(NetworkForbidden) as caught:
        sparql.refuse_service(text)
    line, column = caught.value.line or 0, caught.value.column or 0
    assert text.split("\n")[line - 1][column - 1 :][:7].upper() == "SERVICE"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { ?s ?p 'SERVICE' }",
        "SELECT * { ?s ?p '''a ' SERVICE \\''' ''' }",
        'SELECT * { <http://x/SERVICE> ?p "service" } # SERVICE',
        "SELECT * { ?service <http://x#service> ?o }",
        "SELECT * { ?s org:service service:x ; a sd:Service }",
        "SELECT * { ?s ?p _:service }",
        "SELECT * { ?s ?p ?service_ }",
    ],
)
def test_the_word_service_in_data_is_no_service(text: str) -> None:
    """Strings, IRIs, comments, variables and prefixed names may contain the word."""
    sparql.refuse_service(text)


@given(st.text(alphabet=st.sampled_from("aS'\"\\<>#:?@^.{}\n 1-é😀"), max_size=60))
def test_tokens_are_the_text_without_its_gaps(text: str) -> None:
    """Each token is a slice of the text at its place, in order and without overlap."""
    end = 0
    for token in sparql.tokens(text):
        assert token.start >= end
        end = token.start + len(token.text)
        assert text[token.start : end] == token.text
    assert end <= len(text)

"""Queries for another server: declared, judged and left alone otherwise."""

import pytest
from pyoxigraph import Store

from intmk import errors, outgoing

PREFIXES = {"ex": "https://example.org/", "rdfs": "http://www.w3.org/2000/01/rdf-schema#"}
EX, RDFS = (f"PREFIX {name}: <{PREFIXES[name]}> " for name in PREFIXES)
BASE = "https://example.org/base/"


def prepared(text: str) -> str:
    """Return the text that is sent."""
    return outgoing.prepared(text, PREFIXES, BASE).text


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("ASK {}", ""),
        ("ASK { ex:a rdfs:label 'a' }", EX + RDFS),
        ("ASK { ex:a ?b 'rdfs:x' } # rdfs:y", EX),
        ("PREFIX ex: <a:> ASK { ex:a ?b <rdfs:c> }", ""),
        ("# PREFIX ex:\nASK { ex:a ?b ?c }", EX),
        ("ASK { other:a ?b _:ex }", ""),
        ("ASK { <a> ?b ?c }", f"BASE <{BASE}> "),
        ("ASK { ?a ?b ?c FILTER(?a <?b && ?c> ?b) }", ""),
    ],
)
def test_only_what_a_query_uses_and_does_not_declare_is_declared(text: str, head: str) -> None:
    """Strings, comments, IRIs and variables use no prefix; the text itself is not touched."""
    assert prepared(text) == head + text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("select * {}", "results"),
        ("PREFIX insert: <a:> BASE <b:> Ask {}", "results"),
        ("#x\nCONSTRUCT WHERE { ?a ?b ?c }", "graph"),
        ("DESCRIBE <a:b>", "graph"),
    ],
)
def test_the_form_tells_the_kind_of_answer(text: str, kind: str) -> None:
    """The first word after the prologue decides."""
    assert outgoing.prepared(text, PREFIXES, BASE).kind == kind


@pytest.mark.parametrize("text", ["INSERT DATA { <a:a> <a:b> 1 }", "PREFIX a: <b:> drop all"])
def test_an_update_is_not_sent(text: str) -> None:
    """Some servers would make it."""
    with pytest.raises(errors.UpdateForbidden):
        prepared(text)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("PREFIX a: <b:>", 1, 15),
        ("\nDEFINE input:inference 'x' SELECT * {}", 2, 1),
        ("ASK {}\n#\\u000A", 2, 2),
        (r"ASK { ?a ?b '\U00000022 }", 1, 14),
    ],
)
def test_what_is_no_query_or_hides_something_is_refused(text: str, line: int, column: int) -> None:
    """At its place; a character that is escaped outside of need could end a string or comment."""
    with pytest.raises(errors.QuerySyntaxError) as refusal:
        prepared(text)
    assert (refusal.value.line, refusal.value.column) == (line, column)


def test_a_query_to_a_third_server_is_not_sent() -> None:
    """SERVICE is found at its place, in any case; a string, variable or name is none."""
    with pytest.raises(errors.NetworkForbidden) as refusal:
        prepared("SELECT * {\n ?service ex:service 'SERVICE' . service <http://a/> {} }")
    assert (refusal.value.line, refusal.value.column) == (2, 34)
    assert prepared("SELECT * { ?service ex:service 'SERVICE' } # SERVICE")


@pytest.mark.parametrize("text", ["'''a''b\\''c'''", '"""a"b"""', "'a\\'b'", '"\\\\"', "''", '""'])
def test_strings_end_where_they_do(text: str) -> None:
    """What follows a string is read, and what stands in it is not."""
    query = f"ASK {{ ?a ?b {text}, ex:x, 'rdfs:x', {text} }}"
    sent = prepared(query)
    assert sent.startswith("PREFIX ex:")
    assert "PREFIX rdfs:" not in sent
    Store().query(sent)


@pytest.mark.parametrize("piece", ["'\\", '"""\'', "a.", "<a", "<", "?", "PREFIX ", ":", "\\", "#"])
def test_a_hostile_text_is_read_once(piece: str) -> None:
    """A million characters that never come to an end are refused, and do not stop the server."""
    with pytest.raises(errors.GraphError):
        prepared(piece * (1_000_000 // len(piece)))

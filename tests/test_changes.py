"""What a change makes of a dataset: updates with and without a dataset, and whole graphs."""

from typing import Any

import pytest
from pyoxigraph import DefaultGraph, Quad, RdfFormat, parse

from intmk import changes, errors
from intmk.changes import Change

BASE = "https://example.org/"
PREFIXES = {"e": "http://e/"}
TRIG = """PREFIX e: <http://e/>
e:s e:p 0 .
GRAPH e:g { e:s e:p 1 }
GRAPH e:h { e:s e:p 2 }
"""
G, H = "http://e/g", "http://e/h"


def quads(trig: str) -> set[Quad]:
    """Read a dataset."""
    return set(parse(trig, RdfFormat.TRIG))


def apply(change: Change, trig: str = TRIG) -> changes.Changed:
    """Apply a change to a dataset."""
    return changes.apply(quads(trig), change, PREFIXES, BASE, 1_000_000)


def update(text: str, **dataset: tuple[str, ...]) -> set[str]:
    """Return the graphs and values that an update leaves: "g1" is the value 1 in the graph e:g."""
    changed = apply(Change("update", text.encode(), **dataset))
    return {_short(quad) for quad in changed.quads}


def _short(quad: Quad) -> str:
    graph = "" if quad.graph_name == DefaultGraph() else str(quad.graph_name).rstrip(">")[-1]
    return f"{graph}{getattr(quad.object, 'value', '')}"


UPDATES = [
    ("", {"0", "g1", "h2"}),
    ("INSERT DATA { GRAPH e:g { e:s e:p 3 } }", {"0", "g1", "g3", "h2"}),
    ("DELETE WHERE { GRAPH e:g { ?s ?p ?o } }", {"0", "h2"}),
    ("CLEAR ALL", set()),
    ("DROP GRAPH e:g; INSERT DATA { e:s e:p 4 }", {"0", "4", "h2"}),
    ("MOVE e:g TO e:h", {"0", "h1"}),
    ("WITH e:h DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }", {"0", "g1"}),
    ("INSERT { GRAPH e:h { ?s ?p ?o } } USING e:g WHERE { ?s ?p ?o }", {"0", "g1", "h1", "h2"}),
    ("INSERT DATA { e:s e:p 'load service' } # LOAD", {"0", "g1", "h2", "load service"}),
]


@pytest.mark.parametrize(("text", "left"), UPDATES)
def test_updates(text: str, left: set[str]) -> None:
    """Every kind of operation, with the shared prefixes."""
    assert update(text) == left


WRITTEN = """PREFIX e: <http://e/> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
e:a e:p "44.0"^^xsd:decimal , "007"^^xsd:integer , "7"^^xsd:nonNegativeInteger , "1"^^xsd:boolean .
"""


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("INSERT DATA { e:b e:p 1 }", set()),
        ("DELETE WHERE { e:a e:p 44.0 }", {"44.0"}),
        ("DELETE WHERE { ?s ?p true }", {"1"}),
        ("DELETE DATA { e:a e:p 7 }", {"007", "7"}),
        ("INSERT DATA { e:a e:p 44.00 }", set()),
        ("DELETE WHERE { e:a e:p ?x }", {"44.0", "007", "7", "1"}),
    ],
)
def test_what_an_update_does_not_touch_stays_as_it_was_written(text: str, gone: set[str]) -> None:
    """The engine knows numbers by their value only."""
    left = apply(Change("update", text.encode()), WRITTEN).quads
    lost = {quad.object.value for quad in quads(WRITTEN) - left}  # type: ignore[union-attr]
    assert lost == gone
    assert len(left - quads(WRITTEN)) == ("e:b" in text)


def test_the_dataset_of_the_request_is_what_where_sees() -> None:
    """using-graph-uri and using-named-graph-uri stand for USING in every operation."""
    copy = "INSERT { GRAPH e:x { ?s ?p ?o } } WHERE { ?s ?p ?o }"
    assert update(copy) == {"0", "g1", "h2", "x0"}
    assert update(copy, using=(G,)) == {"0", "g1", "h2", "x1"}
    assert update(copy, using=(G, H)) == {"0", "g1", "h2", "x1", "x2"}
    assert update(f"{copy} ; INSERT DATA {{ e:s e:p 9 }}", using=(G,)) >= {"9", "x1"}
    named = "INSERT { GRAPH e:x { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o } }"
    assert update(named, using_named=(H,)) == {"0", "g1", "h2", "x2"}
    assert update(copy, using_named=(H,)) == {"0", "g1", "h2"}


def test_delete_where_has_a_dataset_too() -> None:
    """The short form names its pattern once; with a dataset it matches there and deletes here."""
    assert update("DELETE WHERE { ?s ?p 0 }", using=(G,)) == {"0", "g1", "h2"}
    text = "DELETE WHERE { GRAPH ?g { ?s ?p ?o } }"
    assert update(text, using_named=(G,)) == {"0", "h2"}


def test_subqueries_strings_and_comments_are_not_operations() -> None:
    """Only the WHERE of an operation gets a dataset."""
    text = (
        "INSERT { GRAPH e:x { ?s ?p 'WHERE { USING' } } # WITH WHERE\n"
        "WHERE { { SELECT * WHERE { ?s ?p ?o } } }"
    )
    rewritten = changes.with_dataset(text, (G,), (H,))
    assert rewritten.count(f"USING <{G}>") == rewritten.count(f"USING NAMED <{H}>") == 1
    assert ["x", "WHERE { USING"][1] in "".join(update(text, using=(G,)))


@pytest.mark.parametrize(
    "text",
    ["WITH e:g DELETE { ?s ?p 1 } WHERE {}", "DELETE { ?s ?p 1 } USING e:g WHERE { ?s ?p 1 }"],
)
def test_a_dataset_cannot_be_named_twice(text: str) -> None:
    """SPARQL 1.1 Protocol section 2.2.3 makes it an error; the place is that of the clause."""
    with pytest.raises(errors.InvalidRequest, match="as well") as caught:
        update(text, using=(H,))
    assert caught.value.line == 1


def test_a_dataset_is_made_of_iris() -> None:
    """What would end the IRI and begin an operation is refused."""
    with pytest.raises(errors.InvalidRequest, match="not an absolute IRI"):
        update("DELETE WHERE { ?s ?p ?o }", using=("http://e/g> WHERE {}; DROP ALL #",))


WRONG: list[tuple[str, type[errors.GraphError], int | None, int | None, str]] = [
    ("INSERT DATA { e:s e:p }", errors.QuerySyntaxError, 1, 23, "cannot stand here"),
    ("INSERT DATA { e:s e:p 1 };\n DELETE WERE {}", errors.QuerySyntaxError, 2, 9, "WERE"),
    ("INSERT DATA { x:s e:p 1 }", errors.QuerySyntaxError, 1, 15, "prefix x: is not declared"),
    ("INSERT DATA { e:s e:p 1", errors.QuerySyntaxError, 1, 24, "too early"),
    ("SELECT * {}", errors.QuerySyntaxError, 1, 1, "SELECT"),
    ("\n LOAD <http://127.0.0.1:9/>", errors.NetworkForbidden, 2, 2, "LOAD"),
    ("LOAD SILENT <file:///etc/passwd>", errors.NetworkForbidden, 1, 1, "LOAD"),
    ("INSERT { e:s e:p ?o } WHERE { SERVICE e:x {} }", errors.NetworkForbidden, 1, 31, "S"),
    ("DROP GRAPH e:none", errors.QueryFailed, None, None, "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "line", "column", "words"), WRONG)
def test_a_wrong_update_is_told_with_its_place(
    text: str, kind: type[errors.GraphError], line: int | None, column: int | None, words: str
) -> None:
    """As for queries."""
    for dataset in ({}, {"using": (G,)}):
        with pytest.raises(kind, match=words) as caught:
            update(text, **dataset)
        assert (caught.value.line, caught.value.column) == (line, column)


def test_an_update_is_utf_8() -> None:
    """Other bytes are no update."""
    with pytest.raises(errors.QuerySyntaxError, match="UTF-8"):
        apply(Change("update", b"INSERT DATA { <a:b> <a:c> '\xff' }"))


def whole(kind: Any, graph: str | None = G, body: str = "<http://e/s> <http://e/p> 7 .") -> Change:
    """Return a change of one graph."""
    return Change(kind, b"" if kind == "delete" else body.encode(), "ttl", graph)


WHOLE = [
    (whole("put"), {"0", "g7", "h2"}, False),
    (whole("put", "http://e/x"), {"0", "g1", "h2", "x7"}, True),
    (whole("put", None), {"7", "g1", "h2"}, False),
    (whole("post"), {"0", "g1", "g7", "h2"}, False),
    (whole("post", "http://e/x"), {"0", "g1", "h2", "x7"}, True),
    (whole("post", None), {"0", "7", "g1", "h2"}, False),
    (whole("delete"), {"0", "h2"}, False),
    (whole("delete", None), {"g1", "h2"}, False),
]


@pytest.mark.parametrize(("change", "left", "has_created"), WHOLE)
def test_whole_graphs(change: Change, left: set[str], has_created: bool) -> None:
    """PUT replaces, POST adds, DELETE removes, and nothing else changes."""
    changed = apply(change)
    assert {_short(quad) for quad in changed.quads} == left
    assert changed.has_created is has_created


def test_relative_iris_are_resolved_against_the_graph() -> None:
    """Its IRI is the base of what is sent to it."""
    changed = apply(whole("put", body="<#x> <p> <> ."), "")
    assert str(next(iter(changed.quads))) == f"<{G}#x> <http://e/p> <{G}> <{G}>"


def test_a_graph_that_is_not_there_cannot_be_deleted() -> None:
    """404; the default graph is always there."""
    with pytest.raises(errors.NotFound):
        apply(whole("delete", "http://e/x"))
    assert apply(whole("delete", None), "").quads == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (whole("put")._replace(is_creation=True), "already"),
        (whole("put", None)._replace(is_creation=True), "the default graph already"),
        (whole("put", "http://e/x")._replace(is_replacement=True), "no graph"),
    ],
)
def test_preconditions(change: Change, words: str) -> None:
    """If-None-Match: * makes only what is not there, If-Match: * changes only what is."""
    with pytest.raises(errors.PreconditionFailed, match=words):
        apply(change)


def test_a_triple_is_no_object() -> None:
    """RDF 1.2 would break answers in JSON-LD; the graph is RDF 1.1."""
    with pytest.raises(errors.InvalidRequest, match="is a triple"):
        apply(whole("post", body="<a:s> <a:p> <<( <a:s> <a:p> <a:o> )>> ."))
    with pytest.raises(errors.InvalidRequest, match="is a triple"):
        update("INSERT DATA { <a:s> <a:p> <<( <a:s> <a:p> <a:o> )>> }")


def test_an_unusable_graph_name_is_refused() -> None:
    """The message shows it."""
    with pytest.raises(errors.InvalidRequest, match="no iri"):
        apply(whole("put", "no iri"))

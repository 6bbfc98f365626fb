"""Where in a request something is wrong."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from pyoxigraph import RdfFormat, parse

from intmk import placing
from intmk.changes import Change
from intmk.report import Finding
from write_fixtures import PASSAGE, Writing, writing

PREFIXES = {"x": "http://x/"}


def found(focus: str, path: str = "", value: str = "") -> Finding:
    """Return a finding about a thing, a property of it, or a value."""
    about = (f"http://x/{one}" if one else "" for one in (focus, path))
    return Finding("a:g", None, None, "error", "rule", "Falsch.", "Wrong.", *about, value)


def place(change: Change, *findings: Finding) -> list[tuple[str, int | None, int | None]]:
    """Return the places of findings in a change."""
    several = placing.placed(findings, change, set(), PREFIXES, "http://x/")
    return [(one.file, one.line, one.column) for one in several]


TURTLE = b"@prefix x: <http://x/> .\nx:a x:p 1 ;\n  x:q <b> .\n"


def test_a_body_of_turtle() -> None:
    """The value, else the property, else the thing; relative IRIs are those of the graph."""
    change = Change("put", TURTLE, "ttl", "http://x/")
    body = "request body"
    assert place(change, found("a", "q", "<http://x/b>")) == [(body, 3, 7)]
    assert place(change, found("a", "p", "2")) == [(body, 2, 5)]
    assert place(change, found("a", "r")) == [(body, 2, 1)]


def test_what_is_not_in_the_body_comes_last() -> None:
    """It keeps the name of its graph."""
    change = Change("post", TURTLE, "ttl", "http://x/g")
    assert place(change, found("z"), found("a", "q"), found("a", "p")) == [
        ("request body", 2, 5), ("request body", 3, 3), ("a:g", None, None),
    ]  # fmt: skip


def test_n_triples_need_no_head() -> None:
    """The first line is the first line."""
    change = Change("put", b"<http://x/a> <http://x/p> <http://x/b> .", "nt", "http://x/g")
    assert place(change, found("a", "p")) == [("request body", 1, 14)]


@pytest.mark.parametrize(
    "change",
    [
        Change("put", b'[{"@id": "http://x/a", "http://x/p": 1}]', "jsonld", "http://x/g"),
        Change(
            "put", b"<http://x/a> <http://x/p> <<( <a:b> <a:c> <a:d> )>> .", "ttl", "http://x/g"
        ),
        Change("put", TURTLE + b" " * placing.MAX_CHARACTERS, "ttl", "http://x/g"),
        Change("update", b"DELETE WHERE { x:a x:p ?o }"),
        Change("delete", graph="http://x/g"),
        Change("patch", b"TX .\nTC .\n"),
    ],
)
def test_a_body_without_places(change: Change) -> None:
    """The finding names the thing, and its graph as before."""
    assert place(change, found("a", "p")) == [("a:g", None, None)]


UPDATE = b"""DELETE WHERE { GRAPH x:g { x:a x:q ?old } } ; # INSERT DATA { x:a x:p 3 }
PREFIX y: <http://x/>
INSERT DATA { GRAPH x:g { y:a x:p 5. y:a x:q "}" }
  . x:b x:p 1 GRAPH y:h { x:c x:p 1 } x:d x:p 1 }"""


def test_an_update_has_places_where_it_states_data() -> None:
    """In every graph, in the spelling of SPARQL; what stands elsewhere in it has none."""
    at = [("request body", 3, 31), ("request body", 3, 42), ("request body", 4, 9),
          ("request body", 4, 31), ("request body", 4, 43)]  # fmt: skip
    about = [found("a", "p"), found("a", "q"), found("b", "p"), found("c", "p"), found("d", "p")]
    assert place(Change("update", UPDATE), *about) == at


@pytest.mark.parametrize(
    ("update", "count"),
    [
        ("INSERT DATA { <a:a> <a:b> 'INSERT DATA { }' }", 1),
        ("INSERT DATA { } ; INSERT DATA { <a:a> <a:b> 1, 2 . }", 2),
        ("BASE <http://x/> INSERT DATA { <a> <b> <c> } ; INSERT { ?s ?p 1 } WHERE { ?s ?p 2 }", 1),
        ("PREFIX a: <http://x/> DELETE DATA { a:a a:b 1 } ; INSERT DATA { GRAPH a:g { } }", 0),
        ("INSERT DATA { <a:a> <a:b> 1 ", 0),
        ("", 0),
    ],
)
def test_inserted_data_is_trig(update: str, count: int) -> None:
    """Of the same length as the update, with nothing of what it does otherwise."""
    text = placing.inserted(update)
    assert len(text) == len(update)
    try:
        read = list(parse(text, RdfFormat.TRIG))
    except SyntaxError:
        read = []
    assert len(read) == count


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server that can be written to."""
    with writing(tmp_path_factory.mktemp("placing") / "var") as server:
        yield server


MISSPELT = """@prefix conference: <https://w3id.org/intmk/id/conference/> .
@prefix intmk: <https://w3id.org/intmk/ontology#> .
conference:intmk-18 intmk:ordinal 18 ;
    intmk:ordnal 19 .
"""


def test_a_graph_that_is_refused_has_places(server: Writing) -> None:
    """The answer names line and column of the term that is wrong, in the body as it was sent."""
    response = server.client.post(
        f"/graphs?graph={quote(PASSAGE, safe='')}", data=MISSPELT, content_type="text/turtle",
        headers=server.header(),
    )  # fmt: skip
    assert response.status_code == 422
    problem = response.get_json(force=True)
    (found,) = problem["findings"]
    assert (found["file"], found["line"], found["column"]) == ("request body", 4, 5)
    assert found["rule"] == "unknown-term"
    assert problem["hint"].startswith("request body:4:5: ")


def test_an_update_that_is_refused_has_places(server: Writing) -> None:
    """Where it inserts data; for what it takes away the thing is named."""
    text = f"""DELETE WHERE {{ GRAPH ?g {{ ?s rdfs:label ?l }} }} ;
DELETE WHERE {{ GRAPH ?g {{ ?s intmk:ordinal 18 }} }} ;
INSERT DATA {{ GRAPH <{PASSAGE}> {{
  body:intmk intmk:earliest "soon"^^xsd:date }} }}"""
    response = server.client.post("/update", data={"update": text}, headers=server.header())
    assert response.status_code == 422
    first, *others = response.get_json(force=True)["findings"]
    assert (first["rule"], first["line"], first["column"]) == ("ill-typed-literal", 4, 29)
    assert {one["line"] for one in others} == {None}
    assert all("intmk-18" in one["message_en"] for one in others)

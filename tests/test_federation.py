"""Queries that ask other servers: real ones, and such as cannot be relied on."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from intmk import app
from intmk.engine import Engine
from outbound_fixtures import OK, answering
from remote_fixtures import oxigraph, virtuoso
from server_fixtures import A, make_settings, publish, quads, running

NUMBERS = "https://example.org/number"
RESULTS = {"head": {"vars": ["a"]}, "results": {"bindings": []}}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Workers on the small graph."""
    folder = tmp_path_factory.mktemp("store")
    publish(folder, "first")
    with running(folder, query_timeout_s=60) as (engine, _):
        yield engine


@pytest.fixture(scope="module")
def other(engine: Engine) -> Iterator[str]:
    """Another server of ours, which answers at this address."""
    settings = make_settings(engine._settings.store)
    wsgi = app.create_app(settings, engine).wsgi_app
    server = make_server("127.0.0.1", 0, wsgi, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/sparql"
    server.shutdown()
    thread.join()
    server.server_close()


def client(engine: Engine, *services: str, **explicit: object) -> FlaskClient:
    """Return a client of a server that may ask these endpoints."""
    names = ",".join(services) or "none"
    settings = make_settings(engine._settings.store, services=names, **explicit)
    return app.create_app(settings, engine).test_client()


def rows(response: Any) -> list[dict[str, str]]:
    """Return the values of an answer's solutions."""
    assert response.status_code == 200, response.text
    found = response.json["results"]["bindings"]
    return [{name: term["value"] for name, term in row.items()} for row in found]


def ask(engine: Engine, query: str, *services: str, **explicit: object) -> Any:
    """Return the answer to a query that may ask these endpoints."""
    return client(engine, *services, **explicit).post("/sparql", data={"query": query})


def test_solutions_of_another_server_are_joined(engine: Engine, other: str) -> None:
    """In both directions, with what either needs no declaration for."""
    query = f"""SELECT ?name ?label ?n {{
      VALUES ?n {{ 3 5 5000 }} ?thing <{NUMBERS}> ?n .
      SERVICE <{other}> {{ ?thing <{NUMBERS}> ?n . FILTER(?n < 5) }}
      SERVICE <{other}> {{ GRAPH ?name {{ ?place rdfs:label ?label }} FILTER(?label = "Hessen") }}
    }}"""
    assert rows(ask(engine, query, other)) == [{"name": A, "label": "Hessen", "n": "3"}]


@pytest.fixture(scope="module", params=["oxigraph", "virtuoso"])
def foreign(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The endpoint of another engine, on the same graph."""
    folder = tmp_path_factory.mktemp("foreign")
    dump = folder / "dump.nq"
    dump.write_text(quads(), encoding="utf-8")
    serve = oxigraph(dump) if request.param == "oxigraph" else virtuoso(dump, folder)
    with serve as address:
        yield address


def test_the_servers_of_others_are_asked(engine: Engine, foreign: str) -> None:
    """They read what they are sent, and their terms come back as they are."""
    query = f"""PREFIX e: <https://example.org/>
    SELECT ?n ?label ?type {{
      ?thing e:number ?n FILTER(?n IN (3, 5, 7))
      SERVICE <{foreign}> {{ ?thing e:number ?n . FILTER(?n < 6) }}
      SERVICE <{foreign}> {{ e: owl:versionInfo ?label }}
      SERVICE SILENT <{foreign}> {{ SELECT (COUNT(*) AS ?all) {{ ?s e:number ?o }} }}
      BIND(DATATYPE(?all) AS ?type)
    }} ORDER BY ?n"""
    shared = {"label": "first", "type": "http://www.w3.org/2001/XMLSchema#integer"}
    assert rows(ask(engine, query, foreign)) == [{"n": "3"} | shared, {"n": "5"} | shared]


def test_what_the_server_of_others_says_of_an_error_is_told(engine: Engine, foreign: str) -> None:
    """Its status, and its words where they are plain."""
    query = f"ASK {{ SERVICE <{foreign}> {{ ?s ?p ?o FILTER(<urn:no-such-function>(?o)) }} }}"
    response = ask(engine, query, foreign)
    assert response.status_code == 502
    assert response.json["detail"].startswith(f"<{foreign}> answered ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT (COUNT(*) AS ?n) { SERVICE <O> { ?s <N> ?o } }", [{"n": "1000"}]),
        ("SELECT (COUNT(DISTINCT *) AS ?n) { SERVICE <O> { ?s <N> ?o } }", [{"n": "1000"}]),
        ("SELECT ?v { VALUES ?v { 1 } OPTIONAL { SERVICE <O> { ?s <N> 2000 } } }", [{"v": "1"}]),
        ("SELECT ?v { VALUES ?v { 1 2 } MINUS { SERVICE <O> { ?s <N> ?v FILTER(?v < 2) } } }",
         [{"v": "2"}]),
        ("SELECT ?v { VALUES ?v { 1 2 } FILTER NOT EXISTS { SERVICE <O> { VALUES ?v { 2 } } } }",
         [{"v": "1"}]),
        ("SELECT ?v { { VALUES ?v {'a'} } UNION { SERVICE <O> { BIND('b' AS ?v) } } } ORDER BY ?v",
         [{"v": "a"}, {"v": "b"}]),
        ("SELECT ?v ?w { SERVICE <O> { VALUES (?v ?w) { (1 UNDEF) (UNDEF 2) } } }",
         [{"v": "1"}, {"w": "2"}]),
        ("SELECT ?v { SERVICE <O> { SELECT (COUNT(*) AS ?v) { ?s <N> ?o } } }", [{"v": "1000"}]),
        ("SELECT ?v { SERVICE <O> { BIND(\"a\\n\\\"'\\\\ 😀\\u0000\" AS ?v) } }",
         [{"v": "a\n\"'\\ 😀\0"}]),
        ("SELECT (DATATYPE(?v) AS ?d) { SERVICE <O> { BIND(1.50 AS ?v) } }",
         [{"d": "http://www.w3.org/2001/XMLSchema#decimal"}]),
        ("SELECT ?b { SERVICE <O> { [] <N> ?b FILTER(?b = 7) } }", [{"b": "7"}]),
        ("SELECT ?v { SERVICE <O> { BIND(BNODE() AS ?b) BIND(1 AS ?v) } }", [{"v": "1"}]),
    ],
)  # fmt: skip
def test_a_clause_is_worth_its_solutions(
    engine: Engine, other: str, query: str, expected: list[dict[str, str]]
) -> None:
    """Wherever a clause may stand, whatever the terms, as often as the solutions come."""
    text = query.replace("<O>", f"<{other}>").replace("<N>", f"<{NUMBERS}>")
    assert rows(ask(engine, text, other)) == expected


def test_an_answer_that_others_had_part_in_is_not_kept(engine: Engine, other: str) -> None:
    """It has no entity tag, and nobody may store it."""
    query = f"ASK {{ SERVICE <{other}> {{ ?s ?p 7 }} }}"
    here = client(engine, other)
    for _ in range(2):
        response = here.get("/sparql", query_string={"query": query})
        assert response.json["boolean"] is True
        assert "ETag" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Server-Timing"].startswith("query")


def test_the_page_asks_others_too(engine: Engine, other: str) -> None:
    """The form for browsers answers what the protocol does."""
    query = f"SELECT ?v {{ SERVICE <{other}> {{ BIND('from there' AS ?v) }} }}"
    page = client(engine, other).get(
        "/sparql", query_string={"query": query}, headers={"Accept": "text/html"}
    )
    assert page.status_code == 200
    assert "from there" in page.text.replace(query.replace("'", "&#39;"), "")


@pytest.mark.parametrize("silent", ["", "SILENT "])
def test_only_named_endpoints_are_asked(engine: Engine, other: str, silent: str) -> None:
    """Not one that differs in a character, and not one behind another."""
    wrong = f"ASK {{\n SERVICE {silent}<{other}?x> {{ ?s ?p ?o }} }}"
    nested = f"ASK {{ SERVICE <{other}> {{\n SERVICE {silent}<{other}> {{ ?s ?p ?o }} }} }}"
    for query in (wrong, nested):
        response = ask(engine, query, other)
        assert response.status_code == 403
        assert (response.json["line"], response.json["column"]) == (2, 2)
        assert "clauses" not in response.json
    assert other in ask(engine, wrong, other).json["hint"]


def test_nobody_is_asked_too_much(engine: Engine, other: str) -> None:
    """A query has few clauses; what was answered once is not asked for again."""
    many = "".join(f"SERVICE <{other}> {{ ?s ?p {number} }}" for number in range(9))
    assert ask(engine, f"ASK {{ {many} }}", other).status_code == 400
    with answering([OK, json.dumps(RESULTS).encode()]) as (url, requests):
        query = f"ASK {{ SERVICE <{url}> {{ ?s ?p 1 }} SERVICE <{url}> {{ ?s ?p 1 }} }}"
        assert ask(engine, query, url).json["boolean"] is False
    assert len(requests) == 1


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"
FAILURES = {
    "a page": [PAGE],
    "no JSON": [OK, b"{"],
    "deep JSON": [OK, b"[" * 100_000],
    "other JSON": [OK, b"[]"],
    "no rows": [OK, b'{"head":{},"boolean":true}'],
    "rows that are none": [OK, b'{"head":{},"results":{"bindings":[7]}}'],
    "terms that are none": [OK, b'{"head":{},"results":{"bindings":[{"v":7}]}}'],
    "an IRI that is none": [
        OK, b'{"head":{},"results":{"bindings":[{"v":{"type":"uri","value":"> } x"}}]}}'
    ],
    "half a character": [
        OK, b'{"head":{},"results":{"bindings":[{"v":{"type":"literal","value":"\\ud800"}}]}}'
    ],
    "a triple": [
        OK, b'{"head":{},"results":{"bindings":[{"v":{"type":"triple","value":{}}}]}}'
    ],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told_with_its_place_or_passed_over(engine: Engine, name: str) -> None:
    """502 and where, or with SILENT one solution that binds nothing."""
    query = "SELECT ?v ?w {\n VALUES ?w { 1 } SERVICE SILENT <URL> { ?s ?p ?v } }"
    with answering(FAILURES[name]) as (url, _):
        failed = ask(engine, query.replace("SILENT ", "").replace("URL", url), url)
    assert failed.status_code == 502
    assert (failed.json["line"], failed.json["column"]) == (2, 18)
    assert url in failed.json["detail"]
    with answering(FAILURES[name]) as (url, _):
        assert rows(ask(engine, query.replace("URL", url), url)) == [{"w": "1"}]


def test_too_much_and_too_slow(engine: Engine) -> None:
    """The limits are told, with what to do."""
    with answering([OK, b" " * 5000]) as (url, _):
        many = ask(engine, f"ASK {{ SERVICE <{url}> {{ ?s ?p ?o }} }}", url, service_bytes=1000)
    assert many.status_code == 502
    assert "1000 bytes" in many.json["detail"]
    with answering([OK], is_silent=True) as (url, _):
        query = f"ASK {{ SERVICE <{url}> {{ ?s ?p ?o }} }}"
        slow = ask(engine, query, url, service_timeout_s=0.2)
    assert (slow.status_code, slow.json["limit_s"]) == (504, 0.2)
    assert "VALUES" in slow.json["hint"]


def test_a_blank_node_is_told_and_not_renamed(engine: Engine, other: str) -> None:
    """Its name would say something else here; who does not need it is not bothered."""
    query = f"SELECT ?b {{ SERVICE SILENT <{other}> {{ BIND(BNODE() AS ?b) }} }}"
    response = ask(engine, query, other)
    assert response.status_code == 400
    assert "?b with a blank node" in response.json["detail"]
    counted = query.replace("SELECT ?b", "SELECT (COUNT(*) AS ?n)")
    assert rows(ask(engine, counted, other)) == [{"n": "1"}]


def test_those_who_wait_for_others_leave_room(engine: Engine) -> None:
    """A quarter of the threads may; the next is told to come again."""
    patience = threading.Event()
    with answering([], is_silent=True) as (url, asked):
        here = client(engine, url, front_threads=4, service_timeout_s=60)
        query = {"query": f"ASK {{ SERVICE <{url}> {{ ?s ?p ?o }} }}"}
        thread = threading.Thread(target=here.post, args=["/sparql"], kwargs={"data": query})
        thread.start()
        while not asked:
            patience.wait(0.01)
        assert here.post("/sparql", data=query).status_code == 503
        assert here.post("/sparql", data={"query": "ASK {}"}).status_code == 200
    thread.join()


def test_an_endpoint_is_a_plain_address(tmp_path: Path) -> None:
    """Only plain addresses can be named."""
    for wrong in ("example.org", "ftp://x/", "http://u:p@x/", "http://x/#y", "http://ä.example/"):
        with pytest.raises(ValueError, match="services"):
            make_settings(tmp_path, services=wrong)
    named = "https://query.wikidata.org/sparql, http://[::1]:8000/sparql"
    assert make_settings(tmp_path, services=named).services == named


def test_a_long_pattern_goes_out_whole(engine: Engine, other: str) -> None:
    """As long as a request may be."""
    numbers = " ".join(str(number) for number in range(100_000))
    pattern = f"VALUES ?n {{ {numbers} }} ?thing <{NUMBERS}> ?n FILTER(?n > 997)"
    query = f"SELECT ?n {{ SERVICE <{other}> {{ {pattern} }} }} ORDER BY ?n"
    assert len(query) > 500_000
    assert rows(ask(engine, query, other)) == [{"n": "998"}, {"n": "999"}]

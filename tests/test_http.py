"""The HTTP contract as one table, and its finer points, against a real engine."""

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from flask.testing import FlaskClient
from pyoxigraph import NamedNode, RdfFormat, parse
from werkzeug.test import TestResponse

from intmk import app, replies
from server_fixtures import A, B, publish, running
from test_replies import DECODERS

ASK, SELECT = "ASK {}", "SELECT ?s { ?s ?p 7 }"
CONSTRUCT = "CONSTRUCT WHERE { ?s ?p 7 }"
JSON, XML = "application/sparql-results+json", "application/sparql-results+xml"
PROBLEM = "application/problem+json"
FORM = "application/x-www-form-urlencoded"
TURTLE = "text/turtle; charset=utf-8"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The application on a small graph; requests carry no Accept unless they say so."""
    store = tmp_path_factory.mktemp("store")
    publish(store, "first")
    with running(store, query_bytes=50_000) as (engine, settings):
        yield app.create_app(settings, engine).test_client()


def sparql(query: str, **others: str) -> str:
    """Return the path of a query with further parameters."""
    names = {name.replace("_", "-"): value for name, value in others.items()}
    return "/sparql?" + urlencode({"query": query} | names)


TABLE = [
    # method, path, Accept, status, Content-Type
    ("GET", sparql(SELECT), None, 200, JSON),
    ("GET", sparql(SELECT), "*/*", 200, JSON),
    ("GET", sparql(SELECT), XML, 200, XML),
    ("GET", sparql(SELECT), "text/csv", 200, "text/csv; charset=utf-8"),
    (
        "GET",
        sparql(SELECT),
        "text/tab-separated-values",
        200,
        "text/tab-separated-values; charset=utf-8",
    ),
    ("GET", sparql(SELECT), "application/json", 200, "application/json"),
    ("GET", sparql(SELECT), "text/turtle", 406, PROBLEM),
    ("GET", sparql(SELECT), "image/png", 406, PROBLEM),
    ("GET", sparql(SELECT), f"{JSON};q=0, text/csv", 200, "text/csv; charset=utf-8"),
    ("GET", sparql(SELECT), f"text/turtle, {XML};q=0.1", 200, XML),
    ("GET", sparql(ASK), None, 200, JSON),
    ("GET", sparql(ASK), XML, 200, XML),
    ("GET", sparql(CONSTRUCT), None, 200, TURTLE),
    ("GET", sparql(CONSTRUCT), "application/n-triples", 200, "application/n-triples"),
    ("GET", sparql(CONSTRUCT), "application/rdf+xml", 200, "application/rdf+xml"),
    ("GET", sparql(CONSTRUCT), "application/ld+json", 200, "application/ld+json"),
    ("GET", sparql(CONSTRUCT), "application/trig", 200, "application/trig"),
    ("GET", sparql(CONSTRUCT), "application/n-quads", 200, "application/n-quads"),
    ("GET", sparql(CONSTRUCT), JSON, 406, PROBLEM),
    ("GET", sparql("DESCRIBE <https://example.org/n/7>"), None, 200, TURTLE),
    ("GET", sparql(SELECT, format="csv"), JSON, 200, "text/csv; charset=utf-8"),
    ("GET", sparql(SELECT, format="json"), BROWSER, 200, JSON),
    ("GET", sparql(CONSTRUCT, format="json"), None, 200, "application/ld+json"),
    ("GET", sparql(CONSTRUCT, format="csv"), None, 406, PROBLEM),
    ("GET", sparql(SELECT, format="pdf"), None, 400, PROBLEM),
    ("GET", "/sparql", None, 200, TURTLE),
    ("GET", "/sparql", "application/ld+json", 200, "application/ld+json"),
    ("GET", "/sparql", "application/rdf+xml", 200, "application/rdf+xml"),
    ("GET", "/sparql", "text/csv", 406, PROBLEM),
    ("GET", "/sparql?query=", None, 400, PROBLEM),
    ("GET", sparql("SELECT"), None, 400, PROBLEM),
    ("GET", sparql("SELECT"), BROWSER, 400, "text/html; charset=utf-8"),
    ("GET", sparql("SELECT"), "text/plain", 400, "text/plain; charset=utf-8"),
    ("GET", sparql("SELECT"), "application/json", 400, "application/json"),
    ("GET", sparql(ASK) + "&query=ASK%7B%7D", None, 400, PROBLEM),
    ("GET", sparql(ASK, format="json") + "&format=xml", None, 400, PROBLEM),
    ("GET", "/sparql?query=%FF", None, 400, PROBLEM),
    ("GET", sparql(ASK, default_graph_uri="relative"), None, 400, PROBLEM),
    ("GET", sparql("ASK { SERVICE <http://127.0.0.1/> {} }"), None, 403, PROBLEM),
    ("GET", sparql("INSERT DATA { <a:b> <a:c> 1 }"), None, 403, PROBLEM),
    ("GET", "/sparql?update=CLEAR+ALL", None, 403, PROBLEM),
    ("HEAD", sparql(SELECT), None, 200, JSON),
    ("HEAD", sparql("SELECT"), None, 400, PROBLEM),
    ("PUT", "/sparql", None, 405, PROBLEM),
    ("DELETE", "/sparql", None, 405, PROBLEM),
    ("PATCH", "/sparql", "text/plain", 405, "text/plain; charset=utf-8"),
    ("POST", "/sparql", None, 415, PROBLEM),
    ("GET", "/nothing", None, 404, PROBLEM),
    ("GET", "/nothing", BROWSER, 404, "text/html; charset=utf-8"),
    ("GET", "/sparql/", None, 404, PROBLEM),
    ("GET", "/health", None, 200, "application/json"),
    ("GET", "/health/live", None, 200, "application/json"),
    ("HEAD", "/health/ready", None, 200, "application/json"),
    ("DELETE", "/sparql/running/0123456789abcdef", None, 404, PROBLEM),
    ("GET", "/sparql/running/0123456789abcdef", None, 405, PROBLEM),
    ("POST", "/health", None, 405, PROBLEM),
]


@pytest.mark.parametrize(("method", "path", "accept", "status", "content_type"), TABLE)
def test_the_contract(
    client: FlaskClient,
    method: str,
    path: str,
    accept: str | None,
    status: int,
    content_type: str,
) -> None:
    """Status and format are those of the table; every answer may be read by any page."""
    headers = {"Accept": accept} if accept else {}
    response = client.open(path, method=method, headers=headers)
    assert (response.status_code, response.headers["Content-Type"]) == (status, content_type)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    if path.startswith("/sparql"):
        assert "Accept" in response.headers.get("Vary", "")
    if status >= 400 and content_type == PROBLEM and method != "HEAD":
        body = json.loads(response.data)
        assert body["status"] == status
        assert {"type", "title", "detail"} <= set(body)


POSTS = [
    # Content-Type, body, path, status
    (FORM, urlencode({"query": SELECT}), "/sparql", 200),
    (f"{FORM}; charset=UTF-8", urlencode({"query": SELECT}), "/sparql", 200),
    ("application/sparql-query", SELECT, "/sparql", 200),
    ("application/sparql-query; charset=utf-8", SELECT, "/sparql?format=csv", 200),
    ("application/sparql-query; charset=utf-16", SELECT, "/sparql", 415),
    ("application/sparql-query", SELECT, sparql(SELECT), 400),
    ("application/sparql-query", b"ASK { ?s ?p '\xff' }", "/sparql", 400),
    (FORM, urlencode({"query": SELECT}), sparql(SELECT), 400),
    (FORM, "format=json", "/sparql", 400),
    (FORM, "", "/sparql", 400),
    (FORM, "query=%ff", "/sparql", 400),
    (FORM, "update=CLEAR+ALL", "/sparql", 400),
    ("application/sparql-update", "CLEAR ALL", "/sparql", 403),
    ("text/plain", SELECT, "/sparql", 415),
    ("multipart/form-data; boundary=x", "--x--", "/sparql", 415),
    ("application/sparql-query", "#" * 60_000 + "\n" + SELECT, "/sparql", 413),
    (FORM, urlencode({"query": "#" * 60_000}), "/sparql", 413),
]


@pytest.mark.parametrize(("content_type", "body", "path", "status"), POSTS)
def test_queries_are_posted_as_a_form_or_directly(
    client: FlaskClient, content_type: str, body: str | bytes, path: str, status: int
) -> None:
    """The three ways of SPARQL 1.1 Protocol section 2.1, and what is wrong with others."""
    response = client.post(path, data=body, content_type=content_type)
    assert response.status_code == status, response.text
    assert status != 200 or "https://example.org/n/7" in response.text


def test_a_chunked_body_is_limited_too(client: FlaskClient) -> None:
    """Without a Content-Length the limit is counted while reading."""
    response = client.post(
        "/sparql",
        input_stream=io.BytesIO(b"#" * 60_000),
        content_type="application/sparql-query",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert response.status_code == 413


@pytest.mark.parametrize("text", ["Größe 😀", "100%", "a+b", "%20", "\\u00e4", "🜚 #&=;"])
def test_every_character_survives_in_and_out(client: FlaskClient, text: str) -> None:
    """Percent signs, plus signs, umlauts and non-BMP characters arrive as they were sent."""
    literal = text.replace("\\", "\\\\")
    query = f'SELECT ("{literal}" AS ?t) {{}}'
    by_get = client.get(f"/sparql?query={quote(query)}")
    by_form = client.post("/sparql", data={"query": query})
    direct = client.post("/sparql", data=query.encode(), content_type="application/sparql-query")
    for response in (by_get, by_form, direct):
        assert json.loads(response.data)["results"]["bindings"][0]["t"]["value"] == text


def test_the_dataset_of_the_request_is_used(client: FlaskClient) -> None:
    """default-graph-uri may be repeated; named-graph-uri is what GRAPH sees."""
    labels = "SELECT (COUNT(*) AS ?n) { ?s rdfs:label ?o }"
    named = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s rdfs:label ?o } }"
    one = sparql(labels, default_graph_uri=A)
    assert _count(client.get(sparql(labels))) == "0"
    assert _count(client.get(one)) == "1"
    assert _count(client.get(f"{one}&default-graph-uri={quote(B)}")) == "2"
    assert _count(client.get(sparql(named, named_graph_uri=B))) == "1"
    assert _count(client.get(sparql(named, default_graph_uri=A))) == "0"


def _count(response: TestResponse) -> str:
    rows = json.loads(response.data)["results"]["bindings"]
    value: str = rows[0]["n"]["value"]
    return value


def test_an_error_has_its_line_and_column(client: FlaskClient) -> None:
    """The problem document points at the first token that does not fit."""
    body = client.get(sparql("SELECT * {\n ?s ?p ) }")).get_json(force=True)
    assert (body["line"], body["column"]) == (2, 8)
    text = client.get(sparql("SELECT * {\n ?s ?p ) }"), headers={"Accept": "text/plain"}).text
    assert "Line 2, column 8\n" in text


def test_an_error_page_shows_what_was_sent_as_text(client: FlaskClient) -> None:
    """Markup in a query stays text in the HTML error."""
    response = client.get(sparql("<script>alert(1)</script>"), headers={"Accept": BROWSER})
    assert response.status_code == 400
    assert "<script>" not in response.text


def test_a_406_lists_what_is_offered(client: FlaskClient) -> None:
    """The client learns what to ask for, fitting the kind of its query."""
    body = client.get(sparql(CONSTRUCT, format="csv")).get_json(force=True)
    assert "text/turtle" in body["offered"]
    assert "text/csv" not in body["offered"]


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    """405 comes with Allow."""
    allow = client.put("/sparql").headers["Allow"].split(", ")
    assert {"GET", "HEAD", "POST", "OPTIONS"} == set(allow)


def test_a_preflight_request_is_allowed(client: FlaskClient) -> None:
    """A page may post a query with its own Accept and Content-Type."""
    response = client.options(
        "/sparql",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"},
    )
    assert response.status_code == 200
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
    assert response.data == b""


def test_an_answer_names_its_version_and_time(client: FlaskClient) -> None:
    """The version leads back to this answer; the time is the query's."""
    query = "SELECT ?s { ?s ?p 8 }"
    headers = client.get(sparql(query)).headers
    assert client.get(sparql(query)).headers["Server-Timing"].startswith("cache;dur=")
    assert headers["Graph-Version"] == "first"
    assert headers["Server-Timing"].startswith("query;dur=")
    assert headers["ETag"].startswith('"first-')


def test_an_answer_the_client_has_is_not_sent_again(client: FlaskClient) -> None:
    """If-None-Match gives 304 for the same question and format only."""
    tag = client.get(sparql(SELECT)).headers["ETag"]
    again = client.get(sparql(SELECT), headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Vary"] == "Accept, Accept-Encoding"
    other = client.get(sparql(SELECT), headers={"If-None-Match": tag, "Accept": "text/csv"})
    assert (other.status_code, other.headers["ETag"] != tag) == (200, True)
    assert client.get(sparql(ASK), headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("function", ["NOW()", "RAND()", "UUID()", "STRUUID()"])
def test_an_answer_that_changes_each_time_has_no_tag(client: FlaskClient, function: str) -> None:
    """Nobody is told that a random number is still the same."""
    headers = client.get(sparql(f"SELECT ({function} AS ?x) {{}}")).headers
    assert "ETag" not in headers
    assert headers["Cache-Control"] == "no-store"


def test_head_says_what_get_would_without_sending_it(client: FlaskClient) -> None:
    """Same headers, no body."""
    got, head = client.get(sparql(SELECT)), client.head(sparql(SELECT))
    assert head.data == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Vary"):
        assert head.headers[name] == got.headers[name]


def test_a_long_answer_has_its_length_and_is_whole(client: FlaskClient) -> None:
    """Megabytes arrive complete, with the length announced."""
    query = "SELECT ?a ?b { ?a ?p ?c . ?b ?q ?d FILTER(?d < 100) }"
    response = client.get(sparql(query, format="csv"), buffered=True)
    assert len(response.data) == int(response.headers["Content-Length"]) > 2_000_000
    assert response.data.count(b"\r\n") == 100 * 1001 + 1
    assert client.head(sparql(query, format="csv"), buffered=True).data == b""


def test_the_service_description_counts_the_graphs(client: FlaskClient) -> None:
    """GET without a query describes the endpoint and its dataset in RDF."""
    response = client.get("/sparql", headers={"Accept": "application/n-triples"})
    found = {
        (quad.predicate.value.rpartition("#")[2], getattr(quad.object, "value", ""))
        for quad in parse(response.data, format=RdfFormat.N_TRIPLES)
    }
    assert ("type", "http://www.w3.org/ns/sparql-service-description#Service") in found
    assert {("triples", "1001"), ("triples", "1"), ("name", A), ("name", B)} <= found
    formats = {value for name, value in found if name == "resultFormat"}
    assert len(formats) == 10
    assert NamedNode("http://www.w3.org/ns/formats/Turtle").value in formats


def test_a_query_past_its_deadline_is_504(client: FlaskClient) -> None:
    """The problem names the limit; the next question is answered."""
    response = client.get(sparql("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"))
    assert response.status_code == 504
    assert response.get_json(force=True)["limit_s"] == 1
    assert client.get(sparql(ASK)).status_code == 200


def test_health_tells_version_and_workers(client: FlaskClient) -> None:
    """What a supervisor asks."""
    assert client.get("/health").get_json() == {"status": "ok", "version": "first", "workers": 2}


@pytest.mark.parametrize("path", [sparql(SELECT), sparql("SELECT"), "/nothing", "/health/live"])
def test_every_answer_has_a_query_id(client: FlaskClient, path: str) -> None:
    """The client's own where it is long enough to be unguessable, else a new one each time."""
    first, second = (client.get(path).headers["Query-Id"] for _ in range(2))
    assert first != second
    assert len(first) == 32
    own = "3f2b8f0e-4f0e-4f0e-9f0e-3f2b8f0e4f0e"
    assert client.get(path, headers={"Query-Id": own}).headers["Query-Id"] == own
    for bad in ("short", "x" * 100, "spaces are not allowed"):
        assert client.get(path, headers={"Query-Id": bad}).headers["Query-Id"] != bad


def test_a_running_query_is_cancelled_by_its_id(client: FlaskClient) -> None:
    """Who knows the id needs no token; the one who waits is told."""
    own = "cancel-me-0123456789"
    endless = sparql("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(
            client.application.test_client().get, endless, headers={"Query-Id": own}
        )
        while client.delete(f"/sparql/running/{own}").status_code != 204:
            assert not waiting.done()
        response = waiting.result()
    assert response.status_code == 409
    assert response.get_json(force=True)["type"].endswith("/query-cancelled")


@pytest.mark.parametrize("coding", replies.CODINGS)
def test_a_client_that_takes_a_coding_gets_it(client: FlaskClient, coding: str) -> None:
    """With a tag, a length and a digest of its own, from the cache too; short answers are plain."""
    path = sparql("SELECT ?s { ?s ?p ?o } LIMIT 200")
    plain = client.get(path)
    for _ in range(2):
        coded = client.get(path, headers={"Accept-Encoding": coding})
        assert coded.headers["Content-Encoding"] == coding
        assert DECODERS[coding](coded.data) == plain.data
        assert coded.headers["ETag"] == plain.headers["ETag"][:-1] + f'-{coding}"'
        for response in (plain, coded):
            digest = base64.b64encode(hashlib.sha256(response.data).digest()).decode()
            assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
            assert response.headers["Content-Length"] == str(len(response.data))
            assert response.headers["Vary"] == "Accept, Accept-Encoding"
    short = client.get(sparql(ASK), headers={"Accept-Encoding": coding})
    assert "Content-Encoding" not in short.headers
    for tag in (plain.headers["ETag"], coded.headers["ETag"]):
        again = client.get(path, headers={"If-None-Match": tag, "Accept-Encoding": coding})
        assert (again.status_code, again.headers["ETag"]) == (304, tag)


@pytest.mark.parametrize("coding", replies.CODINGS)
def test_a_page_is_compressed_and_not_sent_again(client: FlaskClient, coding: str) -> None:
    """What Flask answers passes through the same codings and conditions."""
    headers = {"Accept": "text/html", "Accept-Encoding": coding}
    page = client.get("/", headers=headers)
    assert page.headers["Content-Encoding"] == coding
    assert b"<html" in DECODERS[coding](page.data)
    again = client.get("/", headers=headers | {"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"]) == (304, page.headers["ETag"])
    head = client.head("/", headers=headers)
    assert (head.data, head.headers["ETag"]) == (b"", page.headers["ETag"])


def test_a_long_answer_may_be_compressed(client: FlaskClient) -> None:
    """Its length is not known before, so it has none."""
    query = "SELECT ?a ?b { ?a ?p ?c . ?b ?q ?d FILTER(?d < 50) }"
    headers = {"Accept-Encoding": "gzip"}
    response = client.get(sparql(query, format="tsv"), headers=headers, buffered=True)
    assert "Content-Length" not in response.headers
    assert gzip.decompress(response.data).count(b"\n") == 50 * 1001 + 1


def test_an_answer_is_kept_for_the_same_question_only(client: FlaskClient) -> None:
    """Format and dataset tell questions apart, method and coding do not; NOW is never kept."""

    def source(path: str, **headers: str) -> str:
        return client.get(path, headers=headers).headers["Server-Timing"].partition(";")[0]

    query = "SELECT ?s { ?s ?p 11 }"
    assert [source(sparql(query)) for _ in range(2)] == ["query", "cache"]
    assert source(sparql(query, format="csv")) == "query"
    assert source(sparql(query, default_graph_uri=A)) == "query"
    posted = client.post("/sparql", data={"query": query})
    assert posted.headers["Server-Timing"].startswith("cache")
    assert "ETag" not in posted.headers
    now = sparql("SELECT (NOW() AS ?now) {}")
    assert [source(now) for _ in range(2)] == ["query", "query"]


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP"])
def test_compressed_requests_are_refused(client: FlaskClient, coding: str) -> None:
    """They are not unpacked, so no bomb goes off."""
    response = client.post(
        "/sparql",
        data=gzip.compress(b"ASK {}"),
        content_type="application/sparql-query",
        headers={"Content-Encoding": coding},
    )
    assert response.status_code == 415
    assert "compressed" in response.get_json(force=True)["detail"]


def test_metrics_tell_what_was_asked(client: FlaskClient) -> None:
    """In the text format of Prometheus, with what is known of the version."""
    client.get(sparql(SELECT))
    client.get(sparql("SELECT * { FILTER(" + "(" * 15_000 + "1" + ")" * 15_000 + ") }"))
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    names = {line.split("{")[0].split(" ")[0] for line in response.text.splitlines()}
    assert {
        "intmk_queries_total",
        "intmk_query_seconds_bucket",
        "intmk_cache_lookups_total",
        "intmk_workers_ended_total",
        "intmk_http_requests_total",
        "intmk_snapshot_bytes",
        "intmk_snapshot_age_seconds",
        "intmk_up",
    } <= names
    assert 'intmk_workers_ended_total{reason="depth"} 0.0' not in response.text


def test_without_workers_every_answer_is_a_clear_503(tmp_path: Path) -> None:
    """Health included; Retry-After says when to come back."""
    publish(tmp_path, "first")
    with running(tmp_path) as (engine, settings):
        gone = app.create_app(settings, engine).test_client()
    assert gone.get("/health/live").status_code == 200
    for path in ("/health", sparql(ASK)):
        response = gone.get(path)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")

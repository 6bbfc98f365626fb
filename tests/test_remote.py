"""The same front over the engines of others, real ones, and over servers that go wrong."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import requests
from flask.testing import FlaskClient
from pyoxigraph import RdfFormat, parse, serialize

from intmk import app, catalogue, errors, sources, store
from intmk.engine import Asker, Question, asker
from intmk.remote import Remote
from outbound_fixtures import answering
from remote_fixtures import free_port, oxigraph, virtuoso
from server_fixtures import TRIPLES, A, make_settings, quads
from test_serving import serving

ROOT = Path(__file__).parent.parent
QUERIES = catalogue.load(ROOT)
JSON = (("json", "application/sparql-results+json"),)
TURTLE = (("ttl", "text/turtle"),)
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
# What Virtuoso 7.2.5 answers differently, and why: its faults, not ours.
BOOLEANS = "it gives booleans as 1 and 0"
VIRTUOSO = {
    "compare-population-and-law": "YEAR of an unbound variable is an error of the whole query",
    "compare-terms-with-rule": "a comparison with an unbound variable is 0, not an error",
    "count-resolutions-by-adoption": "a sum over nothing is a large number",
    "count-sources-by-year": "YEAR of an unbound variable is an error of the whole query",
    "count-support-by-class": "it finds one row fewer in a nested OPTIONAL",
    "find-chair-of-year": "dates plus durations are other dates, and " + BOOLEANS,
    "find-chair-on-day": "FILTER NOT EXISTS over a variable of the outer group finds nothing",
    "find-ministers-on-day": BOOLEANS,
    "find-shared-themes": BOOLEANS,
    "list-events-of-year": BOOLEANS,
    "list-hand-overs": "a duration is a number of seconds",
    "list-identifiers": "GROUP_CONCAT does not keep the order of a subquery",
    "list-longest-serving": BOOLEANS,
    "list-office-holders": "its compiler fails on the subquery",
    "list-planned": "GRAPH ?g finds the graph that stands for the default graph",
    "list-rotation-rules": "a duration is a number of months",
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole graph as N-Quads."""
    dump = tmp_path_factory.mktemp("graph") / "dump.nq"
    serialize(store.dataset(sources.collect(ROOT)), str(dump), format=RdfFormat.N_QUADS)
    return dump


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine with the small graph."""
    dump = tmp_path_factory.mktemp("small") / "dump.nq"
    dump.write_text(quads(), encoding="utf-8")
    with oxigraph(dump) as address:
        yield address


def opened(folder: Path, address: str, **explicit: object) -> Remote:
    """Open an address with some settings."""
    limits: dict[str, object] = {"query_timeout_s": 20} | explicit
    return Remote(folder, make_settings(folder / "store", remote=address, **limits))


def client(remote: Remote) -> FlaskClient:
    """Return a client of the front over an engine."""
    return app.create_app(remote._settings, remote).test_client()


@pytest.fixture(scope="module")
def over_oxigraph(graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of the front over Oxigraph with the whole graph."""
    with oxigraph(graph) as address:
        yield client(opened(tmp_path_factory.mktemp("front"), address))


@pytest.fixture(scope="module")
def over_virtuoso(graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of the front over Virtuoso with the whole graph."""
    with virtuoso(graph, tmp_path_factory.mktemp("virtuoso")) as address:
        yield client(opened(tmp_path_factory.mktemp("front"), address))


@pytest.mark.parametrize("stem", QUERIES)
def test_the_catalogue_answers_over_oxigraph(stem: str, over_oxigraph: FlaskClient) -> None:
    """Every query of the catalogue gives its expected answer."""
    assert answer(over_oxigraph, stem) == expected(stem)


@pytest.mark.parametrize("stem", QUERIES)
def test_the_catalogue_answers_over_virtuoso(stem: str, over_virtuoso: FlaskClient) -> None:
    """Every query but those of the list gives its expected answer; those do not."""
    assert (answer(over_virtuoso, stem) == expected(stem)) == (stem not in VIRTUOSO)


def answer(asked: FlaskClient, stem: str) -> list[list[str]] | int:
    """Return the answer to a query of the catalogue as rows, or sorted triples, or its status."""
    accept = "text/csv" if "\nSELECT " in QUERIES[stem].text else "application/n-triples"
    query = {"query": catalogue.bind(QUERIES[stem], {})}
    response = asked.get("/sparql", query_string=query, headers={"Accept": accept})
    if response.status_code != 200:
        return response.status_code
    return rows(response.text) if accept == "text/csv" else [sorted(response.text.splitlines())]


def rows(text: str) -> list[list[str]]:
    """Return the rows of a CSV text."""
    return list(csv.reader(io.StringIO(text)))


def expected(stem: str) -> list[list[str]]:
    """Return the answer that stands beside a query."""
    path = ROOT / QUERIES[stem].path
    if "\nSELECT " in QUERIES[stem].text:
        return rows(path.with_suffix(".expected.csv").read_text("utf-8"))
    return [sorted(path.with_suffix(".expected.nt").read_text("utf-8").splitlines())]


@pytest.mark.parametrize("engine", ["over_oxigraph", "over_virtuoso"])
def test_pages_and_data_are_those_of_the_graph(engine: str, request: pytest.FixtureRequest) -> None:
    """A thing, the registers, the catalogue, a graph and the description of the service."""
    asked = request.getfixturevalue(engine)
    paths = ("/", "/doc/body/intmk", "/ontology", "/quality", "/queries/list-constitutions")
    for path in paths:
        page = asked.get(path, headers={"Accept": "text/html"})
        assert (page.status_code, "<h1" in page.text) == (200, True)
        assert "/proposals" not in page.text
    for path in ("/data/body/intmk.ttl", "/themes.ttl", "/sparql", "/graphs?default"):
        data = asked.get(path, headers={"Accept": "text/turtle"}, buffered=True)
        assert len(list(parse(data.data, RdfFormat.TURTLE))) > 9
        # Of short documents it is the digest.
        assert ("ETag" in data.headers) == path.endswith(".ttl")
        assert "Graph-Version" not in data.headers
    assert asked.get("/health").get_json() == {"status": "ok"}
    assert "intmk_up 1.0" in asked.get("/metrics").text


@pytest.mark.parametrize("engine", ["over_oxigraph", "over_virtuoso"])
def test_yes_and_no_are_told_in_every_format(engine: str, request: pytest.FixtureRequest) -> None:
    """Also where the engine answers ASK with a table."""
    asked = request.getfixturevalue(engine)
    for kind, value in (("intmk:ConferenceBody", "true"), ("intmk:Nothing", "false")):
        for form in ("json", "xml", "csv", "tsv"):
            query = {"query": f"ASK {{ ?s a {kind} }}", "format": form}
            assert value in asked.get("/sparql", query_string=query).text


def test_virtuoso_may_not_cut_an_answer(
    graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """ResultSetMaxRows makes an error, since some rows would be missing."""
    with virtuoso(graph, tmp_path_factory.mktemp("virtuoso"), most_rows=10) as address:
        remote = opened(tmp_path_factory.mktemp("front"), address)
        assert remote.ask(Question("SELECT * { ?s ?p ?o } LIMIT 9", JSON)).length > 100
        with pytest.raises(errors.StoreFailed, match="cut"):
            remote.ask(Question("SELECT * { ?s ?p ?o }", JSON))


def test_a_dataset_goes_along(small: str, tmp_path: Path) -> None:
    """Graphs that a request names replace the dataset, those in the address included."""
    labels = Question("SELECT ?o { ?s rdfs:label ?o }", JSON)
    remote = opened(tmp_path, small)
    assert values(remote, labels) == []
    assert values(remote, labels._replace(default_graphs=(A,), named_graphs=())) == ["Hessen"]
    inside = Question("SELECT ?o { GRAPH ?g { ?s rdfs:label ?o } }", JSON)
    assert values(remote, inside._replace(default_graphs=(), named_graphs=(A,))) == ["Hessen"]
    named = opened(tmp_path, f"{small}?default-graph-uri={A}")
    assert values(named, labels) == ["Hessen"]
    other = labels._replace(default_graphs=("https://example.org/none",), named_graphs=())
    assert values(named, other) == []
    assert values(named, Question(f"SELECT ?o {{ GRAPH <{A}> {{ ?s ?p ?o }} }}", JSON)) == [
        "Hessen"
    ]


def values(remote: Remote, question: Question) -> list[str]:
    """Return the values of the only column of an answer."""
    found = json.loads(remote.ask(question).read())["results"]["bindings"]
    return [value["value"] for row in found for value in row.values()]


@pytest.mark.parametrize("form", ["ttl", "nt", "jsonld", "rdf", "trig", "nq"])
def test_a_graph_comes_in_every_format(form: str, small: str, tmp_path: Path) -> None:
    """Whatever the engine itself can write."""
    query = "CONSTRUCT { ?s rdfs:label ?o } { GRAPH ?g { ?s rdfs:label ?o } }"
    asked = client(opened(tmp_path, small))
    response = asked.get("/sparql", query_string={"query": query, "format": form})
    found = parse(response.data, RdfFormat.from_extension(form))
    assert sorted(str(quad.object) for quad in found) == ['"Größe 😀"', '"Hessen"']


def test_a_long_answer_is_whole(small: str, tmp_path: Path) -> None:
    """It waits in a file until it has come."""
    answered = opened(tmp_path, small).ask(
        Question(f"SELECT * {{ ?a ?b ?c . ?d ?e ?f }} LIMIT {TRIPLES * 20}", JSON)
    )
    assert not isinstance(answered.content, bytes)
    body = answered.read()
    assert len(body) == answered.length
    assert len(json.loads(body)["results"]["bindings"]) == TRIPLES * 20


def test_an_answer_has_a_limit(small: str, tmp_path: Path) -> None:
    """As it comes in, and as it would go out."""
    remote = opened(tmp_path, small, result_bytes=10_000)
    with pytest.raises(errors.TooLarge, match="10000"):
        remote.ask(Question("SELECT * { ?s ?p ?o }", JSON))
    triples = Question("CONSTRUCT WHERE { ?s ?p ?o } LIMIT 90", TURTLE)
    assert remote.ask(triples).length < 10_000
    with pytest.raises(errors.TooLarge, match="10000"):
        remote.ask(triples._replace(offers=(("rdf", "application/rdf+xml"),)))


def test_a_query_has_a_deadline_and_can_be_stopped(small: str, tmp_path: Path) -> None:
    """By its limit, by its Query-Id in any process, and by a client that leaves."""
    with pytest.raises(errors.QueryTimeout, match=r"after 0\.2 s"):
        opened(tmp_path, small, query_timeout_s=0.2).ask(Question(ENDLESS, JSON))
    remote, gone, name = opened(tmp_path, small), threading.Event(), bytes(15) + b"1"
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(_as, Asker(name), remote)
        await_begin(tmp_path)
        assert opened(tmp_path, small).cancel(name)
        assert isinstance(asked.exception(), errors.QueryCancelled)
        asked = pool.submit(_as, Asker(name, has_left=gone.is_set), remote)
        await_begin(tmp_path)
        gone.set()
        assert isinstance(asked.exception(), errors.ClientLeft)
    assert not remote.cancel(name)
    assert not list((tmp_path / "running").iterdir())


def _as(by: Asker, remote: Remote) -> object:
    asker.set(by)
    return remote.ask(Question(ENDLESS, JSON))


def await_begin(folder: Path) -> None:
    """Return when a question is being answered; a test that hangs here has failed."""
    patience = threading.Event()
    while not list((folder / "running").iterdir()):
        patience.wait(0.01)


def reply(body: bytes, head: str = "", status: str = "200 OK") -> bytes:
    """Return an answer with a length unless the head says another."""
    kind = "" if "Content-Type" in head else "Content-Type: application/sparql-results+json\r\n"
    length = "" if ": chunked" in head or "Length" in head else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{kind}{length}{head}\r\n".encode() + body


YES = b'{"head":{},"boolean":true}'
TABLE = b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"uri","value":"a:b"}}]}}'
CHUNKED = "Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("sent", "kind", "said"),
    [
        (reply(b"", status="404 Not Found"), errors.StoreFailed, "404"),
        (reply(b"", "Location: /x\r\n", "302 Found"), errors.StoreFailed, "302"),
        (reply(b"<h1>Sorry</h1>", status="500 No"), errors.StoreFailed, "500: <h1>Sorry"),
        (reply(b"no\n\nquery", status="400 No"), errors.QueryFailed, "engine says: no Lines"),
        (
            reply(b'{"detail": "why"}', status="400 No"),
            errors.QueryFailed,
            "engine says: why Lines",
        ),
        (reply(b"", status="503 Later"), errors.Busy, "busy"),
        (reply(b"", status="429 Later"), errors.Busy, "busy"),
        (reply(b"", status="504 Late"), errors.QueryTimeout, "gave up"),
        (reply(TABLE, "X-SQL-State: S1TAT\r\n"), errors.StoreFailed, "cut"),
        (reply(TABLE, f"Content-Length: {len(TABLE) + 1}\r\n"), errors.StoreFailed, "was lost"),
        (reply(b"53\r\n" + TABLE + b"\r\n", CHUNKED), errors.StoreFailed, "was lost"),
        (reply(TABLE[:-2]), errors.StoreFailed, "not whole"),
        (reply(TABLE + b"Error: late"), errors.StoreFailed, "not whole"),
        (reply(TABLE, "Content-Encoding: gzip\r\n"), errors.StoreFailed, "compressed"),
        (reply(TABLE, "Content-Type: text/html\r\n"), errors.StoreFailed, "is text/html"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + TABLE, errors.StoreFailed, "where its answer ends"),
        (b"SSH-2.0\r\n", errors.StoreFailed, "was lost"),
        (b"", errors.StoreFailed, "was lost"),
    ],
)
def test_what_is_not_a_whole_answer_is_an_error(
    sent: bytes, kind: type[errors.GraphError], said: str, tmp_path: Path
) -> None:
    """Whatever goes wrong over there, nobody gets half an answer; addresses are not told."""
    with answering([sent]) as (address, _), pytest.raises(kind) as failure:
        opened(tmp_path, address).ask(Question("SELECT * {}", JSON))
    assert type(failure.value) is kind
    assert failure.match(said)
    assert "127.0.0.1" not in str(failure.value)


def test_an_endpoint_that_is_not_there_is_told_from_a_slow_one(tmp_path: Path) -> None:
    """503 with Retry-After, and 504."""
    asked = client(opened(tmp_path, f"http://127.0.0.1:{free_port()}/query"))
    for path in ("/sparql?query=ASK%7B%7D", "/health"):
        response = asked.get(path)
        assert (response.status_code, "Retry-After" in response.headers) == (503, True)
    assert "intmk_up 0.0" in asked.get("/metrics").text
    with answering([b"HTTP/1.1 200 OK\r\n"], is_silent=True) as (address, _):
        slow = client(opened(tmp_path, address, query_timeout_s=0.2))
        assert slow.get("/sparql?query=ASK%7B%7D").status_code == 504


def test_what_goes_out_is_a_form_and_nothing_else(tmp_path: Path) -> None:
    """By POST, with the parameters of the address, and its name and password as Basic."""
    with answering([reply(YES)]) as (address, asked):
        address = address.replace("//", "//ada:se%20cret@") + "x?a=b%20c"
        opened(tmp_path, address).ask(Question("ASK { body:Größe a 1 }", JSON))
    head, _, body = asked[0].partition(b"\r\n\r\n")
    fields = dict(parse_qsl(body.decode()))
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Authorization: Basic YWRhOnNlIGNyZXQ=" in head
    assert b"Accept-Encoding: identity" in head
    assert fields["a"] == "b c"
    assert fields["query"].startswith("PREFIX body: <")
    assert fields["query"].endswith("ASK { body:Größe a 1 }")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/versions"),
        ("GET", "/changes.atom"),
        ("GET", "/dumps/current.nq"),
        ("GET", "/proposals/new"),
        ("POST", "/validate"),
        ("POST", "/update"),
        ("PUT", "/graphs?default"),
        ("GET", "/graphs?default&at=1"),
        ("GET", "/sparql?query=ASK%7B%7D&at=1"),
    ],
)
def test_what_needs_a_store_of_our_own_is_not_offered(
    method: str, path: str, tmp_path: Path
) -> None:
    """501, and why; nothing is asked of the other engine for it."""
    response = client(opened(tmp_path, "http://127.0.0.1:1/")).open(path, method=method)
    assert response.status_code == 501
    assert "Another engine holds the graph" in response.get_json(force=True)["detail"]


def test_updates_and_services_are_not_passed_on(tmp_path: Path) -> None:
    """403 from here, in whatever form they come."""
    asked = client(opened(tmp_path, "http://127.0.0.1:1/"))
    for query in ("DROP ALL", "ASK { SERVICE <http://127.0.0.1/> {} }"):
        assert asked.post("/sparql", data={"query": query}).status_code == 403


def test_a_server_runs_over_an_address(small: str, tmp_path: Path) -> None:
    """As ``intmk serve`` starts it, with processes of its own, and without any store."""
    with serving(tmp_path / "none", remote=small) as (process, settings):
        url = f"{settings.public_url}/sparql"
        found = requests.get(url, {"query": "ASK {}"}, timeout=20)
        assert found.json() == {"head": {}, "boolean": True}
        process.terminate()
        assert process.wait(20) == 0
    assert not (tmp_path / "none").exists()


def test_questions_share_kept_connections(small: str, tmp_path: Path) -> None:
    """Many at once are answered, each with its own."""
    remote = opened(tmp_path, small)
    with ThreadPoolExecutor(16) as pool:
        asked: list[Future[list[str]]] = [
            pool.submit(values, remote, Question(f"SELECT ({n} AS ?n) {{}}", JSON))
            for n in range(100)
        ]
    assert [one.result() for one in asked] == [[str(n)] for n in range(100)]

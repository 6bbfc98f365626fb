"""/update: SPARQL 1.1 Protocol section 2.2, tokens, and what becomes of a write."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from pyoxigraph import Literal, NamedNode

from conftest import FIXTURE_ROOT
from intmk import journal, store, tokens
from intmk.settings import Settings
from intmk.validation import validate
from server_fixtures import await_end, descendants
from test_serving import serving
from write_fixtures import PASSAGE, Writing, writing

FORM = "application/x-www-form-urlencoded"
DIRECT = "application/sparql-update"
S = "<https://w3id.org/intmk/id/conference/intmk-18>"
INSERT = f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ {S} <a:p> '%s' }} }}"
BAD = f"INSERT DATA {{ {S} <a:p> 1 }}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server with its gate closed."""
    with writing(tmp_path_factory.mktemp("store"), write_bytes=50_000) as one:
        yield one


def held(value: str) -> str:
    """Return the query whether a value is in the default graph."""
    return f"ASK {{ {S} <a:p> '{value}' }}"


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8", DIRECT])
def test_an_update_is_made_and_can_be_read(server: Writing, content_type: str) -> None:
    """Both ways of the protocol; who has the answer sees the change, in the default graph too."""
    value = f"Größe 😀 + & {content_type}"
    text = INSERT % value
    body = text if content_type == DIRECT else urlencode({"update": text})
    response = server.client.post(
        "/update", data=body.encode(), content_type=content_type, headers=server.header()
    )
    assert response.status_code == 200, response.text
    newest = journal.last(server.settings.store)
    assert newest
    assert response.get_json() == {
        "version": newest.id,
        "number": newest.number,
        "changed": True,
    }
    assert response.headers["Graph-Version"] == newest.id
    assert newest.by == "the-write"
    assert server.ask(held(value))


def test_an_update_that_changes_nothing_says_so(server: Writing) -> None:
    """The version is the one that was there."""
    before = store.current_version(server.settings.store)
    response = server.client.post("/update", data="", content_type=DIRECT, headers=server.header())
    assert response.get_json()["changed"] is False
    assert response.get_json()["version"] == before


def test_a_dataset_may_be_named(server: Writing) -> None:
    """using-graph-uri is what WHERE sees; with USING in the update it is an error."""
    text = f"INSERT {{ GRAPH <{PASSAGE}> {{ {S} <a:p> 'seen' }} }} WHERE {{ ?s ?p ?o }}"
    for graph, seen in (("http://e/none", False), (PASSAGE, True)):
        response = server.client.post(
            "/update",
            data={"update": text, "using-graph-uri": graph},
            headers=server.header(),
        )
        assert (response.status_code, server.ask(held("seen"))) == (200, seen)
    response = server.client.post(
        "/update?" + urlencode({"using-named-graph-uri": PASSAGE}),
        data=f"WITH <{PASSAGE}> DELETE {{ ?s ?p 1 }} WHERE {{ ?s ?p 1 }}",
        content_type=DIRECT,
        headers=server.header(),
    )
    assert response.status_code == 400


def test_a_write_that_breaks_the_rules_is_422_with_a_report(server: Writing) -> None:
    """Nothing is changed; each finding has its rule and its words."""
    before = store.current_version(server.settings.store)
    response = server.client.post("/update", data={"update": BAD}, headers=server.header())
    body = response.get_json(force=True)
    assert (response.status_code, body["title"]) == (422, "The write was refused")
    assert [one["rule"] for one in body["findings"]] == ["unbacked"]
    assert store.current_version(server.settings.store) == before


WRONG = [
    # Content-Type, path, body, status
    (DIRECT, "/update", "INSERT DATA {", 400),
    (DIRECT, "/update", b"INSERT DATA { <a:s> <a:p> '\xff' }", 400),
    (DIRECT, "/update", "LOAD <http://127.0.0.1:9/>", 403),
    (DIRECT, "/update", "DELETE { ?s ?p ?o } WHERE { SERVICE <a:b> { ?s ?p ?o } }", 403),
    (DIRECT, "/update", "SELECT * {}", 400),
    (DIRECT, "/update?update=CLEAR+ALL", "CLEAR ALL", 400),
    (DIRECT, "/update?query=ASK%7B%7D", "CLEAR ALL", 400),
    (DIRECT, "/update?using-graph-uri=relative", "DELETE WHERE { ?s ?p ?o }", 400),
    (DIRECT, "/update", "#" * 60_000, 413),
    (FORM, "/update", "", 400),
    (FORM, "/update", "query=ASK%7B%7D", 400),
    (FORM, "/update?update=CLEAR+ALL", "", 400),
    (FORM, "/update", "update=CLEAR+ALL&update=CLEAR+ALL", 400),
    (FORM, "/update", "update=%FF", 400),
    (f"{DIRECT}; charset=utf-16", "/update", "CLEAR ALL", 415),
    ("text/plain", "/update", "CLEAR ALL", 415),
    ("application/sparql-query", "/update", "ASK {}", 415),
    ("multipart/form-data; boundary=x", "/update", "--x--", 415),
    (None, "/update", "CLEAR ALL", 415),
]


@pytest.mark.parametrize(("content_type", "path", "body", "status"), WRONG)
def test_bad_cases(
    server: Writing, content_type: str | None, path: str, body: str | bytes, status: int
) -> None:
    """What is not an update of the protocol is refused with what is wrong."""
    response = server.client.post(
        path, data=body, content_type=content_type, headers=server.header()
    )
    assert response.status_code == status, response.text
    assert response.get_json(force=True)["detail"]


def test_a_compressed_body_is_refused(server: Writing) -> None:
    """However small it is, nobody knows how long it will be."""
    response = server.client.post(
        "/update",
        data=b"\x1f\x8b",
        content_type=DIRECT,
        headers=server.header() | {"Content-Encoding": "gzip"},
    )
    assert response.status_code == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_only_post_writes(server: Writing, method: str) -> None:
    """An update in an address would be one that a link makes."""
    response = server.client.open("/update?update=CLEAR+ALL", method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "OPTIONS, POST"


def test_without_a_token_nothing_is_written(server: Writing) -> None:
    """401 with a challenge, before the body is looked at; a wrong token is told apart."""
    for header, said in (
        ({}, 'Bearer realm="intmk"'),
        ({"Authorization": "Bearer x"}, 'Bearer realm="intmk", error="invalid_token"'),
    ):
        response = server.client.post("/update", data="{{", content_type="a/b", headers=header)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == said
        assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("scope", ["read", "propose"])
def test_a_token_without_the_scope_writes_nothing(server: Writing, scope: str) -> None:
    """403, and what would be needed."""
    response = server.client.post(
        "/update", data={"update": "CLEAR ALL"}, headers=server.header(scope)
    )
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="intmk", error="insufficient_scope", scope="write"'
    )
    assert response.get_json(force=True)["scope"] == "write"


def test_a_preflight_request_needs_no_token(server: Writing) -> None:
    """A page may ask whether it may send one."""
    response = server.client.options("/update", headers={"Origin": "https://example.org"})
    assert response.status_code == 200
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


def test_an_update_may_demand_the_version_it_was_made_for(server: Writing) -> None:
    """If-Match with an entity tag of any answer; a later version is 412."""
    tag = server.client.get("/sparql?query=ASK%7B%7D").headers["ETag"]
    for status in (200, 412):
        response = server.client.post(
            "/update",
            data={"update": INSERT % "matched"},
            headers=server.header() | {"If-Match": tag},
        )
        assert response.status_code == status, response.text


def test_updates_stay_closed_at_the_query_address(server: Writing) -> None:
    """A token does not open /sparql."""
    response = server.client.post("/sparql", data={"update": "CLEAR ALL"}, headers=server.header())
    assert response.status_code == 400


def _written_until(settings: Settings, header: dict[str, str], ended: threading.Event) -> set[int]:
    """Make updates of two triples each, one after the other, and return which were acknowledged."""
    made = set()
    while not ended.is_set():
        number = time.monotonic_ns()
        text = f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ {S} <a:p> {number} . {S} <a:q> {number} }} }}"
        with contextlib.suppress(requests.ConnectionError):
            response = requests.post(
                f"{settings.public_url}/update", {"update": text}, headers=header, timeout=30
            )
            assert response.status_code in (200, 503), response.text
            made |= {number} if response.status_code == 200 else set()
    return made


def _held(folder: Path) -> dict[str, int]:
    """Return how many triples of each update the passage has."""
    found: dict[str, int] = {}
    quads = store.open_current(folder).quads_for_pattern(None, None, None, NamedNode(PASSAGE))
    for quad in quads:
        if quad.predicate.value.startswith("a:") and isinstance(quad.object, Literal):
            found[quad.object.value] = found.get(quad.object.value, 0) + 1
    return found


def _victim(server: int, name: str) -> int:
    """Return a process of a server by what it runs, as soon as there is one."""
    while name != "server":
        for pid in descendants(server):
            with contextlib.suppress(OSError):
                if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
    return server


def test_whatever_is_killed_in_mid_update_nothing_is_lost(tmp_path: Path) -> None:
    """Writer, nursery, front and the server itself; it starts clean, and every update is whole."""
    store.build(FIXTURE_ROOT, tmp_path, validate)
    secret = tokens.create(tmp_path, "ada", "write")
    header, made = {"Authorization": f"Bearer {secret}"}, set[int]()
    for victims in (["intmk.writer", "server"], ["intmk.nursery", "spawn_main", "server"]):
        with (
            serving(tmp_path, root=FIXTURE_ROOT, gate="off") as (process, settings),
            ThreadPoolExecutor() as pool,
        ):
            ended = threading.Event()
            writing = pool.submit(_written_until, settings, header, ended)
            family = descendants(process.pid)
            for name in victims:
                ended.wait(0.8)
                family |= descendants(process.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(_victim(process.pid, name), signal.SIGKILL)
            ended.set()
            made |= writing.result()
            process.wait()
        await_end(family)
        held = _held(tmp_path)
        assert {str(number) for number in made} <= set(held)
        assert set(held.values()) <= {2}
    assert made

"""/versions: what was published when, in every format."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from pyoxigraph import Literal, RdfFormat, parse

from intmk import formats, journal
from intmk.vocab import RDFS
from write_fixtures import PASSAGE, Writing, writing

BODY = "https://w3id.org/intmk/id/body/intmk"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server that was written to three times, and keeps two versions."""
    folder = tmp_path_factory.mktemp("store")
    with writing(folder, gate="off", keep_versions=2) as one:
        for value in range(3):
            said = f"<a:s> <a:p> {value} . <{BODY}> <{RDFS}comment> 'Name{value}'"
            text = f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ {said} }} }}"
            one.client.post("/update", data={"update": text}, headers=one.header())
        yield one


def test_versions_are_listed_newest_first(server: Writing) -> None:
    """With what each is, and whether it can still be asked."""
    rows = server.client.get("/versions").get_json()["versions"]
    assert [row["number"] for row in rows] == [4, 3, 2, 1]
    assert [row["kind"] for row in rows] == ["update", "update", "update", "build"]
    assert [row["current"] for row in rows] == [True, False, False, False]
    assert [row["kept"] for row in rows] == [True, True, False, False]
    assert rows[0]["parent"] == rows[1]["id"]
    assert rows[0]["triples"] == rows[1]["triples"] + 2
    assert list(rows[0]) == [
        *("number", "id", "time", "parent", "triples", "quads", "kind", "current", "kept")
    ]


def test_the_list_comes_in_parts(server: Writing) -> None:
    """Each part says where the next is; together they are the whole."""
    seen, path = [], "/versions?limit=3"
    while path:
        response = server.client.get(path)
        seen += [row["number"] for row in response.get_json()["versions"]]
        path = response.get_json().get("next", "").removeprefix(server.settings.public_url)
        assert path in response.headers.get("Link", "")
    assert seen == [4, 3, 2, 1]


@pytest.mark.parametrize("row", formats.GRAPHS, ids=lambda row: row.extension)
def test_the_list_is_rdf_too(server: Writing, row: formats.Format) -> None:
    """Each publication is a dataset with its id, its date, its size and what it was made from."""
    response = server.client.get("/versions", headers={"Accept": row.media_types[0]})
    assert response.headers["Content-Type"].partition(";")[0] == row.media_types[0]
    found = list(parse(response.data, row.engine))
    ids = {quad.object for quad in found if quad.predicate.value.endswith("#version")}
    assert ids == {Literal(one.id) for one in journal.records(server.settings.store)}
    assert sum(quad.predicate.value.endswith("#wasRevisionOf") for quad in found) == 3


NEGOTIATED = [
    (None, "", "application/json"),
    ("*/*", "", "application/json"),
    ("text/html,application/xhtml+xml,*/*;q=0.8", "", "text/html; charset=utf-8"),
    ("text/turtle", "", "text/turtle; charset=utf-8"),
    ("text/turtle;q=0.1, application/json;q=0.2", "", "application/json"),
    ("text/html", "?format=json", "application/json"),
    (None, "?format=html", "text/html; charset=utf-8"),
    (None, "?format=nt", "application/n-triples"),
]


@pytest.mark.parametrize(("accept", "query", "content_type"), NEGOTIATED)
def test_the_format_is_negotiated(
    server: Writing, accept: str | None, query: str, content_type: str
) -> None:
    """JSON where the client does not mind."""
    response = server.client.get(f"/versions{query}", headers={"Accept": accept} if accept else {})
    assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)
    assert "Accept" in response.vary


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ("?limit=0", "*/*", 400),
        ("?limit=x", "*/*", 400),
        ("?before=-1", "*/*", 400),
        ("?format=csv", "*/*", 406),
        ("?format=none", "*/*", 400),
        ("", "image/png", 406),
    ],
)
def test_bad_cases(server: Writing, query: str, accept: str, status: int) -> None:
    """Each has its status."""
    response = server.client.get(f"/versions{query}", headers={"Accept": accept})
    assert response.status_code == status


def test_a_list_the_client_has_is_not_sent_again(server: Writing) -> None:
    """304 by its entity tag."""
    tag = server.client.get("/versions").headers["ETag"]
    assert server.client.get("/versions", headers={"If-None-Match": tag}).status_code == 304


def test_an_empty_store_has_an_empty_list(server: Writing) -> None:
    """Nothing older than the first."""
    body = server.client.get("/versions?before=1").get_json()
    assert body == {"versions": []}


VALUES = "SELECT ?v { <a:s> <a:p> ?v }"


@pytest.mark.parametrize(("number", "count"), [("1", 0), ("2", 1), ("3", 2), ("4", 3)])
def test_a_query_may_ask_an_older_version(server: Writing, number: str, count: int) -> None:
    """By number or id, by every way of asking; one that is not kept is 410."""
    row = journal.find(server.settings.store, number)
    if count < 2:
        response = server.client.get("/sparql", query_string={"query": VALUES, "at": row.id})
        assert response.status_code == 410
        assert "/versions" in response.get_json(force=True)["hint"]
        return
    for key in (number, row.id):
        asked = {"query": VALUES, "at": key}
        got = server.client.get("/sparql", query_string=asked)
        posted = server.client.post("/sparql", data=asked)
        for response in (got, posted):
            assert response.headers["Graph-Version"] == row.id
            assert len(response.get_json(force=True)["results"]["bindings"]) == count
        tag = {"If-None-Match": got.headers["ETag"]}
        again = server.client.get("/sparql", query_string=asked, headers=tag)
        assert again.status_code == 304


def test_a_browser_is_not_shown_the_present_for_the_past(server: Writing) -> None:
    """Pages show the current version, so an older one is answered as data."""
    accept = {"Accept": "text/html,*/*;q=0.5"}
    asked = {"query": VALUES, "at": "3"}
    response = server.client.get("/sparql", query_string=asked, headers=accept)
    assert response.headers["Content-Type"] == "application/sparql-results+json"
    assert response.headers["Graph-Version"] == journal.find(server.settings.store, "3").id


THINGS = [
    f"/graphs?graph={quote(PASSAGE, safe='')}&",
    "/graphs?default&",
    "/data/body/intmk.ttl?",
    "/data/body/intmk.trig?",
    "/doc/body/intmk?",
]


@pytest.mark.parametrize("path", THINGS)
def test_a_graph_and_a_thing_are_shown_as_they_were(server: Writing, path: str) -> None:
    """With the version they are of, by number or id; conditions hold for that one."""
    row = journal.find(server.settings.store, "3")
    for key in ("3", row.id):
        then = server.client.get(f"{path}at={key}")
        assert then.status_code == 200
        assert "Name1" in then.text
        assert "Name2" not in then.text
        assert then.headers.get("Graph-Version", row.id) == row.id
        tag = {"If-None-Match": then.headers["ETag"]}
        assert server.client.get(f"{path}at={key}", headers=tag).status_code == 304
        assert server.client.get(f"{path}at=4", headers=tag).status_code == 200
    assert "Name2" in server.client.get(path).text
    assert server.client.get(f"{path}at=1").status_code == 410
    assert server.client.get(f"{path}at=9").status_code == 404


def test_a_page_of_the_past_says_so_and_stays_there(server: Writing) -> None:
    """Its links to things and data lead to the same version, one leads to today."""
    page = server.client.get("/doc/body/intmk?at=3&lang=en").text
    assert "how it was in version 3" in page
    assert '"/data/body/intmk.ttl?at=3"' in page
    assert 'href="/doc/conference/intmk-18?lang=en&amp;at=3"' in page
    assert 'href="/doc/body/intmk"' in page
    assert 'href="/sparql?lang=en"' in page
    assert "how it was" not in server.client.get("/doc/body/intmk?lang=en").text
    moved = server.client.get("/id/body/intmk?at=3", headers={"Accept": "text/turtle"})
    assert moved.headers["Location"] == "/data/body/intmk.ttl?at=3"


def test_the_past_is_not_written(server: Writing) -> None:
    """A write that names a version is refused rather than made now."""
    path = f"/graphs?graph={quote(PASSAGE, safe='')}&at=3"
    for method in ("PUT", "POST", "DELETE"):
        response = server.client.open(path, method=method, headers=server.header())
        assert response.status_code == 400
        assert "past" in response.get_json(force=True)["hint"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("at=9", 404), ("at=", 404), ("at=..%2F..", 404), ("at=1&at=2", 400)],
)
def test_what_is_no_version_is_told(server: Writing, query: str, status: int) -> None:
    """Never an answer from another one."""
    response = server.client.get(f"/sparql?query=ASK%7B%7D&{query}")
    assert response.status_code == status


def test_turtle_is_readable(server: Writing) -> None:
    """The shared prefixes are used."""
    text = server.client.get("/versions?format=ttl").text
    assert "dcterms:issued" in text
    assert parse(text, RdfFormat.TURTLE)

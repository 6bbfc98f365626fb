"""/changes: what is offered in which format, and what may be kept."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from pyoxigraph import RdfFormat, parse
from rdflib import RDF, Graph, Namespace

from intmk import journal, patch, stream, vocab
from write_fixtures import PASSAGE, Writing, writing

INSERT = f'INSERT DATA {{ GRAPH <{PASSAGE}> {{ body:intmk rdfs:label "IntMK"@de }} }}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server on which one update was made."""
    with writing(tmp_path_factory.mktemp("feeds") / "var") as server:
        response = server.client.post("/update", data={"update": INSERT}, headers=server.header())
        assert response.status_code == 200
        yield server


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("application/atom+xml", "application/atom+xml"),
        ("text/turtle", "text/turtle; charset=utf-8"),
        ("application/ld+json", "application/ld+json"),
        ("application/json", "application/json"),
        ("*/*", "text/html; charset=utf-8"),
    ],
)
def test_the_list_is_negotiated(server: Writing, accept: str, kind: str) -> None:
    """And asked for again with its tag it is 304."""
    response = server.client.get("/changes", headers={"Accept": accept})
    assert (response.status_code, response.content_type) == (200, kind)
    assert "Accept" in response.vary
    again = {"Accept": accept, "If-None-Match": response.headers["ETag"]}
    assert server.client.get("/changes", headers=again).status_code == 304
    assert server.client.get("/changes", headers={"Accept": "image/png"}).status_code == 406


def test_the_page_lists_the_newest_first(server: Writing) -> None:
    """In both languages."""
    text = server.client.get("/changes?lang=de").text
    assert text.index("/changes/2") < text.index("/changes/1")
    assert "geändert" in text
    assert "the-write" in text
    assert server.client.get("/changes?page=2").status_code == 404
    assert server.client.get("/changes?page=x").status_code == 400


@pytest.mark.parametrize("extension", ["rdfp", "ttl", "jsonld", "json", "nt"])
def test_a_change_never_changes(server: Writing, extension: str) -> None:
    """So whoever has it may keep it."""
    response = server.client.get(f"/changes/2.{extension}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == stream.FOREVER
    assert server.client.get(f"/changes/3.{extension}").status_code == 404


def test_a_change_is_its_patch_and_who_made_it(server: Writing) -> None:
    """By Accept, at one address."""
    text = server.client.get("/changes/2", headers={"Accept": patch.MEDIA_TYPE}).text
    assert len(patch.read(text).added) == 2
    assert patch.header(text)["prev"]
    turtle = server.client.get("/changes/2", headers={"Accept": "text/turtle"}).data
    assert "the-write" in {getattr(q.object, "value", "") for q in parse(turtle, RdfFormat.TURTLE)}
    page = server.client.get("/changes/2", headers={"Accept": "text/html"}).text
    assert "IntMK" in page
    assert server.client.get("/changes/2.doc").status_code == 404


def test_the_stream(server: Writing) -> None:
    """From its address to its first page, which still grows."""
    root = set(parse(server.client.get("/changes?format=ttl").data, RdfFormat.TURTLE))
    (view,) = [q.object.value for q in root if q.predicate.value == f"{stream.TREE}view"]
    response = server.client.get(view, headers={"Accept": "text/turtle"})
    found = set(parse(response.data, RdfFormat.TURTLE))
    assert len([q for q in found if q.predicate.value == f"{stream.TREE}member"]) == 2
    assert response.headers["Cache-Control"] == "no-cache"
    assert server.client.get("/changes?page=9&format=ttl").status_code == 404


def test_a_full_page_of_the_stream_may_be_kept(
    server: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pages of one change the first two are full."""
    monkeypatch.setattr(stream, "PAGE", 1)
    kept = [
        server.client.get(f"/changes?page={page}&format=ttl").headers["Cache-Control"]
        for page in (1, 2, 3)
    ]
    assert kept == [stream.FOREVER, stream.FOREVER, "no-cache"]


def test_a_change_tells_what_was_let_through(server: Writing) -> None:
    """In JSON, on the page, and in RDF as a SHACL report."""
    bare = f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ conference:intmk-19 a intmk:MainConference ; "
    written = server.client.post(
        "/update", data=bare + "intmk:body body:intmk ; intmk:ordinal 19 } }",
        content_type="application/sparql-update", headers=server.header(),
    )  # fmt: skip
    assert written.status_code == 200, written.text
    address = f"/changes/{written.get_json(force=True)['number']}"
    found = server.client.get(f"{address}.json").get_json()["findings"]
    assert [(one["severity"], one["focus"][-8:]) for one in found] == [("warning", "intmk-19")]
    said = set(parse(server.client.get(f"{address}.ttl").data, RdfFormat.TURTLE))
    results = {q.object.value for q in said if q.predicate.value.endswith("#focusNode")}
    assert results == {found[0]["focus"]}
    page = server.client.get(address, headers={"Accept": "text/html", "Accept-Language": "en"})
    assert "Warnings that were let through (1)" in page.text


def test_a_client_that_knows_tree_finds_every_change(
    server: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the stream to its view and along the relations (TREE), in the order of time (LDES)."""
    monkeypatch.setattr(stream, "PAGE", 1)
    tree, ldes, prov = (Namespace(space) for space in (stream.TREE, stream.LDES, vocab.PROV))

    def graph(address: str) -> Graph:
        response = server.client.get(address, headers={"Accept": "text/turtle"})
        assert response.status_code == 200
        return Graph().parse(data=response.data, format="turtle", publicID=address)

    root = graph("/changes")
    (events,) = root.subjects(RDF.type, ldes.EventStream)
    (path,) = root.objects(events, ldes.timestampPath)
    (page,) = root.objects(events, tree.view)
    times, least = {}, None
    while page is not None:
        found = graph(str(page))
        assert (page, RDF.type, tree.Node) in found
        for member in found.objects(events, tree.member):
            (times[member],) = found.objects(member, path)
            assert least is None or times[member].toPython() >= least
            assert (member, RDF.type, prov.Activity) in found
        page = None
        for relation in found.objects(None, tree.relation):
            assert (relation, RDF.type, tree.GreaterThanOrEqualToRelation) in found
            assert found.value(relation, tree.path) == path
            least = found.value(relation, tree.value).toPython()
            page = found.value(relation, tree.node)
    records = journal.records(server.settings.store)
    assert sorted(str(one).rpartition("/")[2] for one in times) == [
        str(one.number) for one in records
    ]
    assert sorted(one.toPython() for one in times.values()) == [
        datetime.fromisoformat(one.time) for one in records
    ]

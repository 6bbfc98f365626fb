"""/graphs: the SPARQL 1.1 Graph Store HTTP Protocol, verb by verb, and RDF made to do harm."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from pyoxigraph import Quad, RdfFormat, parse
from werkzeug.test import TestResponse

from intmk import formats, journal
from write_fixtures import PASSAGE, Writing, writing

TURTLE = "text/turtle"
G = "http://e/g"
BODY = '<http://e/s> <http://e/p> "Größe 😀" .'
OURS = '<https://w3id.org/intmk/id/conference/intmk-18> <http://e/p> "Größe 😀" .'
XML = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server whose operator has opened the gate."""
    folder = tmp_path_factory.mktemp("store")
    with writing(folder, gate="off", write_bytes=3_000_000, write_timeout_s=20) as one:
        yield one


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server with its gate closed."""
    with writing(tmp_path_factory.mktemp("strict")) as one:
        yield one


def at(graph: str) -> str:
    """Return the address of a graph."""
    return f"/graphs?graph={quote(graph, safe='')}"


def send(
    server: Writing,
    method: str,
    path: str,
    body: str | bytes = b"",
    content_type: str | None = TURTLE,
    **headers: str,
) -> TestResponse:
    """Send a write with a token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.client.open(
        path, method=method, data=body, content_type=content_type, headers=server.header() | named
    )


def triples(server: Writing, path: str) -> set[Quad]:
    """Read a graph."""
    response = server.client.get(path, headers={"Accept": "application/n-triples"})
    assert response.status_code == 200, response.text
    return set(parse(response.data, RdfFormat.N_TRIPLES))


def test_a_graph_from_its_creation_to_its_end(server: Writing) -> None:
    """201 with its address, 204 when it was there, 404 when it is gone."""
    path = at("http://e/life")
    assert server.client.get(path).status_code == 404
    made = send(server, "PUT", path, BODY)
    assert made.status_code == 201
    assert made.headers["Location"].endswith(path)
    assert triples(server, path) == set(parse(BODY, RdfFormat.TURTLE))
    assert send(server, "PUT", path, "<http://e/a> <b> 1 .").status_code == 204
    assert len(triples(server, path)) == 1
    added = send(server, "POST", path, "<http://e/a> <b> 2 .")
    assert (added.status_code, added.data) == (204, b"")
    newest = journal.last(server.settings.store)
    assert newest
    assert (newest.kind, newest.id) == ("graphs", added.headers["Graph-Version"])
    assert len(triples(server, path)) == 2
    assert send(server, "DELETE", path).status_code == 204
    assert send(server, "DELETE", path).status_code == 404
    assert server.client.get(path).status_code == 404


def test_the_default_graph_is_always_there(server: Writing) -> None:
    """It is read, added to and replaced without being made."""
    before = triples(server, "/graphs?default")
    assert send(server, "POST", "/graphs?default", BODY).status_code == 204
    assert triples(server, "/graphs?default") == before | set(parse(BODY, RdfFormat.TURTLE))
    back = b"".join(f"{one}\n".encode() for one in _statements(before))
    assert send(server, "PUT", "/graphs?default=", back, "application/n-triples").status_code == 204
    assert triples(server, "/graphs?default") == before


def _statements(quads: set[Quad]) -> list[str]:
    return [f"{quad.subject} {quad.predicate} {quad.object} ." for quad in quads]


def test_a_post_without_a_name_makes_a_graph(server: Writing) -> None:
    """Its address is told."""
    response = send(server, "POST", "/graphs", BODY)
    assert response.status_code == 201
    path = response.headers["Location"].removeprefix(server.settings.public_url)
    assert triples(server, path) == set(parse(BODY, RdfFormat.TURTLE))


def test_a_graph_may_be_named_by_the_path(server: Writing) -> None:
    """Section 4.1; its IRI is the persistent one of the request."""
    assert send(server, "PUT", "/graphs/Größe/1", BODY).status_code == 201
    indirect = at("https://w3id.org/intmk/graphs/Gr%C3%B6%C3%9Fe/1")
    assert triples(server, indirect) == triples(server, "/graphs/Gr%C3%B6%C3%9Fe/1")
    assert server.client.get("/graphs/none").status_code == 404


SENT = [
    (TURTLE, BODY),
    ("text/turtle; charset=UTF-8", BODY),
    ("application/n-triples", BODY),
    ("application/ld+json", '{"@id": "http://e/s", "http://e/p": "Größe 😀"}'),
    (
        "application/rdf+xml",
        f'{XML}<rdf:Description rdf:about="http://e/s"><e:p>Größe 😀</e:p></rdf:Description>'
        "</rdf:RDF>",
    ),
    ("application/trig", BODY),
    ("application/n-quads", BODY),
]


@pytest.mark.parametrize(("content_type", "body"), SENT)
def test_every_format_is_taken(server: Writing, content_type: str, body: str) -> None:
    """And means the same."""
    assert send(server, "PUT", at(G), body.encode(), content_type).status_code in (201, 204)
    assert triples(server, at(G)) == set(parse(BODY, RdfFormat.TURTLE))


@pytest.mark.parametrize("row", formats.GRAPHS, ids=lambda row: row.extension)
def test_every_format_is_given(server: Writing, row: formats.Format) -> None:
    """By Accept and by ?format=; HEAD says the same without sending it."""
    path = at(PASSAGE)
    by_accept = server.client.get(path, headers={"Accept": row.media_types[0]})
    by_name = server.client.get(f"{path}&format={row.extension}")
    assert by_accept.data == by_name.data
    assert by_accept.headers["Content-Type"].partition(";")[0] == row.media_types[0]
    head = server.client.head(path, headers={"Accept": row.media_types[0]})
    assert (head.data, head.headers["ETag"]) == (b"", by_accept.headers["ETag"])
    assert head.headers["Content-Length"] == str(len(by_accept.data))


def test_a_graph_the_client_has_is_not_sent_again(server: Writing) -> None:
    """304 by its entity tag."""
    tag = server.client.get(at(PASSAGE)).headers["ETag"]
    again = server.client.get(at(PASSAGE), headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_preconditions(server: Writing) -> None:
    """Nobody overwrites what they have not seen, or did not expect."""
    path = at("http://e/conditions")
    assert send(server, "PUT", path, BODY, If_Match="*").status_code == 412
    assert send(server, "PUT", path, BODY, If_None_Match="*").status_code == 201
    assert send(server, "PUT", path, BODY, If_None_Match="*").status_code == 412
    tag = server.client.get(path).headers["ETag"]
    assert send(server, "PUT", path, "<http://e/a> <b> 1 .", If_Match=tag).status_code == 204
    assert send(server, "DELETE", path, If_Match=tag).status_code == 412
    assert send(server, "DELETE", path, If_Match="*").status_code == 204


WRONG = [
    # method, path, Content-Type, body, status
    ("GET", "/graphs", None, "", 400),
    ("PUT", "/graphs", TURTLE, BODY, 400),
    ("DELETE", "/graphs", None, "", 400),
    ("GET", "/graphs?graph=relative", None, "", 400),
    ("GET", "/graphs?graph=a%20b", None, "", 400),
    ("GET", f"{at(G)}&default", None, "", 400),
    ("GET", f"{at(G)}&graph=http%3A%2F%2Fe%2Fh", None, "", 400),
    ("GET", f"/graphs/x?graph={quote(G)}", None, "", 400),
    ("GET", f"{at(PASSAGE)}&format=csv", None, "", 406),
    ("GET", f"{at(PASSAGE)}&format=none", None, "", 400),
    ("PATCH", at(G), "application/sparql-update", "CLEAR ALL", 405),
    ("PUT", at(G), "multipart/form-data; boundary=x", "--x--", 415),
    ("PUT", at(G), "text/html", "<p>", 415),
    ("PUT", at(G), None, BODY, 415),
    ("PUT", at(G), "text/turtle; charset=latin-1", BODY, 415),
    ("PUT", at(G), TURTLE, "#" * 3_100_000, 413),
    ("PUT", at(G), TURTLE, "<a> <b>\n foo .", 400),
    ("PUT", at(G), "application/trig", "GRAPH <a:g> { <a:s> <a:p> 1 }", 400),
]


@pytest.mark.parametrize(("method", "path", "content_type", "body", "status"), WRONG)
def test_bad_cases(
    server: Writing, method: str, path: str, content_type: str | None, body: str, status: int
) -> None:
    """Each has its status and says what is wrong."""
    response = send(server, method, path, body, content_type)
    assert response.status_code == status, response.text
    assert response.get_json(force=True)["detail"]


def test_what_is_not_acceptable_is_406(server: Writing) -> None:
    """With the list of what is offered."""
    response = server.client.get(at(PASSAGE), headers={"Accept": "text/csv"})
    assert response.status_code == 406
    assert "text/turtle" in response.get_json(force=True)["offered"]


def test_a_syntax_error_has_its_place(server: Writing) -> None:
    """Line and column of what was sent."""
    body = send(server, "PUT", at(G), "<a> <b>\n foo .").get_json(force=True)
    assert (body["title"], body["line"], body["column"]) == ("The file is not valid RDF", 2, 2)


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
DEEP = f"{XML}<e:C>{'<e:p><e:C>' * 100_000}{'</e:C></e:p>' * 100_000}</e:C></rdf:RDF>"
HARMFUL = [
    ("rdf+xml", f'<!DOCTYPE r [<!ENTITY a0 "lol">{LAUGHS}]>{XML}<e:C>&a9;</e:C></rdf:RDF>', 413),
    ("rdf+xml", f'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>{XML}&x;</rdf:RDF>', 400),
    ("rdf+xml", DEEP, 400),
    ("ld+json", '{"@context": "http://127.0.0.1:9/c.jsonld", "@id": "a:b", "p": 1}', 403),
    ("ld+json", '{"a:b":' * 100_000 + "1" + "}" * 100_000, 400),
    ("trig", "<a:s> <a:p> " + "<<( <a:s> <a:p> " * 99_999 + "1" + ")>>" * 99_999 + " .", 400),
]


@pytest.mark.parametrize(("kind", "body", "status"), HARMFUL)
def test_harmful_documents_end_in_a_clear_error(
    server: Writing, kind: str, body: str, status: int
) -> None:
    """Within limits, and the next question is answered."""
    response = send(server, "PUT", at(G), body, f"application/{kind}")
    assert response.status_code == status, response.text
    assert server.ask("ASK {}")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "x"])
def test_a_compressed_document_is_not_unpacked(server: Writing, coding: str) -> None:
    """A bomb never goes off."""
    response = send(server, "PUT", at(G), b"\x1f\x8b", Content_Encoding=coding)
    assert response.status_code == 415


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_writing_needs_a_token(server: Writing, method: str) -> None:
    """Reading does not."""
    response = server.client.open(at(PASSAGE), method=method)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.client.get(at(PASSAGE)).status_code == 200


def test_the_gate_guards_graphs_too(strict: Writing) -> None:
    """A graph that is no passage is refused; a passage may be added to, and is merged."""
    response = send(strict, "PUT", at(G), OURS)
    assert response.status_code == 422
    rules = [one["rule"] for one in response.get_json(force=True)["findings"]]
    assert rules == ["passage-undescribed"]
    assert send(strict, "POST", "/graphs?default", OURS).status_code == 422
    assert send(strict, "POST", at(PASSAGE), OURS).status_code == 204
    assert strict.ask(
        'ASK { <https://w3id.org/intmk/id/conference/intmk-18> <http://e/p> "Größe 😀" }'
    )

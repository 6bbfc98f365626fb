"""POST /validate: every way in, every way out, and the page."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import jsonschema
import pytest
from flask.testing import FlaskClient
from pyoxigraph import RdfFormat, Store

from intmk.vocab import SH
from write_fixtures import writing

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "server/intmk/static/report.schema.json").read_text()
)
WRONG = '<https://w3id.org/intmk/id/body/intmk> <https://w3id.org/intmk/ontology#ordnal> "ü" .'
FINE = '<https://w3id.org/intmk/id/body/intmk> <http://x/p> "ü" .'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Return a client of a server on the small root."""
    with writing(tmp_path_factory.mktemp("store"), write_bytes=20_000) as one:
        yield one.client


def post(client: FlaskClient, body: str = WRONG, kind: str = "text/turtle", **headers: str):
    """Send a document, and return the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/validate", data=body.encode(), content_type=kind, headers=named)


def test_json_by_default(client):
    """Who states no wish gets JSON as the schema describes it, status 200 as there is a report."""
    response = post(client)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    body = response.get_json()
    jsonschema.validate(body, SCHEMA)
    assert body["conforms"] is False
    (found,) = body["findings"]
    assert (found["rule"], found["line"], found["column"]) == ("unknown-term", 1, 40)
    assert found["fix"] == "<https://w3id.org/intmk/ontology#ordinal>"
    assert post(client, FINE).get_json() == {
        "$schema": SCHEMA["$id"], "conforms": True, "findings": []
    }  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "kind", "opening"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html", "\n<!doctype html>"),
        ("application/sarif+json", "application/sarif+json", "{"),
        ("text/plain", "text/plain", "body.ttl:1:40: error: "),
        ("text/turtle;q=0.9, application/xml;q=0.1", "text/turtle", "@prefix"),
        ("application/ld+json", "application/ld+json", "["),
        ("application/n-triples", "application/n-triples", "_:"),
    ],
)
def test_the_format_by_accept(client, accept, kind, opening):
    """The report comes in the format that the client likes best, and says what it depends on."""
    response = post(client, Accept=accept)
    assert response.mimetype == kind
    assert response.text.strip().startswith(opening.strip())
    assert response.headers["Vary"].startswith("Accept, Accept-Language")
    assert response.headers["Cache-Control"] == "no-store"


def test_a_validation_report_in_turtle(client):
    """The RDF is SHACL's."""
    store = Store()
    store.load(post(client, Accept="text/turtle").data, RdfFormat.TURTLE)
    assert bool(store.query(f"ASK {{ ?r <{SH}conforms> false }}"))


def test_no_format_that_is_not_offered(client):
    """406 names what there is."""
    response = post(client, Accept="image/png")
    assert response.status_code == 406
    assert "application/sarif+json" in response.text
    assert (
        client.post("/validate?format=pdf", data="", content_type="text/turtle").status_code == 400
    )


@pytest.mark.parametrize(("language", "word"), [("de", "nicht erklärt"), ("en", "not declared")])
def test_the_language(client, language, word):
    """Accept-Language chooses the language of the messages, lang= in the address outdoes it."""
    response = post(client, Accept_Language=f"{language},fr;q=0.5")
    assert word in response.get_json()["findings"][0]["message"]
    assert response.headers["Content-Language"] == language
    chosen = client.post(f"/validate?lang={language}", data=WRONG.encode(),
                         content_type="text/turtle", headers={"Accept-Language": "fr"})  # fmt: skip
    assert word in chosen.get_json()["findings"][0]["message"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/n-triples", WRONG),
        ("application/trig; charset=utf-8", WRONG),
        ("application/n-quads", WRONG),
        ("application/ld+json", '{"@id": "https://w3id.org/intmk/id/body/intmk", '
         '"https://w3id.org/intmk/ontology#ordnal": "ü"}'),
        ("application/rdf+xml", '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
         'xmlns:i="https://w3id.org/intmk/ontology#"><rdf:Description '
         'rdf:about="https://w3id.org/intmk/id/body/intmk"><i:ordnal>ü</i:ordnal>'
         "</rdf:Description></rdf:RDF>"),
    ],
)  # fmt: skip
def test_every_syntax_is_read(client, kind, body):
    """The content type says what the body is."""
    rules = {one["rule"] for one in post(client, body, kind).get_json()["findings"]}
    assert rules - {"no-passage"} == {"unknown-term"}


def test_a_syntax_error_is_a_report(client):
    """What is not RDF has been judged: the report says where."""
    response = post(client, "<a:b")
    assert response.status_code == 200
    (found,) = response.get_json()["findings"]
    assert (found["rule"], found["line"], found["column"]) == ("syntax", 1, 1)


def test_what_is_not_read(client):
    """Other content types, compressed bodies and long ones are refused as such."""
    assert post(client, kind="text/csv").status_code == 415
    assert post(client, Content_Encoding="gzip").status_code == 415
    assert post(client, "#" * 20_001).status_code == 413
    assert client.put("/validate").status_code == 405


def test_the_page(client):
    """GET shows a form in the language of the reader, and keeps the page in its frame."""
    response = client.get("/validate", headers={"Accept-Language": "en"})
    assert response.status_code == 200
    assert "<h1>Validate RDF</h1>" in response.text
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "<h1>RDF prüfen</h1>" in client.get("/validate?lang=de").text


def test_the_form_shows_the_report_and_keeps_the_text(client):
    """What was pasted stands in the box again, as text, below what is wrong with it."""
    text = WRONG.replace("ü", "</textarea><script>alert(1)</script>") + "\r\n<a:b> 1 ."
    response = client.post("/validate", data={"text": text, "syntax": "ttl", "lang": "en"},
                           headers={"Accept": "text/html"})  # fmt: skip
    assert response.status_code == 200
    assert "<script>" not in response.text
    assert "text.ttl:1:40" in response.text
    assert "text.ttl:2:" in response.text
    assert "&lt;/textarea&gt;" in response.text


def test_the_form_takes_a_file(client):
    """A file goes by its name, whose extension says its syntax."""
    data = {"file": (BytesIO(WRONG.encode()), "vorschlag.nt"), "text": "", "syntax": "trig"}
    response = client.post("/validate", data=data, headers={"Accept": "text/plain"})
    assert response.text.startswith("vorschlag.nt:1:40: error: ")


def test_an_empty_form_is_told(client):
    """Neither text nor file: 400 with what to do."""
    response = client.post("/validate", data={"text": " "})
    assert response.status_code == 400
    assert "neither text nor a file" in response.text
    unknown = client.post("/validate", data={"text": FINE, "syntax": "pdf"})
    assert unknown.status_code == 400

"""/proposals: from paste to accepted, as a browser without scripts and as a program."""

import contextlib
import fcntl
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from pyoxigraph import RdfFormat, parse
from werkzeug.test import TestResponse

from intmk import journal, proposals, writer
from test_pages import Page
from write_fixtures import PASSAGE, Writing, writing

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """A server that proposals can be sent to."""
    with writing(tmp_path_factory.mktemp("desk") / "var", write_bytes=20_000) as server:
        yield server


def within(text: str) -> str:
    """Return statements in the accepted passage."""
    return f"GRAPH <{PASSAGE}> {{\n  {text}\n}}\n"


def sent(server: Writing, path: str, **fields: str) -> TestResponse:
    """Send a form as a browser does."""
    lines = {name: text.replace("\n", "\r\n") for name, text in fields.items()}
    return server.client.post(path, data=lines, headers=BROWSER)


def proposed(server: Writing, name: str, **others: str) -> dict[str, object]:
    """Propose a name for the body by the form's fields as JSON, and return the answer."""
    fields = {
        "author": "Ada",
        "reason": "so",
        "additions": within(f'body:intmk rdfs:label "{name}"@en .'),
    }
    response = server.client.post(
        "/proposals", json=fields | others, headers=server.header("propose")
    )
    assert response.status_code == 201, response.text
    body: dict[str, object] = response.get_json()
    assert urlsplit(response.headers["Location"]).path == f"/proposals/{body['number']}"
    return body


def test_from_paste_to_accepted_in_a_browser(server: Writing) -> None:
    """Each page has the form that leads on; the graph says it in the end."""
    blank = Page(server.client.get("/proposals/new?lang=de", headers=BROWSER).text)
    assert blank.faults == []
    (form,) = blank.all("form")
    assert (form["method"], form["action"]) == ("post", "/proposals?lang=de")
    names = {
        one.get("name", "") for tag in ("input", "textarea", "select") for one in blank.all(tag)
    }
    fields = {
        "author": "Ada", "reason": "Die Langform fehlte", "sources": "https://e.org/1\n",
        "additions": within('body:intmk rdfs:label "Integrationsministerkonferenz"@de .'),
        "removals": "", "replaces": "", "extension": "trig", "token": server.secrets["propose"],
    }  # fmt: skip
    assert names == {*fields, "file"}
    response = sent(server, form["action"], **fields)
    assert response.status_code == 303
    address = urlsplit(response.headers["Location"])
    text = server.client.get(f"{address.path}?{address.query}", headers=BROWSER).text
    page = Page(text)
    assert page.faults == []
    for said in ("Ada", "Die Langform fehlte", "https://e.org/1", "Nichts verstößt", "offen"):
        assert said in page.text
    assert server.secrets["propose"] not in text
    (form,) = page.all("form")
    response = sent(
        server, form["action"], token=server.secrets["write"], decision="accept", comment="gut"
    )
    assert response.status_code == 303
    page = Page(server.client.get(address.path, headers=BROWSER).text)
    assert page.all("form") == []
    assert "gut" in page.text
    assert server.ask('ASK { ?body rdfs:label "Integrationsministerkonferenz"@de }')
    (change,) = (one["href"] for one in page.all("a") if "/changes/" in one.get("href", ""))
    assert "Die Langform fehlte" in server.client.get(change, headers=BROWSER).text
    assert "Die Langform fehlte" in server.client.get("/proposals", headers=BROWSER).text


def uploaded(server: Writing, path: str, name: str, body: bytes, **fields: str) -> TestResponse:
    """Send a form with a file as a browser does."""
    data = fields | {"file": (io.BytesIO(body), name)}
    return server.client.post(path, data=data, headers=BROWSER, content_type="multipart/form-data")


def test_a_preview_keeps_nothing(server: Writing) -> None:
    """It needs no token, and shows what a file would do, whose text can then be edited."""
    before = len(proposals.every(server.settings.store))
    text = within('body:intmk rdfs:label "previewed"@en ; intmk:ordinl 1 .')
    response = uploaded(server, "/proposals/preview?lang=en", "x.trig", text.encode())
    assert response.status_code == 200
    page = Page(response.text)
    assert page.faults == []
    assert "previewed" in page.text
    assert re.search(r"x\.trig, Line 2, column \d+.*intmk:ordinl", page.text)
    again = server.client.post("/proposals/preview", json={"additions": text}).get_json()
    assert again["change"].count("\nA ") == 2
    assert {(one["file"], one["line"]) for one in again["assessment"]["new"]} == {("additions", 2)}
    assert len(proposals.every(server.settings.store)) == before


def test_the_language_of_a_preview_can_be_changed(server: Writing) -> None:
    """A link that gets what was posted leads to the form."""
    response = server.client.get("/proposals/preview?lang=en", headers=BROWSER)
    assert response.status_code == 303
    assert response.headers["Location"].endswith("/proposals/new?lang=en")


def test_previews_hold_up_no_write(server: Writing) -> None:
    """They have places of their own; who finds none is told to try again, and keeps the text."""
    places = server.settings.store / writer.PREVIEWS
    places.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        for number in range(2):
            handle = held.enter_context((places / str(number)).open("w"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        response = sent(server, "/proposals/preview", additions="<a:mine> <a:b> 1 .")
        assert response.status_code == 503
        assert "a:mine" in response.text
        assert "assessment" in proposed(server, "while previews wait")


def test_every_error_is_told_at_its_place(server: Writing) -> None:
    """In the language of the page, and in the file that was sent."""
    text = within('body:intmk rdfs:label "a"@en , xx:y .') + "oops .\n" + within("body:intmk a .")
    response = uploaded(server, "/proposals/preview?lang=de", "mine.trig", text.encode())
    assert response.status_code == 400
    places = re.findall(r"mine\.trig, Zeile (\d+), Spalte (\d+)", Page(response.text).text)
    assert [int(line) for line, _ in places] == [2, 4, 6]


@pytest.mark.parametrize(
    ("name", "body", "fields", "words"),
    [
        ("x.trig", b"a\nb\xff", {}, "x.trig, Line 2, column 2"),
        ("x.trig", b"<a:b> <a:c> 1 .", {"additions": "<a:b> <a:c> 2 ."}, "both a text and a file"),
        ("x.exe", b"MZ\x90", {}, "not UTF-8"),
    ],
)
def test_a_file_that_is_refused(
    server: Writing, name: str, body: bytes, fields: dict[str, str], words: str
) -> None:
    """The form says why, and keeps the rest."""
    response = uploaded(server, "/proposals/preview?lang=en", name, body, reason="r & s", **fields)
    assert response.status_code == 400
    assert words in Page(response.text).text
    assert "r &amp; s" in response.text


def test_a_file_has_the_limit_of_every_body(server: Writing) -> None:
    """Beyond it the answer is 413, and nothing is read."""
    response = uploaded(server, "/proposals/preview", "x.trig", b" " * 30_000)
    assert response.status_code == 413


def test_an_update_is_proposed_as_what_it_does(server: Writing) -> None:
    """Its text is kept beside the statements that come and go."""
    update = f"""INSERT {{ GRAPH <{PASSAGE}> {{ ?b rdfs:label "by update"@en }} }}
    WHERE {{ ?b a intmk:ConferenceBody }}"""
    made = server.client.post(
        "/proposals?author=Ada&reason=so", data=update, headers=server.header("propose"),
        content_type="application/sparql-update",
    )  # fmt: skip
    assert made.status_code == 201, made.text
    body = made.get_json()
    assert body["update"] == update
    assert body["change"].count('"by update"@en') == 1
    path = f"/proposals/{body['number']}"
    assert server.client.get(f"{path}.ru").text == update
    page = Page(server.client.get(f"{path}?lang=en", headers=BROWSER).text)
    assert page.faults == []
    assert "by update" in page.text
    assert "ConferenceBody }" in page.text
    accept = {"json": {"decision": "accept"}, "headers": server.header()}
    assert server.client.post(f"{path}/review", **accept).status_code == 200
    assert server.ask('ASK { ?body rdfs:label "by update"@en }')
    other = proposed(server, "not an update")["number"]
    assert server.client.get(f"/proposals/{other}.ru").status_code == 404


@pytest.mark.parametrize(
    ("update", "status", "words"),
    [
        ("INSERT DATA { body:intmk\n rdfs:label }", 400, "line"),
        ('INSERT DATA { body:intmk rdfs:label "x"@en }', 400, "default graph"),
        (f"DELETE DATA {{ GRAPH <{PASSAGE}> {{ body:intmk a body:intmk }} }}", 400, "all of this"),
        ("LOAD <https://example.org/x.ttl>", 403, "LOAD"),
        ("INSERT { ?s ?p ?o } WHERE { SERVICE <http://e.org> { ?s ?p ?o } }", 403, "SERVICE"),
        ("DROP ALL", 400, "belongs to"),
        ("INSERT {" + "(" * 15_000, 400, "nested too deeply"),
    ],
)  # fmt: skip
def test_an_update_that_cannot_be_proposed(
    server: Writing, update: str, status: int, words: str
) -> None:
    """It is the client's error, said as /update says it."""
    fields = {"additions": update, "extension": "ru"}
    response = server.client.post("/proposals/preview", json=fields)
    assert response.status_code == status, response.text
    assert words in response.text


def test_a_form_that_is_refused_keeps_what_was_typed(server: Writing) -> None:
    """But for the token; the line is that of the text."""
    response = sent(
        server, "/proposals", author="Ada & Co", reason="so", sources="", removals="",
        replaces="", additions="GRAPH intmk:x {\n  oops\n}", token=server.secrets["propose"],
    )  # fmt: skip
    assert response.status_code == 400
    page = Page(response.text)
    assert "Ada &amp; Co" in response.text
    assert "oops" in page.text
    assert re.search(r"(Line|Zeile) [23]", page.text)
    assert server.secrets["propose"] not in response.text


@pytest.mark.parametrize(("scope", "status"), [("", 401), ("read", 403)])
def test_a_token_is_needed(server: Writing, scope: str, status: int) -> None:
    """In the form or in the header."""
    secret = server.secrets.get(scope, "")
    fields = {"author": "A", "reason": "b", "additions": within('body:intmk rdfs:label "n" .')}
    assert sent(server, "/proposals", token=secret, **fields).status_code == status
    header = {"Authorization": f"Bearer {secret}"} if secret else {}
    response = server.client.post("/proposals", json=fields, headers=header)
    assert response.status_code == status
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_who_proposes_may_not_decide(server: Writing) -> None:
    """That needs the scope write."""
    number = proposed(server, "a")["number"]
    path, fields = f"/proposals/{number}/review", {"decision": "accept"}
    response = server.client.post(path, json=fields, headers=server.header("propose"))
    assert response.status_code == 403
    page = sent(server, path, token=server.secrets["propose"], comment="my words", **fields)
    assert page.status_code == 403
    assert "my words" in page.text
    assert proposals.state(server.settings.store, int(str(number))) == "open"


def test_a_program_sees_all_of_it(server: Writing) -> None:
    """State, statements, what it would do, and what became of it."""
    body = proposed(server, "b", sources="https://e.org/2")
    assert (body["state"], body["events"], body["by"]) == ("open", [], "the-propose")
    number = body["number"]
    response = server.client.post(
        f"/proposals/{number}/review", json={"decision": "reject", "comment": "no"},
        headers=server.header(),
    )  # fmt: skip
    assert response.status_code == 200
    body = server.client.get(f"/proposals/{number}", headers=JSON).get_json()
    assert body["state"] == "rejected"
    assert [(one["kind"], one["by"], one["comment"]) for one in body["events"]] == [
        ("rejected", "the-write", "no")
    ]
    assert body["assessment"]["new"] == []
    listed = server.client.get("/proposals", headers=JSON).get_json()
    assert {one["number"]: one["state"] for one in listed}[number] == "rejected"
    assert server.client.get(f"/proposals/{number}.rdfp").text == body["change"]


def test_rdf_itself_can_be_the_body(server: Writing) -> None:
    """Turtle's kin as additions, an RDF Patch as both; author and reason stand in the address."""
    path, header = "/proposals?author=Ada&reason=so", server.header("propose")
    trig = within('body:intmk rdfs:label "c"@en .')
    made = server.client.post(path, data=trig, content_type="application/trig", headers=header)
    assert made.status_code == 201
    text = made.get_json()["change"].replace('"c"', '"d"')
    made = server.client.post(path, data=text, content_type="application/rdf-patch", headers=header)
    assert made.status_code == 201
    assert '"d"' in made.get_json()["change"]


def test_of_two_changes_of_one_statement_the_second_conflicts(server: Writing) -> None:
    """409, saying what changed and by whom; the page says it too."""
    number = proposed(server, "old")["number"]
    accept = {"decision": "accept"}
    server.client.post(f"/proposals/{number}/review", json=accept, headers=server.header())
    old = within('body:intmk rdfs:label "old"@en .')
    first, second = (proposed(server, name, removals=old)["number"] for name in ("new", "other"))
    path = "/proposals/{}/review"
    response = server.client.post(path.format(first), json=accept, headers=server.header())
    assert response.status_code == 200
    response = server.client.post(path.format(second), json=accept, headers=server.header())
    assert response.status_code == 409
    (told,) = response.get_json()["conflicts"]
    assert '"old"@en was replaced by "new"@en in change' in told
    assert told.endswith("by Ada (so).")
    page = Page(server.client.get(f"/proposals/{second}?lang=en", headers=BROWSER).text)
    assert page.faults == []
    assert "does not fit any more" in page.text
    assert "was replaced by" in page.text


def test_of_two_clicks_at_once_one_accepts(server: Writing) -> None:
    """The other is told that it was accepted already; there is one change."""
    path = f"/proposals/{proposed(server, 'clicked twice')['number']}/review"
    before = len(journal.records(server.settings.store))

    def click(_: int) -> int:
        client = server.client.application.test_client()
        return client.post(path, json={"decision": "accept"}, headers=server.header()).status_code

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(click, range(2))) == [200, 409]
    assert len(journal.records(server.settings.store)) == before + 1


def test_what_does_not_fit_is_proposed_again(server: Writing) -> None:
    """The form has what is left of it, and who proposed it; so has that of an update."""
    old = within('body:intmk rdfs:label "gone"@en .')
    proposed_old = proposed(server, "gone")["number"]
    accept = {"json": {"decision": "accept"}, "headers": server.header()}
    server.client.post(f"/proposals/{proposed_old}/review", **accept)
    first, second = (
        proposed(server, name, removals=old, sources="https://e.org/3")["number"]
        for name in ("went", "left")
    )
    server.client.post(f"/proposals/{first}/review", **accept)
    page = Page(server.client.get(f"/proposals/{second}?lang=en", headers=BROWSER).text)
    (link,) = (one["href"] for one in page.all("a") if "from=" in one.get("href", ""))
    form = Page(server.client.get(link, headers=BROWSER).text)
    assert form.faults == []
    assert '"left"@en' in form.text
    assert '"gone"@en' not in form.text
    assert "https://e.org/3" in form.text
    assert {"value": "rdfp", "selected": ""} in form.all("option")
    for wrong, status in (("99", 404), ("x", 400), ("1" * 5000, 400)):
        assert server.client.get(f"/proposals/new?from={wrong}").status_code == status


def test_an_open_proposal_tells_that_others_were_accepted(server: Writing) -> None:
    """And that none of them touched its statements."""
    first, second = (proposed(server, name)["number"] for name in ("one more", "and another"))
    accept = {"json": {"decision": "accept"}, "headers": server.header()}
    server.client.post(f"/proposals/{first}/review", **accept)
    page = Page(server.client.get(f"/proposals/{second}?lang=en", headers=BROWSER).text)
    assert "changes since then: 1, none of these statements" in page.text


MARKUP = "<script>alert('x')</script>\"'&{{ 7 * 7 }}\u2028\u2029\x85\x08]]>"


def test_markup_stays_text(server: Writing) -> None:
    """In every field, on every page that shows it, and in the feeds."""
    label = MARKUP.replace("\\", "").replace('"', '\\"').replace("\x08", "")
    number = proposed(
        server, label, author=MARKUP, reason=MARKUP, sources="javascript:alert(1)\n" + MARKUP
    )["number"]
    decision = {"decision": "accept", "comment": MARKUP}
    path = f"/proposals/{number}"
    response = server.client.post(f"{path}/review", json=decision, headers=server.header())
    assert response.status_code == 200, response.text
    change = journal.records(server.settings.store)[-1].number
    for address in (path, "/proposals", "/changes", f"/changes/{change}", "/doc/body/intmk",
                    f"/proposals/new?from={number}"):  # fmt: skip
        text = server.client.get(address, headers=BROWSER).text
        assert "alert(" in text, address
        assert "<script" not in text, address
        assert 'href="javascript:' not in text, address
        assert Page(text).faults == [], address
    feed = ElementTree.fromstring(server.client.get("/changes.atom").data)
    assert "<script>" in "".join(feed.itertext())
    for extension in ("ttl", "jsonld", "rdf", "nt"):
        response = server.client.get(f"/changes/{change}.{extension}")
        assert response.status_code == 200, extension
        form = RdfFormat.from_extension(extension)
        assert "<script>" in str(list(parse(response.data, form)))


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"[1]", "content_type": "application/json"}, 400),
        ({"data": b"[" * 15_000, "content_type": "application/json"}, 400),
        ({"data": b'{"author": "\\ud800"}', "content_type": "application/json"}, 400),
        ({"data": b'{"additions": "\\udc00"}', "content_type": "application/json"}, 400),
        ({"data": b"\xff", "content_type": "text/turtle"}, 400),
        ({"data": b"x", "content_type": "text/plain"}, 415),
        ({"data": b"x" * 30_000, "content_type": "text/turtle"}, 413),
        ({"json": {"author": "a", "reason": "b", "additions": "", "extension": "doc"}}, 400),
        ({"json": {"author": "", "reason": "b", "additions": "<a:b> <a:c> 1 ."}}, 400),
    ],
)
def test_bad_requests(server: Writing, options: dict[str, object], status: int) -> None:
    """Each is the client's error, and nothing is kept."""
    before = len(proposals.every(server.settings.store))
    response = server.client.post("/proposals", headers=server.header(), **options)  # type: ignore[arg-type]
    assert response.status_code == status, response.text
    assert len(proposals.every(server.settings.store)) == before


def test_what_is_not_there(server: Writing) -> None:
    """404; a decision that is none is 400."""
    for path in ("/proposals/99", "/proposals/99.rdfp"):
        assert server.client.get(path).status_code == 404
    options = {"json": {"decision": "perhaps"}, "headers": server.header()}
    assert server.client.post("/proposals/99/review", **options).status_code == 404
    number = proposed(server, "e")["number"]
    assert server.client.post(f"/proposals/{number}/review", **options).status_code == 400

"""Every page of the site as a browser and a machine get it, on the project's own graph."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from flask.testing import FlaskClient
from pyoxigraph import DefaultGraph, NamedNode, RdfFormat, Store, parse
from werkzeug.test import TestResponse

from graph_fixtures import HOSTILE, served
from intmk import app, formats, pages, quality, registers, tables, vocab, wording

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HTML = "text/html; charset=utf-8"
TURTLE = "text/turtle; charset=utf-8"
PROBLEM = "application/problem+json"
ID = f"{vocab.BASE}id/"
VOID = {"meta", "link", "input", "br", "hr", "img"}
Graph = tuple[FlaskClient, Store]


class Page(HTMLParser):
    """A parsed page: its tags, ids, links and text; ``faults`` lists tags that do not match."""

    def __init__(self, text: str) -> None:
        """Parse a page."""
        super().__init__()
        self.faults: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is left open" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        names = [name for name, _ in attrs]
        self.faults += [f"{tag} has {name} twice" for name in names if names.count(name) > 1]
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note what does not close the innermost tag; cells are words apart."""
        self.text += " " if tag in ("td", "th") else ""
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every tag of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        """The ids in the page."""
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    @property
    def links(self) -> set[str]:
        """Where its links lead within the site."""
        found = {attributes.get("href", "") for attributes in self.all("a")}
        return {href for href in found if href.startswith(("/", "#"))}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A client of the site on the extended graph, and the graph's dump."""
    with served(tmp_path_factory.mktemp("graph")) as (engine, settings, dump):
        yield app.create_app(settings, engine).test_client(), dump


@pytest.fixture(scope="module")
def client(graph: Graph) -> FlaskClient:
    """A client of the site."""
    return graph[0]


def get(client: FlaskClient, path: str, accept: str = BROWSER, **headers: str) -> TestResponse:
    """Get a path as a browser does."""
    return client.get(path, headers={"Accept": accept} | headers)


# How many things of a kind, or sources, or files, are looked at.
SAMPLE = 15


@pytest.fixture(scope="module")
def crawl(client: FlaskClient) -> dict[str, tuple[TestResponse, Page]]:
    """The pages that links lead to from the start page, by path, but only some of each kind;
    queries are not followed.
    """
    found: dict[str, tuple[TestResponse, Page]] = {}
    waiting, folders = ["/"], Counter[str]()
    while waiting:
        path = waiting.pop(0)
        response = get(client, path)
        page = Page(response.text if response.mimetype == "text/html" else "")
        found[path] = (response, page)
        for link in sorted(linked(page)):
            folder = link.rpartition("/")[0]
            if link not in found and link not in waiting and folders[folder] < SAMPLE:
                folders[folder] += folder not in ("", "/doc")
                waiting.append(link)
    return found


def linked(page: Page) -> set[str]:
    """Return the paths of the site that a page links to."""
    links = {urlsplit(link) for link in page.links if link.startswith("/")}
    return {unquote(link.path) for link in links if not link.query}


def test_every_link_leads_somewhere(crawl: dict[str, tuple[TestResponse, Page]]) -> None:
    """No link that is followed is broken, and hundreds of pages were looked at."""
    assert len(crawl) > 300
    assert [path for path, (response, _) in crawl.items() if response.status_code != 200] == []


def test_every_fragment_exists(crawl: dict[str, tuple[TestResponse, Page]]) -> None:
    """A link to a passage or a term leads to the place on the page that has its id."""
    missing, checked = set(), 0
    for path, (_, page) in crawl.items():
        for link in page.links:
            target = urlsplit(link)
            where = unquote(target.path) or path
            if target.fragment and not target.query and where in crawl:
                checked += 1
                ids = crawl[where][1].ids
                if unquote(target.fragment) not in ids:
                    missing.add(link)
    assert missing == set()
    assert checked > 1000


def test_every_thing_has_a_page(graph: Graph, crawl: dict[str, tuple[TestResponse, Page]]) -> None:
    """Each thing in the default graph is in the list of its kind, or on the lists' next pages."""
    subjects = {quad.subject.value for quad in graph[1] if quad.graph_name == DefaultGraph()}
    expected = {"/doc/" + iri.removeprefix(ID) for iri in subjects if iri.startswith(ID)}
    reached = {link for path, (_, page) in crawl.items() for link in linked(page)}
    turning = {path for path, (_, page) in crawl.items() if "?page=2" in str(page.links)}
    missing = {path for path in expected - reached if path.rpartition("/")[0] not in turning}
    assert len(expected) > 1000
    assert missing == set()


def test_every_page_is_well_formed(crawl: dict[str, tuple[TestResponse, Page]]) -> None:
    """Tags match, ids are unique, and each page has its landmarks and one main heading."""
    for path, (response, page) in crawl.items():
        if response.mimetype != "text/html":
            continue
        assert page.faults == [], path
        assert len(page.ids) == len(set(page.ids)), path
        for tag in ("html", "title", "main", "h1"):
            assert len(page.all(tag)) == 1, (path, tag)
        assert page.all("header"), path
        assert page.all("nav"), path
        assert page.all("footer"), path
        assert page.all("html")[0]["lang"] == "de", path


def test_no_page_needs_more_than_itself(crawl: dict[str, tuple[TestResponse, Page]]) -> None:
    """No script, no inline style, nothing from elsewhere; the headers forbid it too."""
    for path, (response, page) in crawl.items():
        if response.mimetype != "text/html":
            continue
        assert not page.all("script"), path
        assert not page.all("style"), path
        for tag, attributes in page.tags:
            assert not {"style", "onclick", "onload"} & attributes.keys(), (path, tag)
            if tag in ("link", "img"):
                assert attributes.get("href", attributes.get("src", "")).startswith("/"), path
        for name, value in pages.HEADERS.items():
            assert response.headers[name] == value, path


def test_every_thing_has_data_in_every_format(graph: Graph) -> None:
    """Each format of things of each kind parses to exactly their default-graph statements."""
    client, dump = graph
    kinds: dict[str, list[NamedNode]] = {}
    for thing in sorted({q.subject for q in dump if q.subject.value.startswith(ID)}, key=str):
        kinds.setdefault(thing.value.rpartition("/")[0], []).append(thing)
    assert len(kinds) > 20
    for row in formats.GRAPHS:
        form = row.engine
        assert isinstance(form, RdfFormat)
        for thing in (one for several in kinds.values() for one in several[:SAMPLE]):
            path = thing.value.removeprefix(ID)
            response = client.get(f"/data/{path}.{row.extension}")
            assert response.status_code == 200, path
            assert response.mimetype == row.media_types[0]
            quads = parse(response.data, format=form)
            found = {quad for quad in quads if quad.graph_name == DefaultGraph()}
            assert found == set(dump.quads_for_pattern(thing, None, None, DefaultGraph())), path


THING = "/id/conference/intmk-18"
ACCEPTS = [
    # path, Accept, status, Content-Type or Location
    (THING, BROWSER, 303, "/doc/conference/intmk-18"),
    (THING, "text/html", 303, "/doc/conference/intmk-18"),
    (THING, "", 303, "/data/conference/intmk-18.ttl"),
    (THING, "*/*", 303, "/data/conference/intmk-18.ttl"),
    (THING, "text/turtle", 303, "/data/conference/intmk-18.ttl"),
    (THING, "application/ld+json", 303, "/data/conference/intmk-18.jsonld"),
    (THING, "application/rdf+xml", 303, "/data/conference/intmk-18.rdf"),
    (THING, "application/n-triples", 303, "/data/conference/intmk-18.nt"),
    (THING, "application/trig", 303, "/data/conference/intmk-18.trig"),
    (THING, "application/n-quads", 303, "/data/conference/intmk-18.nq"),
    (THING, "text/html;q=0.5, text/turtle", 303, "/data/conference/intmk-18.ttl"),
    (THING, "text/html, text/turtle;q=0.5", 303, "/doc/conference/intmk-18"),
    (THING, "text/html;q=0.5, text/csv", 303, "/doc/conference/intmk-18"),
    (THING, "text/html;q=0, */*", 303, "/data/conference/intmk-18.ttl"),
    (THING, "image/png", 406, PROBLEM),
    ("/id/conference/none", "*/*", 404, PROBLEM),
    ("/id/conference/none", BROWSER, 404, HTML),
    ("/doc/conference/intmk-18", "*/*", 200, HTML),
    ("/doc/conference/none", BROWSER, 404, HTML),
    ("/doc/nothing", BROWSER, 404, HTML),
    ("/data/conference/intmk-18.ttl", "text/html", 200, TURTLE),
    ("/data/conference/intmk-18.exe", "*/*", 404, PROBLEM),
    ("/data/conference/intmk-18", "*/*", 404, PROBLEM),
    ("/data/conference/none.ttl", "*/*", 404, PROBLEM),
    ("/source/intmk-medien-presse-hessen", BROWSER, 200, HTML),
    ("/source/intmk-medien-presse-hessen", "*/*", 200, TURTLE),
    ("/source/intmk-medien-presse-hessen.trig", BROWSER, 200, "application/trig"),
    ("/source/none", BROWSER, 404, HTML),
    ("/source/none", "text/turtle", 404, PROBLEM),
    ("/queries/none", BROWSER, 404, HTML),
    ("/", "*/*", 200, HTML),
    ("/static/style.css", "*/*", 200, "text/css; charset=utf-8"),
]
ACCEPTS += [
    (f"/{name}{end}", accept, 200, kind)
    for name in pages.REGISTERS
    for end, accept, kind in [
        ("", BROWSER, HTML),
        ("", "*/*", TURTLE),
        ("", "application/ld+json", "application/ld+json"),
        (".ttl", BROWSER, TURTLE),
        (".rdf", BROWSER, "application/rdf+xml"),
    ]
]


@pytest.mark.parametrize(("path", "accept", "status", "answer"), ACCEPTS)
def test_negotiation(client: FlaskClient, path: str, accept: str, status: int, answer: str) -> None:
    """Each path answers each client in the form it asked for."""
    with get(client, path, accept) as response:
        assert response.status_code == status
    assert response.headers["Location" if status == 303 else "Content-Type"] == answer
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    if not path.startswith(("/data", "/static")) and "." not in path:
        assert "Accept" in response.headers["Vary"]


@pytest.mark.parametrize(
    "slug",
    [
        "..",
        ".",
        "%2e%2e%2fetc",
        "a%2F..%2Fb",
        "a%3Eb",
        "a b",
        "%00",
        "%C3%A4",
        "a%22onload=1",
        "%3Cscript%3E",
        "{{7*7}}",
        "%7D%20UNION%20%7B",
        "a" * 5000,
        "%F0%9F%98%80",
    ],
)
@pytest.mark.parametrize(
    "pattern",
    [
        "/id/person/{}",
        "/doc/person/{}",
        "/data/person/{}.ttl",
        "/source/{}",
        "/doc/{}",
        "/queries/{}",
        "/id/{}/x",
    ],
)
def test_hostile_names(client: FlaskClient, pattern: str, slug: str) -> None:
    """Whatever is not a name of ours is not found, and comes back escaped."""
    response = get(client, pattern.replace("{}", slug))
    assert response.status_code == 404
    assert "<script" not in response.text
    assert "49" not in Page(response.text).text.replace(slug, "")


def test_values_are_escaped(client: FlaskClient) -> None:
    """Markup in a value is text; only http and https IRIs become links."""
    page = Page(get(client, "/doc/person/hostile").text)
    assert HOSTILE in page.text
    assert not page.all("script")
    hrefs = {attributes.get("href", "") for attributes in page.all("a")}
    assert "https://example.org/?a='b'&c" in hrefs
    assert not any(href.startswith(("javascript:", "urn:")) for href in hrefs)
    assert "javascript:alert(1)" in page.text


def test_disputed_statement_is_marked(client: FlaskClient) -> None:
    """A disputed statement is shown as such, with the passage that makes it; others are not."""
    text = get(client, "/doc/conference/intmk-18").text
    assert text.count('<dd class="is-disputed">') == 1
    marked = text[text.index('<dd class="is-disputed">') :].split("</dd>")[0]
    assert '<p class="reason">Weicht ab.</p>' in marked
    assert "/doc/place/only-disputed" in marked
    assert wording.WORDS["de"]["disputed"] in marked
    assert "/source/extra#line=0,1" in marked


def test_statement_leads_to_its_lines(client: FlaskClient) -> None:
    """Beside a statement stand its passages, named by source and line."""
    page = Page(get(client, "/doc/conference/intmk-18").text)
    titles = {one.get("title") for one in page.all("a") if "#line=6,7" in one.get("href", "")}
    assert "18. Integrationsminister*innenkonferenz in Hessen, Zeile 7" in titles


def test_dates_and_texts_read_naturally(client: FlaskClient) -> None:
    """Dates are words with the machine's form beside them; foreign texts carry their language."""
    german = get(client, "/doc/conference/intmk-18").text
    assert '<time datetime="2023-04-26">26. April 2023</time>' in german
    assert '<span lang="en">18th Conference of Integration Ministers</span>' in german
    english = get(client, "/doc/conference/intmk-18?lang=en").text
    assert '<time datetime="2023-04-26">26 April 2023</time>' in english
    assert '<span lang="de">Menschen.Leben.Vielfalt.</span>' in english


@pytest.mark.parametrize(
    ("path", "header", "language"),
    [
        ("/themes", "", "de"),
        ("/themes", "en-GB,en;q=0.9,de;q=0.5", "en"),
        ("/themes", "fr", "de"),
        ("/themes?lang=en", "de", "en"),
        ("/themes?lang=de", "en", "de"),
        ("/themes?lang=xx", "en", "en"),
    ],
)
def test_language(client: FlaskClient, path: str, header: str, language: str) -> None:
    """The address decides on the language, then the browser, then German."""
    response = get(client, path, BROWSER, **{"Accept-Language": header})
    page = Page(response.text)
    assert page.all("html")[0]["lang"] == language
    assert wording.WORDS[language]["themes_intro"] in page.text
    assert "Accept-Language" in response.headers["Vary"]


def test_chosen_language_is_kept(client: FlaskClient) -> None:
    """Links of a page whose language was chosen in the address keep it."""
    page = Page(get(client, "/doc/conference/intmk-18?lang=en").text)
    inner = [link for link in page.links if link.startswith("/doc/")]
    assert inner
    assert all(parse_qs(urlsplit(link).query)["lang"] in (["en"], ["de"]) for link in inner)


def test_text_of_sources_is_not_shown(client: FlaskClient) -> None:
    """A source's page gives title, checksum, lines and landing page, and says why no more."""
    page = Page(get(client, "/source/intmk-medien-presse-hessen").text)
    assert "cd2ba01712543c667bc380d8ce7871d68ab4678a423f680f78e76abbb58c8c3a" in page.text
    assert wording.WORDS["de"]["no_text"] in page.text
    hrefs = {one.get("href") for one in page.all("a")}
    assert "https://www.integrationsministerkonferenz.de/MedienPresse.html" in hrefs
    assert {"line=0,1", "line=4,5", "line=31,36"} <= set(page.ids)


def test_ontology_documents_every_term(graph: Graph) -> None:
    """Every term of our namespace has its place and both its comments on the page."""
    client, dump = graph
    page = Page(get(client, "/ontology").text)
    comment = NamedNode(vocab.RDFS + "comment")
    quads = [
        quad
        for quad in dump.quads_for_pattern(None, comment, None, vocab.ONTOLOGY_GRAPH)
        if quad.subject.value.startswith(vocab.INTMK)
    ]
    assert len(quads) > 150
    for quad in quads:
        assert quad.subject.value.removeprefix(vocab.INTMK) in page.ids
        assert quad.object.value in page.text


def test_every_register_is_given_whole(graph: Graph) -> None:
    """The data of a register is its graph."""
    client, dump = graph
    for name in pages.REGISTERS:
        body = client.get(f"/{name}.nq").data
        expected = list(dump.quads_for_pattern(None, None, None, NamedNode(vocab.BASE + name)))
        assert len(list(parse(body, format=RdfFormat.N_QUADS))) == len(expected) > 5


def test_quality_page_shows_what_was_measured(graph: Graph) -> None:
    """Each class has a row with its values, each property a bar, each metric its meaning."""
    client, dump = graph
    page = Page(get(client, "/quality?lang=en").text)
    values = {
        quad.subject.value.rpartition("/")[2]: quad.object.value
        for quad in dump.quads_for_pattern(None, quality.VALUE, None, vocab.QUALITY_GRAPH)
    }
    text = " ".join(page.text.split())
    percent = round(float(values["conference-completeness"]) * 100)
    assert f"conference {values['conference-instances']} {percent}%" in text
    bars = [one["value"] for one in page.all("meter")]
    shares = [text for name, text in values.items() if "property-completeness" in name]
    assert len(shares) > 20
    assert len(bars) > 2 * len(shares)
    assert Counter(bars) >= Counter(shares)
    assert "Share of entries that have the property" in text
    assert {"/queries/list-imprecise-dates"} <= {link.partition("?")[0] for link in page.links}


def test_sources_are_found_by_their_publisher(graph: Graph) -> None:
    """Each source stands beside its publisher, and each initial leads to publishers with it."""
    page = Page(get(graph[0], "/source").text)
    assert {"/source/hik-integrationskompass", "/source/intmk-graph"} <= page.links
    assert len({link for link in page.links if link.startswith("/source/")}) > 500
    letters = [link.removeprefix("#") for link in page.links if re.fullmatch(r"#\w", link)]
    assert len(letters) > 15
    assert set(letters) <= set(page.ids)
    # What has a status and is part of something is not a passage by that.
    assert not {link for link in page.links if link.startswith("/doc/plan")}


def test_undated_things_come_last(client: FlaskClient) -> None:
    """In a list by date those without one are at its end."""
    rows = re.findall(r"<tr><td>.*?</td><td>(.*?)</td>", get(client, "/doc/office-term").text)
    dated = [bool(row) for row in rows]
    assert dated == sorted(dated, reverse=True)
    assert {True, False} == set(dated)


def test_identifiers_are_named_by_authority(client: FlaskClient) -> None:
    """An identifier elsewhere is a link under the name of who gives it, in short."""
    text = get(client, "/doc/land/hessen").text
    assert (
        '<a href="http://www.wikidata.org/entity/Q1199" rel="external">Wikidata Q1199</a>' in text
    )


def test_unchanged_answers_are_not_sent_again(client: FlaskClient) -> None:
    """An entity tag that still holds gets 304, for pages and for data."""
    for path in ("/doc/conference/intmk-18", "/data/conference/intmk-18.ttl", "/ontology"):
        tag = get(client, path).headers["ETag"]
        again = get(client, path, BROWSER, **{"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")


def test_page_names_its_data(client: FlaskClient) -> None:
    """A thing's page links to all formats, in its header too, and each of them answers."""
    response = get(client, "/doc/conference/intmk-18")
    page = Page(response.text)
    links = {one["href"]: one["type"] for one in page.all("link") if one["rel"] == "alternate"}
    assert len(links) == len(formats.GRAPHS)
    for path, kind in links.items():
        assert client.get(path).mimetype == kind
        assert f'<{path}>; rel="alternate"; type="{kind}"' in response.headers["Link"]


def test_long_lists_turn_pages(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list longer than a page leads to the next; together they show everything."""
    monkeypatch.setattr(registers, "LIST_ROWS", 5)
    seen: list[str] = []
    path = "/doc/land"
    while path:
        text = get(client, path).text
        seen += re.findall(r'<td><a href="(/doc/land/[^"]+)"', text)
        turn = [one["href"] for one in Page(text).all("a") if one.get("rel") == "next"]
        path = turn[0] if turn else ""
    assert len(seen) == len(set(seen)) == 16


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "1.5", "\u0661", "99999999999"])
def test_page_that_is_no_number(client: FlaskClient, page: str) -> None:
    """A page number that is none is told so."""
    assert get(client, f"/doc/land?page={quote(page)}").status_code == 400


def ask(client: FlaskClient, query: str, **others: str) -> Page:
    """Ask a query as the form does, and return the page."""
    response = client.get(
        "/sparql", query_string={"query": query} | others, headers={"Accept": BROWSER}
    )
    page = Page(response.text)
    assert page.faults == []
    assert response.mimetype == "text/html"
    return page


def test_query_form(client: FlaskClient) -> None:
    """Without a query there is a form that needs no script, with formats, prefixes, examples."""
    page = Page(get(client, "/sparql").text)
    (form,) = page.all("form")
    assert (form["action"], form["method"]) == ("/sparql", "get")
    assert {one["value"] for one in page.all("option")} >= {"html", "csv", "json", "ttl"}
    assert "intmk:" in page.text
    examples = [link for link in page.links if link.startswith("/sparql?query=")]
    assert len(examples) > 15
    for link in examples:
        assert get(client, link).status_code == 200, link


def test_form_keeps_the_query(client: FlaskClient) -> None:
    """The query stands in the form as it was written, markup and first newline included."""
    query = '\nSELECT ("</textarea><b>&amp;" AS ?x) {}'
    text = client.get("/sparql", query_string={"query": query}, headers={"Accept": BROWSER}).text
    assert "<b>" not in text
    assert query in Page(text).text


def test_select_is_a_table(client: FlaskClient) -> None:
    """Rows have columns, links for IRIs of ours, datatypes and languages; unbound is empty."""
    query = "SELECT ?a ?b ?c ?d { VALUES (?a ?b ?c ?d) { (land:hessen 7 'x'@fr UNDEF) } }"
    page = ask(client, query)
    text = " ".join(page.text.split())
    assert "a b c d land:hessen 7 xsd:integer x @fr" in text
    assert "/doc/land/hessen" in page.links
    assert wording.WORDS["de"]["one_row"] in text


def test_long_answer_says_what_is_left_out(client: FlaskClient, graph: Graph) -> None:
    """Beyond the shown rows the page tells the total and links to the file with all rows."""
    query = "SELECT ?s ?p ?o { ?s ?p ?o }"
    page = ask(client, query)
    total = len(list(graph[1].quads_for_pattern(None, None, None, DefaultGraph())))
    assert total > tables.SHOWN_ROWS
    shown = wording.WORDS["de"]["shown"].format("1.000", wording.count(total, "de"))
    assert shown in page.text
    assert page.text.count("kind:accepted") > 0
    assert len(page.all("tr")) == tables.SHOWN_ROWS + 1
    (link,) = [one for one in page.links if one.endswith("format=csv")]
    with client.get(link) as response:
        assert response.data.count(b"\r\n") == total + 1


def test_other_kinds_of_answers(client: FlaskClient) -> None:
    """ASK is a word, CONSTRUCT a table of triples, and no row is said to be none."""
    assert wording.WORDS["de"]["yes"] in ask(client, "ASK { ?s ?p ?o }").text
    assert wording.WORDS["de"]["no"] in ask(client, "ASK { ?s intmk:none ?o }").text
    page = ask(client, "CONSTRUCT WHERE { land:hessen a ?type }")
    assert "land:hessen rdf:type intmk:Land" in " ".join(page.text.split())
    nothing = ask(client, "SELECT * { ?s intmk:none ?o }")
    assert wording.WORDS["de"]["no_rows"] in nothing.text


def test_error_is_shown_at_its_place(client: FlaskClient) -> None:
    """A faulty query comes back with the form, the line and a caret under the column."""
    query = "SELECT * {\n\t?s <a> }}"
    response = client.get("/sparql", query_string={"query": query}, headers={"Accept": BROWSER})
    assert response.status_code == 400
    text = response.text
    assert "<mark>\t?s &lt;a&gt; }}</mark>" in text
    assert "<strong>\t       ^</strong>" in text
    assert wording.WORDS["de"]["line_column"].format(2, 9) in text
    assert query in Page(text).text


def test_form_asks_for_a_page_explicitly(client: FlaskClient) -> None:
    """The form's own format gives a page whatever the browser prefers."""
    response = client.get("/sparql?query=ASK{}&format=html", headers={"Accept": "*/*"})
    assert response.mimetype == "text/html"


def test_every_question_has_an_answer(client: FlaskClient) -> None:
    """Each question of the catalogue has a page with its answer, in both languages."""
    page = Page(get(client, "/queries").text)
    questions = [link for link in page.links if link.startswith("/queries/")]
    assert len(questions) >= 15
    for link in questions:
        for language in wording.LANGUAGES:
            response = get(client, f"{link}?lang={language}")
            answer = Page(response.text)
            assert response.status_code == 200, link
            assert wording.WORDS[language]["result"] in answer.text, link
            assert answer.all("table"), link


def test_question_takes_parameters(client: FlaskClient) -> None:
    """A parameter changes the answer; a wrong value is told with a right one, on the page."""
    right = get(client, "/queries/find-chair-on-day?day=2022-01-01")
    assert "land:hamburg" in right.text
    wrong = get(client, "/queries/find-chair-on-day?day=yesterday")
    assert wrong.status_code == 400
    assert "yesterday" in wrong.text
    assert Page(wrong.text).all("form")


def test_addresses_follow_the_public_url(tmp_path: Path) -> None:
    """Behind a proxy that serves the graph below a path, every link has that path."""
    url = "https://example.org/graph/"
    with served(tmp_path, public_url=url) as (engine, settings, _):
        client = app.create_app(settings, engine).test_client()
        for path in ("/", "/doc/conference/intmk-18", "/sparql?query=ASK{}", "/nothing"):
            page = Page(get(client, path).text)
            local = {link for link in page.links if not link.startswith("#")}
            assert local
            assert all(link.startswith("/graph/") for link in local), path
            assert all(one["href"].startswith("/graph/") for one in page.all("link"))
        assert get(client, THING).headers["Location"] == "/graph/doc/conference/intmk-18"

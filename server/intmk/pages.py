"""The pages people read, and the RDF of each thing behind them.

A thing's IRI answers 303 to a page or to data (Cool URIs for the Semantic Web, section 4.2), chosen
by Accept (RFC 9110 section 12.5.1); registers negotiate in place. No page needs JavaScript.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, request
from pyoxigraph import Literal, RdfFormat

from intmk import catalogue, contents, description, formats, tables, vocab, wording
from intmk.engine import Engine, Question
from intmk.errors import GraphError, InvalidRequest, NotFound, Unavailable
from intmk.federation import Federation
from intmk.past import Past
from intmk.rendering import Site, View
from intmk.settings import Settings
from intmk.statements import Answering, Ask, NewVersion, Reading

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Fill = Callable[[Ask, View], dict[str, Any]]
Write = Callable[[Ask, RdfFormat, Mapping[str, str]], bytes]
REGISTERS = ("ontology", "themes", "shapes", "quality")
_SLUG = re.compile(r"[A-Za-z0-9]+(?:[._~-][A-Za-z0-9]+)*", re.ASCII)
_EXAMPLES = ("find-chair-on-day", "list-constitutions", "find-shared-themes")
# A build between two queries of one page is rare; three in a row do not happen.
_ATTEMPTS = 3
# What the form offers beside a table; tables for SELECT, graphs for CONSTRUCT and DESCRIBE.
_NAMED = [(row.extension, row.media_types[0]) for row in formats.FORMATS]
_FORM_LINES = (10, 30)


class Pages:
    """The pages of one server; ``blueprint`` has their routes."""

    def __init__(self, settings: Settings, engine: Engine, past: Past) -> None:
        """Take who is asked about the present and the past, and where the graph's files are, for
        the prefixes and the catalogue."""
        self._engine = engine
        self._past = past
        self._federation = Federation(settings)
        mount = urlsplit(settings.public_url).path.rstrip("/")
        self._site = Site(mount, vocab.prefixes(settings.root), not settings.remote)
        self._catalogue = catalogue.load(settings.root)
        self.blueprint = Blueprint("pages", __name__, static_folder="static")
        self._route("/", self.home)
        self._route("/id/<kind>/<slug>", self.identify)
        self._route("/doc/<kind>/<slug>", self.thing)
        self._route("/doc/<kind>", self.kind)
        self._route("/data/<kind>/<file>", self.data)
        self._route("/source", self.sources)
        self._route("/source/<name>", self.source)
        self._route("/queries", self.queries)
        self._route("/queries/<stem>", self.question)
        for name in REGISTERS:
            self._route(f"/{name}", partial(self.register, name), name)
            self._route(f"/{name}.<extension>", partial(self.register, name), f"{name}_data")

    def _route(self, path: str, view: Callable[..., Response], name: str | None = None) -> None:
        self.blueprint.add_url_rule(path, name or view.__name__, view, methods=["GET"])

    def home(self) -> Response:
        """GET /: what this is, for whom, where to begin."""
        stems = [stem for stem in _EXAMPLES if stem in self._catalogue]
        queries = [self._catalogue[stem] for stem in stems]
        return self._page("home.html", contents.home, queries=queries)

    def kind(self, kind: str) -> Response:
        """GET /doc/<kind>: the things of a kind, in pages."""
        _checked(kind)
        return self._page("kind.html", partial(contents.kind, kind, _page_number()))

    def identify(self, kind: str, slug: str) -> Response:
        """GET /id/<kind>/<slug>: 303 to the page or the data, whichever the client prefers."""
        iri, path = _iri(kind, slug), f"/doc/{kind}/{slug}"
        if not _wants_html():
            offer = formats.choose(request.headers.get("Accept"), formats.GRAPHS)
            path = f"/data/{kind}/{slug}.{offer.format.extension}"
        self._read(partial(description.require, iri))
        query = request.query_string.decode("latin-1")
        location = self._site.mount + path + ("?" + query if query else "")
        return _sent(b"", "text/plain", {"Location": location, "Vary": "Accept"}, 303)

    def data(self, kind: str, file: str) -> Response:
        """GET /data/<kind>/<slug>.<ext>: the thing's RDF."""
        slug, _, extension = file.rpartition(".")
        return self._data(partial(description.rdf, _iri(kind, slug)), extension)

    def thing(self, kind: str, slug: str) -> Response:
        """GET /doc/<kind>/<slug>: the thing's page."""
        fill = partial(contents.thing, kind, _iri(kind, slug), _page_number())
        return self._page("thing.html", fill, f"/data/{kind}/{slug}")

    def sources(self) -> Response:
        """GET /source: every source."""
        return self._page("sources.html", contents.sources)

    def source(self, name: str) -> Response:
        """GET /source/<slug>, with or without .<ext>: a source and what its passages support."""
        slug, extension = _parted(name)
        iri = f"{vocab.BASE}source/{_checked(slug)}"
        if extension or not _wants_html():
            return self._data(partial(description.source, iri), extension)
        return self._page("source.html", partial(contents.source, iri), f"/source/{slug}")

    def register(self, name: str, extension: str = "") -> Response:
        """GET /ontology, /themes, /shapes, /quality, with or without .<ext>."""
        if extension or not _wants_html():
            return self._data(partial(description.graph, vocab.BASE + name), extension)
        queries = self._catalogue.topics().get(name, [])
        return self._page(f"{name}.html", getattr(contents, name), f"/{name}", queries=queries)

    def queries(self) -> Response:
        """GET /queries: the catalogue."""
        topics = self._catalogue.topics()
        return self._page("queries.html", lambda _ask, _view: {"topics": topics})

    def question(self, stem: str) -> Response:
        """GET /queries/<stem>: a question of the catalogue, its parameters and its answer."""
        query = self._catalogue[stem]
        given = {row.name: request.args.get(row.name) or row.default for row in query.params}
        values = {"query": query, "given": given}
        try:
            text = catalogue.bind(query, given)
        except InvalidRequest as error:
            return self._asked("question.html", query.full_text, values | {"error": error})
        return self._asked("question.html", text, values | self._answer(Question(text, ())))

    def sparql(self, question: Question | None) -> Response:
        """Return the page of /sparql: the form, and below it the answer where there is a question.

        ``question.offers`` is not looked at. Errors are told on the page, with their status.
        """
        text = question.text if question else ""
        values = {"queries": list(self._catalogue.values()), "formats": _NAMED}
        return self._asked(
            "sparql.html", text, values | (self._answer(question) if question else {})
        )

    def _answer(self, question: Question) -> dict[str, Any]:
        """Return the table of an answer, or the error and its place in the query."""
        try:
            asked = question._replace(offers=tables.OFFERS)
            answer = self._federation.ask(self._answering().ask, asked)
        except GraphError as error:
            return {"error": error, "place": tables.place(question.text, error)}
        return {"table": tables.table(answer), "version": answer.version}

    def _asked(self, template: str, text: str, values: Mapping[str, Any]) -> Response:
        rows = max(_FORM_LINES[0], min(text.count("\n") + 2, _FORM_LINES[1]))
        shared = {"error": None, "place": None, "table": None, "text": text, "rows": rows}
        error = values.get("error")
        return _html(
            self._rendered(template, shared | dict(values)), error.status if error else 200
        )

    def show(
        self,
        template: str,
        names: Mapping[str, Mapping[str, str]] | None = None,
        status: int = 200,
        **values: object,
    ) -> Response:
        """Return a page of what is known already; ``names`` has labels by IRI and language."""
        view = self._view()
        view.labels = {iri: _label(texts, view.language) for iri, texts in (names or {}).items()}
        return _html(self._rendered(template, values, view), status)

    def error(self, error: GraphError) -> Response:
        """Return an error as a page."""
        return _html(self._rendered("error.html", {"error": error}), error.status)

    def _page(self, template: str, fill: Fill, beside: str = "", **values: object) -> Response:
        """Return a page; ``beside`` is the path whose extensions give its data."""
        view = self._view()
        found, version = self._read(lambda ask: fill(ask, view))
        moment = f"?{urlencode({'at': view.at})}" if view.at else ""
        kinds = [
            (f"{self._site.mount}{beside}.{row.extension}{moment}", row.media_types[0])
            for row in formats.GRAPHS
            if beside
        ]
        values |= found | {"version": version, "alternates": kinds}
        return _html(self._rendered(template, values, view), links=kinds)

    def _rendered(
        self, template: str, values: Mapping[str, Any], view: View | None = None
    ) -> bytes:
        view = view or self._view()
        languages = [(one, _in_language(self._site.mount, one)) for one in wording.LANGUAGES]
        shared = {"here": request.path, "languages": languages, "version": "", "alternates": []}
        return view.render(template, **shared | dict(values)).encode()

    def _view(self) -> View:
        chosen, at = request.args.get("lang"), request.args.get("at", "")
        if chosen in wording.LANGUAGES:
            return View(self._site, chosen, is_chosen=True, at=at)
        best = request.accept_languages.best_match(wording.LANGUAGES, wording.LANGUAGES[0])
        return View(self._site, best, at=at)

    def _answering(self) -> Answering:
        """Return who answers this request: the engine, or the version that it names with ``at``."""
        at = request.args.get("at")
        return self._engine if at is None else self._past.at(at)

    def _read(self, read: Callable[[Ask], Any]) -> tuple[Any, str]:
        """Return what ``read`` returns, all from one version, and the version's id."""
        for _ in range(_ATTEMPTS):
            ask = Reading(self._answering())
            try:
                return read(ask), ask.version
            except NewVersion:
                continue
        raise Unavailable("The graph is being replaced.", hint="Ask again in a moment.")

    def _data(self, write: Write, extension: str) -> Response:
        offer = _offer(extension)
        engine_format = offer.format.engine
        assert isinstance(engine_format, RdfFormat)  # noqa: S101 - all of GRAPHS are
        body, version = self._read(lambda ask: write(ask, engine_format, self._site.prefixes))
        headers = {"Graph-Version": version} if version else {}
        headers["Access-Control-Allow-Origin"] = "*"
        if not extension:
            headers["Vary"] = "Accept"
        return _sent(body, offer.content_type, headers)


def _label(texts: Mapping[str, str], wanted: str) -> Literal:
    language = wanted if wanted in texts else next(iter(texts))
    return Literal(texts[language], language=language)


def _offer(extension: str) -> formats.Offer:
    if not extension:
        return formats.choose(request.headers.get("Accept"), formats.GRAPHS)
    row = formats.by_extension(extension)
    if row is None:
        known = ", ".join(row.extension for row in formats.GRAPHS)
        raise NotFound(f"There is no format {extension[:40]!r}.", hint=f"Known are {known}.")
    return formats.Offer(row, row.media_types[0])


def _parted(name: str) -> tuple[str, str]:
    """Return slug and extension of a name; only that of a known format counts as one."""
    slug, _, extension = name.rpartition(".")
    return (slug, extension) if formats.by_extension(extension) else (name, "")


def _checked(slug: str) -> str:
    """Return a part of a thing's IRI; raises NotFound for what no IRI of ours has in it."""
    if not _SLUG.fullmatch(slug):
        raise NotFound(f"No name in this graph is written {slug[:80]!r}.")
    return slug


def _iri(kind: str, slug: str) -> str:
    return f"{vocab.BASE}id/{_checked(kind)}/{_checked(slug)}"


def _page_number() -> int:
    text = request.args.get("page", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise InvalidRequest(f"The page cannot be {text[:20]!r}.", hint="Pages count from 1.")
    return int(text)


def _wants_html() -> bool:
    """Whether the client likes a page better than the RDF format it likes best."""
    accept = request.headers.get("Accept", "")
    html = formats.quality(accept, "text/html")
    rest = formats.rank(accept, formats.GRAPHS)
    return html[0] > 0 and (not rest or html > formats.quality(accept, rest[0].media_type))


def _in_language(mount: str, language: str) -> str:
    parameters = [pair for pair in request.args.items(multi=True) if pair[0] != "lang"]
    return f"{mount}{request.path}?{urlencode([*parameters, ('lang', language)])}"


def _html(body: bytes, status: int = 200, links: list[tuple[str, str]] | None = None) -> Response:
    alternates = [f'<{path}>; rel="alternate"; type="{kind}"' for path, kind in links or ()]
    headers = HEADERS | {"Vary": "Accept, Accept-Language"}
    if alternates:
        headers["Link"] = ", ".join(alternates)
    return _sent(body, "text/html; charset=utf-8", headers, status)


def _sent(body: bytes, kind: str, headers: Mapping[str, str], status: int = 200) -> Response:
    """Return a response with an entity tag, or 304 when the client has it already."""
    response = Response(body, status, headers=dict(headers), content_type=kind)
    if status == 200:
        response.add_etag()
        response.headers["Cache-Control"] = "no-cache"
        response.make_conditional(request)
    return response

"""POST /validate: the report on RDF that a client sends; GET: a page to paste it into."""

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from intmk import formats, receiving, reporting, vocab, wording
from intmk.errors import InvalidRequest, NotAcceptable
from intmk.judging import Judges, Sent
from intmk.pages import HEADERS
from intmk.rendering import Site, View
from intmk.report import Language, Report
from intmk.settings import Settings

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_RDF = {kind: row for row in formats.GRAPHS for kind in row.media_types}
_READ = {
    kind: row.extension
    for kind, row in _RDF.items()
    if kind not in ("application/json", "application/xml", "text/xml", "text/plain")
}
# The first is what a client gets that likes all equally. RDF reports go by their own names.
_ANSWERS = {
    "application/json": "json",
    "text/html": "html",
    "application/sarif+json": "sarif",
    "text/plain": "text",
    "text/turtle": "turtle",
    "application/n-triples": "nt",
    "application/ld+json": "jsonld",
    "application/rdf+xml": "rdf",
    "application/trig": "trig",
    "application/n-quads": "nq",
}
_LONGEST_NAME = 200


class Asked(NamedTuple):
    """A document, and the name of the format in which its report is wanted."""

    sent: Sent
    answer: str
    text: str


class Validation:
    """The routes of one server; ``judges`` are asked for every document."""

    def __init__(self, settings: Settings) -> None:
        """Take the limits and the store; the judging process starts with the first request."""
        self._settings = settings
        self.judges = Judges(settings)
        mount = urlsplit(settings.public_url).path.rstrip("/")
        self._site = Site(mount, vocab.prefixes(settings.root))
        self.blueprint = Blueprint("validation", __name__)
        self.blueprint.add_url_rule("/validate", "page", self.page, methods=["GET"])
        self.blueprint.add_url_rule("/validate", "report", self.report, methods=["POST"])

    def page(self) -> Response:
        """GET /validate: the page with the form."""
        self.judges.prepare()
        return self._page(None, "")

    def report(self) -> Response:
        """POST /validate: the report, whether the document conforms or not."""
        asked = self._asked()
        report = self.judges.judge(asked.sent)
        if asked.answer == "html":
            return self._page(report, asked.text)
        body = reporting.render(report, asked.answer, _language())
        kind = next(kind for kind, name in _ANSWERS.items() if name == asked.answer)
        text = kind.startswith("text/")
        return _answer(body, kind + ("; charset=utf-8" if text else ""))

    def _asked(self) -> Asked:
        kind = receiving.media_type([*_READ, *_FORMS])
        if kind in _READ:
            body = receiving.body(self._settings)
            return Asked(Sent(f"body.{_READ[kind]}", _READ[kind], body), _wanted(), "")
        request.max_content_length = request.max_form_memory_size = self._settings.write_bytes
        return _form()

    def _page(self, report: Report | None, text: str) -> Response:
        view = View(self._site, _language(), is_chosen="lang" in request.args)
        shown = reporting.render_fragment(report, _language()) if report else ""
        path = f"{self._site.mount}{request.path}"
        languages = [(one, f"{path}?lang={one}") for one in wording.LANGUAGES]
        body = view.render(
            "validate.html", words=_WORDS[_language()], report=shown, text=text,
            forms=[(row.extension, row.media_types[0]) for row in formats.GRAPHS],
            here=request.path, languages=languages, version="", alternates=[],
        )  # fmt: skip
        response = _answer(body, "text/html; charset=utf-8")
        response.headers.update(HEADERS)
        return response


def _form() -> Asked:
    """Return what a form sent: a file, or the text of the box in the syntax chosen."""
    file, text = request.files.get("file"), request.form.get("text", "")
    extension = request.form.get("syntax", "trig")
    if formats.by_extension(extension) is None:
        raise InvalidRequest(f"There is no syntax {extension[:40]!r}.", hint="One is trig.")
    if file and file.filename:
        name = file.filename[-_LONGEST_NAME:]
        known = formats.by_extension(name.rpartition(".")[2])
        sent = Sent(name, known.extension if known else extension, file.read())
        return Asked(sent, _wanted(), sent.body.decode("utf-8", "replace"))
    if not text.strip():
        raise InvalidRequest("The form has neither text nor a file.", hint="Fill in one of them.")
    # A browser sends the lines of a text box with CR LF, whatever it shows.
    body = text.replace("\r\n", "\n")
    return Asked(Sent(f"text.{extension}", extension, body.encode()), _wanted(), body)


def _wanted() -> str:
    """Return the format of the report: ``format=`` if given, else the best that Accept allows."""
    named = request.args.get("format") or request.form.get("format")
    if named in _ANSWERS.values():
        return str(named)
    if named:
        known = ", ".join(_ANSWERS.values())
        raise InvalidRequest(f"There is no format {named[:40]!r}.", hint=f"Known are {known}.")
    accept = request.headers.get("Accept") or "*/*"
    best = max(_ANSWERS, key=lambda kind: formats.quality(accept, kind))
    if not formats.quality(accept, best)[0]:
        raise NotAcceptable(
            f"The client accepts {accept[:200]!r}; no report is written so.",
            hint=f"Offered are {', '.join(_ANSWERS)}.",
            offered=list(_ANSWERS),
        )
    return _ANSWERS[best]


def _language() -> Language:
    chosen = request.args.get("lang") or request.form.get("lang")
    if chosen not in wording.LANGUAGES:
        chosen = request.accept_languages.best_match(wording.LANGUAGES, wording.LANGUAGES[0])
    return "en" if chosen == "en" else "de"


def _answer(body: str, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept, Accept-Language"
    response.headers["Content-Language"] = _language()
    return response


_WORDS = {
    "de": {
        "title": "RDF prüfen",
        "about": "Füge Angaben ein oder wähle eine Datei. Geprüft wird gegen die Ontologie, die "
        "Prüfregeln und den anerkannten Graphen; gespeichert wird nichts.",
        "text": "Angaben in RDF",
        "file": "oder eine Datei",
        "syntax": "Syntax",
        "submit": "Prüfen",
        "report": "Prüfbericht",
    },
    "en": {
        "title": "Validate RDF",
        "about": "Paste statements or choose a file. They are checked against the ontology, the "
        "shapes and the accepted graph; nothing is stored.",
        "text": "Statements in RDF",
        "file": "or a file",
        "syntax": "Syntax",
        "submit": "Validate",
        "report": "Validation report",
    },
}

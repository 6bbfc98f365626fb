"""Proposals at ``/proposals``: sent and reviewed in a browser, without scripts, or as JSON."""

import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from intmk import (
    curation,
    drafts,
    filing,
    formats,
    patch,
    proposals,
    receiving,
    stream,
    submission,
    tokens,
    wording,
    writer,
)  # fmt: skip
from intmk.assessment import Assessed
from intmk.engine import Engine
from intmk.errors import Busy, GraphError, InvalidRequest, NotFound
from intmk.pages import Pages
from intmk.protocol import FORM, UPDATE, Parameters
from intmk.settings import Settings
from intmk.submission import JSON

_HTML = "text/html"
# What the form offers to paste: extension and name. Turtle and N-Triples are TriG.
_SYNTAXES = (
    ("trig", "TriG, Turtle, N-Triples"),
    ("nq", "N-Quads"),
    ("jsonld", "JSON-LD"),
    ("rdf", "RDF/XML"),
    (patch.EXTENSION, "RDF Patch"),
    (drafts.UPDATE, "SPARQL Update"),
)
_LONGEST_NUMBER = 10


class Desk:
    """The desk of one server; ``blueprint`` has its routes."""

    def __init__(self, settings: Settings, engine: Engine, site: Pages) -> None:
        """Take the limits, who is asked about the version served, and who shows pages."""
        self._settings = settings
        self._engine = engine
        self._site = site
        self.blueprint = Blueprint("reviewing", __name__)
        self._route("/proposals", self.every, "GET")
        self._route("/proposals", self.propose, "POST")
        self._route("/proposals/new", self.blank, "GET")
        self._route("/proposals/preview", self.preview, "POST")
        self._route("/proposals/preview", self.unseen, "GET")
        self._route("/proposals/<int:number>", self.one, "GET")
        self._route("/proposals/<int:number>.rdfp", self.statements, "GET")
        self._route("/proposals/<int:number>.ru", self.update, "GET")
        self._route("/proposals/<int:number>/review", self.review, "POST")

    def _route(self, path: str, view: Callable[..., Response], method: str) -> None:
        self.blueprint.add_url_rule(path, view.__name__, view, methods=[method])

    def every(self) -> Response:
        """GET /proposals: all of them, the newest first."""
        found = proposals.every(self._settings.store)
        if _wants_json():
            return _json([one._asdict() | {"state": state} for one, state in found])
        return _fresh(self._site.show("proposals.html", proposals=found))

    def blank(self) -> Response:
        """GET /proposals/new: the form; ``from`` is the number of a proposal to make anew."""
        number = Parameters(request.query_string).one("from")
        return self._form(self._again(number) if number else {}, None)

    def _again(self, text: str) -> dict[str, str]:
        """Return the fields of a proposal as they would be sent for the graph as it is."""
        if not (text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER):
            raise InvalidRequest(f"There is no proposal {text[:20]!r}.", hint="See /proposals.")
        proposal = proposals.get(self._settings.store, int(text))
        draft = curation.redraft(self._settings, proposal.number)
        return {
            "author": proposal.author, "reason": proposal.reason,
            "sources": "\n".join(proposal.sources), "additions": draft.additions,
            "extension": draft.extension,
        }  # fmt: skip

    def _form(
        self, given: dict[str, str], error: GraphError | None, seen: Assessed | None = None
    ) -> Response:
        """Return the form as it was filled in, but for the token, and what it would do if seen."""
        values = {name: given.get(name, "") for name in submission.FIELDS}
        names, shown = {}, {}
        if seen:
            rows, more = stream.rows(seen.change)
            names, shown = seen.found["labels"], {"rows": rows, "more": more}
        return _fresh(self._site.show(
            "propose.html", names, error.status if error else 200, given=values, error=error,
            files=filing.names(self._settings.root), syntaxes=_SYNTAXES,
            found=seen.found if seen else None, **shown,
        ))  # fmt: skip

    def preview(self) -> Response:
        """POST /proposals/preview: what a proposal would do; nothing is kept, no token needed."""
        kind, given = self._received()
        try:
            given |= submission.file(kind)
            seen = curation.preview(self._settings, submission.draft(given))
        except GraphError as error:
            if kind in submission.FORMS:
                return self._form(given, error)
            raise
        if kind in submission.FORMS:
            return self._form(given, None, seen)
        change = patch.write(seen.change, {})
        return _json({"change": change, "assessment": seen.found | {"number": seen.number}})

    def unseen(self) -> Response:
        """GET /proposals/preview: the form, for who follows a link from a preview."""
        return _see_other(f"{self._settings.public_url}/proposals/new")

    def propose(self) -> Response:
        """POST /proposals: keep a change for review; needs a token with the scope propose."""
        kind, given = self._received()
        try:
            by = self._token(given, "propose", kind)
            given |= submission.file(kind)
            made = curation.propose(
                self._settings, submission.draft(given), given.get("author", ""),
                given.get("reason", ""), tuple(given.get("sources", "").split()), by,
            )  # fmt: skip
        except GraphError as error:
            if kind in submission.FORMS:
                return self._form(given, error)
            raise
        return self._done(made.number, kind, 201)

    def _received(self) -> tuple[str, dict[str, str]]:
        """Return the media type of the request and its fields, without the file of a form."""
        kind = receiving.media_type(submission.TAKEN)
        if kind == submission.MULTIPART:
            limit = self._settings.write_bytes
            request.max_content_length = request.max_form_memory_size = limit
            return kind, submission.form()
        return kind, submission.given(kind, receiving.body(self._settings))

    def _token(self, given: dict[str, str], scope: str, kind: str) -> str:
        """Return the name of the token, which a form has in a field."""
        if kind in submission.FORMS and "Authorization" not in request.headers:
            header = f"Bearer {given.get('token', '')}"
            return tokens.authorize(self._settings.store, header, scope).name
        return receiving.authorized(self._settings, scope).name

    def _done(self, number: int, kind: str, status: int) -> Response:
        address = f"{self._settings.public_url}/proposals/{number}"
        if kind in submission.FORMS:
            return _see_other(address)
        response = _json(self._told(number), status)
        response.headers["Location"] = address
        return response

    def _told(self, number: int) -> dict[str, Any]:
        folder = self._settings.store
        return {
            **proposals.get(folder, number)._asdict(),
            "state": proposals.state(folder, number),
            "events": [event._asdict() for event in proposals.events(folder, number)],
            "change": proposals.text(folder, number),
            "update": proposals.update(folder, number),
            "assessment": self._looked(number),
        }

    def _looked(self, number: int) -> dict[str, Any]:
        """Return what the proposal would do; when too many ask, what it would have done before."""
        try:
            return curation.look(self._settings, number, writer.PREVIEWS)
        except Busy:
            found = proposals.assessment(self._settings.store, number)
            if found is None:
                raise
            return found

    def one(self, number: int) -> Response:
        """GET /proposals/<number>: what it is, what it would do, and what became of it."""
        return _json(self._told(number)) if _wants_json() else self._page(number, None, "")

    def _page(self, number: int, error: GraphError | None, comment: str) -> Response:
        folder, found = self._settings.store, self._looked(number)
        state = proposals.state(folder, number)
        rows, more = stream.rows(proposals.change(folder, number))
        return _fresh(self._site.show(
            "proposal.html", found["labels"], error.status if error else 200,
            proposal=proposals.get(folder, number), state=state, found=found, rows=rows, more=more,
            events=proposals.events(folder, number), error=error, comment=comment,
            is_open=state in (proposals.OPEN, proposals.CONFLICTING),
            gone=filing.statements(found["gone"]), now=found["number"],
            update=proposals.update(folder, number),
        ))  # fmt: skip

    def statements(self, number: int) -> Response:
        """GET /proposals/<number>.rdfp: its statements as an RDF Patch, which never change."""
        return _kept(proposals.text(self._settings.store, number), patch.MEDIA_TYPE)

    def update(self, number: int) -> Response:
        """GET /proposals/<number>.ru: the SPARQL update that it was sent as."""
        text = proposals.update(self._settings.store, number)
        if not text:
            raise NotFound(f"Proposal {number} was not sent as an update.", hint="See its .rdfp.")
        return _kept(text, UPDATE)

    def review(self, number: int) -> Response:
        """POST /proposals/<number>/review: accept or reject it; needs the scope write."""
        kind = receiving.media_type([FORM, JSON])
        given = submission.given(kind, receiving.body(self._settings))
        comment = given.get("comment", "")
        proposals.get(self._settings.store, number)
        try:
            by = self._token(given, "write", kind)
            self._decide(number, given.get("decision", ""), by, comment)
        except GraphError as error:
            if kind == FORM:
                return self._page(number, error, comment)
            raise
        return self._done(number, kind, 200)

    def _decide(self, number: int, decision: str, by: str, comment: str) -> None:
        if decision == "accept":
            curation.accept(self._settings, number, by, comment)
            receiving.await_version(self._engine)
        elif decision == "reject":
            curation.reject(self._settings, number, by, comment)
        else:
            raise InvalidRequest(
                f"The decision cannot be {decision[:20]!r}.", hint="It is accept or reject."
            )


def _see_other(address: str) -> Response:
    """Send a browser on to another page, in the language of this one."""
    language = request.args.get("lang", "")
    query = f"?lang={language}" if language in wording.LANGUAGES else ""
    return Response(b"", 303, {"Location": address + query, "Cache-Control": "no-store"})


def _kept(text: str, kind: str) -> Response:
    """Answer with what never changes."""
    response = Response(text, content_type=kind)
    response.headers["Cache-Control"] = stream.FOREVER
    return response


def _wants_json() -> bool:
    accept = request.headers.get("Accept") or _HTML
    return formats.quality(accept, JSON) > formats.quality(accept, _HTML)


def _json(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, ensure_ascii=False)
    return _fresh(Response(body, status, content_type=JSON))


def _fresh(response: Response) -> Response:
    """Have an answer asked for anew each time: proposals change without a new version."""
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept")
    return response

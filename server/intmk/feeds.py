"""The changes at ``/changes``: a page, Atom, a stream, and each with its patch and who made it."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request
from pyoxigraph import RdfFormat, Triple

from intmk import formats, journal, patch, record, results, stream
from intmk.errors import InvalidRequest, NotFound
from intmk.journal import Record
from intmk.pages import Pages
from intmk.protocol import Parameters
from intmk.settings import Settings

_SHOWN = 50
_HTML, _JSON, _ATOM = "text/html", "application/json", "application/atom+xml"
_RDF = {row.media_types[0]: row for row in formats.GRAPHS}


def blueprint(settings: Settings, site: Pages) -> Blueprint:
    """Return the routes; ``site`` shows the pages."""
    routes = Blueprint("feeds", __name__)

    @routes.route("/changes", methods=["GET"])
    def changes() -> Response:
        parameters = Parameters(request.query_string)
        records, page = journal.records(settings.store), _page(parameters)
        kind = _chosen(parameters, [_HTML, _ATOM, _JSON, *_RDF])
        if kind == _HTML:
            return _listed(site, records, page)
        if kind == _ATOM:
            return _feed(settings, records)
        if kind == _JSON:
            return _sent(_json([one._asdict() for one in records[::-1][:_SHOWN]]), _JSON)
        return _fragment(settings, records, page, kind)

    @routes.route("/changes.atom", methods=["GET"])
    def atom() -> Response:
        return _feed(settings, journal.records(settings.store))

    @routes.route("/changes/<int:number>", methods=["GET"])
    def change(number: int) -> Response:
        kind = _chosen(Parameters(request.query_string), [_HTML, patch.MEDIA_TYPE, *_RDF, _JSON])
        return _change(settings, site, number, kind)

    @routes.route("/changes/<int:number>.<extension>", methods=["GET"])
    def as_file(number: int, extension: str) -> Response:
        return _change(settings, site, number, _kind(extension))

    return routes


def _page(parameters: Parameters) -> int | None:
    text = parameters.one("page")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InvalidRequest(f"The page cannot be {text[:20]!r}.", hint="Pages count from 1.")
    return int(text)


def _chosen(parameters: Parameters, offered: list[str]) -> str:
    """Return the media type that the request likes best; the first where it does not mind."""
    name = parameters.one("format")
    if name is not None:
        kind = _kind(name)
        if kind in offered:
            return kind
        raise formats.not_acceptable(name, formats.GRAPHS)
    accept = request.headers.get("Accept") or "*/*"
    best = max(offered, key=lambda kind: formats.quality(accept, kind))
    if formats.quality(accept, best)[0] == 0:
        raise formats.not_acceptable(accept, formats.GRAPHS)
    return best


def _kind(extension: str) -> str:
    """Return the media type of a file name extension."""
    named = {"html": _HTML, "json": _JSON, "atom": _ATOM, patch.EXTENSION: patch.MEDIA_TYPE}
    row = formats.by_extension(extension)
    if row is None and extension not in named:
        raise NotFound(f"There is no format {extension[:40]!r}.", hint="Try ttl or rdfp.")
    return row.media_types[0] if row else named[extension]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _sent(body: bytes, kind: str, cache: str = "no-cache") -> Response:
    text = kind.startswith("text/")
    response = Response(body, content_type=kind + ("; charset=utf-8" if text else ""))
    response.headers["Cache-Control"] = cache
    response.vary.add("Accept")
    response.add_etag()
    response.make_conditional(request)
    return response


def _rdf(triples: Iterable[Triple], kind: str) -> bytes:
    engine: Any = _RDF[kind].engine
    assert isinstance(engine, RdfFormat)  # noqa: S101 - all of GRAPHS are
    return results.rdf(triples, engine, stream.PREFIXES)


def _feed(settings: Settings, records: list[Record]) -> Response:
    return _sent(stream.atom(records[::-1][:_SHOWN], settings.public_url), _ATOM)


def _fragment(settings: Settings, records: list[Record], page: int | None, kind: str) -> Response:
    """Answer with a page of the stream, which is kept for good when it is full."""
    if page is None:
        return _sent(_rdf(stream.root(settings.public_url), kind), kind)
    if page > stream.pages(len(records)):
        raise NotFound(f"There is no page {page} yet.")
    body = _rdf(stream.fragment(records, page, settings.public_url), kind)
    return _sent(body, kind, stream.FOREVER if stream.is_closed(page, len(records)) else "no-cache")


def _listed(site: Pages, records: list[Record], page: int | None) -> Response:
    page = page or 1
    shown = records[::-1][(page - 1) * _SHOWN : page * _SHOWN]
    pages = max(1, -(-len(records) // _SHOWN))
    if page > pages:
        raise NotFound(f"There is no page {page}.")
    return site.show("changes.html", records=shown, page=page, pages=pages)


def _change(settings: Settings, site: Pages, number: int, kind: str) -> Response:
    """Answer with one change, which never changes."""
    text, findings = record.text(settings.store, number), record.findings(settings.store, number)
    one = next(found for found in journal.records(settings.store) if found.number == number)
    if kind == patch.MEDIA_TYPE:
        return _sent(text.encode(), kind, stream.FOREVER)
    if kind == _JSON:
        return _sent(
            _json(one._asdict() | {"patch": text, "findings": list(map(asdict, findings))}),
            kind,
            stream.FOREVER,
        )
    if kind in _RDF:
        return _sent(
            _rdf(stream.judged(one, findings, settings.public_url), kind), kind, stream.FOREVER
        )
    shown, more = stream.rows(patch.read(text))
    return site.show("change.html", record=one, rows=shown, more=more, findings=findings[:_SHOWN])

"""The list of versions at ``/versions``: which were published when, and which can still be asked.

As JSON, as RDF (PROV, DCAT, VoID), and as a page.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

from flask import Blueprint, Response, render_template, request
from pyoxigraph import Literal, NamedNode, RdfFormat, Triple

from intmk import formats, journal, results, store, vocab
from intmk.errors import InvalidRequest
from intmk.journal import Record
from intmk.protocol import Parameters
from intmk.settings import Settings

# Whose change it was, and why, is told at /changes.
_SAID = ("number", "id", "time", "parent", "triples", "quads", "kind")
_SHOWN, _MOST = 100, 1000
_HTML, _JSON = "text/html", "application/json"
_VERSION = f"{vocab.BASE}version/"


def blueprint(settings: Settings) -> Blueprint:
    """Return the route."""
    routes = Blueprint("versions", __name__)

    @routes.route("/versions", methods=["GET"])
    def versions() -> Response:
        parameters = Parameters(request.query_string)
        shown, older = _window(settings, parameters)
        media_type, write = _chosen(parameters.one("format"))
        body = write(settings, shown, older)
        content_type = media_type + ("; charset=utf-8" if media_type.startswith("text/") else "")
        response = Response(body, content_type=content_type)
        response.headers["Cache-Control"] = "no-cache"
        response.vary.add("Accept")
        if older:
            response.headers["Link"] = f'<{older}>; rel="next"'
        response.add_etag()
        response.make_conditional(request)
        return response

    return routes


def _window(settings: Settings, parameters: Parameters) -> tuple[list[Record], str | None]:
    """Return the records that the request asks for, newest first, and where older ones are."""
    limit = _number(parameters, "limit", _SHOWN)
    before = _number(parameters, "before", 0)
    found = journal.records(settings.store)[::-1]
    if before:
        found = [record for record in found if record.number < before]
    shown = found[: min(limit, _MOST)]
    if len(shown) == len(found) or not shown:
        return shown, None
    return shown, f"{settings.public_url}/versions?before={shown[-1].number}&limit={limit}"


def _number(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.one(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InvalidRequest(
            f"The parameter {name} is {text[:40]!r}.", hint="Give a number from 1."
        )
    return int(text)


Write = Callable[[Settings, list[Record], str | None], str | bytes]


def _chosen(name: str | None) -> tuple[str, Write]:
    """Return media type and writer that fit the request best; JSON where it does not mind."""
    if name in ("json", "html"):
        return (_JSON, _json) if name == "json" else (_HTML, _page)
    if name is not None:
        offer = next((one for one in formats.named(name) if one.format in formats.GRAPHS), None)
        if offer is None:
            raise formats.not_acceptable(name, formats.GRAPHS)
        return offer.media_type, _rdf(offer.format)
    accept = request.headers.get("Accept") or "*/*"
    writers: dict[str, Write] = {_JSON: _json, _HTML: _page}
    writers |= {row.media_types[0]: _rdf(row) for row in formats.GRAPHS}
    best = max(writers, key=lambda media_type: formats.quality(accept, media_type))
    if formats.quality(accept, best)[0] == 0:
        raise formats.not_acceptable(accept, formats.GRAPHS)
    return best, writers[best]


def _rows(settings: Settings, shown: list[Record]) -> list[dict[str, Any]]:
    current = store.current_version(settings.store)
    newest = {record.id: record.number for record in reversed(shown)}
    return [
        {name: getattr(record, name) for name in _SAID}
        | {
            "current": record.id == current and newest[record.id] == record.number,
            "kept": (settings.store / store.VERSIONS / record.id).is_dir(),
        }
        for record in shown
    ]


def _json(settings: Settings, shown: list[Record], older: str | None) -> str:
    body: dict[str, Any] = {"versions": _rows(settings, shown)}
    return json.dumps(body | ({"next": older} if older else {}), ensure_ascii=False)


def _page(settings: Settings, shown: list[Record], older: str | None) -> str:
    return render_template("versions.html", rows=_rows(settings, shown), older=older)


def _rdf(row: formats.Format) -> Write:
    def write(settings: Settings, shown: list[Record], _older: str | None) -> bytes:
        triples = [triple for record in shown for triple in _triples(record)]
        spaces = vocab.prefixes(settings.root)
        return results.rdf(triples, cast(RdfFormat, row.engine), spaces)

    return write


def _triples(record: Record) -> Iterator[Triple]:
    """Describe a publication; the version itself is told by its id (dcat:version)."""
    node = NamedNode(f"{_VERSION}{record.number}")
    facts: list[tuple[str, NamedNode | Literal]] = [
        (f"{vocab.RDF}type", NamedNode(f"{_DCAT}Dataset")),
        (f"{_DCAT}version", Literal(record.id)),
        (f"{vocab.DCTERMS}identifier", Literal(str(record.number))),
        (
            f"{vocab.DCTERMS}issued",
            Literal(record.time, datatype=NamedNode(f"{vocab.XSD}dateTime")),
        ),
        (f"{_VOID}triples", Literal(record.triples)),
    ]
    if record.number > 1:
        facts.append((f"{vocab.PROV}wasRevisionOf", NamedNode(f"{_VERSION}{record.number - 1}")))
    for predicate, value in facts:
        yield Triple(node, NamedNode(predicate), value)


_DCAT = "http://www.w3.org/ns/dcat#"
_VOID = "http://rdfs.org/ns/void#"

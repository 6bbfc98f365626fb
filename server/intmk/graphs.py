"""The SPARQL 1.1 Graph Store HTTP Protocol at ``/graphs``.

A graph is named indirectly (section 4.2: ``?graph=IRI`` or ``?default``) or directly (section 4.1:
``/graphs/x`` is the graph ``https://w3id.org/intmk/graphs/x``). A graph is there when it holds a
triple; the default graph always is.
"""

import hashlib
import uuid
from urllib.parse import quote

from flask import Blueprint, Response, request
from pyoxigraph import NamedNode
from werkzeug.wsgi import FileWrapper

from intmk import formats, receiving
from intmk.changes import Change
from intmk.engine import Answer, Engine, Question
from intmk.errors import InvalidRequest, MethodNotAllowed, NotFound
from intmk.past import Moment, Past
from intmk.protocol import Parameters
from intmk.settings import Settings
from intmk.vocab import BASE
from intmk.wire import CHUNK_BYTES

_METHODS = ["GET", "PUT", "POST", "DELETE"]
_MEDIA_TYPES = {row.media_types[0]: row.extension for row in formats.GRAPHS}
_ASK = "ASK { ?s ?p ?o }"
_ALL = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"
_JSON = (("json", "application/sparql-results+json"),)
# A new version between two questions is rare; three in a row do not happen.
_ATTEMPTS = 3


# What stays as it is in the path of an IRI (RFC 3987 ipchar, slashes included).
_PATH = "/:@!$&'()*+,;=~-._"


class Graphs:
    """The graph store of one server; ``blueprint`` has its routes."""

    def __init__(self, settings: Settings, engine: Engine, past: Past) -> None:
        """Take the limits, and who is asked about the present and the past."""
        self._settings = settings
        self._engine = engine
        self._past = past
        self.blueprint = Blueprint("graphs", __name__)
        self.blueprint.add_url_rule("/graphs", "graphs", self.indirect, methods=_METHODS)
        self.blueprint.add_url_rule("/graphs/<path:name>", "graph", self.direct, methods=_METHODS)

    def direct(self, name: str) -> Response:
        """Serve the graph whose IRI is that of the request, at our base."""
        parameters = Parameters(request.query_string)
        if parameters.all("graph") or parameters.all("default"):
            raise InvalidRequest("The graph is named both by the path and by a parameter.")
        return self._serve(_absolute(f"{BASE}graphs/{quote(name, safe=_PATH)}"))

    def indirect(self) -> Response:
        """Serve the graph that a parameter names; POST without one makes a new graph."""
        parameters = Parameters(request.query_string)
        graph, default = parameters.one("graph"), parameters.one("default")
        if graph is not None and default is not None:
            raise InvalidRequest("The request names both a graph and the default graph.")
        if graph is not None:
            return self._serve(_absolute(graph))
        if default is not None:
            return self._serve(None)
        if request.method == "POST":
            return self._serve(f"{BASE}graphs/{uuid.uuid4()}")
        raise InvalidRequest(
            "The request names no graph.", hint="Add ?graph=IRI, percent-encoded, or ?default."
        )

    def _serve(self, graph: str | None) -> Response:
        if request.method in ("GET", "HEAD"):
            return self._read(graph)
        if Parameters(request.query_string).all("at"):
            raise InvalidRequest("The request has the parameter at.", hint="No past is written.")
        token = receiving.authorized(self._settings)
        kind = request.method.lower()
        if kind == "delete":
            change = Change("delete", graph=graph, by=token.name)
        elif kind in ("put", "post"):
            extension = _MEDIA_TYPES[receiving.media_type(_MEDIA_TYPES)]
            body = receiving.body(self._settings)
            change = Change("put" if kind == "put" else "post", body, extension, graph)
            change = change._replace(by=token.name)
        else:
            raise MethodNotAllowed(f"{request.method} is not offered here.", allow=_METHODS)
        return self._write(change)

    def _write(self, change: Change) -> Response:
        """Make a change: 201 with its address for a new graph, 204 for one that was there."""
        written, response = receiving.made(self._settings, self._engine, change)
        if written.has_created and change.graph:
            response.status_code = 201
            address = f"/graphs?graph={quote(change.graph, safe='')}"
            response.headers["Location"] = self._settings.public_url + address
            return response
        response.status_code = 204
        response.data = b""
        del response.headers["Content-Type"]
        return response

    def _read(self, graph: str | None) -> Response:
        offers = _offers()
        dataset = (None, None) if graph is None else ((graph,), ())
        question = Question(_ALL, offers, *dataset)
        at = Parameters(request.query_string).one("at")
        engine = self._engine if at is None else self._past.at(at)
        version = engine.version()
        if request.if_none_match and version:
            tag = _tag(question, version)
            if request.if_none_match.contains(tag):
                return _tagged(Response(status=304), tag)
        answer = engine.ask(question) if graph is None else _existing(engine, graph, question)
        response = _whole(answer)
        if not answer.version:
            return _untagged(response)
        response.headers["Graph-Version"] = answer.version
        response.headers["Cache-Control"] = "no-cache"
        return _tagged(response, _tag(question, answer.version))


def _existing(engine: Engine | Moment, graph: str, question: Question) -> Answer:
    """Return all triples of a graph; raises NotFound when there are none."""
    exists = Question(_ASK, _JSON, (graph,), ())
    for _ in range(_ATTEMPTS):
        found, answer = engine.ask(exists), engine.ask(question)
        if found.version == answer.version:
            break
    if b"true" not in found.read():
        raise NotFound(f"There is no graph {graph}.", hint="Query for GRAPH ?g to see which are.")
    return answer


def _absolute(iri: str) -> str:
    try:
        return NamedNode(iri).value
    except ValueError as error:
        raise InvalidRequest(
            f"The graph {iri[:200]!r} is not an absolute IRI: {error}.",
            hint="Name it with an IRI such as https://w3id.org/intmk/source",
        ) from error


def _offers() -> tuple[tuple[str, str], ...]:
    """Return (extension, media type) of the formats the client accepts, best first."""
    accept, name = request.headers.get("Accept"), Parameters(request.query_string).one("format")
    offers = formats.rank(accept, formats.GRAPHS) if name is None else formats.named(name)
    found = tuple((one.format.extension, one.media_type) for one in offers)
    if not any(one.format in formats.GRAPHS for one in offers):
        raise formats.not_acceptable(name or accept or "", formats.GRAPHS)
    return found


def _whole(answer: Answer) -> Response:
    text = answer.media_type.startswith("text/")
    content_type = answer.media_type + ("; charset=utf-8" if text else "")
    if isinstance(answer.content, bytes):
        return Response(answer.content, content_type=content_type)
    response = Response(FileWrapper(answer.content, CHUNK_BYTES), content_type=content_type)
    response.direct_passthrough = True
    response.headers["Content-Length"] = str(answer.length)
    return response


def _tag(question: Question, version: str) -> str:
    return f"{version}-{hashlib.sha256(repr(question).encode()).hexdigest()[:16]}"


def _untagged(response: Response) -> Response:
    """Return an answer of which nobody knows how long it will be right."""
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return response


def _tagged(response: Response, tag: str) -> Response:
    response.set_etag(tag)
    response.vary.add("Accept")
    return response

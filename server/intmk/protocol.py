"""The query operation of the SPARQL 1.1 Protocol (section 2.1) at ``/sparql``.

Parameters are read strictly: each exactly once, each valid UTF-8. Answers are formatted by the
engine; a browser is handed over to a page.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import IO
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from werkzeug.wsgi import FileWrapper

from intmk import formats
from intmk.engine import Answer, Engine, Question
from intmk.errors import InvalidRequest, UnsupportedMediaType, UpdateForbidden
from intmk.settings import Settings
from intmk.wire import CHUNK_BYTES

FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
UPDATE = "application/sparql-update"
_READ_ONLY = "This address answers SELECT, ASK, CONSTRUCT and DESCRIBE."
# Two evaluations of such a query differ, so its answer is not worth keeping.
_VOLATILE = re.compile(r"\b(NOW|RAND|UUID|STRUUID|BNODE)\b", re.IGNORECASE)

# Shows a page for a browser: the query (None for an empty form), and its dataset.
Page = Callable[["Operation"], Response]


class Parameters:
    """The parameters of a request, taken out one by one so that none is given twice unnoticed."""

    def __init__(self, *encoded: bytes) -> None:
        """Read URL-encoded texts; raises InvalidRequest where one is not UTF-8."""
        self._pairs: list[tuple[str, str]] = []
        for text in encoded:
            try:
                self._pairs += parse_qsl(
                    text.decode("ascii"), keep_blank_values=True, errors="strict"
                )
            except ValueError as error:
                raise InvalidRequest(
                    f"The parameters are not UTF-8: {error}.",
                    hint="Percent-encode every character outside ASCII as UTF-8.",
                ) from error

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a parameter."""
        return tuple(value for key, value in self._pairs if key == name)

    def one(self, name: str) -> str | None:
        """Return the only value of a parameter, or None; raises InvalidRequest for several."""
        values = self.all(name)
        if len(values) > 1:
            raise InvalidRequest(
                f"The parameter {name} is given {len(values)} times.", hint="Give it once."
            )
        return values[0] if values else None


class Operation:
    """One query operation as the client asked for it, whichever of the three ways it took.

    ``query`` is None for a GET that asks for the service description.
    """

    def __init__(self) -> None:
        """Read the current request; raises InvalidRequest, UnsupportedMediaType, ...."""
        parameters, self.query = _read()
        if parameters.all("update"):
            raise UpdateForbidden("The request has the parameter update.", hint=_READ_ONLY)
        self.default_graphs = parameters.all("default-graph-uri")
        self.named_graphs = parameters.all("named-graph-uri")
        self.format = parameters.one("format")
        self.accept = request.headers.get("Accept")

    @property
    def wants_html(self) -> bool:
        """Whether a page is the best answer to this client."""
        if self.format is None:
            return formats.prefers_html(self.accept)
        return self.format == "html"

    @property
    def dataset(self) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """The default and the named graphs asked for; None twice for the graph as it is."""
        has_dataset = bool(self.default_graphs or self.named_graphs)
        return (self.default_graphs, self.named_graphs) if has_dataset else (None, None)

    def question(self, text: str, kinds: Iterable[formats.Format] = formats.FORMATS) -> Question:
        """Return what to ask the engine; raises NotAcceptable when no format will do."""
        offers = _offers(self.accept, self.format, tuple(kinds))
        return Question(text, offers, *self.dataset)


def _read() -> tuple[Parameters, str | None]:
    """Return the parameters and the query of the current request."""
    if request.method != "POST":
        parameters = Parameters(request.query_string)
        return parameters, parameters.one("query")
    media_type = request.mimetype
    if media_type == UPDATE:
        raise UpdateForbidden("The request body is an update.", hint=_READ_ONLY)
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if media_type not in (FORM, QUERY) or charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(
            f"The request body is {request.content_type or 'of no stated type'}.",
            hint=f"Send {QUERY} or {FORM}, in UTF-8.",
            offered=[QUERY, FORM],
        )
    if media_type == FORM:
        parameters = Parameters(request.query_string, request.get_data())
        query = parameters.one("query")
    else:
        parameters, query = Parameters(request.query_string), _direct()
        if parameters.all("query"):
            raise InvalidRequest("There is a query both in the address and in the body.")
    if query is None:
        raise InvalidRequest("The request has no query.", hint="Send it as the parameter query.")
    return parameters, query


def _direct() -> str:
    try:
        return request.get_data().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The query is not UTF-8: {error}.") from error


@lru_cache(maxsize=256)
def _offers(
    accept: str | None, name: str | None, kinds: tuple[formats.Format, ...]
) -> tuple[tuple[str, str], ...]:
    """Return (extension, media type) of every format the client accepts, best first."""
    if name is not None:
        wanted: tuple[formats.Offer, ...] = formats.named(name)
    else:
        wanted = formats.rank(accept, kinds)
    if not wanted:
        raise formats.not_acceptable(accept or "", kinds)
    return tuple((offer.format.extension, offer.media_type) for offer in wanted)


def blueprint(engine: Engine, settings: Settings, page: Page | None = None) -> Blueprint:
    """Return the routes of the protocol; ``page`` answers browsers, who get RDF without it."""
    routes = Blueprint("protocol", __name__)
    endpoint = f"{settings.public_url}/sparql"

    @routes.route("/sparql", methods=["GET", "POST"])
    def sparql() -> Response:
        operation = Operation()
        if operation.wants_html and page:
            response = page(operation)
        elif operation.query is None:
            response = _answer(engine, operation.question(description(endpoint), formats.GRAPHS))
        else:
            response = _answer(engine, operation.question(operation.query))
        response.vary.add("Accept")
        return response

    return routes


def _answer(engine: Engine, question: Question) -> Response:
    """Return the engine's answer, or 304 when the client has it already."""
    is_stable = request.method != "POST" and not _VOLATILE.search(question.text)
    if is_stable and request.if_none_match:
        tag = _tag(question, engine.version())
        if request.if_none_match.contains(tag):
            response = Response(status=304)
            response.set_etag(tag)
            return response
    answer = engine.ask(question)
    response = _response(answer)
    response.headers["Cache-Control"] = "no-cache" if is_stable else "no-store"
    if is_stable:
        response.set_etag(_tag(question, answer.version))
    return response


def _response(answer: Answer) -> Response:
    text = answer.media_type.startswith("text/")
    content_type = answer.media_type + ("; charset=utf-8" if text else "")
    if isinstance(answer.content, bytes):
        response = Response(answer.content, content_type=content_type)
    else:
        body: IO[bytes] = answer.content
        response = Response(FileWrapper(body, CHUNK_BYTES), content_type=content_type)
        response.direct_passthrough = True
        response.headers["Content-Length"] = str(answer.length)
    response.headers["Server-Timing"] = f"query;dur={answer.seconds * 1000:.2f}"
    response.headers["Graph-Version"] = answer.version
    return response


def _tag(question: Question, version: str) -> str:
    """Return a strong entity tag: same version, question and formats, same bytes."""
    return f"{version}-{hashlib.sha256(repr(question).encode()).hexdigest()[:16]}"


def description(endpoint: str) -> str:
    """Return the query whose answer is the service description (SPARQL 1.1 Service Description).

    It counts the graphs as they are, so it needs no text of its own that could grow old.
    """
    supported = " , ".join(f"<http://www.w3.org/ns/formats/{name}>" for name in _FORMAT_NAMES)
    return f"""
PREFIX sd: <http://www.w3.org/ns/sparql-service-description#>
PREFIX void: <http://rdfs.org/ns/void#>
CONSTRUCT {{
  <{endpoint}> a sd:Service ; sd:endpoint <{endpoint}> ;
    sd:supportedLanguage sd:SPARQL11Query ; sd:resultFormat {supported} ;
    sd:defaultDataset <{endpoint}#dataset> .
  <{endpoint}#dataset> a sd:Dataset ; sd:defaultGraph <{endpoint}#default> ; sd:namedGraph ?node .
  <{endpoint}#default> a sd:Graph ; void:triples ?all .
  ?node a sd:NamedGraph ; sd:name ?name ; sd:graph ?graph .
  ?graph a sd:Graph ; void:triples ?count .
}} WHERE {{
  {{ SELECT (COUNT(*) AS ?all) {{ ?s ?p ?o }} }} UNION
  {{ SELECT ?name (COUNT(*) AS ?count) {{ GRAPH ?name {{ ?s ?p ?o }} }} GROUP BY ?name }}
  BIND(ENCODE_FOR_URI(STR(?name)) AS ?key)
  BIND(IRI(CONCAT("{endpoint}#named=", ?key)) AS ?node)
  BIND(IRI(CONCAT("{endpoint}#graph=", ?key)) AS ?graph)
}}"""


# https://www.w3.org/ns/formats/
_FORMAT_NAMES = (
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "N-Triples",
    "JSON-LD",
    "RDF_XML",
    "TriG",
    "N-Quads",
)

"""What can go wrong, in the words of the domain; RFC 9457 gives the shape in which it is told.

Modules raise these; only ``app`` makes HTTP responses of them and only ``cli`` exit codes.
"""

# ruff: noqa: N818 - the names say what happened, which "Error" would not add to.

import re
from typing import ClassVar

PROBLEM_BASE = "https://w3id.org/intmk/problem/"


class GraphError(Exception):
    """Anything this project refuses or fails to do, told to whoever asked for it.

    ``detail`` says what was wrong with this request, ``hint`` what to do next, ``line`` and
    ``column`` (from 1, in characters) where. ``title`` and ``status`` (HTTP) belong to the class.
    ``extra`` holds further members of the problem document, as JSON values.
    """

    title: ClassVar[str] = "The server failed"
    status: ClassVar[int] = 500

    def __init__(
        self,
        detail: str,
        *,
        hint: str = "",
        line: int | None = None,
        column: int | None = None,
        **extra: object,
    ) -> None:
        """Keep the parts; ``str(error)`` is one line of text with all of them."""
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.line = line
        self.column = column
        self.extra = extra

    def __str__(self) -> str:
        """Position, title, detail and hint on one line."""
        where = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{where}{self.title}: {self.detail} {self.hint}".rstrip()


class InvalidRequest(GraphError):
    """A parameter is missing, given twice, or not what it should be."""

    title = "The request is not valid"
    status = 400


class QuerySyntaxError(GraphError):
    """The query is not SPARQL 1.1; has a line and a column whenever the parser gave them."""

    title = "The query is not valid SPARQL"
    status = 400


class QueryTooDeep(GraphError):
    """The query nests deeper than the parser's stack."""

    title = "The query is nested too deeply"
    status = 400


class QueryFailed(GraphError):
    """A well-formed query could not be evaluated."""

    title = "The query could not be evaluated"
    status = 400


class NetworkForbidden(GraphError):
    """The query would reach another server."""

    title = "Queries to other servers are not allowed"
    status = 403


class ServiceNeeded(NetworkForbidden):
    """The query asks other servers; ``clauses`` says whom and what, see ``services``."""


class ServiceFailed(GraphError):
    """Another server that the query asks did not answer as it should."""

    title = "The other server did not answer"
    status = 502


class ServiceTimeout(GraphError):
    """The other servers that the query asks took too long together."""

    title = "The other server took too long"
    status = 504


class UpdateForbidden(GraphError):
    """An update was sent to an endpoint that only reads."""

    title = "Updates are not offered"
    status = 403


class Unauthorized(GraphError):
    """The request needs a bearer token and has none that is known (RFC 6750 section 3)."""

    title = "A token is needed"
    status = 401


class InsufficientScope(GraphError):
    """The token is known and does not allow this; ``scope`` is the one that would."""

    title = "The token does not allow this"
    status = 403


class NotFound(GraphError):
    """There is nothing at this address."""

    title = "Not found"
    status = 404


class VersionGone(GraphError):
    """The version was published once and is no longer kept."""

    title = "The version is no longer kept"
    status = 410


class MethodNotAllowed(GraphError):
    """The resource exists and does not know this method; ``allow`` lists those it knows."""

    title = "The method is not allowed here"
    status = 405


class NotAcceptable(GraphError):
    """None of the formats the client accepts is offered; ``offered`` lists media types."""

    title = "No acceptable format"
    status = 406


class PreconditionFailed(GraphError):
    """The graph is not as the request says it must be (If-Match, If-None-Match)."""

    title = "The graph has changed"
    status = 412


class Conflict(GraphError):
    """A proposal does not fit the graph or its own state any more; ``conflicts`` says why."""

    title = "The graph has moved on"
    status = 409


class TooLarge(GraphError):
    """A request body or an answer exceeds its limit."""

    title = "Too large"
    status = 413


class UnsupportedMediaType(GraphError):
    """The request body is in a format this address does not read."""

    title = "The format of the request body is not supported"
    status = 415


class OutOfMemory(GraphError):
    """A query needed more memory than one query may have."""

    title = "The query needs too much memory"
    status = 507


class Busy(GraphError):
    """Every query worker is taken and the queue is full."""

    title = "The server is busy"
    status = 503
    retry_after_s: ClassVar[int] = 2


class Unavailable(Busy):
    """The process that answers queries is not there, or was lost with this query."""

    title = "The query engine is not available"


class TooManyQueries(Busy):
    """One address asks for so much at once that others would have to wait."""

    title = "Too many queries at once"
    status = 429


class QueryCancelled(GraphError):
    """A query was stopped because someone who knew its Query-Id said so."""

    title = "The query was cancelled"
    status = 409


class ClientLeft(GraphError):
    """The client hung up while its query was running; nobody reads this."""

    title = "The client has gone"
    status = 499


class QueryTimeout(GraphError):
    """A query ran past its deadline and was stopped."""

    title = "The query took too long"
    status = 504


class CheckTimeout(GraphError):
    """The judgement of a document ran past its deadline and was stopped."""

    title = "The check took too long"
    status = 504


class StoreFailed(GraphError):
    """The SPARQL endpoint that answers in place of a store failed, or answered with something else.

    Its address is not told: the client has no use for it.
    """

    title = "The engine behind this server failed"
    status = 502


class NotOffered(GraphError):
    """This server does not do that, whoever asks."""

    title = "This server does not offer that"
    status = 501


class WriteTimeout(GraphError):
    """A write ran past its deadline and was stopped; the graph is as it was."""

    title = "The write took too long"
    status = 504


class WriteRefused(GraphError):
    """The graph would break its rules; ``findings`` says which, and nothing was changed."""

    title = "The write was refused"
    status = 422


class SourceSyntaxError(GraphError):
    """A file is not the RDF its name says; ``file`` names it, line and column say where."""

    title = "The file is not valid RDF"
    status = 400

    def __init__(
        self, detail: str, *, file: str, line: int | None, column: int | None, hint: str = "",
        **extra: object,
    ) -> None:  # fmt: skip
        """Keep the position; ``str(error)`` is ``file:line:column: detail``."""
        super().__init__(detail, hint=hint, line=line, column=column, file=file, **extra)
        self.file = file

    def __str__(self) -> str:
        """Say it as compilers do, for editors to jump to."""
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{where}: {self.detail} {self.hint}".rstrip()


class BuildRefused(GraphError):
    """The data break the shapes, so no version was made; ``report`` says where and how."""

    title = "The graph was not built"
    status = 422

    def __init__(self, detail: str, report: object, *, hint: str = "") -> None:
        """Keep the report, a ``validation.Report``."""
        super().__init__(detail, hint=hint)
        self.report = report


class CannotCheck(GraphError):
    """Validation could not begin: a file is missing, unreadable or not RDF."""

    title = "The check could not be made"
    status = 400


def problem(error: GraphError) -> dict[str, object]:
    """Return the RFC 9457 section 3 problem document of an error, ready for JSON."""
    body: dict[str, object] = {
        "type": PROBLEM_BASE + slug(type(error)),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    optional = {"hint": error.hint, "line": error.line, "column": error.column} | error.extra
    return body | {name: value for name, value in optional.items() if value}


def slug(kind: type[GraphError]) -> str:
    """Return the last part of a problem's type IRI: ``QueryTimeout`` is ``query-timeout``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()

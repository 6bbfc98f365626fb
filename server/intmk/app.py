"""Wires settings, engine and routes into one Flask application.

The only place that turns errors into HTTP responses: RFC 9457 problem documents, or the same as
text or HTML for who prefers that.
"""

import json
import time
from functools import partial
from typing import cast

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from intmk import dumps, errors, feeds, gateway, metrics, replies, update, versions
from intmk.api import Validation
from intmk.engine import Engine, Question, question_name
from intmk.errors import GraphError
from intmk.gateway import Gateway
from intmk.graphs import Graphs
from intmk.metrics import Tally
from intmk.pages import Pages
from intmk.past import Past
from intmk.protocol import Endpoint, Operation
from intmk.reviewing import Desk
from intmk.settings import Settings, shown

_ALLOWED = (
    "Accept, Authorization, Content-Type, If-Match, If-None-Match, Query-Id, Content-Encoding"
)
_BY_STATUS: dict[int, type[GraphError]] = {
    400: errors.InvalidRequest,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
}


def create_app(settings: Settings, engine: Engine) -> Flask:
    """Return the application; ``engine`` answers its queries, ``settings`` gives the limits."""
    app = Flask("intmk", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.query_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.query_bytes
    past = Past(settings, engine.directory)
    site = Pages(settings, engine, past)
    app.register_blueprint(site.blueprint)
    for routes in (update.blueprint(engine, settings), Graphs(settings, engine, past).blueprint):
        app.register_blueprint(routes)
    app.register_blueprint(versions.blueprint(settings))
    app.register_blueprint(dumps.blueprint(settings))
    app.register_blueprint(Validation(settings).blueprint)
    app.register_blueprint(feeds.blueprint(settings, site))
    app.register_blueprint(Desk(settings, engine, site).blueprint)
    app.add_url_rule("/sparql", "sparql", partial(_page, site), methods=["GET", "POST"])
    app.add_url_rule(
        "/sparql/running/<name>", "cancel", partial(_cancel, engine, past), methods=["DELETE"]
    )
    _add_observation(app, settings, engine)
    app.before_request(_refuse)
    app.before_request(partial(_refuse_what_is_elsewhere, settings))
    app.register_error_handler(GraphError, partial(_problem, site))
    app.register_error_handler(HTTPException, partial(_http_problem, site))
    app.after_request(_share)
    tally = Tally(engine.directory / "metrics")
    endpoint = Endpoint(engine, past, settings, tally)
    app.wsgi_app = Gateway(app.wsgi_app, endpoint, settings, tally)  # type: ignore[method-assign]
    return app


def _add_observation(app: Flask, settings: Settings, engine: Engine) -> None:
    app.add_url_rule("/health", "health", partial(_ready, engine))
    app.add_url_rule("/health/ready", "ready", partial(_ready, engine))
    app.add_url_rule("/health/live", "live", _live)
    app.add_url_rule("/metrics", "metrics", partial(_metrics, settings, engine))


def _refuse() -> None:
    """Tell what the gateway found wrong with the request."""
    error = request.environ.get(gateway.ERROR)
    if error:
        raise error


# What rests on versions of our own.
_OF_STORE = ("changes", "dumps", "proposals", "update", "validate", "versions")
_READING = ("GET", "HEAD", "OPTIONS")


def _refuse_what_is_elsewhere(settings: Settings) -> None:
    """Raise NotOffered for what only a store of our own can do, where it is another's."""
    first = request.path.split("/")[1].partition(".")[0]
    is_write = first in ("graphs", "proposals", "update") and request.method not in _READING
    if settings.follow and is_write:
        raise errors.NotOffered(
            "This is a copy, which nobody writes to.",
            hint=f"Send it to {shown(settings.follow)}.",
        )
    if settings.remote and (first in _OF_STORE or is_write):
        raise errors.NotOffered(
            "Another engine holds the graph here: it is read only, and has no versions.",
            hint="Write to that engine itself, or to the server that publishes the graph.",
        )


def _page(site: Pages) -> Response:
    """Answer a browser at /sparql with a page."""
    operation: Operation = request.environ[gateway.OPERATION]
    if operation.query is None:
        return site.sparql(None)
    return site.sparql(Question(operation.query, (), *operation.dataset))


def _cancel(engine: Engine, past: Past, name: str) -> Response:
    """DELETE /sparql/running/<Query-Id>: stop that query. Who knows its id may."""
    question = question_name(name)
    if not (engine.cancel(question) or past.cancel(question)):
        raise errors.NotFound(
            "No query with this Query-Id is being answered.",
            hint="It may have ended, or be waiting for a worker.",
        )
    return Response(status=204)


def _live() -> Response:
    """Tell that this process answers."""
    return _json({"status": "ok"})


def _ready(engine: Engine) -> Response:
    """Tell that questions are answered, by how many workers and from which version."""
    status = engine.status()
    if not status:
        return _json({"status": "ok"})
    if not status["workers"]:
        raise errors.Unavailable("No query worker is there yet.")
    return _json({"status": "ok", "version": status["version"], "workers": len(status["workers"])})


def _json(body: dict[str, object]) -> Response:
    response = Response(json.dumps(body), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _metrics(settings: Settings, engine: Engine) -> Response:
    """Tell what was counted in every process, and about the version that is served."""
    gauges = {"up": ("Whether questions are answered", 0.0)}
    try:
        status = engine.status()
        gauges["up"] = ("Whether questions are answered", 1.0)
        if not status:
            return _exposed(engine, gauges)
        folder = settings.store / "versions" / status["version"]
        dump = (folder / "dump.nq").stat()
        gauges |= {
            "workers": ("Workers for short queries", float(len(status["workers"]))),
            "slow_workers": ("Workers at long queries", float(len(status["slow"]))),
            "snapshot_bytes": ("Length of the served version as N-Quads", float(dump.st_size)),
            "snapshot_age_seconds": ("Age of the served version", time.time() - dump.st_mtime),
        }
    except (GraphError, OSError):
        # What was counted is worth telling all the more.
        pass
    return _exposed(engine, gauges)


def _exposed(engine: Engine, gauges: dict[str, tuple[str, float]]) -> Response:
    body = metrics.exposition(engine.directory / "metrics", gauges)
    response = Response(body, content_type=metrics.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _share(response: Response) -> Response:
    """Answer a preflight request (CORS), which carries no token and needs none."""
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = _ALLOWED
        response.headers["Access-Control-Max-Age"] = "86400"
    return response


def _http_problem(site: Pages, error: HTTPException) -> Response:
    """Return Werkzeug's own errors (unknown path, method, size) in our shape."""
    if error.code is None or error.code < 400:
        return cast(Response, Response.force_type(error.get_response()))
    kind = _BY_STATUS.get(error.code, GraphError)
    detail = {
        404: f"There is nothing at {request.path}.",
        405: f"{request.method} is not offered at {request.path}.",
        413: "The request body is longer than this server reads.",
    }.get(error.code, "See the server's log." if kind is GraphError else error.description or "")
    return _problem(site, kind(detail, allow=sorted(getattr(error, "valid_methods", None) or [])))


def _problem(site: Pages, error: GraphError) -> Response:
    """Return an error as the client likes to read it, as a problem document by default."""
    request.environ[gateway.OUTCOME] = errors.slug(type(error))
    reply = replies.problem(error, request.headers.get("Accept"))
    if reply:
        assert isinstance(reply.body, bytes)  # noqa: S101 - problems are short
        return Response(reply.body, reply.status, reply.headers)
    response = site.error(error)
    for name, value in replies.problem_headers(error):
        if name == "Vary":
            response.vary.add(value)
        else:
            response.headers[name] = value
    return response

"""Wires settings, engine and routes into one Flask application, and serves it.

The only place that turns errors into HTTP responses: RFC 9457 problem documents, or the same as
text or HTML for who prefers that.
"""

import json
import multiprocessing
import os
import socket
import threading
from functools import partial
from pathlib import Path
from typing import cast

from flask import Flask, Response, request
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from werkzeug.exceptions import HTTPException

from intmk import errors, formats, protocol
from intmk.engine import Engine, Question, Workers
from intmk.errors import GraphError
from intmk.pages import Pages
from intmk.settings import Settings

_EXPOSED = "ETag, Graph-Version, Link, Retry-After, Server-Timing"
_ALLOWED = "Accept, Content-Type, If-None-Match"
_SHUTDOWN_S = 5
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
    site = Pages(settings, engine)
    for routes in (protocol.blueprint(engine, settings, partial(_page, site)), site.blueprint):
        app.register_blueprint(routes)
    app.add_url_rule("/health", view_func=partial(_health, engine), endpoint="health")
    app.register_error_handler(GraphError, partial(_problem, site))
    app.register_error_handler(HTTPException, partial(_http_problem, site))
    app.after_request(_share)
    return app


def _page(site: Pages, operation: protocol.Operation) -> Response:
    """Answer a browser at /sparql with a page."""
    if operation.query is None:
        return site.sparql(None)
    return site.sparql(Question(operation.query, (), *operation.dataset))


def _health(engine: Engine) -> Response:
    """Tell that questions are answered, by how many workers and from which version."""
    status = engine.status()
    body = {"status": "ok", "version": status["version"], "workers": len(status["workers"])}
    return Response(json.dumps(body), content_type="application/json")


def _share(response: Response) -> Response:
    """Let any page read any answer (CORS); nothing here depends on who asks."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    response.headers["X-Content-Type-Options"] = "nosniff"
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
    allowed = sorted(getattr(error, "valid_methods", None) or [])
    detail = {
        404: f"There is nothing at {request.path}.",
        405: f"{request.method} is not offered at {request.path}.",
        413: "The request body is longer than this server reads.",
    }.get(error.code, "See the server's log." if kind is GraphError else error.description or "")
    response = _problem(site, kind(detail, allow=allowed))
    if allowed:
        response.headers["Allow"] = ", ".join(allowed)
    return response


def _problem(site: Pages, error: GraphError) -> Response:
    """Return an error as the client likes to read it, as a problem document by default."""
    body = errors.problem(error)
    accept = request.headers.get("Accept") or "*/*"
    content_type = max(_WRITERS, key=lambda one: formats.quality(accept, one))
    if content_type == "text/html":
        response = site.error(error)
    else:
        response = Response(_WRITERS[content_type](body), error.status)
        text = content_type.startswith("text/")
        response.headers["Content-Type"] = content_type + ("; charset=utf-8" if text else "")
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    if isinstance(error, errors.Busy):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _json(body: dict[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False)


def _text(body: dict[str, object]) -> str:
    place = f"Line {body['line']}, column {body['column']}" if "line" in body else ""
    lines = (body["title"], place, body["detail"], body.get("hint"))
    return "".join(f"{line}\n" for line in lines if line)


# The first is the default: whichever the client likes as well as any other.
_WRITERS = {
    "application/problem+json": _json,
    "application/json": _json,
    "text/html": _text,
    "text/plain": _text,
}


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, leaving no process behind.

    Raises Unavailable when the graph cannot be loaded or the address cannot be listened on.
    """
    _check_address(settings)
    # Forking would hand the front processes the pipe by which the nursery is told to end.
    multiprocessing.set_start_method("spawn", force=True)
    with Workers(settings) as workers:
        server = Granian(
            "intmk.app",
            settings.host,
            settings.port,
            interface=Interfaces.WSGI,
            workers=settings.front_workers,
            blocking_threads=settings.front_threads,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
            respawn_failed_workers=True,
            workers_kill_timeout=_SHUTDOWN_S,
        )
        server.serve(target_loader=partial(_front, settings, workers.directory), wrap_loader=False)


def _check_address(settings: Settings) -> None:
    """Raise Unavailable when the address is taken, before anything is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        raise errors.Unavailable(
            f"Cannot listen on {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}.",
            hint="Choose another port with --port.",
        ) from error


def _front(settings: Settings, directory: Path) -> Flask:
    """Return the application for one front process, which ends when its parent does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return create_app(settings, Engine(directory, settings))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)

"""What /update and /graphs share: who may write, what was sent, and how a write is answered."""

import contextlib
import json
import time
from collections.abc import Iterable

from flask import Response, after_this_request, request

from intmk import tokens, writer
from intmk.changes import Change
from intmk.engine import Engine
from intmk.errors import (
    InsufficientScope,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from intmk.settings import Settings
from intmk.tokens import Token

_UTF_8 = ("utf-8", "utf8", "us-ascii")
_READ_WITHIN_S = 5.0
_POLL_S = 0.01


def authorized(settings: Settings, scope: str = "write") -> Token:
    """Return the token of the current request, which must allow ``scope``.

    Raises Unauthorized or InsufficientScope, and sees that their answer has WWW-Authenticate.
    """
    try:
        return tokens.authorize(settings.store, request.headers.get("Authorization"), scope)
    except (Unauthorized, InsufficientScope) as error:
        challenge = tokens.challenge(error)

        @after_this_request
        def _(response: Response) -> Response:
            response.headers["WWW-Authenticate"] = challenge
            return response

        raise


def media_type(offered: Iterable[str]) -> str:
    """Return the media type of the request's body; raises UnsupportedMediaType for any other.

    The body must be UTF-8 and as it is: a compressed one may be a thousand times as long.
    """
    offered = list(offered)
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaType(
            f"The request body is compressed ({coding[:40]}).", hint="Send it as it is."
        )
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype not in offered or charset not in _UTF_8:
        raise UnsupportedMediaType(
            f"The request body is {request.content_type or 'of no stated type'}.",
            hint=f"Send {', '.join(offered)}, in UTF-8.",
            offered=offered,
        )
    return request.mimetype


def body(settings: Settings) -> bytes:
    """Return the request's body; the limit is that of writes, not that of queries."""
    request.max_content_length = settings.write_bytes
    return request.get_data()


def conditional(change: Change) -> Change:
    """Return the change with the preconditions of the current request (RFC 9110 section 13.1).

    Our entity tags begin with the version, so what is compared is the version of the whole graph:
    stricter than the one resource, never laxer.
    """
    wanted = request.if_match
    if wanted and not wanted.star_tag:
        versions = {tag.partition("-")[0] for tag in wanted.as_set(include_weak=False)}
        change = change._replace(versions=tuple(sorted(versions)))
    return change._replace(
        is_replacement=wanted.star_tag, is_creation=request.if_none_match.star_tag
    )


def made(settings: Settings, engine: Engine, change: Change) -> tuple[writer.Written, Response]:
    """Make a change; return what came of it, and an answer that names the version.

    The answer comes when questions are answered from the new version, so that who has written can
    read it; after some seconds it comes anyway, since the write is made.
    """
    written = writer.write(settings, conditional(change))
    await_version(engine)
    fields = {"version": written.version, "number": written.number, "changed": written.is_new}
    response = Response(json.dumps(fields), content_type="application/json")
    response.headers["Graph-Version"] = written.version
    response.headers["Cache-Control"] = "no-store"
    return written, response


def await_version(engine: Engine) -> None:
    """Return when questions are answered from the current version, or after some seconds."""
    deadline = time.monotonic() + _READ_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(Unavailable):
            if engine.version() == engine.newest():
                return
        time.sleep(_POLL_S)

"""What a request to /proposals holds: the fields of a form, an object, or RDF with an address."""

import json
from collections.abc import Mapping

from flask import request

from intmk import drafts, formats, patch, turtle
from intmk.drafts import Draft
from intmk.errors import InvalidRequest
from intmk.protocol import FORM, UPDATE, Parameters

JSON, MULTIPART = "application/json", "multipart/form-data"
FORMS = (FORM, MULTIPART)
_BODIES = {row.media_types[0]: row.extension for row in formats.GRAPHS} | {
    patch.MEDIA_TYPE: patch.EXTENSION,
    UPDATE: drafts.UPDATE,
}
TAKEN = sorted({*FORMS, JSON, *_BODIES})
"""The media types in which a proposal can be sent."""
FIELDS = ("author", "reason", "sources", "additions", "removals", "replaces", "extension")
_OTHERS = ("token", "decision", "comment")
_LONGEST_NAME = 200


def given(kind: str, body: bytes) -> dict[str, str]:
    """Return the fields of a body that is not multipart.

    Raises InvalidRequest, and SourceSyntaxError at what is not UTF-8.
    """
    if kind == FORM:
        return _fields(Parameters(body))
    if kind == JSON:
        return _members(body)
    fields = _fields(Parameters(request.query_string))
    return fields | {"additions": turtle.decode(body, "additions"), "extension": _BODIES[kind]}


def form() -> dict[str, str]:
    """Return the fields of a multipart form but for its file."""
    return _lines({name: request.form.get(name) for name in (*FIELDS, *_OTHERS)})


def file(kind: str) -> dict[str, str]:
    """Return the fields for which the file of a form stands, none without one.

    Raises InvalidRequest when there is a text too, SourceSyntaxError at what is not UTF-8.
    """
    sent = request.files.get("file") if kind == MULTIPART else None
    if not sent or not sent.filename:
        return {}
    if request.form.get("additions", "").strip():
        raise InvalidRequest(
            "The form has both a text and a file.", hint="Empty the text, or choose no file."
        )
    name = sent.filename[-_LONGEST_NAME:]
    text = turtle.decode(sent.read(), name).replace("\r\n", "\n")
    extension = name.rpartition(".")[2].lower()
    known = {"extension": extension} if extension in _BODIES.values() else {}
    return {"additions": text, "name": name, **known}


def draft(fields: Mapping[str, str]) -> Draft:
    """Return the change that fields make."""
    return Draft(
        fields.get("additions", ""), fields.get("removals", ""), fields.get("extension") or "trig",
        fields.get("replaces", ""), (fields.get("name", "additions"), "removals"),
    )  # fmt: skip


def _fields(parameters: Parameters) -> dict[str, str]:
    return _lines({name: parameters.one(name) for name in (*FIELDS, *_OTHERS)})


def _lines(found: Mapping[str, str | None]) -> dict[str, str]:
    """Return the fields that were sent; a browser ends the lines of a form with CR LF."""
    return {name: text.replace("\r\n", "\n") for name, text in found.items() if text is not None}


def _members(body: bytes) -> dict[str, str]:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The request body is not JSON: {error}.") from error
    if isinstance(members, dict) and isinstance(members.get("sources"), list):
        members["sources"] = "\n".join(str(one) for one in members["sources"])
    if not isinstance(members, dict) or not all(isinstance(one, str) for one in members.values()):
        raise InvalidRequest("The request body is not an object of texts.")
    try:
        "".join(members.values()).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("A text has half of a character (a lone surrogate).") from error
    return members

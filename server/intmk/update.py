"""The update operation of the SPARQL 1.1 Protocol (section 2.2) at ``/update``."""

from flask import Blueprint, Response, request

from intmk import receiving
from intmk.changes import Change
from intmk.engine import Engine
from intmk.errors import InvalidRequest
from intmk.protocol import FORM, UPDATE, Parameters
from intmk.settings import Settings


def blueprint(engine: Engine, settings: Settings) -> Blueprint:
    """Return the route; ``engine`` is asked when questions are answered from the new version."""
    routes = Blueprint("update", __name__)

    @routes.route("/update", methods=["POST"])
    def update() -> Response:
        token = receiving.authorized(settings)
        change = _change(settings)._replace(by=token.name)
        return receiving.made(settings, engine, change)[1]

    return routes


def _change(settings: Settings) -> Change:
    """Return what the current request asks for, whichever of the two ways it took."""
    media_type = receiving.media_type([UPDATE, FORM])
    if Parameters(request.query_string).all("update"):
        raise InvalidRequest("There is an update in the address.", hint="Send it in the body.")
    body = receiving.body(settings)
    if media_type == FORM:
        parameters = Parameters(request.query_string, body)
        text = parameters.one("update")
        if text is None:
            raise InvalidRequest(
                "The request has no update.",
                hint="Send it as the body, or as the parameter update of a form.",
            )
        body = text.encode()
    else:
        parameters = Parameters(request.query_string)
    if parameters.all("query"):
        raise InvalidRequest("The request has the parameter query.", hint="Ask at /sparql.")
    using = parameters.all("using-graph-uri")
    named = parameters.all("using-named-graph-uri")
    if using or named:
        return Change("update", body, using=using, using_named=named)
    return Change("update", body)

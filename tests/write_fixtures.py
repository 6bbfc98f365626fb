"""A server that can be written to, for the tests of /update, /graphs and /versions."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from flask.testing import FlaskClient

from conftest import FIXTURE_ROOT
from intmk import app, store, tokens
from intmk.settings import Settings
from intmk.validation import validate
from server_fixtures import running

PASSAGE = "https://w3id.org/intmk/source/press#line=3,5"


class Writing:
    """A client with a token that may write, and the settings of the server it talks to."""

    def __init__(self, settings: Settings, client: FlaskClient) -> None:
        """Make a token of each scope."""
        self.settings = settings
        self.client = client
        self.secrets = {
            scope: tokens.create(settings.store, f"the-{scope}", scope) for scope in tokens.SCOPES
        }

    def header(self, scope: str = "write") -> dict[str, str]:
        """Return the header of a token with a scope."""
        return {"Authorization": f"Bearer {self.secrets[scope]}"}

    def ask(self, query: str) -> bool:
        """Return the answer to an ASK."""
        answer: bool = self.client.get("/sparql", query_string={"query": query}).get_json(
            force=True
        )["boolean"]
        return answer


@contextlib.contextmanager
def writing(folder: Path, **explicit: object) -> Iterator[Writing]:
    """Run workers and an application on a store that was built from the small root."""
    store.build(FIXTURE_ROOT, folder, validate)
    limits = {"root": FIXTURE_ROOT, "query_timeout_s": 10, "query_bytes": 1000} | explicit
    with running(folder, **limits) as (engine, settings):
        yield Writing(settings, app.create_app(settings, engine).test_client())

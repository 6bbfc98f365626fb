"""What every request passes: who asks, under which path, and who has to wait."""

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from werkzeug.test import Client

from intmk import app
from intmk.engine import Engine, asker
from intmk.gateway import Environ, Gateway, Start
from intmk.metrics import Tally
from intmk.past import Past
from intmk.protocol import Endpoint
from server_fixtures import make_settings, publish, running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store folder with one version."""
    folder = tmp_path_factory.mktemp("store")
    publish(folder, "first")
    return folder


@pytest.fixture(scope="module")
def engine(store: Path) -> Iterator[Engine]:
    """Query workers."""
    with running(store) as (engine, _):
        yield engine


def gateway(engine: Engine, store: Path, application: object, **explicit: object) -> Gateway:
    """Return a gateway in front of an application of the test's own."""
    settings = make_settings(store, **explicit)
    tally = Tally(engine.directory / "metrics")
    endpoint = Endpoint(engine, Past(settings, engine.directory), settings, tally)
    return Gateway(application, endpoint, settings, tally)  # type: ignore[arg-type]


def who(environ: Environ, start: Start) -> list[bytes]:
    """Answer with who asks, as the gateway says."""
    by = asker.get()
    assert by
    start("200 OK", [("Content-Type", "text/plain")])
    return [by.address.hex().encode()]


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "same_as"),
    [
        ("none", "192.0.2.1", "192.0.2.7", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.1", "192.0.2.1", "198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.0/29", "192.0.2.1", "192.0.2.77, 192.0.2.2", "192.0.2.77"),
        ("192.0.2.1", "192.0.2.7", "198.51.100.9", "192.0.2.7"),
        ("192.0.2.1", "192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "nonsense", "192.0.2.1"),
        ("192.0.2.1, 2001:db8::/32", "192.0.2.1", "2001:db9::1, 2001:db8::1", "2001:db9::1"),
        ("none", "2001:db8::1", None, "2001:db8::ffff:2"),
        ("none", "::ffff:192.0.2.1", None, "192.0.2.1"),
    ],
)
def test_the_address_is_that_of_the_client(
    engine: Engine, store: Path, proxies: str, peer: str, forwarded: str | None, same_as: str
) -> None:
    """X-Forwarded-For counts only from proxies that are trusted, read from its end."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    trusting = Client(gateway(engine, store, who, trusted_proxies=proxies))
    plain = Client(gateway(engine, store, who))
    found = trusting.get("/", headers=headers, environ_base={"REMOTE_ADDR": peer}).data
    assert found == plain.get("/", environ_base={"REMOTE_ADDR": same_as}).data
    assert found != plain.get("/", environ_base={"REMOTE_ADDR": "203.0.113.1"}).data


@pytest.mark.parametrize("path", ["/graph/health/live", "/health/live"])
def test_the_public_path_may_be_there_or_not(engine: Engine, store: Path, path: str) -> None:
    """A proxy may hand the path on as it is, or take its prefix off."""
    settings = make_settings(store, public_url="https://example.org/graph")
    client = app.create_app(settings, engine).test_client()
    assert client.get(path).status_code == 200
    assert client.get("/graphs-of-others/health").status_code == 404


def test_behind_a_prefix_the_service_knows_its_address(engine: Engine, store: Path) -> None:
    """Links on pages and the service description have the public address."""
    settings = make_settings(store, public_url="https://example.org/graph")
    client = app.create_app(settings, engine).test_client()
    description = client.get("/graph/sparql", headers={"Accept": "application/n-triples"})
    assert "<https://example.org/graph/sparql> " in description.text
    page = client.get("/graph/sparql", headers={"Accept": "text/html"})
    assert 'action="/graph/sparql"' in page.text


def waiting(places: threading.Semaphore, go_on: threading.Event) -> object:
    """Return an application whose answers wait."""

    def application(_: Environ, start: Start) -> list[bytes]:
        places.release()
        go_on.wait()
        start("200 OK", [])
        return []

    return application


def test_one_address_cannot_take_every_thread(engine: Engine, store: Path) -> None:
    """It may have them while they are free; the last quarter is for others."""
    arrived, go_on = threading.Semaphore(0), threading.Event()
    client = Client(
        gateway(engine, store, waiting(arrived, go_on), front_threads=8), use_cookies=False
    )

    def get(address: str) -> int:
        return client.get("/", environ_base={"REMOTE_ADDR": address}).status_code

    with ThreadPoolExecutor(10) as pool:
        crowd = [pool.submit(get, "192.0.2.1") for _ in range(6)]
        for _ in crowd:
            assert arrived.acquire(timeout=20)
        refused = client.get("/", environ_base={"REMOTE_ADDR": "192.0.2.1"})
        other = pool.submit(get, "192.0.2.2")
        assert arrived.acquire(timeout=20)
        go_on.set()
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert json.loads(refused.data)["type"].endswith("/too-many-queries")
        assert {one.result() for one in [*crowd, other]} == {200}
        assert get("192.0.2.1") == 200


class Trickle(io.RawIOBase):
    """A request body that does not come before it is told to."""

    def __init__(self, arrived: threading.Semaphore, go_on: threading.Event) -> None:
        """Take who is told that reading began, and who lets it end."""
        self._arrived = arrived
        self._go_on = go_on

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, _: object) -> int:
        """Wait, then end."""
        self._arrived.release()
        self._go_on.wait()
        return 0


def test_slow_senders_cannot_take_every_thread(engine: Engine, store: Path) -> None:
    """Half the threads read bodies; who comes beyond is told to come back."""
    arrived, go_on = threading.Semaphore(0), threading.Event()
    settings = make_settings(store, front_threads=4)
    client = app.create_app(settings, engine).test_client()

    def post(address: str) -> int:
        trickle = {"wsgi.input": Trickle(arrived, go_on), "CONTENT_LENGTH": "10"}
        response = client.application.test_client().post(
            "/sparql",
            content_type="application/sparql-query",
            environ_overrides=trickle | {"REMOTE_ADDR": address},
        )
        return response.status_code

    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(post, f"192.0.2.{number}") for number in (1, 2)]
        for _ in slow:
            assert arrived.acquire(timeout=20)
        assert post("192.0.2.3") == 503
        assert client.get("/sparql?query=ASK{}").status_code == 200
        go_on.set()
        assert {one.result() for one in slow} == {400}


def test_the_log_has_what_was_asked_and_what_came_of_it(
    engine: Engine, store: Path, tmp_path: Path
) -> None:
    """Neither the query nor a token nor an address stands in it."""
    path = tmp_path / "access.log"
    settings = make_settings(store, access_log=str(path))
    client = app.create_app(settings, engine).test_client()
    secret = "SELECT ('secret' AS ?s) {}"
    client.get("/sparql", query_string={"query": secret}, headers={"Query-Id": "a" * 32})
    client.head("/health/live")
    client.get("/sparql?query=x", headers={"Authorization": "Bearer secret"})
    client.get("/nothing", headers={"Accept": "text/html"})
    text = path.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert "secret" not in text
    assert "127.0.0.1" not in text
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/sparql", 200),
        ("HEAD", "/health/live", 200),
        ("GET", "/sparql", 400),
        ("GET", "/nothing", 404),
    ]
    assert lines[0]["query_id"] == "a" * 32
    assert lines[0]["version"] == "first"
    assert len(lines[0]["query_sha256"]) == 64
    assert [line.get("outcome") for line in lines] == [
        None,
        None,
        "query-syntax-error",
        "not-found",
    ]

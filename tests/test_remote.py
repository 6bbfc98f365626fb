"""The same front over the engines of others, real ones, and over servers that go wrong."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pyoxigraph import RdfFormat, serialize

from intmk import app, catalogue, sources, store
from intmk.remote import Remote
from remote_fixtures import oxigraph
from server_fixtures import make_settings, quads

ROOT = Path(__file__).parent.parent
QUERIES = catalogue.load(ROOT)
JSON = (("json", "application/sparql-results+json"),)
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole graph as N-Quads."""
    dump = tmp_path_factory.mktemp("graph") / "dump.nq"
    serialize(store.dataset(sources.collect(ROOT)), str(dump), format=RdfFormat.N_QUADS)
    return dump


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine with the small graph."""
    dump = tmp_path_factory.mktemp("small") / "dump.nq"
    dump.write_text(quads(), encoding="utf-8")
    with oxigraph(dump) as address:
        yield address


Open = Callable[..., Remote]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Return a function that opens an address with some settings."""

    def open_(address: str, **explicit: object) -> Remote:
        limits: dict[str, object] = {"query_timeout_s": 20} | explicit
        return Remote(tmp_path, make_settings(tmp_path / "store", remote=address, **limits))

    return open_


def client(remote: Remote) -> FlaskClient:
    """Return a client of the front over an engine."""
    return app.create_app(remote._settings, remote).test_client()


def rows(text: str) -> list[list[str]]:
    """Return the rows of a CSV text."""
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("stem", QUERIES)
def test_the_catalogue_answers_over_oxigraph(stem: str, whole: FlaskClient) -> None:
    """Every query of the catalogue gives its expected answer."""
    assert answer(whole, stem) == expected(stem)


@pytest.fixture(scope="module")
def whole(graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of the front over Oxigraph with the whole graph."""
    folder = tmp_path_factory.mktemp("front")
    with oxigraph(graph) as address:
        settings = make_settings(folder / "store", remote=address, query_timeout_s=60)
        yield app.create_app(settings, Remote(folder, settings)).test_client()


def answer(asked: FlaskClient, stem: str) -> list[list[str]]:
    """Return the answer to a query of the catalogue as rows, or as sorted triples."""
    accept = "text/csv" if "\nSELECT " in QUERIES[stem].text else "application/n-triples"
    response = asked.get(
        "/sparql",
        query_string={"query": catalogue.bind(QUERIES[stem], {})},
        headers={"Accept": accept},
    )
    assert response.status_code == 200, response.text
    return rows(response.text) if accept == "text/csv" else [sorted(response.text.splitlines())]


def expected(stem: str) -> list[list[str]]:
    """Return the answer that stands beside a query."""
    path = ROOT / QUERIES[stem].path
    if "\nSELECT " in QUERIES[stem].text:
        return rows(path.with_suffix(".expected.csv").read_text("utf-8"))
    return [sorted(path.with_suffix(".expected.nt").read_text("utf-8").splitlines())]

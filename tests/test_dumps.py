"""Whole versions to take away: as they are on disk, and proved by their id."""

import base64
import hashlib
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pyoxigraph import RdfFormat, parse

from intmk import app, journal, store
from intmk.engine import Engine
from server_fixtures import make_settings


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A client of a server that has published three versions and keeps two."""
    for value in ("one", "two", "three"):
        quads = parse(f'<a:s> <a:p> "{value}" .', RdfFormat.N_QUADS)
        with store.exclusive(tmp_path):
            store.publish(tmp_path, store.canonical_dump(quads), journal.UPDATE, keep=2)
    settings = make_settings(tmp_path)
    return app.create_app(settings, Engine(tmp_path, settings)).test_client()


def test_the_current_version_is_proved_by_its_digest(client: FlaskClient, tmp_path: Path) -> None:
    """Its id is the beginning of the SHA-256 of the body, and its entity tag."""
    response = client.get("/dumps/current.nq")
    digest = hashlib.sha256(response.data).digest()
    assert response.data == b'<a:s> <a:p> "three" .\n'
    assert response.headers["Graph-Version"] == digest.hex()[:16]
    assert response.headers["ETag"] == f'"{digest.hex()[:16]}"'
    assert response.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.content_type == "application/n-quads"


def test_who_has_it_gets_no_body(client: FlaskClient) -> None:
    """304 for the tag of the current version, the whole for that of any other."""
    tag = client.get("/dumps/current.nq").headers["ETag"]
    same = client.get("/dumps/current.nq", headers={"If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    other = client.get("/dumps/current.nq", headers={"If-None-Match": '"0123456789abcdef"'})
    assert other.status_code == 200


def test_a_part_can_be_asked_for(client: FlaskClient) -> None:
    """A download that broke off goes on where it stopped."""
    part = client.get("/dumps/current.nq", headers={"Range": "bytes=5-"})
    assert (part.status_code, part.data) == (206, b' <a:p> "three" .\n')


def test_kept_versions_have_addresses_of_their_own(client: FlaskClient, tmp_path: Path) -> None:
    """By number and by id; those that are not kept are 410, those that never were 404."""
    first, second, _ = journal.records(tmp_path)
    by_id = client.get(f"/dumps/{second.id}.nq")
    assert by_id.data == client.get("/dumps/2.nq").data == b'<a:s> <a:p> "two" .\n'
    assert "max-age=31536000" in by_id.headers["Cache-Control"]
    statuses = [client.get(f"/dumps/{key}.nq").status_code for key in (first.id, "1", "4", "x")]
    assert statuses == [410, 410, 404, 404]


def test_before_the_first_version_there_is_none(tmp_path: Path) -> None:
    """404, with what to do."""
    settings = make_settings(tmp_path / "empty")
    response = (
        app.create_app(settings, Engine(tmp_path, settings)).test_client().get("/dumps/current.nq")
    )
    assert (response.status_code, response.get_json(force=True)["hint"]) == (
        404,
        "Run: intmk build",
    )

"""Whole versions to take away, at ``/dumps/``: canonical N-Quads (RDFC-1.0), as they are on disk.

The first sixteen hexadecimal digits of a dump's SHA-256 are the version's id, so whoever has one
can tell that it is whole. Ranges and conditions are those of RFC 9110 sections 13 and 14.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, request, send_file

from intmk import journal, replies, store
from intmk.errors import VersionGone
from intmk.settings import Settings

_FOR_EVER_S = 31_536_000


def blueprint(settings: Settings) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("dumps", __name__)

    @routes.route("/dumps/current.nq", methods=["GET"])
    def current() -> Response:
        return _sent(store.current_path(settings.store), None)

    @routes.route("/dumps/<key>.nq", methods=["GET"])
    def dump(key: str) -> Response:
        found = journal.find(settings.store, key)
        folder = settings.store / store.VERSIONS / found.id
        if not folder.is_dir():
            raise VersionGone(
                f"Version {found.number} ({found.id}) of {found.time} is no longer kept.",
                hint="The address /versions tells which are.",
            )
        return _sent(folder, _FOR_EVER_S if key == found.id else None)

    return routes


def _sent(folder: Path, max_age_s: int | None) -> Response:
    path = folder / "dump.nq"
    if request.if_none_match.contains(folder.name):
        # Not left to send_file, which would open the file and not close it.
        response = Response(status=304)
        response.set_etag(folder.name)
        return response
    response = send_file(
        path, "application/n-quads", conditional=True, etag=folder.name, max_age=max_age_s
    )
    response.headers["Graph-Version"] = folder.name
    response.headers["Repr-Digest"] = _digest(path)
    return response


@lru_cache(maxsize=16)
def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return replies.in_field(hashlib.file_digest(file, "sha256").digest())

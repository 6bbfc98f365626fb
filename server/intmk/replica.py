"""Keeps a store the copy of another server's: fetches its current version when there is a new one.

A dump proves itself: the version's id is the beginning of its SHA-256, so what is published here
under an id is what that id names there. Run as ``python -m intmk.replica`` with the settings in the
environment, it does so for as long as its standard input is open.
"""

import contextlib
import hashlib
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from types import TracebackType
from typing import IO

import urllib3
from pyoxigraph import RdfFormat, parse

from intmk import journal, settings, store
from intmk.errors import GraphError, Unavailable
from intmk.settings import Settings
from intmk.store import UpdatesPresent, Version

PATH = "/dumps/current.nq"
_CONNECT_S, _READ_S = 10.0, 60.0
_CHUNK_BYTES = 65_536
_START_PAUSE_S = 1.0
_LOOK_S = 0.1


class OriginFailed(GraphError):  # noqa: N818 - says what happened
    """The server whose graph is copied did not give a whole version; the copy is as it was."""

    title = "The graph could not be copied"
    status = 502


def replicate(chosen: Settings, *, discard_updates: bool = False) -> Version | None:
    """Publish the current version of the server ``chosen.follow`` here, unless it is current.

    Returns None when it is. Raises OriginFailed, and UpdatesPresent when the store was written to
    by other means since it was built or copied, unless ``discard_updates``.
    """
    known = store.current_version(chosen.store)
    chosen.store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=chosen.store) as file:
        name = _fetched(chosen, known, file)
        if name is None:
            return None
        dump = _read(chosen, name, file)
    with store.exclusive(chosen.store, chosen.write_wait_s):
        _refuse_updates(chosen, discard_updates)
        return store.publish(chosen.store, dump, journal.REPLICA, keep=chosen.keep_versions)


def _refuse_updates(chosen: Settings, discard_updates: bool) -> None:
    newest = journal.last(chosen.store)
    is_copy = newest is not None and newest.kind == journal.REPLICA
    if store.is_written(chosen.store) and not is_copy and not discard_updates:
        raise UpdatesPresent(
            f"{chosen.store} was written to here, and a copy would take that back.",
            hint="Choose another --store; or save it with intmk backup and add --discard-updates.",
        )


def _fetched(chosen: Settings, known: str | None, file: IO[bytes]) -> str | None:
    """Write the current dump into a file and return its id, or None when that is known."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "intmk"}
    headers |= settings.credentials(chosen.follow)
    if known:
        headers["If-None-Match"] = f'"{known}"'
    url = settings.shown(chosen.follow).rstrip("/") + PATH
    timeout = urllib3.Timeout(_CONNECT_S, min(_READ_S, chosen.follow_timeout_s))
    try:
        with urllib3.PoolManager() as pool:
            response = pool.request(
                "GET", url, headers=headers, timeout=timeout, retries=False, preload_content=False
            )
            with contextlib.closing(response):
                return _received(chosen, response, file)
    except urllib3.exceptions.HTTPError as error:
        raise OriginFailed(
            f"{url} cannot be read: {_reason(error)}.", hint="The copy is as it was."
        ) from error


def _reason(error: Exception) -> str:
    text = str(error).rpartition(": ")[2]
    return text[:200] or type(error).__name__


def _received(
    chosen: Settings, response: urllib3.response.BaseHTTPResponse, file: IO[bytes]
) -> str | None:
    if response.status == 304:
        return None
    if response.status != 200:
        raise _failed(chosen, f"answered with status {response.status}")
    digest, length = hashlib.sha256(), 0
    end = time.monotonic() + chosen.follow_timeout_s
    # read1: what has come, not as much as asked for, so that the clock is looked at.
    while part := response.read1(_CHUNK_BYTES, decode_content=False):
        length += len(part)
        if length > chosen.follow_bytes:
            raise _failed(chosen, f"sends more than follow_bytes, {chosen.follow_bytes}")
        if time.monotonic() > end:
            raise _failed(chosen, f"took more than follow_timeout_s, {chosen.follow_timeout_s:g}")
        digest.update(part)
        file.write(part)
    name = response.headers.get("Graph-Version", "")
    if not name or not digest.hexdigest().startswith(name):
        raise _failed(chosen, f"sent {length} bytes that are not the version {name[:40]!r}")
    return name


def _read(chosen: Settings, name: str, file: IO[bytes]) -> store.Dump:
    """Return the dump in a file. Raises OriginFailed when it is not canonical N-Quads."""
    file.seek(0)
    try:
        dump = store.canonical_dump(parse(file, RdfFormat.N_QUADS))
    except SyntaxError as error:
        raise _failed(chosen, f"sent what is not N-Quads: {error.msg}") from error
    if dump.id != name:
        raise _failed(chosen, f"sent a dump that is not canonical: it is the version {dump.id}")
    return dump


def _failed(chosen: Settings, what: str) -> OriginFailed:
    return OriginFailed(f"{settings.shown(chosen.follow)} {what}.", hint="The copy is as it was.")


def follow(chosen: Settings, until: IO[bytes] | None = None) -> None:
    """Replicate again and again until ``until`` has something to read or ends, if that is given.

    Says on the error output what went wrong, once while it stays the same.
    """
    said = ""
    while True:
        text = _attempt(chosen)
        if text and text != said:
            print(f"intmk: {text}", file=sys.stderr, flush=True)
        said = text
        if select.select([until] if until else [], [], [], chosen.follow_every_s)[0]:
            return


def _attempt(chosen: Settings) -> str:
    """Replicate once and return what is worth being told."""
    try:
        version = replicate(chosen)
    except (GraphError, OSError) as error:
        return str(error)
    return f"version {version.id} is now current." if version else ""


class Follower:
    """A process that follows, started again should it end: ``with Follower(settings)``."""

    def __init__(self, chosen: Settings) -> None:
        """Take the settings; nothing is started yet."""
        self._environment = os.environ | chosen.environment()
        self._is_ending = threading.Event()
        self._watch = threading.Thread(target=self._keep_alive, daemon=True)
        self._process = self._start()

    def __enter__(self) -> "Follower":
        """Keep it alive from now on."""
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it. What it was about to publish, it may have published or not."""
        self._is_ending.set()
        while self._watch.is_alive():
            # Again, should it have been started again just now.
            self._process.kill()
            self._watch.join(_LOOK_S)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "intmk.replica"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=self._environment)  # noqa: S603

    def _keep_alive(self) -> None:
        while True:
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()
            if self._is_ending.wait(_START_PAUSE_S):
                return
            self._process = self._start()


def prepare(chosen: Settings) -> None:
    """Replicate once before a server starts, which needs some version to serve.

    Says on the error output when only an old one is there. Raises Unavailable without any.
    """
    try:
        replicate(chosen)
    except (OriginFailed, UpdatesPresent) as error:
        if store.current_version(chosen.store) is None:
            raise Unavailable(error.detail, hint="There is no older copy to serve.") from error
        print(f"intmk: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    follow(settings.read(), sys.stdin.buffer)

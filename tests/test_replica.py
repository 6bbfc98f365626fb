"""Copies of another server: whole and proved, or not made at all."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from pyoxigraph import RdfFormat, parse

from intmk import app, journal, replica, store
from intmk.engine import Engine
from intmk.settings import Settings
from outbound_fixtures import answering
from remote_fixtures import free_port
from server_fixtures import ROOT, descendants, make_settings
from test_serving import serving

DUMP = b'<a:s> <a:p> "one" .\n'


def published(folder: Path, value: str, kind: str = journal.UPDATE) -> str:
    """Publish a version that holds one value, and return its id."""
    quads = parse(f'<a:s> <a:p> "{value}" .', RdfFormat.N_QUADS)
    with store.exclusive(folder):
        return store.publish(folder, store.canonical_dump(quads), kind).id


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def origin(folder: Path) -> Iterator[str]:
    """Serve the dumps of a store on a free port; yield the address."""
    (folder / "engine").mkdir(parents=True, exist_ok=True)
    settings = make_settings(folder / "store")
    served = app.create_app(settings, Engine(folder / "engine", settings))
    with make_server("127.0.0.1", 0, served.wsgi_app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def following(folder: Path, address: str, **explicit: object) -> Settings:
    """Return the settings of a copy."""
    return make_settings(folder / "copy", follow=address, **explicit)


def test_a_copy_is_the_same_version(tmp_path: Path) -> None:
    """Under the same id, recorded as a copy; nothing is fetched when nothing is new."""
    name = published(tmp_path / "store", "one")
    with origin(tmp_path) as address:
        settings = following(tmp_path, address)
        version = replica.replicate(settings)
        assert version is not None
        assert version.id == name == store.current_version(settings.store)
        assert (version.path / "dump.nq").read_bytes() == DUMP
        assert replica.replicate(settings) is None
        published(tmp_path / "store", "two")
        second = replica.replicate(settings)
    assert second is not None
    assert [one.kind for one in journal.records(settings.store)] == [journal.REPLICA] * 2


def test_an_origin_that_is_gone_leaves_the_copy(tmp_path: Path) -> None:
    """The message names the address and says so; what is there can be served."""
    name = published(tmp_path / "copy", "one", journal.REPLICA)
    settings = following(tmp_path, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(replica.OriginFailed, match=r"127\.0\.0\.1.*refused.*as it was"):
        replica.replicate(settings)
    replica.prepare(settings)
    assert store.current_version(settings.store) == name


def test_without_any_copy_nothing_can_be_served(tmp_path: Path) -> None:
    """A server that would start with nothing says why it does not."""
    with pytest.raises(replica.Unavailable, match="refused"):
        replica.prepare(following(tmp_path, f"http://127.0.0.1:{free_port()}"))


def answer(body: bytes, length: int | None = None, name: str = "", status: str = "200 OK") -> bytes:
    """Return an origin's answer."""
    length = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nGraph-Version: {name}\r\n\r\n"
    return head.encode() + body


ONE = store.canonical_dump(parse(DUMP, RdfFormat.N_QUADS)).id
UNSORTED = b"<a:s> <a:p> <a:o> .\n<a:a> <a:p> <a:o> .\n"
BROKEN = b"<a:s> <a:p> .\n"


def _id(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (answer(DUMP, len(DUMP) + 1, ONE), "cannot be read"),
        (answer(DUMP[:-1], name=ONE), "not the version"),
        (answer(DUMP), "not the version"),
        (answer(UNSORTED, name=_id(UNSORTED)), "not canonical"),
        (answer(BROKEN, name=_id(BROKEN)), "not N-Quads"),
        (answer(b"x" * 101, name="x"), "more than follow_bytes, 100"),
        (answer(b"", status="404 Not Found"), "status 404"),
        (answer(b"", status="302 Found"), "status 302"),
        (b"SSH-2.0\r\n", "cannot be read"),
    ],
)
def test_what_is_not_proved_is_not_published(tmp_path: Path, sent: bytes, said: str) -> None:
    """Half a dump, another digest, too much of it, another answer: the copy stays as it was."""
    name = published(tmp_path / "copy", "zero", journal.REPLICA)
    with answering([sent]) as (address, _):
        settings = following(tmp_path, address, follow_bytes=100)
        with pytest.raises(replica.OriginFailed, match=said):
            replica.replicate(settings)
    assert store.current_version(settings.store) == name
    assert not list((tmp_path / "copy").glob("tmp*"))


def test_an_origin_that_says_nothing_is_left_alone(tmp_path: Path) -> None:
    """After follow_timeout_s, also when some of the dump has come."""
    with (
        answering([answer(DUMP, 1000, ONE)], is_silent=True) as (address, _),
        pytest.raises(replica.OriginFailed, match="timed out"),
    ):
        replica.replicate(following(tmp_path, address, follow_timeout_s=0.2))


def test_name_and_password_are_sent(tmp_path: Path) -> None:
    """As Basic authentication; messages do not repeat them."""
    with answering([answer(b"", status="401 Unauthorized")]) as (address, asked):
        address = address.replace("//", "//ada:se%20cret@")
        with pytest.raises(replica.OriginFailed) as refusal:
            replica.replicate(following(tmp_path, address))
    assert b"Authorization: Basic YWRhOnNlIGNyZXQ=" in asked[0]
    assert "cret" not in str(refusal.value)


def test_a_store_of_its_own_is_not_overwritten(tmp_path: Path) -> None:
    """What was written here goes only when somebody says so."""
    name = published(tmp_path / "copy", "own")
    with answering([answer(DUMP, name=ONE)]) as (address, _):
        settings = following(tmp_path, address)
        with pytest.raises(store.UpdatesPresent):
            replica.replicate(settings)
    assert store.current_version(settings.store) == name
    with answering([answer(DUMP, name=ONE)]) as (address, _):
        version = replica.replicate(following(tmp_path, address), discard_updates=True)
    assert version is not None
    assert version.id == ONE


@contextlib.contextmanager
def command(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``intmk`` with its output in a pipe; end it as a supervisor would."""
    program = str(Path(sys.executable).with_name("intmk"))
    environment = os.environ | {"INTMK_ROOT": str(ROOT), "INTMK_FOLLOW_EVERY_S": "0.05"}
    with subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def follower(server: int) -> int:
    """Return the process with which a server follows another."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(server)}
    (found,) = (pid for pid, line in lines.items() if b"intmk.replica" in line)
    return found


def await_line(process: subprocess.Popen[str], part: str) -> None:
    """Return when a process has said something."""
    assert process.stdout
    assert any(part in line for line in process.stdout), f"never said {part!r}"


def await_value(port: int, value: str) -> None:
    """Return when a server answers with a value; a test that hangs here has failed."""
    patience = threading.Event()
    while True:
        with contextlib.suppress(requests.RequestException):
            query = {"query": "SELECT ?v { <a:s> <a:p> ?v }", "format": "tsv"}
            url = f"http://127.0.0.1:{port}/sparql"
            if f'"{value}"' in requests.get(url, query, timeout=10).text:
                return
        patience.wait(0.05)


def test_a_server_follows_another_and_survives_it(tmp_path: Path) -> None:
    """A change at the one reaches the other, which serves on when it is gone.

    Two real servers; who kills the process that follows only makes it start again.
    """
    port = free_port()
    published(tmp_path / "store", "one")
    arguments = ["serve", "--port", str(port), "--store", str(tmp_path / "copy"), "--follow"]
    with contextlib.ExitStack() as stack:
        with serving(tmp_path / "store") as (_, settings):
            address = settings.public_url
            server = stack.enter_context(command(*arguments, address, folder=tmp_path))
            await_value(port, "one")
            published(tmp_path / "store", "two")
            await_value(port, "two")
            os.kill(follower(server.pid), signal.SIGKILL)
            published(tmp_path / "store", "three")
            await_value(port, "three")
        await_line(server, "as it was")
        await_value(port, "three")
        write = requests.post(f"http://127.0.0.1:{port}/update", {"update": "DROP ALL"}, timeout=10)
        assert (write.status_code, write.json()["hint"]) == (501, f"Send it to {address}.")


def test_the_command_copies_and_watches(tmp_path: Path) -> None:
    """``intmk replicate --watch`` tells each version that it makes current."""
    first = published(tmp_path / "store", "one")
    with (
        origin(tmp_path) as address,
        command("replicate", address, "--watch", "--store", "copy", folder=tmp_path) as process,
    ):
        await_line(process, f"Version {first} is now current.")
        second = published(tmp_path / "store", "two")
        await_line(process, f"version {second} is now current.")
    assert store.current_version(tmp_path / "copy") == second

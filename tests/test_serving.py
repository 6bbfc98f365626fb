"""The server as a user runs it: real processes on a real port, from start to end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from intmk.settings import Settings
from server_fixtures import await_end, descendants, make_settings, publish

SERVE = "from intmk import serving, settings; serving.serve(settings.read())"
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store folder with one version."""
    folder = tmp_path_factory.mktemp("store")
    publish(folder, "first")
    return folder


@contextlib.contextmanager
def serving(store: Path, **explicit: object) -> Iterator[tuple[subprocess.Popen[bytes], Settings]]:
    """Run a server on a free port until it answers; end it as a supervisor would."""
    settings = make_settings(store, port=free_port(), query_timeout_s=3, **explicit)
    environment = os.environ | settings.environment()
    with subprocess.Popen([sys.executable, "-c", SERVE], env=environment) as process:
        try:
            await_answer(settings, process)
            yield process, settings
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def await_answer(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    """Return when a server answers; raises AssertionError when it has ended."""
    while process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{settings.public_url}/health", timeout=5)
            return
    raise AssertionError(f"the server ended with {process.returncode}")


def _ask(settings: Settings, query: str, **headers: str) -> requests.Response:
    return requests.get(
        f"{settings.public_url}/sparql",
        params={"query": query},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=30,
    )


def test_a_server_answers_and_ends_without_leaving_a_process(store: Path) -> None:
    """SIGTERM ends front processes, nursery and workers, busy ones included, with status 0."""
    with serving(store) as (process, settings):
        assert _ask(settings, "ASK {}").json()["boolean"] is True
        with ThreadPoolExecutor() as pool:
            pool.submit(_ask, settings, ENDLESS)
            family = descendants(process.pid)
            process.terminate()
            assert process.wait(20) == 0
    assert len(family) >= 6
    await_end(family)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_survives_the_server(store: Path, number: signal.Signals) -> None:
    """Ctrl-C ends the server in order; if it is killed outright its processes notice."""
    with serving(store) as (process, settings):
        family = descendants(process.pid)
        process.send_signal(number)
        process.wait(20)
        await_end(family)
        with pytest.raises(requests.ConnectionError):
            _ask(settings, "ASK {}")


def test_hostile_queries_leave_the_others_answered(store: Path) -> None:
    """Endless queries, deep brackets and calls to other servers, and cheap queries in between."""
    deep = "SELECT * { FILTER(" + "(" * 20_000 + "1" + ")" * 20_000 + ") }"
    url = "http://127.0.0.1:9"
    with serving(store, query_workers=3) as (_, settings), ThreadPoolExecutor() as pool:
        endless = [pool.submit(_ask, settings, ENDLESS) for _ in range(2)]
        for _ in range(5):
            post = requests.post(f"{settings.public_url}/sparql", {"query": deep}, timeout=30)
            assert post.status_code == 400
            assert _ask(settings, f"ASK {{ SERVICE <{url}> {{}} }}").status_code == 403
            assert _ask(settings, "ASK {}").status_code == 200
        assert {one.result().status_code for one in endless} == {504}


def test_a_long_answer_arrives_whole_over_the_socket(store: Path) -> None:
    """The announced length is what arrives."""
    with serving(store) as (_, settings):
        query = "SELECT ?a ?b { ?a ?p ?c . ?b ?q ?d FILTER(?d < 100) }"
        response = _ask(settings, query, Accept="text/csv", Accept_Encoding="identity")
        assert response.content.count(b"\r\n") == 100 * 1001 + 1
        assert response.headers["Content-Length"] == str(len(response.content))


def test_a_taken_port_is_said_to_be_taken(store: Path) -> None:
    """The error names the address, and nothing keeps running."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = make_settings(store, port=listener.getsockname()[1])
        environment = os.environ | settings.environment()
        done = subprocess.run(
            [sys.executable, "-c", SERVE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert done.returncode != 0
    assert f"Cannot listen on 127.0.0.1:{settings.port}" in done.stderr


def test_a_front_process_that_dies_is_replaced(store: Path) -> None:
    """The server goes on after one of the processes that speak HTTP was killed."""
    with serving(store) as (process, settings):
        fronts = [pid for pid in descendants(process.pid) if _is_front(pid)]
        assert len(fronts) == settings.front_workers
        os.kill(fronts[0], signal.SIGKILL)
        await_end({fronts[0]})
        while len([pid for pid in descendants(process.pid) if _is_front(pid)]) < len(fronts):
            assert process.poll() is None
        await_answer(settings, process)
        assert _ask(settings, "ASK {}").status_code == 200


def _is_front(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False

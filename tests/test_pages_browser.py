"""The site in a real browser, from a real server: what is shown, and that nothing is refused."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from graph_fixtures import build, copy
from server_fixtures import make_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--hide-scrollbars",
]
SERVE = "from intmk import serving, settings; serving.serve(settings.read())"


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of Chromium; without one these tests are skipped, except where CI installs it."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "CI has to install chromium"
        pytest.skip("there is no chromium on this machine")
    return CHROMIUM


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server on the extended graph."""
    root = copy(tmp_path_factory.mktemp("site"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = make_settings(build(root), root=root, port=port, front_workers=1)
    environment = os.environ | settings.environment()
    with subprocess.Popen([sys.executable, "-c", SERVE], env=environment) as process:
        try:
            _await(settings.public_url, process)
            yield settings.public_url
        finally:
            process.terminate()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{address}/health", timeout=5)
            return
    raise AssertionError(f"the server ended with {process.returncode}")


def load(browser: str, profile: Path, address: str, *options: str) -> tuple[str, str]:
    """Load a page; returns the DOM as the browser made it, and what it complained of."""
    command = [browser, *QUIET, f"--user-data-dir={profile}", *options, "--dump-dom", address]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    complaints = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    return result.stdout, "\n".join(complaints)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/doc/conference/intmk-18?lang=de", "18. Integrationsministerkonferenz</h1>"),
        ("/sparql?lang=en&query=ASK%7B%7D", '<p class="truth">Yes</p>'),
        ("/id/land/bayern", "<code>https://w3id.org/intmk/id/land/bayern</code>"),
    ],
)
def test_browser_shows_the_page(
    browser: str, site: str, tmp_path: Path, path: str, expected: str
) -> None:
    """A browser shows the page and finds nothing to complain of: no refusal, no missing file."""
    dom, complaints = load(browser, tmp_path, site + path)
    assert expected in dom
    assert complaints == ""


def test_sheet_is_applied(browser: str, site: str, tmp_path: Path) -> None:
    """The style sheet reaches the browser: light and dark pictures of one page differ."""
    pictures = []
    for name, options in (("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))):
        picture = tmp_path / f"{name}.png"
        load(browser, tmp_path / name, site, f"--screenshot={picture}", *options)
        pictures.append(picture.read_bytes())
    assert pictures[0] != pictures[1]

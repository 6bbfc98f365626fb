"""The site in a real browser, from a real server: what is shown, and that nothing is refused."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser_fixtures import QUIET, program
from browser_fixtures import site as running
from graph_fixtures import build, copy


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of Chromium; without one these tests are skipped, except where CI installs it."""
    return program("chromium", "chromium-browser")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server on the extended graph."""
    root = copy(tmp_path_factory.mktemp("site"))
    with running(build(root), root=root, front_workers=1) as settings:
        yield settings.public_url


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

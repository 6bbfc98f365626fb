"""A proposal in a real browser, from paste to accepted, as a curator and a reviewer see it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser_fixtures import Window, site
from conftest import FIXTURE_ROOT
from intmk import store, tokens
from intmk.settings import Settings
from intmk.validation import validate
from write_fixtures import PASSAGE

WRONG = f'GRAPH <{PASSAGE}> {{\n  body:intmk rdfs:label "Die IntMK@de .\n}}\n'
RIGHT = f'GRAPH <{PASSAGE}> {{\n  body:intmk rdfs:label "Die IntMK"@de .\n}}\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running server on a checkout with the small root."""
    folder = tmp_path_factory.mktemp("server")
    root = Path(shutil.copytree(FIXTURE_ROOT, folder / "root"))
    (root / ".git").mkdir()
    store.build(root, folder / "var", validate)
    with site(folder / "var", root=root, front_workers=1, query_timeout_s=10) as settings:
        yield settings


@pytest.fixture
def window(server: Settings, tmp_path: Path) -> Iterator[Window]:
    """A window of the browser."""
    window = Window(server.public_url, tmp_path / "profile")
    try:
        yield window
    finally:
        window.driver.quit()


def test_from_paste_to_accepted(server: Settings, window: Window, tmp_path: Path) -> None:
    """A mistake is told at its place, mended, proposed, accepted, and on the thing's page."""
    curator = tokens.create(server.store, "ada", "propose")
    reviewer = tokens.create(server.store, "rev", "write")
    window.open("/proposals/new?lang=en")
    window.write(author="Ada", reason="The name was missing", additions=WRONG, token=curator)
    window.press("Propose")
    assert "Line 2, column" in window.text
    window.write(additions=RIGHT, token=curator)
    window.press("Propose")
    assert window.path == "/proposals/1?lang=en"
    for said in ("open", "The name was missing", "Die IntMK", "Nothing breaks a rule"):
        assert said in window.text
    window.write(comment="As in the source", token=reviewer)
    window.press("Accept")
    assert "As in the source" in window.text
    window.follow("Change 2")
    assert "The name was missing" in window.text
    window.open("/doc/body/intmk?lang=en")
    assert "Die IntMK" in window.text
    assert '"Die IntMK"@de' in (server.root / "data" / "press.trig").read_text()

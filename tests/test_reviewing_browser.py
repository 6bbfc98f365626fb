"""A proposal in a real browser, from paste to accepted, as a curator and a reviewer see it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser_fixtures import Window, site
from conftest import FIXTURE_ROOT
from intmk import store, tokens
from intmk.settings import Settings
from intmk.validation import validate
from write_fixtures import PASSAGE

WRONG = (
    f'GRAPH <{PASSAGE}> {{\n  body:intmk rdfs:label "Die IntMK"@de\n  conference:intmk-18 .\n}}\n'
)
DOUBTFUL = f'GRAPH <{PASSAGE}> {{\n  body:intmk rdfs:labell "Die IntMK"@de .\n}}\n'
RIGHT = DOUBTFUL.replace("labell", "label")
WRONG = RIGHT.replace(" .", "\n  conference:intmk-18 intmk:ordinal 18 .")


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


@pytest.fixture(scope="module")
def secrets(server: Settings) -> dict[str, str]:
    """A token of each scope."""
    return {scope: tokens.create(server.store, scope, scope) for scope in tokens.SCOPES}


def test_from_paste_to_accepted(
    server: Settings, secrets: dict[str, str], window: Window, tmp_path: Path
) -> None:
    """Mistakes are told at their place and mended; what it would do is seen before it is sent,
    decided and on the page of the thing.
    """
    window.open("/proposals/new?lang=en")
    window.write(additions=WRONG)
    window.press("Preview")
    assert "Line 2, column 39: This is not RDF: The full stop" in window.text
    window.write(additions=DOUBTFUL)
    window.press("Preview")
    assert "Line 2, column 14: " in window.text
    assert "Did you mean rdfs:label?" in window.text
    window.write(additions=RIGHT, author="Ada", reason="The name was missing")
    window.press("Preview")
    for said in ("Die IntMK", "Nothing breaks a rule", "No question of the catalogue"):
        assert said in window.text
    assert window.fits(390)
    window.write(token=secrets["propose"])
    window.press("Propose")
    assert window.path == "/proposals/1?lang=en"
    for said in ("open", "The name was missing", "Die IntMK", "Nothing breaks a rule"):
        assert said in window.text
    assert window.fits(390)
    window.write(comment="As in the source", token=secrets["write"])
    window.press("Accept")
    assert "As in the source" in window.text
    window.follow("Change 2")
    assert "The name was missing" in window.text
    assert window.fits(390)
    window.open("/doc/body/intmk?lang=en")
    assert "Die IntMK" in window.text
    assert '"Die IntMK"@de' in (server.root / "data" / "press.trig").read_text()
    assert [one for one in window.complaints if "400 (Bad Request)" not in one] == []


def test_a_file_is_proposed_and_rejected(
    server: Settings, secrets: dict[str, str], window: Window, tmp_path: Path
) -> None:
    """Its text is in the box after the preview, to be corrected there."""
    path = tmp_path / "more.trig"
    path.write_text(RIGHT.replace("Die IntMK", "Noch ein Name").replace("@de", "@fr"))
    window.open("/proposals/new?lang=de")
    window.named("file").send_keys(str(path))
    window.press("Vorschau")
    assert "Noch ein Name" in window.text
    assert "Noch ein Name" in window.named("additions").get_property("value")
    window.write(author="Ada", reason="Noch einer", token=secrets["propose"])
    window.press("Vorschlagen")
    assert "Noch ein Name" in window.text
    window.write(comment="Nein", token=secrets["write"])
    window.press("Ablehnen")
    assert "abgelehnt" in window.text
    window.open("/doc/body/intmk?lang=de")
    assert "Noch ein Name" not in window.text


def test_two_curators_at_once(
    server: Settings, secrets: dict[str, str], window: Window, tmp_path: Path
) -> None:
    """Both change one name, in the browser and on the command line: one wins, the other is told
    what changed, and gets what is left as a form.
    """
    old = f'GRAPH <{PASSAGE}> {{ conference:intmk-18 rdfs:label "18. IntMK"@de }}'
    window.open("/proposals/new?lang=en")
    window.write(additions=old.replace("18. IntMK", "In the browser"))
    window.reveal("removals")
    window.write(removals=old, author="Ada", reason="So it is called", token=secrets["propose"])
    window.press("Propose")
    address = window.path.partition("?")[0]
    (tmp_path / "old.trig").write_text(old)
    (tmp_path / "new.trig").write_text(old.replace("18. IntMK", "On the command line"))
    command = [sys.executable, "-c", "from intmk.cli import main; main()"]
    environment = os.environ | server.environment()

    def run(*arguments: str) -> str:
        return subprocess.run(
            [*command, *arguments], env=environment, cwd=tmp_path, check=True, capture_output=True,
            text=True,
        ).stdout  # fmt: skip

    told = run(
        "propose", "new.trig", "--removals", "old.trig", "--author", "Bo", "--reason", "Or so"
    )
    number = re.match(r"Proposal (\d+), open", told)[1]  # type: ignore[index]
    run("review", number, "--accept")
    window.write(token=secrets["write"])
    window.press("Accept")
    for said in (
        "does not fit any more", '"18. IntMK"@de was replaced by "On the command line"@de',
        "by Bo (Or so)",
    ):  # fmt: skip
        assert said in window.text
    window.open(f"{address}?lang=en")
    window.follow("Propose again on the graph as it is")
    assert "In the browser" in window.named("additions").get_property("value")
    window.press("Preview")
    assert "On the command line" not in window.named("additions").get_property("value")
    assert "In the browser" in window.text

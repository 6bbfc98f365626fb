"""The curators' commands, from a file to a version and back, each run as its own process."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from intmk import desk, journal, patch, store
from intmk.cli import main
from intmk.validation import validate
from write_fixtures import PASSAGE

DOCS = (Path(__file__).resolve().parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
WHO = ("--author", "Ada", "--reason", "so")


@pytest.fixture
def var(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built store on a checkout, named by the environment."""
    (root / ".git").mkdir()
    monkeypatch.setenv("INTMK_ROOT", str(root))
    monkeypatch.setenv("INTMK_STORE", str(tmp_path / "var"))
    store.build(root, tmp_path / "var", validate)
    return tmp_path / "var"


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def started(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from intmk.cli import main; main()", *arguments],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip


def edited(root: Path, name: str) -> Path:
    """Return a data file with another name for the conference, edited where it stands."""
    path = root / "data" / "press.trig"
    text = path.read_text()
    path.write_text(text.replace("18. IntMK", name))
    return path


def test_from_a_file_to_a_version_and_back(root: Path, var: Path) -> None:
    """Propose, look, accept, see it in the history, compare, take it back."""
    before = (root / "data" / "press.trig").read_bytes()
    proposed = run("propose", edited(root, "x"), *WHO, "--source", "https://e.org/1")
    assert proposed.exit_code == 0, proposed.output
    assert '  - conference:intmk-18 rdfs:label "18. IntMK"@de\n' in proposed.stdout
    assert '  + conference:intmk-18 rdfs:label "x"@de\n' in proposed.stdout
    assert proposed.stdout.startswith("Proposal 1, open, ")
    assert run("review").stdout.split()[:2] == ["1", "open"]
    accepted = run("review", 1, "--accept", "--comment", "fine", "--as", "rev")
    assert accepted.stdout.startswith("Proposal 1 is accepted: change 2, version ")
    assert "accepted" in run("review", 1).stdout
    newest, oldest = run("history").stdout.splitlines()
    assert newest.split()[0] == "2"
    assert newest.endswith("proposal  Ada: so")
    assert oldest.split()[4:] == ["build"] or oldest.split()[-1] == "build"
    change = patch.read(run("diff", 1, 2).stdout)
    assert [len(part) for part in change] == [2, 2]
    assert run("rollback", 1).stdout.startswith("Change 3, version ")
    assert (root / "data" / "press.trig").read_bytes() == before
    assert [one.kind for one in journal.records(var)] == ["build", "proposal", "rollback"]


def test_a_rejected_proposal(root: Path, var: Path) -> None:
    """With the comment for its author."""
    run("propose", edited(root, "x"), *WHO)
    assert run("review", 1, "--reject", "--comment", "not so").stdout == "Proposal 1 is rejected.\n"
    assert run("review", 1).stdout.rstrip().endswith(": not so")
    assert run("review", 1, "--accept").exit_code == 2


def test_what_breaks_a_rule(root: Path, var: Path, tmp_path: Path) -> None:
    """Exit code 1 when it is proposed, and when it is accepted all the same."""
    path = root / "data" / "press.trig"
    whole = tmp_path / "press.trig"
    whole.write_text(path.read_text().replace("  conference:intmk-18 intmk:ordinal 18 .\n", ""))
    proposed = run("propose", whole, "--replaces", "data/press.trig", *WHO)
    assert proposed.exit_code == 1
    assert "error: " in proposed.stdout
    accepted = run("review", 1, "--accept")
    assert accepted.exit_code == 1
    assert "needs its number" in accepted.stderr


def test_mistakes_are_told_at_their_place(var: Path, tmp_path: Path) -> None:
    """All of them, of the file as it was named; what cannot be read is not kept."""
    path = tmp_path / "mine.trig"
    path.write_text(f"GRAPH <{PASSAGE}> {{\n  body:intmk intmk:ordnal 1 .\n}}\n")
    proposed = run("propose", path, *WHO, "--lang", "de")
    assert proposed.exit_code == 1
    assert f"\n{path}:2:14: error: " in proposed.stdout
    assert "Gemeint ist vielleicht intmk:ordinal." in proposed.stdout
    path.write_text("oops .\nnope .\n")
    refused = run("propose", path, *WHO)
    assert refused.exit_code == 2
    assert f"{path}:1:" in refused.stderr
    assert f"{path}:2:" in refused.stderr
    assert len(run("review").stdout.splitlines()) == 1


def test_an_update_is_proposed(var: Path, tmp_path: Path) -> None:
    """As what it changes, whatever the file is called."""
    path = tmp_path / "rename.txt"
    path.write_text(f"""WITH <{PASSAGE}> DELETE {{ ?c rdfs:label ?old }}
    INSERT {{ ?c rdfs:label "IntMK 18"@de }} WHERE {{ ?c rdfs:label ?old }}""")
    proposed = run("propose", "--update", path, *WHO)
    assert proposed.exit_code == 0, proposed.output
    assert '  + conference:intmk-18 rdfs:label "IntMK 18"@de\n' in proposed.stdout
    assert run("review", 1, "--accept").exit_code == 0
    path.write_text("DELETE {")
    assert "line 1, column 9" in run("propose", "--update", path, *WHO).stderr


def test_a_warning_passes_and_is_recorded(root: Path, var: Path, tmp_path: Path) -> None:
    """Counted in the history, told with the change, and only with the one that brought it."""
    path = root / "data" / "press.trig"
    nameless = [line for line in path.read_text().splitlines() if "rdfs:label" not in line]
    whole = tmp_path / "press.trig"
    whole.write_text("\n".join(nameless))
    proposed = run("propose", whole, "--replaces", "data/press.trig", *WHO)
    assert "warning: conference:intmk-18: A conference should have a name." in proposed.stdout
    assert run("review", 1, "--accept").exit_code == 0
    named = tmp_path / "named.trig"
    named.write_text(path.read_text().replace("intmk:ordinal 18", "intmk:ordinal 19"))
    assert run("propose", named, "--replaces", "data/press.trig", *WHO).exit_code == 0
    assert "there already:" in run("review", 2, "--known").stdout
    assert run("review", 2, "--accept").exit_code == 0
    lines = run("history").stdout.splitlines()
    assert ["warning" in line for line in lines] == [False, True, False]
    assert lines[1].endswith("proposal  Ada: so  (1 warning)")
    line, told = run("history", 2).stdout.splitlines()
    assert line == lines[1]
    assert told.startswith("warning: ")
    assert told.endswith("A conference should have a name. [Conference-label]")
    assert len(run("history", 3).stdout.splitlines()) == 1
    assert run("history", 9).exit_code == 2


def test_two_curators_at_once(root: Path, var: Path, tmp_path: Path) -> None:
    """Two processes accept changes of one statement: one wins, the other is told what changed."""
    text = (root / "data" / "press.trig").read_text()
    for name in ("x", "y"):
        path = tmp_path / f"{name}.trig"
        path.write_text(text.replace("18. IntMK", name))
        assert run("propose", path, "--replaces", "data/press.trig", *WHO).exit_code == 0
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda n: started("review", n, "--accept"), ("1", "2")))
    assert sorted(one.returncode for one in both) == [0, 2]
    (lost,) = (one for one in both if one.returncode)
    assert '"18. IntMK"@de was replaced by' in lost.stderr
    assert "in change 2 by Ada (so)" in lost.stderr
    assert sorted(line.split()[1] for line in run("review").stdout.splitlines()) == [
        "accepted", "conflicting",
    ]  # fmt: skip


def test_what_is_not_there(var: Path) -> None:
    """One line, exit code 2."""
    for arguments in (("review", 9), ("diff", 1, 9), ("rollback", "f" * 16)):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("intmk: Not found: ")
    assert run("review", "--accept").exit_code == 2


def test_a_file_that_is_not_utf_8(var: Path, tmp_path: Path) -> None:
    """Its name is told."""
    path = tmp_path / "x.trig"
    path.write_bytes(b"\xff")
    result = run("propose", path, *WHO)
    assert result.exit_code == 2
    assert "x.trig" in result.stderr


@pytest.mark.parametrize("name", [one.name for one in desk.COMMANDS])
def test_every_command_is_documented(name: str) -> None:
    """In a section of its own, with an example that its help has too."""
    assert f"\n## intmk {name}\n" in DOCS
    result = run(name, "--help")
    example = result.stdout.split("Example:")[1].strip().splitlines()[0].strip()
    assert example.startswith(f"intmk {name}")

"""docs/curating.md: its hook and the commands of its workflow do what they promise."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import FIXTURE_ROOT

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "curating.md").read_text(encoding="utf-8")
PRESS = "data/press.trig"
BIN = Path(sys.executable).parent
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


def block(name: str) -> str:
    """Return the code block that follows a marker."""
    return re.split(r"```\w*\n", DOC.partition(f"<!-- {name}: ")[2], maxsplit=1)[1].split("```")[0]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as a curator who has the program on the path."""
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a Git repository with the small root, all of it committed."""
    folder = Path(shutil.copytree(FIXTURE_ROOT, tmp_path / "checkout"))
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "The graph"]):
        assert run(folder, "git", *command).returncode == 0
    return folder


def spoil(folder: Path) -> None:
    """Misspell a property in a data file."""
    path = folder / PRESS
    path.write_text(path.read_text().replace("intmk:ordinal 18", "intmk:ordnal 18"))


def test_the_hook_stops_a_commit_that_breaks_a_rule(checkout):
    """The commit is refused with file, line and correction; once mended it is made."""
    hook = checkout / ".git" / "hooks" / "pre-commit"
    hook.write_text(block("hook"))
    hook.chmod(0o755)
    before = (checkout / PRESS).read_text()
    spoil(checkout)
    refused = run(checkout, "git", "commit", "-q", "-a", "-m", "Wrong")
    assert refused.returncode == 1
    assert "data/press.trig:27:23: error: " in refused.stdout + refused.stderr
    assert "Did you mean intmk:ordinal?" in refused.stdout + refused.stderr
    (checkout / PRESS).write_text(before + "# mended\n")
    assert run(checkout, "git", "commit", "-q", "-a", "-m", "Right").returncode == 0
    assert run(checkout, "git", "log", "--format=%s").stdout.split() == ["Right", "The", "graph"]


def test_the_hook_lets_other_files_pass(checkout):
    """A commit without data files is not checked."""
    hook = checkout / ".git" / "hooks" / "pre-commit"
    hook.write_text(block("hook"))
    hook.chmod(0o755)
    (checkout / "notes.txt").write_text("x")
    run(checkout, "git", "add", "notes.txt")
    made = run(checkout, "git", "commit", "-q", "-m", "Notes")
    assert (made.returncode, made.stderr) == (0, "")


def test_the_workflow_fails_on_a_mistake_and_tells_where(checkout):
    """Its command ends with 1 and leaves SARIF with paths as in the repository, else with 0."""
    (checkout / ".venv").symlink_to(BIN.parent)
    first, command = re.findall(r"- run: (.*)", block("workflow"))
    assert first == "make .venv"
    assert run(checkout, "sh", "-c", command).returncode == 0
    spoil(checkout)
    assert run(checkout, "sh", "-c", command).returncode == 1
    (found,) = json.loads((checkout / "findings.sarif").read_text())["runs"][0]["results"]
    (place,) = found["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": PRESS}
    assert "sarif_file: findings.sarif" in block("workflow")


def test_make_has_the_target_of_the_workflow():
    """The workflow's first command is there."""
    assert re.search(r"^\.venv:", (ROOT / "Makefile").read_text(), re.MULTILINE)

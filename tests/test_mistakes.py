"""Planted mistakes: each is told once, where it stands, in words that were approved.

``mistakes/planted.txt`` says what was planted: file, line, column, rule, and the wrong text.
``mistakes/<language>.approved.txt`` hold the messages; ``INTMK_APPROVE=1`` writes them anew, to be
read as a diff.
"""

import os
from pathlib import Path

import pytest

from intmk import sources
from intmk.report import Report
from intmk.reporting import render
from intmk.validation import validate

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "mistakes"
FILES = [FOLDER / name for name in ("canonical.trig", "hand.ttl", "dense.nq")]
IS_APPROVING = bool(os.environ.get("INTMK_APPROVE")) and not os.environ.get("CI")


@pytest.fixture(scope="module")
def report() -> Report:
    """Return the report on the three files, judged with the project's own graph."""
    return validate(sources.collect(ROOT), FILES)


def planted() -> list[tuple[str, str, str]]:
    """Return place, rule and wrong text of each planted mistake."""
    lines = (FOLDER / "planted.txt").read_text(encoding="utf-8").splitlines()
    return sorted((*line.split(" ", 2), "")[:3] for line in lines)  # type: ignore[misc]


def test_each_mistake_is_told_once_where_it_stands(report):
    """Nothing is missed, nothing is told twice, and no consequence is taken for a mistake."""
    found = [
        (f"{Path(one.file).name}:{one.line}:{one.column}", one.short_rule)
        for one in report.findings
    ]
    assert sorted(found) == sorted((place, rule) for place, rule, _ in planted())
    assert len(found) >= 30
    assert len({rule for _, rule in found}) >= 27


def test_what_is_marked_is_the_wrong_text(report):
    """From the first to behind the last character the finding covers what was planted."""
    texts = {place: text for place, _, text in planted()}
    marked = 0
    for one in report.findings:
        if one.end_line:
            lines = Path(one.file).read_text(encoding="utf-8").splitlines()
            text = texts[f"{Path(one.file).name}:{one.line}:{one.column}"]
            assert lines[one.line - 1][one.column - 1 :].startswith(text)
            if one.end_line == one.line and one.rule != "blank-node":
                marked += 1
                assert lines[one.line - 1][one.column - 1 : one.end_column - 1] == text
    assert marked >= 28


@pytest.mark.parametrize("language", ["de", "en"])
def test_messages_are_as_approved(report, language):
    """What a curator reads was read before by somebody who knows the rules."""
    text = render(report, "text", language).replace(f"{FOLDER}/", "")
    approved = FOLDER / f"{language}.approved.txt"
    if IS_APPROVING:
        approved.write_text(text, encoding="utf-8")
    assert text == approved.read_text(encoding="utf-8")


def test_nothing_is_known_of_new_mistakes(report):
    """All of them came with the files."""
    assert not any(one.is_known for one in report.findings)

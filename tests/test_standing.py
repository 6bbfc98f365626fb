"""The report kept beside a version."""

import json
from dataclasses import replace
from pathlib import Path

from intmk import standing
from intmk.report import Finding, Report

ONE = Finding("a.trig", 3, 5, "warning", "duplicate", "Doppelt.", "Twice.", "http://e/a")
OTHER = Finding("a.trig", 9, 1, "warning", "duplicate", "Doppelt.", "Twice.", "http://e/b")


def test_findings_are_kept_without_their_places(tmp_path: Path) -> None:
    """Lines move; the rest comes back as it was."""
    standing.write(tmp_path, Report([ONE]))
    (found,) = standing.read(tmp_path).findings
    assert (found.file, found.line, found.column) == ("", None, None)
    assert standing.key(found) == standing.key(ONE)


def test_only_the_same_program_trusts_a_report(tmp_path: Path) -> None:
    """With other rules it would be another report; a damaged or missing one is none."""
    assert standing.read(tmp_path) is None
    standing.write(tmp_path, Report([ONE]))
    path = tmp_path / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"program": "older"}))
    assert standing.read(tmp_path) is None
    path.write_text("{")
    assert standing.read(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """The report is made anew when it is needed."""
    standing.write(tmp_path / "missing", Report([ONE]))
    assert standing.read(tmp_path / "missing") is None


def test_news_are_what_was_not_there_before() -> None:
    """Wherever the known ones stood."""
    before = Report([replace(ONE, file="b.trig", line=1)])
    assert standing.news(Report([ONE, OTHER]), before).findings == [OTHER]
    assert standing.news(Report([ONE]), None).findings == [ONE]
    told = standing.compared([ONE, OTHER], before).findings
    assert [one.is_known for one in told] == [True, False]

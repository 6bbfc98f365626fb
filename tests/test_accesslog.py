"""The access log: one whole line of JSON for each request."""

import json
from pathlib import Path

import pytest

from intmk import accesslog


def test_lines_are_added(tmp_path: Path) -> None:
    """Two logs on one file, as of two processes, lose nothing; empty fields are left out."""
    path = tmp_path / "access.log"
    for _ in range(2):
        log = accesslog.opened(str(path))
        assert log
        log.write(path="/größe\n", status=200, outcome="", version=None)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [sorted(line) for line in lines] == [["path", "status", "time"]] * 2
    assert lines[0]["path"] == "/größe\n"


def test_there_may_be_none() -> None:
    """By default nothing is written."""
    assert accesslog.opened("none") is None


def test_the_error_output_is_a_place_too(capfd: pytest.CaptureFixture[str]) -> None:
    """For a supervisor that keeps it."""
    log = accesslog.opened("-")
    assert log
    log.write(status=200)
    assert json.loads(capfd.readouterr().err)["status"] == 200

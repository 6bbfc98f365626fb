"""The record of versions: it grows, it can be searched, and no crash makes it lie."""

from pathlib import Path

import pytest

from intmk import journal
from intmk.errors import NotFound
from intmk.journal import Record

A, B, C = "a" * 16, "b" * 16, "1" * 16


def publish(store: Path, name: str, kind: str = journal.UPDATE) -> Record:
    """Record a version as current, with nothing to swap."""
    newest = journal.last(store)
    parent = newest.id if newest else None
    return journal.record(store, Record(0, name, "", parent, 2, 5, kind, "ada"), lambda: None)


def test_records_are_numbered_and_timed(tmp_path: Path) -> None:
    """The first is 1; the time is UTC to the second; nothing else is changed."""
    assert journal.last(tmp_path) is None
    first, second = publish(tmp_path, A), publish(tmp_path, B)
    assert (first.number, second.number, second.parent) == (1, 2, A)
    assert first.time.endswith("Z")
    assert journal.records(tmp_path) == [first, second]
    assert journal.last(tmp_path) == second


def test_a_version_is_found_by_number_and_by_id(tmp_path: Path) -> None:
    """The newest publication of an id is meant; an id of digits only is an id."""
    for name in (A, B, A, C):
        publish(tmp_path, name)
    assert journal.find(tmp_path, "2").id == B
    assert journal.find(tmp_path, A).number == 3
    assert journal.find(tmp_path, C).number == 4


@pytest.mark.parametrize("key", ["5", "0", "-1", "", "x", "²", "../..", "c" * 16])
def test_what_was_never_a_version_is_told(tmp_path: Path, key: str) -> None:
    """Whatever the key is."""
    publish(tmp_path, A)
    with pytest.raises(NotFound, match="never"):
        journal.find(tmp_path, key)


class Killed(BaseException):
    """The end of the process, as far as the code in a test can tell."""


@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_publication_that_is_cut_off_is_settled_by_the_link(
    tmp_path: Path, is_swapped: bool
) -> None:
    """Before the swap nothing happened; after it the record is there, once."""
    publish(tmp_path, A)

    def cut() -> None:
        raise Killed

    with pytest.raises(Killed):
        journal.record(tmp_path, Record(0, B, "", A, 1, 1, journal.UPDATE), cut)
    for _ in range(2):
        journal.settle(tmp_path, B if is_swapped else A)
    assert [one.id for one in journal.records(tmp_path)] == ([A, B] if is_swapped else [A])
    assert not (tmp_path / journal.PENDING).exists()


def test_a_torn_line_is_written_again(tmp_path: Path) -> None:
    """Half a line at the end, as a power cut leaves it, neither counts nor harms what follows."""
    publish(tmp_path, A)
    second = publish(tmp_path, B)
    text = (tmp_path / journal.JOURNAL).read_text()
    first_line, second_line, _ = text.split("\n")
    (tmp_path / journal.JOURNAL).write_text(f"{first_line}\n{second_line[:20]}")
    (tmp_path / journal.PENDING).write_text(second_line)
    journal.settle(tmp_path, B)
    assert [one.id for one in journal.records(tmp_path)] == [A, B]
    assert journal.last(tmp_path) == second
    assert publish(tmp_path, C).number == 3


def test_half_a_pending_record_is_forgotten(tmp_path: Path) -> None:
    """It was cut off before anything was published."""
    publish(tmp_path, A)
    (tmp_path / journal.PENDING).write_text('{"number": 2')
    journal.settle(tmp_path, A)
    assert [one.id for one in journal.records(tmp_path)] == [A]


def test_a_reason_may_have_every_kind_of_line(tmp_path: Path) -> None:
    """Only LF ends a record, not the other ends of lines that Unicode has."""
    reason = "a\u2028b\u2029c\x85d\x0be"
    new = Record(0, "v", "", None, 2, 5, journal.UPDATE, "ada", reason=reason)
    journal.record(tmp_path, new, lambda: None)
    assert [one.reason for one in journal.records(tmp_path)] == [reason]

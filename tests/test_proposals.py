"""Proposals as they are kept: numbers, states, and what a crash leaves."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from intmk import errors, proposals
from intmk.patch import Patch
from intmk.proposals import CONFLICTING, OPEN, REJECTED, Event, Proposal

CHANGE = Patch(frozenset({"<a:s> <a:p> <a:o> <a:g> ."}))
NEW = Proposal(0, "Ada", "so", ("https://e.org/",), "", 1, "tok")


def test_numbers_are_given_once(tmp_path: Path) -> None:
    """However many propose at the same time."""
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: proposals.create(tmp_path, NEW, CHANGE), range(20)))
    assert sorted(one.number for one in made) == list(range(1, 21))
    assert [one.number for one, _ in proposals.every(tmp_path)] == list(range(20, 0, -1))
    assert proposals.get(tmp_path, 7) == next(one for one in made if one.number == 7)
    assert proposals.change(tmp_path, 7) == CHANGE


def test_what_it_was_sent_as_is_kept(tmp_path: Path) -> None:
    """The update to the letter, or nothing."""
    update = "INSERT DATA {\r\n GRAPH <a:g> { <a:s> <a:p> 'ü😀' } }"
    first = proposals.create(tmp_path, NEW, CHANGE, update).number
    second = proposals.create(tmp_path, NEW, CHANGE).number
    assert [proposals.update(tmp_path, one) for one in (first, second)] == [update, ""]
    with pytest.raises(errors.NotFound):
        proposals.update(tmp_path, 3)


def test_the_last_word_counts_and_a_rejection_is_final(tmp_path: Path) -> None:
    """What was rejected cannot be decided again."""
    number = proposals.create(tmp_path, NEW, CHANGE).number
    assert proposals.state(tmp_path, number) == OPEN
    for kind in (CONFLICTING, REJECTED, CONFLICTING):
        proposals.tell(tmp_path, number, Event(kind, proposals.now(), "rev", "why\u2028\x85so"))
    assert proposals.state(tmp_path, number) == REJECTED
    assert {one.comment for one in proposals.events(tmp_path, number)} == {"why\u2028\x85so"}
    with pytest.raises(errors.Conflict, match="rejected already"):
        proposals.require_undecided(tmp_path, number)


def test_what_a_crash_leaves_is_passed_over(tmp_path: Path) -> None:
    """A folder that got no number, and half a line."""
    number = proposals.create(tmp_path, NEW, CHANGE).number
    (tmp_path / proposals.FOLDER / ".new-x").mkdir()
    proposals.tell(tmp_path, number, Event(CONFLICTING, proposals.now()))
    with (proposals.folder_of(tmp_path, number) / "events.jsonl").open("a") as events:
        events.write('{"kind": "rejec')
    assert proposals.state(tmp_path, number) == CONFLICTING
    assert [one.number for one, _ in proposals.every(tmp_path)] == [number]
    proposals.tell(tmp_path, number, Event(REJECTED, proposals.now()))
    assert proposals.state(tmp_path, number) == REJECTED


def test_who_and_why_have_a_length(tmp_path: Path) -> None:
    """Nobody fills the disk with a reason."""
    with pytest.raises(errors.InvalidRequest, match="longer than"):
        proposals.checked("Ada", "x" * 10_001, ())

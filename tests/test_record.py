"""The record of changes: a patch for every version, and every version from the patches."""

import os
import random
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad

from intmk import journal, patch, record, store
from intmk.errors import NotFound
from intmk.report import Finding, Report

CHANGES = int(os.environ.get("INTMK_TEST_CHANGES", "50"))


def publish(
    folder: Path, quads: set[Quad], report: Report | None = None, **why: object
) -> store.Version:
    """Publish a dataset, as the writer does."""
    with store.exclusive(folder):
        return store.publish(
            folder,
            store.canonical_dump(quads),
            journal.UPDATE,
            "ada",
            keep=2,
            why=why,
            report=report,
        )


def quad(number: int, text: str = "") -> Quad:
    """Return one of many quads, some of them in the default graph."""
    subject, predicate = NamedNode(f"http://e/{number}"), NamedNode("http://e/p")
    graph = [NamedNode("http://e/g")] if number % 2 else []
    return Quad(subject, predicate, Literal(f'{text}\n "{number}" <ö>'), *graph)


def test_every_version_is_rebuilt_from_the_record(tmp_path: Path) -> None:
    """Random changes, most of whose versions are no longer kept: each dump is the same bytes."""
    chance, quads = random.Random(5), {quad(number) for number in range(30)}
    dumps: dict[int, bytes] = {}
    for number in range(1, CHANGES + 2):
        made = publish(tmp_path, quads)
        dumps[made.number] = (made.path / "dump.nq").read_bytes()
        gone = set(chance.sample(sorted(quads, key=str), chance.randrange(3)))
        quads = (quads - gone) | {quad(100 + number, "new")}
    assert len(list((tmp_path / "versions").iterdir())) <= 3
    assert {number: record.rebuild(tmp_path, number) for number in dumps} == dumps
    assert len(dumps) == CHANGES + 1


def test_a_difference_of_any_two_versions(tmp_path: Path) -> None:
    """Forwards and backwards, whichever are still kept."""
    for number in range(4):
        publish(tmp_path, {quad(number)})
    found = record.between(tmp_path, 1, 4)
    assert (len(found.added), len(found.removed)) == (1, 1)
    assert '"3\\"' in "".join(found.added).replace('\\"3', '"3')
    assert record.between(tmp_path, 4, 1) == found.inverse
    assert record.between(tmp_path, 2, 2).size == 0


def test_a_patch_names_the_one_before_it(tmp_path: Path) -> None:
    """The ids make a chain; the first begins with nothing."""
    for number in range(3):
        publish(tmp_path, {quad(number)})
    headers = [patch.header(record.text(tmp_path, number)) for number in (1, 2, 3)]
    assert [one.get("prev") for one in headers] == [None, headers[0]["id"], headers[1]["id"]]
    current = journal.last(tmp_path)
    assert current
    assert headers[2]["version"] == f'"{current.id}"'


def test_who_and_why_stand_in_the_journal(tmp_path: Path) -> None:
    """Beside the number of the patch."""
    publish(tmp_path, {quad(1)}, author="Ada", reason="so", proposal=7, comment="good")
    newest = journal.last(tmp_path)
    assert newest
    assert (newest.by, newest.author, newest.reason) == ("ada", "Ada", "so")
    assert (newest.proposal, newest.comment) == (7, "good")


def test_a_patch_that_was_never_published_counts_for_nothing(tmp_path: Path) -> None:
    """A crash between patch and publication leaves one, which the next replaces."""
    publish(tmp_path, {quad(1)})
    record.keep(tmp_path, 2, "0" * 16, None, b"<a:s> <a:p> <a:o> .\n")
    with pytest.raises(NotFound, match="no change 2"):
        record.text(tmp_path, 2)
    publish(tmp_path, {quad(2)})
    assert len(record.change(tmp_path, 2).removed) == 1


def test_what_was_let_through_is_kept(tmp_path: Path) -> None:
    """With the change that brought it, and gone when that change was never published."""
    found = Finding("a:g", None, None, "warning", "duplicate", "Doppelt.", "Twice.", "a:s")
    publish(tmp_path, {quad(1)}, report=Report([found]))
    publish(tmp_path, {quad(1), quad(2)}, report=Report([found]))
    assert [one.findings for one in journal.records(tmp_path)] == [1, 0]
    assert record.findings(tmp_path, 1) == [found]
    assert record.findings(tmp_path, 2) == []
    record.keep_findings(tmp_path, 3, Report([found]))
    publish(tmp_path, {quad(3)})
    assert record.findings(tmp_path, 3) == []


def test_a_store_older_than_the_record(tmp_path: Path) -> None:
    """The record begins with the whole of the next version, and says so."""
    publish(tmp_path, {quad(1)})
    (tmp_path / "changes" / "1.rdfp").unlink()
    made = publish(tmp_path, {quad(2)})
    assert record.rebuild(tmp_path, 2) == (made.path / "dump.nq").read_bytes()
    with pytest.raises(NotFound, match="not recorded"):
        record.text(tmp_path, 1)
    with pytest.raises(NotFound, match="begins with change 2"):
        record.between(tmp_path, 1, 2)


def test_who_took_a_statement_away_is_found(tmp_path: Path) -> None:
    """With what the same change says of the same thing instead."""
    publish(tmp_path, {quad(1)})
    (was,) = record.change(tmp_path, 1).added
    publish(tmp_path, {quad(1, "better")})
    (touch,) = record.removals(tmp_path, 1, frozenset({was}))
    assert (touch.record.number, touch.removed) == (2, was)
    assert touch.added == tuple(record.change(tmp_path, 2).added)
    assert list(record.removals(tmp_path, 2, frozenset({was}))) == []

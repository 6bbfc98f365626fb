"""RDF Patch: differences of dumps, net changes, and their text."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intmk import patch
from intmk.errors import SourceSyntaxError
from intmk.patch import Patch

LINES = st.sets(st.sampled_from([f"<a:s> <a:p> {n} ." for n in ("<a:1>", '"2 <"', "_:c14n0")]))


def dump(statements: set[str]) -> list[bytes]:
    """Return statements as the sorted lines of a dump."""
    return sorted(f"{one}\n".encode() for one in statements)


@given(LINES, LINES)
def test_a_difference_leads_from_one_dump_to_the_other(before: set[str], after: set[str]) -> None:
    """And its inverse leads back; nothing is in it that both have."""
    found = patch.difference(dump(before), dump(after))
    assert (before - found.removed) | found.added == after
    assert (after - found.inverse.removed) | found.inverse.added == before
    assert not found.added & before
    assert not found.removed & after


@given(st.lists(LINES, min_size=2, max_size=6))
def test_the_net_change_of_several(states: list[set[str]]) -> None:
    """Is the difference between the first and the last."""
    pairs = itertools.pairwise(states)
    steps = [patch.difference(dump(old), dump(new)) for old, new in pairs]
    assert patch.net(steps) == patch.difference(dump(states[0]), dump(states[-1]))


@given(LINES, LINES)
def test_a_patch_is_read_as_it_was_written(before: set[str], after: set[str]) -> None:
    """Statements and header."""
    found = patch.difference(dump(before), dump(after))
    written = patch.write(found, {"id": "<urn:uuid:1>", "prev": "<urn:uuid:0>"})
    assert patch.read(written) == found
    assert patch.header(written) == {"id": "<urn:uuid:1>", "prev": "<urn:uuid:0>"}


def test_the_last_row_about_a_statement_counts() -> None:
    """As it would when the rows are followed one by one."""
    statement = "<a:s> <a:p> <a:o> ."
    assert patch.read(f"A {statement}\nD {statement}\n") == Patch(removed=frozenset({statement}))


def test_what_is_no_row_is_told_with_its_line() -> None:
    """A prefix would have to be followed through; IRIs stand in full."""
    with pytest.raises(SourceSyntaxError, match="not a row") as caught:
        patch.read("TX .\nPA ex: <http://e/> .\nTC .")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("<a:s> <a:p> <a:o> .", ("<a:s>", "<a:p>", "<a:o>", "")),
        ("<a:s> <a:p> <a:o> <a:g> .", ("<a:s>", "<a:p>", "<a:o>", "<a:g>")),
        ('_:b <a:p> "x \\" <a:g> ."@de <a:g> .', ("_:b", "<a:p>", '"x \\" <a:g> ."@de', "<a:g>")),
        ('<a:s> <a:p> "1"^^<a:d> .', ("<a:s>", "<a:p>", '"1"^^<a:d>', "")),
    ],
)
def test_the_terms_of_a_statement(statement: str, parts: tuple[str, ...]) -> None:
    """The graph is told from the end of a text."""
    assert patch.parts(statement) == parts


def test_what_is_no_statement_has_no_terms() -> None:
    """A prefixed name is none."""
    with pytest.raises(ValueError, match="not a statement"):
        patch.parts("ex:s <a:p> <a:o> .")

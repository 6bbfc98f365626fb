"""Frames between front and worker: what goes in comes out, and a cut is noticed."""

import json
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intmk import errors, wire

NAME, ADDRESS = b"n" * 16, b"a" * 16


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([b"D", b"Z"]), st.binary(max_size=200)), max_size=3),
        max_size=4,
    )
)
def test_frames_arrive_as_they_were_sent(datagrams: list[list[tuple[bytes, bytes]]]) -> None:
    """Letter and body of each, in order, however many are in one datagram."""
    sent = iter([b"".join(wire.frame(*frame) for frame in frames) for frames in datagrams])
    found = wire.frames(sent.__next__)
    assert [next(found) for frames in datagrams for _ in frames] == list(chain(*datagrams))


@given(st.binary(max_size=200), st.integers(0, 3))
def test_chunks_are_the_whole_and_fit_into_a_datagram(rest: bytes, times: int) -> None:
    """With a frame of data around each, and a head or an end beside it."""
    data = b"x" * wire.CHUNK_BYTES * times + rest
    parts = list(wire.chunks(data))
    assert b"".join(parts) == data
    assert all(len(wire.frame(b"D", part)) < wire.DATAGRAM_BYTES - 500 for part in parts)


@given(st.text(), st.none() | st.lists(st.text(), max_size=3).map(tuple))
def test_a_question_is_read_as_it_was_asked(text: str, graphs: tuple[str, ...] | None) -> None:
    """Any text survives; no dataset and an empty one stay distinct."""
    asked = wire.Question(text, (("csv", "text/csv"),), graphs, None)
    found, name, address = wire.unpack(wire.pack(asked, NAME, ADDRESS))
    assert (name, address) == (NAME, ADDRESS)
    assert (found.text, found.offers, found.named_graphs) == (text, asked.offers, None)
    assert graphs == (None if found.default_graphs is None else tuple(found.default_graphs))


@pytest.mark.parametrize("detail", ["d", "ä" * 100_000])
def test_an_error_crosses_with_all_its_parts(detail: str) -> None:
    """Class, detail, hint, position and further members, in as many frames as it takes."""
    error = errors.NotAcceptable(detail, hint="h", line=1, column=2, offered=["text/csv"])
    sent = list(wire.error_frames(error))
    assert all(len(one) <= wire.DATAGRAM_BYTES for one in sent)
    found = wire.frames(iter(sent).__next__)
    found_error = wire.unpack_error(json.loads(b"".join(next(found)[1] for _ in sent)))
    assert errors.problem(found_error) == errors.problem(error)
    assert type(found_error) is errors.NotAcceptable

"""Frames between front and worker: what goes in comes out, and a cut is noticed."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intmk import errors, wire

NAME, ADDRESS = b"n" * 16, b"a" * 16


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield the data in pieces, as a socket might, and then nothing for ever."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
    while True:
        yield b""


@given(
    st.lists(st.tuples(st.sampled_from([b"D", b"Z"]), st.binary(max_size=200)), max_size=5),
    st.integers(1, 50),
)
def test_frames_arrive_as_they_were_sent(frames: list[tuple[bytes, bytes]], size: int) -> None:
    """Letter and body of each, in order, however they are cut, and then the end."""
    sent = b"".join(wire.frame(letter, body) for letter, body in frames)
    found = wire.frames(pieces(sent, size).__next__)
    assert [next(found) for _ in frames] == frames
    with pytest.raises(EOFError):
        next(found)


@pytest.mark.parametrize("cut", [1, 4, 5, 8])
def test_a_frame_that_is_cut_is_no_frame(cut: int) -> None:
    """Neither half a head nor half a body is taken for a whole one."""
    with pytest.raises(EOFError):
        next(wire.frames(pieces(b"D\x00\x00\x00\x04abcd"[:cut], 3).__next__))


@given(st.text(), st.none() | st.lists(st.text(), max_size=3).map(tuple))
def test_a_question_is_read_as_it_was_asked(text: str, graphs: tuple[str, ...] | None) -> None:
    """Any text survives; no dataset and an empty one stay distinct."""
    asked = wire.Question(text, (("csv", "text/csv"),), graphs, None)
    _, body = next(wire.frames(pieces(wire.pack(asked, NAME, ADDRESS), 1000).__next__))
    found, name, address = wire.unpack(body)
    assert (name, address) == (NAME, ADDRESS)
    assert (found.text, found.offers, found.named_graphs) == (text, asked.offers, None)
    assert graphs == (None if found.default_graphs is None else tuple(found.default_graphs))


def test_an_error_crosses_with_all_its_parts() -> None:
    """Class, detail, hint, position and further members."""
    error = errors.NotAcceptable("d", hint="h", line=1, column=2, offered=["text/csv"])
    found = wire.unpack_error(wire.pack_error(error))
    assert errors.problem(found) == errors.problem(error)
    assert type(found) is errors.NotAcceptable

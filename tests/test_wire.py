"""Frames between front and worker: what goes in comes out, and a cut is noticed."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intmk import errors, wire


@given(st.lists(st.tuples(st.sampled_from([b"D", b"Z"]), st.binary(max_size=200)), max_size=5))
def test_frames_arrive_as_they_were_sent(frames: list[tuple[bytes, bytes]]) -> None:
    """Letter and body of each, in order, and then the end."""
    near, far = socket.socketpair()
    with near, far, far.makefile("rb") as stream:
        for letter, body in frames:
            wire.send(near, letter, body)
        near.close()
        assert [wire.receive(stream) for _ in frames] == frames
        with pytest.raises(EOFError):
            wire.receive(stream)


@pytest.mark.parametrize("cut", [1, 4, 5, 8])
def test_a_frame_that_is_cut_is_no_frame(cut: int) -> None:
    """Neither half a head nor half a body is taken for a whole one."""
    near, far = socket.socketpair()
    with near, far, far.makefile("rb") as stream:
        near.sendall(b"D\x00\x00\x00\x04abcd"[:cut])
        near.close()
        with pytest.raises(EOFError):
            wire.receive(stream)


@given(st.text(), st.none() | st.lists(st.text(), max_size=3).map(tuple))
def test_a_question_is_read_as_it_was_asked(text: str, graphs: tuple[str, ...] | None) -> None:
    """Lone surrogates aside, any text survives; no dataset and an empty one stay distinct."""
    near, far = socket.socketpair()
    asked = wire.Question(text, (("csv", "text/csv"),), graphs, None)
    with near, far, far.makefile("rb") as stream:
        wire.send_json(near, b"Q", asked)
        found = wire.question(wire.receive(stream)[1])
    assert (found.text, found.offers, found.named_graphs) == (text, asked.offers, None)
    assert graphs == (None if found.default_graphs is None else tuple(found.default_graphs))


def test_an_error_crosses_with_all_its_parts() -> None:
    """Class, detail, hint, position and further members."""
    error = errors.NotAcceptable("d", hint="h", line=1, column=2, offered=["text/csv"])
    found = wire.unpack_error(wire.pack_error(error))
    assert errors.problem(found) == errors.problem(error)
    assert type(found) is errors.NotAcceptable

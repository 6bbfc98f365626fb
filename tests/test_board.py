"""The board: what one process writes, another reads."""

import os
from pathlib import Path

import pytest

from intmk.board import Board

QUESTION, ADDRESS, MAILBOX = b"q" * 16, b"a" * 16, b"12-3"


@pytest.fixture
def boards(tmp_path: Path) -> tuple[Board, Board]:
    """The same board, mapped twice."""
    return Board(tmp_path / "board", slots=2), Board(tmp_path / "board")


def test_a_question_is_seen_while_it_is_answered(boards: tuple[Board, Board]) -> None:
    """From its begin to its end, by its name, with who asks it."""
    worker, front = boards
    worker.rest(1, 4711)
    assert front.find(QUESTION) is None
    worker.begin(1, 4711, QUESTION, ADDRESS, MAILBOX)
    found = front.find(QUESTION)
    assert found
    assert found[:1] + found[2:] == (4711, QUESTION, ADDRESS, MAILBOX)
    assert found.age_s >= 0
    assert front.busy() == [found]
    assert not found.is_finished
    worker.finish(1)
    assert [slot.is_finished for slot in front.busy()] == [True]
    assert front.find(QUESTION)
    worker.rest(1, 4711)
    assert front.busy() == []


def test_a_worker_that_ended_leaves_its_question(boards: tuple[Board, Board]) -> None:
    """Releasing a slot tells what was in it, once."""
    board, _ = boards
    board.begin(0, 4711, QUESTION, ADDRESS, MAILBOX)
    slot = board.release(4711)
    assert slot
    assert slot.question == QUESTION
    assert board.release(4711) is None
    assert board.busy() == []


def test_slots_belong_to_living_processes(boards: tuple[Board, Board]) -> None:
    """A slot is free when nobody has it, or when who had it is gone without a word."""
    board, _ = boards
    board.rest(0, os.getpid())
    assert board.free() == 1
    board.rest(1, os.getpid())
    assert board.free() is None
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    board.rest(1, gone)
    assert board.free() == 1
    board.clear()
    assert board.free() == 0

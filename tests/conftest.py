"""What several tests need: a small root of files, copied afresh for each test that changes it."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import hypothesis
import pytest

from intmk import sources

FIXTURE_ROOT = Path(__file__).parent / "fixtures" / "root"
_PATIENCE_S = 600

# No test asserts a time, and a busy machine is no fault of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def _give_up(_signal: int, _frame: FrameType | None) -> NoReturn:
    pytest.fail(f"The test has waited for {_PATIENCE_S} s.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Let a test that waits for ever fail, with the place where it waits."""
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(_PATIENCE_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a copy of the small root that a test may change."""
    return Path(shutil.copytree(FIXTURE_ROOT, tmp_path / "root"))


@pytest.fixture
def change(root: Path):
    """Return a function that replaces one text in a file of the small root."""

    def change(name: str, old: str, new: str) -> None:
        path = root / name
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} must stand once in {name}"
        path.write_text(text.replace(old, new))

    return change


@pytest.fixture
def collection(root: Path) -> sources.Collection:
    """Return the small root, read."""
    return sources.collect(root)

"""Filing: every statement has its file, and no crash leaves the files behind for good."""

import contextlib
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyoxigraph import NamedNode, Quad

from intmk import (
    canonical,
    curation,
    errors,
    filing,
    journal,
    proposals,
    record,
    settings,
    sources,
    store,
    vocab,
)
from intmk.patch import Patch
from intmk.proposals import Proposal
from intmk.settings import Settings
from intmk.validation import validate
from server_fixtures import ROOT, descendants
from write_fixtures import PASSAGE

# The thousand of the long run: INTMK_TEST_KILLS=1000.
KILLS = int(os.environ.get("INTMK_TEST_KILLS", "12"))


def test_every_statement_of_the_project_belongs_where_it_stands() -> None:
    """The rule that finds the file of a statement finds the one it is in, for all of them."""
    for root in (ROOT, Path(__file__).parent / "fixtures" / "root"):
        files = filing._files(root)
        home = filing.homes([quad for quads in files.values() for quad in quads], files)
        for name, quads in files.items():
            # Each page names its publisher, which it may share with others.
            own = {quad for quad in quads if name == filing.REGISTER or not _is_agent(quad)}
            assert {home(quad) for quad in own} == {name}


def _is_agent(quad: Quad) -> bool:
    return f"{vocab.BASE}id/agent/" in str(quad.subject)


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Settings:
    """A built store on a checkout in the canonical layout; its gate is open, for speed."""
    for path in (root / "data").iterdir():
        canonical.format_file(path, prefixes=vocab.prefixes(root))
    (root / ".git").mkdir()
    chosen = settings.read(
        {"root": root, "store": tmp_path / "var", "gate": "off", "keep_versions": 3}, {}
    )
    store.build(chosen.root, chosen.store, validate)
    return chosen


def pair(number: int) -> Patch:
    """Return a change of two statements that belong together."""
    lines = (f'<{vocab.ID}kind/x{number}> <http://e/{p}> "{number}" <{PASSAGE}> .' for p in "pq")
    return Patch(frozenset(lines))


def pairs(rows: object) -> dict[int, int]:
    """Return how many statements of each pair there are in the passage."""
    found: dict[int, int] = {}
    for quad in rows:  # type: ignore[attr-defined]
        number = quad.subject.value.partition("/id/kind/x")[2]
        if number and quad.graph_name == NamedNode(PASSAGE):
            found[int(number)] = found.get(int(number), 0) + 1
    return found


def _writer() -> int:
    while True:
        for pid in descendants(os.getpid()) - {os.getpid()}:
            with contextlib.suppress(OSError):
                if b"intmk.writer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid


def _accepted(chosen: Settings, number: int, kill_after_s: float | None) -> bool:
    """Accept a proposal, perhaps killing the writer meanwhile; returns whether it was answered."""
    with ThreadPoolExecutor() as pool:
        future = pool.submit(curation.accept, chosen, number, "rev")
        if kill_after_s is not None:
            pid = _writer()
            threading.Event().wait(kill_after_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            future.result()
        except errors.Unavailable:
            return False
        return True


def _proposed(chosen: Settings, number: int) -> int:
    proposal = Proposal(0, "Ada", "so", (), "", 1)
    return proposals.create(chosen.store, proposal, pair(number)).number


def test_accepted_changes_outlive_a_killed_process(checkout: Settings) -> None:
    """Killed at random moments: every acknowledged change is in the graph, in the record and, after
    the next one, in the files; none is there by half; what was not made is still open.
    """
    chance, acknowledged = random.Random(5), set()
    started = time.perf_counter()
    assert _accepted(checkout, _proposed(checkout, 1), None)
    usual_s = time.perf_counter() - started
    for number in range(2, KILLS + 1):
        is_killed = chance.random() < 0.7
        kill_after_s = usual_s * chance.uniform(0.3, 1.1) if is_killed else None
        if _accepted(checkout, _proposed(checkout, number), kill_after_s):
            acknowledged.add(number)
    assert _accepted(checkout, _proposed(checkout, KILLS + 1), None)
    held = pairs(store.open_current(checkout.store).quads_for_pattern(None, None, None, None))
    assert acknowledged | {1, KILLS + 1} <= held.keys()
    assert set(held.values()) == {2}
    states = {one.number: state for one, state in proposals.every(checkout.store)}
    assert {number for number, state in states.items() if state == "accepted"} == held.keys()
    assert set(states.values()) <= {"accepted", "open"}
    newest = journal.last(checkout.store)
    assert newest
    dump = (store.current_path(checkout.store) / "dump.nq").read_bytes()
    assert record.rebuild(checkout.store, newest.number) == dump
    assert pairs(sources.collect(checkout.root).quads()) == held
    assert store.is_current(checkout.root, checkout.store)
    print(f"{len(acknowledged) + 2} of {KILLS + 1} acknowledged, {len(held)} made, none torn")

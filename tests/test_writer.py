"""The one writer: real processes, killed at any moment, lose nothing and leave no half version."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode

from intmk import errors, journal, store, writer
from intmk.changes import Change
from intmk.settings import Settings, read
from intmk.validation import validate
from intmk.writer import Written
from server_fixtures import descendants

PASSAGE = "https://w3id.org/intmk/source/press#line=3,5"
THING = "<https://w3id.org/intmk/id/conference/intmk-18>"
KILLS = 10


@pytest.fixture
def settings(root: Path, tmp_path: Path) -> Settings:
    """A built store, and settings for writing to it."""
    return build(root, tmp_path)


def build(root: Path, folder: Path, **explicit: object) -> Settings:
    """Build the small root, and return settings for writing to it."""
    chosen = read({"root": root, "store": folder / "var", "keep_versions": 5} | explicit, {})
    store.build(chosen.root, chosen.store, validate)
    return chosen


def changed(settings: Settings, **others: object) -> Settings:
    """Return the settings with other limits."""
    return read({"root": settings.root, "store": settings.store} | others, {})


def update(settings: Settings, text: str, by: str | None = None) -> Written:
    """Make an update."""
    return writer.write(settings, Change("update", text.encode(), by=by))


def pair(number: int) -> str:
    """Return an update of two triples that belong together."""
    return (
        f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ {THING} <http://e/p> {number} . "
        f"{THING} <http://e/q> {number} }} }}"
    )


def pairs(settings: Settings) -> dict[int, int]:
    """Return how many triples of each pair the passage has in the current version."""
    found: dict[int, int] = {}
    opened = store.open_current(settings.store)
    for quad in opened.quads_for_pattern(None, None, None, NamedNode(PASSAGE)):
        if quad.predicate.value.startswith("http://e/") and isinstance(quad.object, Literal):
            number = int(quad.object.value)
            found[number] = found.get(number, 0) + 1
    return found


def test_a_write_makes_a_version(settings: Settings) -> None:
    """Numbered, recorded with who wrote it, and the old one is still there and as it was."""
    first = journal.last(settings.store)
    assert first
    before = store.open_current(settings.store)
    size = len(before)
    made = update(settings, pair(1), by="ada")
    assert made == Written(made.version, 2, True, False)
    assert store.current_version(settings.store) == made.version
    newest = journal.last(settings.store)
    assert newest
    assert (newest.kind, newest.by, newest.parent) == ("update", "ada", first.id)
    # Each triple is in the passage's graph and in the default graph.
    assert newest.quads == first.quads + 4 == size + 4
    assert newest.triples == first.triples + 2
    assert len(before) == size
    assert pairs(settings) == {1: 2}


def test_a_write_that_changes_nothing_makes_no_version(settings: Settings) -> None:
    """The answer names the version that has it already."""
    made = update(settings, pair(1))
    assert update(settings, pair(1)) == made._replace(is_new=False)
    assert len(journal.records(settings.store)) == 2


def test_a_refused_write_leaves_everything(settings: Settings) -> None:
    """The findings come with the error."""
    before = store.current_version(settings.store)
    with pytest.raises(errors.WriteRefused, match="No accepted passage") as caught:
        update(settings, f"INSERT DATA {{ {THING} <a:p> 1 }}")
    findings = caught.value.extra["findings"]
    assert isinstance(findings, list)
    assert [one["rule"] for one in findings] == ["unbacked"]
    assert store.current_version(settings.store) == before
    assert len(list((settings.store / "versions").iterdir())) == 1


def test_with_an_open_gate_it_is_made(settings: Settings) -> None:
    """The operator's explicit choice."""
    made = update(changed(settings, gate="off"), f"INSERT DATA {{ {THING} <a:p> 1 }}")
    assert made.is_new


def test_what_is_wrong_with_an_update_comes_back(settings: Settings) -> None:
    """With its class, its place and its words."""
    with pytest.raises(errors.QuerySyntaxError, match="prefix ex: is not declared") as caught:
        update(settings, "INSERT DATA {\n ex:a ex:b 1 }")
    assert (caught.value.line, caught.value.column) == (2, 2)


def test_a_graph_is_written_with_what_the_change_carries(settings: Settings) -> None:
    """Bytes, flags and names reach the writer as they are."""
    open_ = changed(settings, gate="off")
    body = '<> <http://e/p> "Größe 😀\\n" .'.encode()
    put = Change("put", body, "ttl", "http://e/g", is_creation=True, by="ada")
    assert writer.write(open_, put).has_created is True
    with pytest.raises(errors.PreconditionFailed):
        writer.write(open_, put)
    rows = store.open_current(settings.store).quads_for_pattern(None, None, None, None)
    assert any(getattr(row.object, "value", "") == "Größe 😀\n" for row in rows)


def test_a_change_may_name_the_version_it_starts_from(settings: Settings) -> None:
    """When another was faster it is refused, so nobody overwrites what they did not see."""
    seen = store.current_version(settings.store)
    assert seen
    first = Change("update", pair(1).encode(), versions=(seen, "0" * 16))
    assert writer.write(settings, first).is_new
    with pytest.raises(errors.PreconditionFailed, match="by now"):
        writer.write(settings, first)


def test_writes_at_once_are_made_one_after_the_other(settings: Settings) -> None:
    """Each starts from what the one before it left; none is lost."""
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda n: update(changed(settings, gate="off"), pair(n)), range(4)))
    assert sorted(one.number for one in made) == [2, 3, 4, 5]
    assert pairs(settings) == dict.fromkeys(range(4), 2)


def test_too_many_writes_are_turned_away(settings: Settings) -> None:
    """The queue is bounded, and so is the time in it."""
    narrow = changed(settings, write_queue=1, write_wait_s=1.5)
    with ThreadPoolExecutor() as pool, store.exclusive(settings.store):
        waiting = pool.submit(update, narrow, pair(1))
        _await_writer()
        with pytest.raises(errors.Busy, match="1 writes are being made"):
            update(narrow, pair(2))
        with pytest.raises(errors.Busy, match=r"longer than 1.5 s"):
            waiting.result()
    assert update(narrow, pair(3)).is_new


ENDLESS = (
    f"INSERT {{ GRAPH <{PASSAGE}> {{ ?a ?b ?i }} }} WHERE {{ "
    "GRAPH ?g { ?a ?b ?c . ?d ?e ?f . ?g2 ?h ?i . ?j ?k ?l } }"
)


def test_an_endless_update_is_stopped(settings: Settings) -> None:
    """At its deadline, and nothing was changed."""
    before = store.current_version(settings.store)
    with pytest.raises((errors.WriteTimeout, errors.OutOfMemory)):
        update(changed(settings, write_timeout_s=1), ENDLESS)
    assert store.current_version(settings.store) == before
    assert update(settings, pair(1)).is_new


def test_too_much_memory_ends_the_write_only(settings: Settings) -> None:
    """A clear error, in this process."""
    with pytest.raises(errors.OutOfMemory, match="60 MB"):
        update(changed(settings, write_memory_mb=60), ENDLESS)


NESTED = b"<a:b> <a:c> " + b"<<( <a:b> <a:c> " * 99_999 + b"<a:d>" + b")>>" * 99_999


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (
            Change("update", b"INSERT DATA { <a:s> <a:p> " + b"(" * 50_000 + b")" * 50_000 + b" }"),
            errors.QueryTooDeep,
        ),
        (
            Change("put", NESTED, "ttl", "a:g"),
            errors.SourceSyntaxError,
        ),
    ],
)
def test_what_ends_the_parser_ends_only_the_writer(
    settings: Settings, change: Change, kind: type[errors.GraphError]
) -> None:
    """Nesting beyond the stack is the client's error."""
    with pytest.raises(kind, match="deeper"):
        writer.write(settings, change)


def test_a_writer_could_not_open_a_connection_if_the_check_were_fooled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the check LOAD still reaches nobody: the kernel refuses the socket."""
    script = settings.store / "sitecustomize.py"
    script.write_text("from intmk import sparql\nsparql.refuse_load = lambda text: None\n")
    monkeypatch.setenv("PYTHONPATH", str(settings.store))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.ttl"
        with pytest.raises(errors.QueryFailed):
            update(settings, f"LOAD <{url}> INTO GRAPH <a:g>")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def _writers() -> Iterator[int]:
    for pid in descendants(os.getpid()) - {os.getpid()}:
        with contextlib.suppress(OSError):
            if b"intmk.writer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid


def _await_writer() -> int:
    """Return the process id of the writer that is running, as soon as there is one."""
    while True:
        for pid in _writers():
            return pid


def _killed_after(seconds: float, work: Callable[[], Written]) -> Written | None:
    """Do some work and kill its writer so many seconds after it began."""
    with ThreadPoolExecutor() as pool:
        future = pool.submit(work)
        pid = _await_writer()
        threading.Event().wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        try:
            return future.result()
        except errors.Unavailable:
            return None


def test_a_writer_killed_at_any_moment_loses_and_halves_nothing(settings: Settings) -> None:
    """Every acknowledged write is there, none is there by half, and the journal agrees."""
    open_ = changed(settings, gate="off", keep_versions=3)
    started = time.perf_counter()
    update(open_, pair(0))
    usual_s = time.perf_counter() - started
    acknowledged, moments = {0}, random.Random(4)
    for number in range(1, KILLS):
        delay_s = usual_s * moments.uniform(0.4, 1.1)
        if _killed_after(delay_s, lambda number=number: update(open_, pair(number))):
            acknowledged.add(number)
        held = pairs(settings)
        assert acknowledged <= set(held)
        assert set(held.values()) == {2}
    assert update(open_, pair(KILLS)).is_new
    assert set(pairs(settings)) >= acknowledged | {KILLS}
    newest = journal.last(settings.store)
    assert newest
    assert newest.id == store.current_version(settings.store)
    numbers = [one.number for one in journal.records(settings.store)]
    assert numbers == list(range(1, len(numbers) + 1))
    names = {path.name for path in (settings.store / "versions").iterdir()}
    assert len(names) <= 4
    assert not any(name.startswith(store.UNFINISHED) for name in names)


CHILD = """
import os, signal, sys
from pathlib import Path
from intmk import store, writer
target, name = sys.argv[1].split(".")
module = __import__("intmk." + target, fromlist=[""])
whole = getattr(module, name)
def cut(*given, **named):
    if sys.argv[2] == "after":
        whole(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, cut)
writer.main()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["store._write", "journal._write", "store._point", "store._tidy", "journal.settle"]
)
def test_a_writer_killed_at_each_step(settings: Settings, step: str, moment: str) -> None:
    """Whatever the last thing it did, the next write finds a store in order."""
    change = Change("update", pair(1).encode())
    process = subprocess.run(
        [sys.executable, "-c", CHILD, step, moment],
        input=writer.packed(change),
        env=os.environ | changed(settings, gate="off").environment(),
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert set(pairs(settings).values()) <= {2}
    made = update(changed(settings, gate="off"), pair(2))
    assert {2} <= set(pairs(settings)) <= {1, 2}
    assert set(pairs(settings).values()) == {2}
    ids = [one.id for one in journal.records(settings.store)]
    assert len(ids) == len(set(ids)) == 1 + len(pairs(settings))
    assert (ids[-1], made.number) == (made.version, len(ids))

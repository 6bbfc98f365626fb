"""Building versions: reproducible, atomic, and safe from a killed build."""

import hashlib
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from pyoxigraph import (
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    RdfFormat,
    parse,
    serialize,
)

from intmk import journal, store
from intmk.errors import BuildRefused, Busy, NotFound
from intmk.report import Report
from intmk.validation import validate

PRESS = "data/press.trig"


@pytest.fixture
def store_dir(tmp_path) -> Path:
    """Return the folder of a store that does not exist yet."""
    return tmp_path / "var"


@pytest.fixture
def build(root, store_dir):
    """Return a function that builds the small root."""
    return partial(store.build, root, store_dir, validate)


def test_build_publishes_a_version(build, store_dir):
    """The version is current, can be opened read-only, and its dump is what is in it."""
    version = build()
    assert version.new
    assert store.current_version(store_dir) == version.id
    assert (store_dir / "current").readlink() == Path("versions") / version.id
    opened = store.open_current(store_dir)
    dump = (version.path / "dump.nq").read_bytes()
    assert len(opened) == version.quads == len(dump.splitlines())
    assert set(opened) == set(parse(dump, RdfFormat.N_QUADS))
    assert hashlib.sha256(dump).hexdigest().startswith(version.id)
    with pytest.raises(RuntimeError, match="read-write"):
        opened.add(next(iter(opened)))


def test_every_default_graph_triple_is_backed_by_an_accepted_passage(build, store_dir):
    """Each triple of the default graph stands in the graph of an accepted passage."""
    build()
    opened = store.open_current(store_dir)
    unbacked = """SELECT ?s ?p ?o { ?s ?p ?o FILTER NOT EXISTS {
        ?passage intmk:status kind:accepted . GRAPH ?passage { ?s ?p ?o } } }"""
    prefixes = {
        "intmk": "https://w3id.org/intmk/ontology#",
        "kind": "https://w3id.org/intmk/id/kind/",
    }
    assert list(opened.quads_for_pattern(None, None, None, DefaultGraph()))
    assert list(opened.query(unbacked, prefixes=prefixes)) == []


def test_same_inputs_same_version(build, root, store_dir, tmp_path):
    """A second build is a no-op; another folder, order of statements or comment changes nothing."""
    first = build()
    again = build()
    assert (again.id, again.new) == (first.id, False)
    lines = (root / PRESS).read_text().splitlines()
    body = [line for line in lines if line.startswith("<")]
    shuffled = [line for line in lines if line not in body] + ["# a comment", *reversed(body)]
    (root / PRESS).write_text("\n".join(shuffled))
    elsewhere = store.build(root, tmp_path / "other", validate)
    assert elsewhere.id == first.id
    assert (elsewhere.path / "dump.nq").read_bytes() == (first.path / "dump.nq").read_bytes()


def test_a_dump_is_canonical():
    """It is the canonicalisation of the whole dataset, whatever blank nodes are called."""
    text = """<a:s> <a:p> _:x <a:g> .
_:x <a:p> _:y .
_:y <a:p> "\\"ü\\n" .
<a:s> <a:p> "z"@de <a:g> .
<a:s> <a:p> <a:o> _:x .
"""
    quads = list(parse(text, RdfFormat.N_QUADS))
    whole = Dataset(quads)
    whole.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    lines = (serialize(whole, format=RdfFormat.N_QUADS) or b"").splitlines(keepends=True)
    renamed = parse(text, RdfFormat.N_QUADS, rename_blank_nodes=True)
    for given in (quads, renamed):
        dump = store.canonical_dump(given)
        assert dump.data == b"".join(sorted(lines))
        assert dump.triples == 2
    assert store.canonical_dump([]).data == b""


def test_another_fact_another_version(build, change, store_dir):
    """The last versions stay for their readers, as many as are to be kept."""
    ids, opened = [], None
    for ordinal in (18, 19, 20):
        if ids:
            change(PRESS, f"ordinal {ordinal - 1} .", f"ordinal {ordinal} .")
        ids.append(build(keep=2).id)
        opened = opened or store.open_current(store_dir)
    assert len(set(ids)) == 3
    assert {path.name for path in (store_dir / "versions").iterdir()} == {ids[1], ids[2]}
    assert store.current_version(store_dir) == ids[2]
    assert [one.id for one in journal.records(store_dir)] == ids


def test_going_back_gives_the_old_version(build, change):
    """A fact taken back leads to the version that was there before, without storing it again."""
    first = build()
    change(PRESS, "ordinal 18 .", "ordinal 19 .")
    build()
    change(PRESS, "ordinal 19 .", "ordinal 18 .")
    back = build()
    assert (back.id, back.new) == (first.id, True)
    assert store.current_version(back.path.parents[1]) == first.id


def test_broken_data_are_refused_and_the_old_version_serves(build, change, store_dir):
    """The error carries the report; the current version is untouched."""
    first = build()
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .\n", "")
    with pytest.raises(BuildRefused) as caught:
        build()
    assert isinstance(caught.value.report, Report)
    assert [one.short_rule for one in caught.value.report.findings] == ["Conference-ordinal"]
    assert store.current_version(store_dir) == first.id


def test_a_file_that_is_not_rdf_is_refused(build, root):
    """A syntax error anywhere in the root stops the build."""
    (root / "data" / "broken.trig").write_text("<a:s>")
    with pytest.raises(BuildRefused) as caught:
        build()
    assert caught.value.report.exit_code == 2


CHILD = """
import sys
from pathlib import Path
from intmk import store
from intmk.validation import validate
def progress(stage, done, total):
    if stage == sys.argv[3]:
        print("here", flush=True)
        sys.stdin.read()
store.build(Path(sys.argv[1]), Path(sys.argv[2]), validate, progress)
"""


@pytest.mark.parametrize("stage", ["reading", "storing", "publishing"])
def test_a_killed_build_leaves_the_old_version(build, root, store_dir, change, stage):
    """Killed at any step, the old version serves, and the next build makes the new one."""
    first = build()
    change(PRESS, "ordinal 18 .", "ordinal 19 .")
    arguments = [sys.executable, "-c", CHILD, str(root), str(store_dir), stage]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"here\n"
        with pytest.raises(store.BuildRunning, match="another process"):
            build()
        child.kill()
        assert child.wait() == -signal.SIGKILL
    assert store.current_version(store_dir) == first.id
    assert len(store.open_current(store_dir)) == first.quads
    second = build()
    assert second.new
    assert {path.name for path in (store_dir / "versions").iterdir()} == {first.id, second.id}


def test_a_build_killed_in_the_middle_of_writing_is_swept(build, store_dir, change):
    """What an interrupted build left behind is removed by the next one that publishes."""
    build()
    (store_dir / "versions" / f"{store.UNFINISHED}x").mkdir()
    change(PRESS, "ordinal 18 .", "ordinal 19 .")
    build()
    assert not list((store_dir / "versions").glob(f"{store.UNFINISHED}*"))


def test_readers_never_see_half_a_version(build, change, store_dir):
    """While a build goes on, every reader opens the old version or the new one, complete."""
    first, ended, seen = build(), threading.Event(), []

    def read() -> None:
        while not ended.is_set():
            seen.append(len(store.open_current(store_dir)))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        change(PRESS, '  conference:intmk-18 rdfs:label "18. IntMK"@de .\n', "")
        second = build()
    finally:
        ended.set()
        reader.join()
    assert first.quads != second.quads
    assert {first.quads} <= set(seen) <= {first.quads, second.quads}


def test_nothing_built_is_told(store_dir):
    """Without a version there is none, and opening says what to do."""
    assert store.current_version(store_dir) is None
    with pytest.raises(NotFound, match="intmk build"):
        store.open_current(store_dir)


def test_is_current_follows_the_files(build, root, store_dir, change):
    """A change, a new file and a lost link are noticed; a no-op build settles it again."""
    assert not store.is_current(root, store_dir)
    build()
    assert store.is_current(root, store_dir)
    (root / PRESS).write_text((root / PRESS).read_text() + "\n")
    assert not store.is_current(root, store_dir)
    build()
    assert store.is_current(root, store_dir)
    (root / "shapes" / "more.ttl").write_text("")
    assert not store.is_current(root, store_dir)
    build()
    (store_dir / "current").unlink()
    assert not store.is_current(root, store_dir)


def test_progress_is_told(root, store_dir):
    """Each stage is told in order, and reading says how much is done of how much."""
    told = []
    store.build(root, store_dir, validate, lambda *state: told.append(state))
    assert told[:6] == [("reading", done, 6) for done in range(1, 7)]
    assert [stage for stage, *_ in told[6:]] == ["storing", "publishing", "publishing"]


def write(store_dir: Path, triple: str) -> store.Version:
    """Publish the current version with one more triple, as a writer does."""
    with store.exclusive(store_dir):
        quads = store.load_current(store_dir) | set(parse(triple, RdfFormat.N_QUADS))
        return store.publish(store_dir, store.canonical_dump(quads), journal.UPDATE, "ada")


def test_a_build_does_not_take_back_what_was_written(build, store_dir, root):
    """It says what to do, and goes on when told to; the versions stay in the record."""
    built = build()
    assert (store.is_written(store_dir), built.number) == (False, 1)
    written = write(store_dir, "<a:s> <a:p> <a:o> <a:g> .")
    assert (written.number, written.new, written.quads) == (2, True, built.quads + 1)
    assert store.is_written(store_dir)
    assert store.is_built_from(root, store_dir)
    assert not store.is_current(root, store_dir)
    with pytest.raises(store.UpdatesPresent, match="--discard-updates"):
        build()
    assert store.current_version(store_dir) == written.id
    assert build(discard_updates=True).id == built.id
    assert [one.kind for one in journal.records(store_dir)] == ["build", "update", "build"]


def test_a_build_from_files_that_have_what_was_written_is_made(build, store_dir, root):
    """Nothing is taken back, so nothing is asked."""
    build()
    added = '<https://w3id.org/intmk/id/conference/intmk-18> <http://e/p> "x" '
    passage = "<https://w3id.org/intmk/source/press#line=3,5>"
    said = parse(f"{added}{passage} .\n{added}.", RdfFormat.N_QUADS)
    with store.exclusive(store_dir):
        quads = store.load_current(store_dir) | set(said)
        written = store.publish(store_dir, store.canonical_dump(quads), journal.UPDATE)
    assert store.is_written(store_dir)
    with (root / PRESS).open("a") as file:
        file.write(f"GRAPH {passage} {{ {added}. }}\n")
    built = build()
    assert (built.id, built.new) == (written.id, False)
    assert not store.is_written(store_dir)
    assert store.is_current(root, store_dir)


def test_a_write_that_is_taken_back_leaves_what_was_built(build, store_dir):
    """The same content is the same version, however it came about."""
    built = build()
    write(store_dir, "<a:s> <a:p> <a:o> <a:g> .")
    with store.exclusive(store_dir):
        quads = {one for one in store.load_current(store_dir) if "a:g" not in str(one)}
        back = store.publish(store_dir, store.canonical_dump(quads), journal.UPDATE)
    assert back.id == built.id
    assert not store.is_written(store_dir)


def test_writing_what_is_there_already_makes_no_version(build, store_dir):
    """No record, no new number."""
    build()
    first = write(store_dir, "<a:s> <a:p> <a:o> <a:g> .")
    again = write(store_dir, "<a:s> <a:p> <a:o> <a:g> .")
    assert (again.id, again.number, again.new) == (first.id, first.number, False)


def test_who_waits_for_the_lock_is_told_when_it_takes_too_long(store_dir):
    """A second writer waits for its time and not longer."""
    with (
        store.exclusive(store_dir),
        pytest.raises(Busy, match=r"0.1 s"),
        store.exclusive(store_dir, 0.1),
    ):
        pass


def test_a_removal_that_was_killed_half_way_leaves_no_half_version(build, store_dir, change):
    """A version under its own name is whole: it is renamed before it is removed."""
    first = build()
    (store_dir / "versions" / first.id).rename(store_dir / "versions" / ".building-x")
    (store_dir / "current").unlink()
    assert build().id == first.id
    assert len(store.open_current(store_dir)) == first.quads

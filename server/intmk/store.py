"""The built graph on disk: numbered, immutable versions, and which of them is current.

``<store>/versions/<id>/db`` is an Oxigraph store, ``dump.nq`` beside it the same dataset in
canonical N-Quads (RDFC-1.0), whose SHA-256 gives the id: equal inputs give equal versions.
``<store>/current`` is a symbolic link to the version that is served. A version is made beside the
others and published by one rename, so a reader never sees half of one, whatever kills the build.
``<store>/versions.jsonl`` (see ``journal``) records what was published when.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as package_version
from pathlib import Path
from typing import IO, Any, NamedTuple

from pyoxigraph import (
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    Quad,
    RdfFormat,
    Store,
    parse,
    serialize,
)

from intmk import journal, quality, record, sources, standing
from intmk.errors import BuildRefused, Busy, GraphError, NotFound
from intmk.report import Report
from intmk.sources import Collection, Progress, collect, materialise, quiet

CURRENT, VERSIONS, INPUTS = "current", "versions", "inputs"
UNFINISHED = ".building-"
KEEP = 10
_LOCK_POLL_S = 0.02

Check = Callable[[Collection], Report]


class BuildRunning(GraphError):  # noqa: N818 - says what happened
    """Another build holds the store; there is one writer at a time."""

    title = "Another build is running"
    status = 503


class UpdatesPresent(GraphError):  # noqa: N818 - says what is the case
    """A build would take back what was written since the last one."""

    title = "The graph holds updates that the files do not have"
    status = 409


class Version(NamedTuple):
    """One version: its id, its folder, its number of quads, and whether it has just become current.

    ``number`` is that of its record in the journal, 0 for one from before there was a journal.
    """

    id: str
    path: Path
    quads: int
    new: bool
    number: int = 0


class Dump(NamedTuple):
    """A whole dataset as canonical N-Quads, with the id that follows from them."""

    id: str
    data: bytes
    triples: int
    """Lines that belong to the default graph."""


def build(
    root: Path,
    store: Path,
    check: Check,
    progress: Progress = quiet,
    *,
    keep: int = KEEP,
    discard_updates: bool = False,
) -> Version:
    """Check the files of ``root``, make a version of them in ``store`` and publish it.

    When the inputs give the version that is current already, nothing is written. The last ``keep``
    versions stay. Raises BuildRefused with the report of ``check`` when that does not conform,
    BuildRunning when another process is building, and UpdatesPresent when the current version was
    written by other means than a build and the files do not have the same, unless
    ``discard_updates``.
    """
    with exclusive(store):
        inputs = fingerprint(root)
        quads, report = _checked(root, check, progress)
        dump = canonical_dump(quads)
        if dump.id != current_version(store) and is_written(store) and not discard_updates:
            raise UpdatesPresent(
                f"{store} was written to since it was built.",
                hint="Save it with intmk export or intmk backup, bring what is to stay into the "
                "files, and run: intmk build --discard-updates",
            )
        version = publish(
            store, dump, journal.BUILD, keep=keep, progress=progress, report=report
        )  # fmt: skip
        _replace(store / INPUTS, lambda path: path.write_text(f"{inputs} {version.id}\n"))
        return version


def _checked(root: Path, check: Check, progress: Progress) -> tuple[set[Quad], Report]:
    collection = collect(root, progress)
    report = check(collection)
    if report.exit_code:
        errors = sum(finding.severity == "error" for finding in report.findings)
        raise BuildRefused(
            f"{errors} statements in {root} are wrong.", report, hint="Mend them and build again."
        )
    return dataset(collection), report


def dataset(collection: Collection) -> set[Quad]:
    """Return all quads of the store: the files', the measurements, the materialised default
    graph.
    """
    quads = quality.measured(set(collection.quads()))
    return quads | materialise(quads)


def canonical_dump(quads: Iterable[Quad]) -> Dump:
    """Return a dataset as canonical N-Quads, and the version id: 16 hexadecimal digits.

    Blank nodes are named after RDF Dataset Canonicalization (RDFC-1.0), lines are sorted.
    """
    quads = set(quads)
    lines = _lines(quads)
    # The names depend on the quads with blank nodes alone (RDFC-1.0 section 4.4), and to make a
    # dataset takes ten times as long as to write it.
    nameless = [line for line in lines if b"_:" in line]
    canonical = Dataset(parse(b"".join(nameless), RdfFormat.N_QUADS))
    canonical.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    data = b"".join(sorted({*lines} - {*nameless} | {*_lines(canonical)}))
    triples = sum(quad.graph_name == DefaultGraph() for quad in quads)
    return Dump(hashlib.sha256(data).hexdigest()[:16], data, triples)


def _lines(quads: Iterable[Quad]) -> list[bytes]:
    return (serialize(quads, format=RdfFormat.N_QUADS) or b"").splitlines(keepends=True)


def publish(
    store: Path,
    dump: Dump,
    kind: str,
    by: str | None = None,
    *,
    keep: int = KEEP,
    progress: Progress = quiet,
    why: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> Version:
    """Store a dataset as a version and make it current; whoever calls holds the lock.

    ``kind``, ``by`` and ``why`` (further fields of a record) are for the journal; ``report`` is
    what was found when the dataset was judged, if it was. What changes is recorded first (see
    ``record``), with the findings that are new. A dataset that is current already is left as it is.
    """
    target, previous = store / VERSIONS / dump.id, current_version(store)
    made = not target.is_dir()
    if made:
        progress("storing", 0, 1)
        _write(target, dump.data)
    if report:
        standing.write(target, report)
    quads, before = dump.data.count(b"\n"), journal.last(store)
    if previous != dump.id or before is None:
        progress("publishing", 0, 1)
        parent = previous if previous != dump.id else None
        number = before.number + 1 if before else 1
        old = store / VERSIONS / parent / "dump.nq" if parent else None
        record.keep(store, number, dump.id, old, dump.data)
        news = _news(store, parent, report)
        record.keep_findings(store, number, news)
        new = journal.Record(0, dump.id, "", parent, dump.triples, quads, kind, by)
        new = new._replace(**(why or {}), findings=len(news.findings))
        before = journal.record(store, new, lambda: _point(store, dump.id))
        _tidy(store, {dump.id, previous}, keep)
    progress("publishing", 1, 1)
    return Version(dump.id, target, quads, previous != dump.id, before.number)


def _news(store: Path, parent: str | None, report: Report | None) -> Report:
    """Return what was found in a version and not in the one before."""
    was = standing.read(store / VERSIONS / parent) if parent else None
    return standing.news(report, was) if report else Report()


def _point(store: Path, name: str) -> None:
    """Lead ``current`` to a version."""
    _replace(store / CURRENT, lambda link: link.symlink_to(Path(VERSIONS) / name))
    _sync(store)


def _write(target: Path, dump: bytes) -> None:
    """Make a version's folder in one step: complete under another name, then renamed."""
    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=target.parent))
    (folder / "dump.nq").write_bytes(dump)
    database = Store(str(folder / "db"))
    database.bulk_load(dump, RdfFormat.N_QUADS)
    database.optimize()
    database.flush()
    del database  # closes the files before they move
    folder.chmod(0o755)
    for path in (*folder.rglob("*"), folder):
        _sync(path)
    folder.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk, lest a power cut leave a version with holes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    """Put something new in the place of ``path`` so that readers see the old or the new."""
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    beside.unlink(missing_ok=True)
    make(beside)
    beside.replace(path)


def _tidy(store: Path, needed: set[str | None], keep: int) -> None:
    """Remove all versions but those ``needed`` and the last ``keep`` that were published."""
    latest = dict.fromkeys(record.id for record in reversed(journal.records(store)))
    kept = needed | set(list(latest)[:keep])
    for folder in (store / VERSIONS).iterdir():
        if folder.name not in kept:
            # Under its own name a version is whole, even if we are killed half-way.
            doomed = f"{UNFINISHED}{folder.name.removeprefix(UNFINISHED)}-{os.getpid()}"
            shutil.rmtree(folder.rename(folder.with_name(doomed)))


@contextmanager
def exclusive(store: Path, wait_s: float = 0) -> Iterator[None]:
    """Hold the store's lock file; the kernel releases it when the process ends, however it ends.

    Raises BuildRunning, or Busy after ``wait_s`` seconds, when another process holds it. A
    publication that was interrupted is put right first.
    """
    (store / VERSIONS).mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("w") as handle:
        deadline = time.monotonic() + wait_s
        while not _locked(handle):
            if time.monotonic() >= deadline:
                raise _still_locked(store, wait_s)
            time.sleep(_LOCK_POLL_S)
        journal.settle(store, current_version(store))
        yield


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_locked(store: Path, wait_s: float) -> GraphError:
    if wait_s:
        return Busy(f"Other writes took longer than {wait_s:g} s.", hint="Try again in a moment.")
    return BuildRunning(f"{store} is being built by another process.", hint="Wait for it to end.")


def current_version(store: Path) -> str | None:
    """Return the id of the current version, or None when none has been built."""
    link = store / CURRENT
    return link.readlink().name if link.is_dir() else None


def current_path(store: Path) -> Path:
    """Return the folder of the current version, free of symbolic links.

    Raises NotFound when none has been built.
    """
    name = current_version(store)
    if name is None:
        raise NotFound(f"{store} holds no version of the graph.", hint="Run: intmk build")
    return store / VERSIONS / name


def load_current(store: Path) -> set[Quad]:
    """Return all quads of the current version. Raises NotFound when none has been built."""
    return set(parse(path=current_path(store) / "dump.nq", format=RdfFormat.N_QUADS))


def open_current(store: Path) -> Store:
    """Open the current version read-only. Raises NotFound when none has been built."""
    return Store.read_only(str(current_path(store) / "db"))


def fingerprint(root: Path) -> str:
    """Return a digest of all that a build reads: the files, their names, and this package."""
    digest = hashlib.sha256(package_version("intmk-graph").encode())
    for paths in sources.files(root).values():
        for path in paths:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"\n{path.relative_to(root)} {content}".encode())
    return digest.hexdigest()


def is_current(root: Path, store: Path) -> bool:
    """Whether the current version was made from the files as they are now."""
    inputs, name = _built(store)
    return name == current_version(store) and inputs == fingerprint(root)


def agree(root: Path, store: Path) -> bool:
    """Remember that the current version is what the files make, if so; the caller holds the lock.

    Returns whether it is.
    """
    inputs, current = fingerprint(root), current_version(store)
    if canonical_dump(dataset(collect(root))).id != current:
        return False
    _replace(store / INPUTS, lambda path: path.write_text(f"{inputs} {current}\n"))
    return True


def is_written(store: Path) -> bool:
    """Whether the current version came about otherwise than by a build (an update, a restore)."""
    newest, current = journal.last(store), current_version(store)
    if newest is None or newest.kind == journal.BUILD:
        return False
    return current is not None and current != _built(store)[1]


def is_built_from(root: Path, store: Path) -> bool:
    """Whether the files have not changed since the last build, whatever was written since."""
    return _built(store)[0] == fingerprint(root)


def _built(store: Path) -> tuple[str, str]:
    """Return the fingerprint of the files of the last build and the version it made."""
    try:
        inputs, name = (store / INPUTS).read_text().split()
    except (OSError, ValueError):
        return "", ""
    return inputs, name

"""The built graph on disk: numbered, immutable versions, and which of them is current.

``<store>/versions/<id>/db`` is an Oxigraph store, ``dump.nq`` beside it the same dataset in
canonical N-Quads (RDFC-1.0), whose SHA-256 gives the id: equal inputs give equal versions.
``<store>/current`` is a symbolic link to the version that is served. A version is made beside the
others and published by one rename, so a reader never sees half of one, whatever kills the build.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as package_version
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import CanonicalizationAlgorithm, Dataset, Quad, RdfFormat, Store, serialize

from intmk import sources
from intmk.errors import BuildRefused, GraphError, NotFound
from intmk.report import Report
from intmk.sources import Collection, Progress, collect, materialise, quiet

CURRENT, VERSIONS, INPUTS = "current", "versions", "inputs"
UNFINISHED = ".building-"

Check = Callable[[Collection], Report]


class BuildRunning(GraphError):  # noqa: N818 - says what happened
    """Another build holds the store; there is one writer at a time."""

    title = "Another build is running"
    status = 503


class Version(NamedTuple):
    """One version: its id, its folder, its number of quads, and whether this build made it."""

    id: str
    path: Path
    quads: int
    new: bool


def build(root: Path, store: Path, check: Check, progress: Progress = quiet) -> Version:
    """Check the files of ``root``, make a version of them in ``store`` and publish it.

    When the inputs give the version that is current already, nothing is written. The version that
    was current stays for its readers; older ones are removed. Raises BuildRefused with the report
    of ``check`` when that does not conform, BuildRunning when another process is building.
    """
    with _lock(store):
        inputs = fingerprint(root)
        quads = _checked_quads(root, check, progress)
        version = _publish(store, *canonical_dump(quads), progress)
        _replace(store / INPUTS, lambda path: path.write_text(f"{inputs} {version.id}\n"))
        return version


def _checked_quads(root: Path, check: Check, progress: Progress) -> set[Quad]:
    collection = collect(root, progress)
    report = check(collection)
    if report.exit_code:
        errors = sum(finding.severity == "error" for finding in report.findings)
        raise BuildRefused(
            f"{errors} statements in {root} are wrong.", report, hint="Mend them and build again."
        )
    return dataset(collection)


def dataset(collection: Collection) -> set[Quad]:
    """Return all quads of the store: every file's, and the materialised default graph."""
    quads = set(collection.quads())
    return quads | materialise(quads)


def canonical_dump(quads: Iterable[Quad]) -> tuple[str, bytes]:
    """Return the version id, 16 hexadecimal digits, and the canonical N-Quads of a dataset.

    Blank nodes are named after RDF Dataset Canonicalization (RDFC-1.0), lines are sorted.
    """
    canonical = Dataset(quads)
    canonical.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    lines = (serialize(canonical, format=RdfFormat.N_QUADS) or b"").splitlines(keepends=True)
    dump = b"".join(sorted(lines))
    return hashlib.sha256(dump).hexdigest()[:16], dump


def _publish(store: Path, name: str, dump: bytes, progress: Progress) -> Version:
    target, previous = store / VERSIONS / name, current_version(store)
    made = not target.is_dir()
    if made:
        progress("storing", 0, 1)
        _write(target, dump)
    if made or previous != name:
        progress("publishing", 0, 1)
        _replace(store / CURRENT, lambda link: link.symlink_to(Path(VERSIONS) / name))
        _tidy(store, {name, previous})
    progress("publishing", 1, 1)
    return Version(name, target, dump.count(b"\n"), new=previous != name)


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


def _tidy(store: Path, keep: set[str | None]) -> None:
    for folder in (store / VERSIONS).iterdir():
        if folder.name not in keep:
            shutil.rmtree(folder)


@contextmanager
def _lock(store: Path) -> Iterator[None]:
    """Hold the store's lock file; the kernel releases it when the process ends, however it ends."""
    (store / VERSIONS).mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildRunning(
                f"{store} is being built by another process.", hint="Wait for it to end."
            ) from error
        yield


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
    try:
        inputs, name = (store / INPUTS).read_text().split()
    except (OSError, ValueError):
        return False
    return name == current_version(store) and inputs == fingerprint(root)

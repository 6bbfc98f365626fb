"""A small built store, and query workers on it, for the tests of the server."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from pyoxigraph import RdfFormat, Store

from intmk.engine import Engine
from intmk.settings import Settings, read
from intmk.workers import Workers

ROOT = Path(__file__).parents[1]
TRIPLES = 1000
A, B = "https://example.org/graph/a", "https://example.org/graph/b"


def quads(version: str = "first") -> str:
    """Return the N-Quads of a version: numbered things, a name in two graphs, the version."""
    numbered = "".join(
        f"<https://example.org/n/{number}> <https://example.org/number> "
        f'"{number}"^^<http://www.w3.org/2001/XMLSchema#integer> .\n'
        for number in range(TRIPLES)
    )
    named = "".join(
        f'<https://example.org/hessen> <http://www.w3.org/2000/01/rdf-schema#label> "{name}" '
        f"<{graph}> .\n"
        for name, graph in (("Hessen", A), ("Größe 😀", B))
    )
    version = f'<https://example.org/> <http://www.w3.org/2002/07/owl#versionInfo> "{version}" .\n'
    return numbered + named + version


def publish(store: Path, version: str) -> None:
    """Write a version into a store folder and make it the current one, as a build does."""
    folder = store / "versions" / version
    folder.mkdir(parents=True)
    (folder / "dump.nq").write_text(quads(version), encoding="utf-8")
    disk = Store(str(folder / "db"))
    disk.load(path=folder / "dump.nq", format=RdfFormat.N_QUADS)
    disk.flush()
    link = store / "next"
    link.symlink_to(Path("versions") / version)
    link.replace(store / "current")


def make_settings(store: Path, **explicit: object) -> Settings:
    """Return settings for a store with small limits."""
    limits: dict[str, object] = {"query_workers": 2, "query_timeout_s": 1, "query_memory_mb": 300}
    return read({"root": ROOT, "store": store} | limits | explicit, {})


@contextlib.contextmanager
def running(store: Path, **explicit: object) -> Iterator[tuple[Engine, Settings]]:
    """Run workers on the current version of a store."""
    settings = make_settings(store, **explicit)
    with Workers(settings) as workers:
        yield Engine(workers.directory, settings), settings


def descendants(pid: int) -> set[int]:
    """Return the ids of a process and of all processes it has started."""
    found = {pid}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _state_and_parent(int(folder.name))[1] == pid:
            found |= descendants(int(folder.name))
    return found


def await_end(pids: Iterable[int]) -> None:
    """Return when none of the processes runs any more; a test that hangs here has failed."""
    patience = threading.Event()
    while any(_state_and_parent(pid)[0] not in ("", "Z") for pid in pids):
        patience.wait(0.02)


def _state_and_parent(pid: int) -> tuple[str, int]:
    """Return what the kernel says of a process; its state is empty when there is none."""
    try:
        # The command name in field 2 may hold spaces; state and parent follow it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return fields[0], int(fields[1])

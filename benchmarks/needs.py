"""What a graph of some size takes of a machine, told before anything is started."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import generate

# For a million statements, of servers that run at the same time and of the check of the answers.
_CHECK_GB = 0.4
_MEMORY_GB = {"intmk": 1.2, "oxigraph-memory": 0.5}
# What the others hold of a graph they read from disk, and ours of one beyond its budget.
_ON_DISK_GB = 0.3
_OURS_IN_MEMORY = 2_500_000
_DISK_GB = 0.5
# Loading is most of it; Virtuoso is the slowest.
_MINUTES = 1.5


def memory_gb(size: str, peers: Sequence[str]) -> float:
    """Return the memory that these servers and the check take together."""
    count = generate.statements(size)
    each = dict(_MEMORY_GB)
    if count > _OURS_IN_MEMORY:
        each["intmk"] = _ON_DISK_GB
    return (_CHECK_GB + sum(each.get(peer, _ON_DISK_GB) for peer in peers)) * count / 1e6


def disk_gb(size: str, peers: Sequence[str]) -> float:
    """Return the room that the graph and what is loaded from it take."""
    return _DISK_GB * (1 + len(peers)) * generate.statements(size) / 1e6


def told(size: str, peers: Sequence[str]) -> str:
    """Return in a sentence what a size takes before the first query is measured."""
    minutes = _MINUTES * generate.statements(size) / 1e6
    return (
        f"{size} takes about {minutes:.0f} minutes to generate and load, "
        f"{memory_gb(size, peers):.1f} GB of memory and {disk_gb(size, peers):.1f} GB of disk"
    )


def lacking(size: str, peers: Sequence[str], folder: Path) -> str:
    """Return what this machine has too little of for a size, or nothing."""
    lacks = {
        "memory": (memory_gb(size, peers), _available_gb()),
        "disk": (disk_gb(size, peers), shutil.disk_usage(folder).free / 1e9),
    }
    told = [
        f"{what}: {free:.1f} GB are free, {wanted:.1f} GB wanted"
        for what, (wanted, free) in lacks.items()
        if wanted > free
    ]
    return "; ".join(told)


def _available_gb() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    kb = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(kb) / 1e6

"""What happened how often, counted in every process and told as one (``/metrics``).

Each process counts in a file of its own, which stays when the process ends, so that sums only
grow. The exposition format is Prometheus's; counting is not left to its client, whose counters
shared by processes cost 3 µs each where a whole query takes 100.
"""

import mmap
import os
import struct
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from intmk import errors

CONTENT_TYPE = CONTENT_TYPE_LATEST
KINDS = ("select", "ask", "graph", "unknown")
CACHE = ("hit", "miss", "unkept")
# Upper bounds in seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REASONS = (
    "deadline",
    "memory",
    "depth",
    "left",
    "killed",
    "share",
    "crowd",
    "cancelled",
    "lost",
)


OUTCOMES = (
    "answered",
    "not-modified",
    # Those of one module, so that every process has the same table.
    *sorted(
        errors.slug(kind)
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.GraphError)
    ),
)
STATUSES = tuple(str(status) for status in range(100, 600))
# Each cell of a file: (metric, labels).
_CELLS = [
    *(("queries", kind, outcome) for kind in KINDS for outcome in OUTCOMES),
    *(("cache", state) for state in CACHE),
    *(("seconds", str(bound)) for bound in (*BUCKETS, "+Inf")),
    ("seconds_sum",),
    *(("ended", reason) for reason in REASONS),
    *(("requests", status) for status in STATUSES),
]
_PLACES = {cell: place for place, cell in enumerate(_CELLS)}
_FIRST_BUCKET = _PLACES["seconds", str(BUCKETS[0])]
_SUM = _PLACES["seconds_sum",]


class Tally:
    """The counts of this process; ``exposition`` sums those of all that count in one folder."""

    def __init__(self, folder: Path) -> None:
        """Open this process's file in a folder, which is made if need be. Raises OSError."""
        folder.mkdir(exist_ok=True)
        path = folder / str(os.getpid())
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.truncate(descriptor, len(_CELLS) * 8)
            self._cells = memoryview(mmap.mmap(descriptor, 0)).cast("d")
        finally:
            os.close(descriptor)
        self._lock = threading.Lock()

    def query(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a query: one of KINDS, one of OUTCOMES, and how long it took.

        An outcome that is not in the table counts as ``graph-error``.
        """
        outcome = outcome if outcome in OUTCOMES else "graph-error"
        bucket = _FIRST_BUCKET + bisect_left(BUCKETS, seconds)
        with self._lock:
            self._cells[_PLACES["queries", kind, outcome]] += 1
            self._cells[bucket] += 1
            self._cells[_SUM] += seconds

    def cache(self, state: str) -> None:
        """Count a look into the cache of answers: one of CACHE."""
        self._add("cache", state)

    def ended(self, reason: str) -> None:
        """Count a worker that was ended: one of REASONS."""
        self._add("ended", reason)

    def request(self, status: int) -> None:
        """Count an HTTP request by its status."""
        self._add("requests", str(status))

    def _add(self, *cell: str) -> None:
        with self._lock:
            self._cells[_PLACES[cell]] += 1


def exposition(folder: Path, gauges: Mapping[str, tuple[str, float]]) -> bytes:
    """Return the sums of all processes and ``gauges`` (name: help and value) as text."""
    registry = CollectorRegistry()
    registry.register(_Sums(folder, gauges))
    return generate_latest(registry)


class _Sums(Collector):
    def __init__(self, folder: Path, gauges: Mapping[str, tuple[str, float]]) -> None:
        self._folder = folder
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        counts = _summed(self._folder)
        yield _counter("queries", "Queries by kind and outcome", ("kind", "outcome"), counts)
        yield _counter("cache", "Looks into the cache of answers", ("state",), counts)
        yield _counter("ended", "Workers that were ended, by reason", ("reason",), counts)
        yield _counter("requests", "HTTP requests by status", ("status",), counts)
        yield _seconds(counts)
        for name, (help_, value) in self._gauges.items():
            yield GaugeMetricFamily(f"intmk_{name}", help_, value)


_NAMES = {
    "queries": "intmk_queries",
    "cache": "intmk_cache_lookups",
    "ended": "intmk_workers_ended",
    "requests": "intmk_http_requests",
}


def _summed(folder: Path) -> dict[tuple[str, ...], float]:
    counts = [0.0] * len(_CELLS)
    for path in folder.iterdir():
        data = path.read_bytes()
        if len(data) == len(_CELLS) * 8:
            values = struct.unpack(f"={len(_CELLS)}d", data)
            counts = [a + b for a, b in zip(counts, values, strict=True)]
    return dict(zip(_CELLS, counts, strict=True))


def _counter(
    name: str, help_: str, labels: tuple[str, ...], counts: Mapping[tuple[str, ...], float]
) -> Metric:
    family = CounterMetricFamily(_NAMES[name], help_, labels=labels)
    for cell, value in counts.items():
        # Reasons and states stand there from the start, so that their first is a step up.
        if cell[0] == name and (value or name in ("cache", "ended")):
            family.add_metric(cell[1:], value)
    return family


def _seconds(counts: Mapping[tuple[str, ...], float]) -> Metric:
    buckets, total = [], 0.0
    for bound in (*BUCKETS, "+Inf"):
        total += counts["seconds", str(bound)]
        buckets.append((str(bound), total))
    family = HistogramMetricFamily("intmk_query_seconds", "Seconds a query took, waiting included")
    family.add_metric([], buckets, counts["seconds_sum",])
    return family

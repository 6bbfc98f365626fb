"""The tables that a run prints, and the goals they are held against."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import geometric_mean, median

import processes
from measure import Row, Server

OURS = "intmk"
_SMALL_BYTES = 10_000


def machine() -> str:
    """Return what the figures depend on, in one line."""
    kb = int(Path("/proc/meminfo").read_text().split()[1])
    return (
        f"{os.cpu_count()} processors, {kb / 1e6:.0f} GB of memory, "
        f"Linux {platform.machine()}, Python {platform.python_version()}."
    )


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [head, ["---", *["--:"] * (len(head) - 1)], *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def servers(running: Sequence[Server]) -> str:
    """Return what it took to load and start each server, and the memory it holds now."""
    head = ["server", "load, s", "start to first answer, s", "memory then, MB", "after queries, MB"]
    lines = [
        [
            f"{one.peer.name} ({one.peer.version()})",
            f"{one.load_s:.2f}",
            f"{one.start_s:.2f}",
            f"{one.start_mb:.0f}",
            f"{processes.memory_mb(one.pid):.0f}",
        ]
        for one in running
    ]
    return table(head, lines)


def names(rows: Iterable[Row]) -> list[str]:
    """Return the peers of some rows, in the order of their first appearance."""
    return list(dict.fromkeys(row.peer for row in rows))


def rates(rows: Sequence[Row], peer: str, kind: str) -> list[float]:
    """Return a peer's rates for one kind, round by round."""
    return [row.rate for row in rows if row.peer == peer and row.kind == kind]


def ratio(rows: Sequence[Row], kind: str, peer: str) -> float:
    """Return the median over the rounds of our rate divided by a peer's."""
    pairs = zip(rates(rows, OURS, kind), rates(rows, peer, kind), strict=True)
    return median(ours / theirs if theirs else float("inf") for ours, theirs in pairs)


def mean_ratio(rows: Sequence[Row], peer: str) -> float | None:
    """Return the geometric mean of the ratios over the kinds; None when one side is missing."""
    kinds = dict.fromkeys(row.kind for row in rows)
    found = [ratio(rows, kind, peer) for kind in kinds if rates(rows, peer, kind)]
    is_sound = found and rates(rows, OURS, next(iter(kinds))) and min(found) > 0
    return geometric_mean(found) if is_sound else None


def of_size(size: str, rows: Sequence[Row]) -> str:
    """Return the tables of one graph."""
    texts = []
    for part in ("unique", "repeated"):
        for clients in dict.fromkeys(row.clients for row in rows if row.part == part):
            some = [row for row in rows if row.part == part and row.clients == clients]
            texts.append(f"\n### {size}, {part} queries, {clients} clients: answers a second\n\n")
            texts.append(_throughput(some))
    hostile = [row for row in rows if row.part.startswith("endless")]
    if hostile:
        texts.append("\n### A cheap client beside four whose queries never end\n\n")
        texts.append(_endless(hostile))
    return "".join(texts)


def _throughput(rows: Sequence[Row]) -> str:
    peers = names(rows)
    others = [peer for peer in peers if peer != OURS] if OURS in peers else []
    head = ["kind", *peers, *(f"ours / {peer}" for peer in others), "ours: p50, p99 ms"]
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        cells = [
            _cell([row for row in rows if (row.peer, row.kind) == (peer, kind)]) for peer in peers
        ]
        ratios = [f"{ratio(rows, kind, peer):.2f}" for peer in others]
        lines.append([kind, *cells, *ratios, _latency(rows, peers[0], kind)])
    means = [f"**{mean_ratio(rows, peer) or float('nan'):.2f}**" for peer in others]
    lines.append(["geometric mean", *(_mean_rate(rows, peer) for peer in peers), *means, ""])
    light = median(row.client_us for row in rows)
    return (
        table(head, lines) + f"\nThe load generator took {light:.0f} µs of a processor a request.\n"
    )


def _cell(rows: Sequence[Row]) -> str:
    failures = " ".join(row.failures for row in rows if row.failures)
    return f"{median(row.rate for row in rows):.0f}" + (
        f" (failed: {failures})" if failures else ""
    )


def _latency(rows: Sequence[Row], peer: str, kind: str) -> str:
    some = [row for row in rows if (row.peer, row.kind) == (peer, kind)]
    return f"{median(row.p50_ms for row in some):.2f}, {median(row.p99_ms for row in some):.2f}"


def _mean_rate(rows: Sequence[Row], peer: str) -> str:
    found = [median(rates(rows, peer, kind)) for kind in dict.fromkeys(row.kind for row in rows)]
    return f"{geometric_mean(found):.0f}" if min(found) > 0 else "-"


def _endless(rows: Sequence[Row]) -> str:
    head = [
        "server",
        "hostile clients at",
        "alone, p50 ms",
        "beside, p50 ms",
        "p99 ms",
        "ratio",
        "failed",
    ]
    lines = []
    for row in rows:
        if not row.part.endswith("-alone"):
            alone = next(o for o in rows if o.part == f"{row.part}-alone" and o.peer == row.peer)
            where = "one address" if "one" in row.part else "four addresses"
            figures = [f"{one:.2f}" for one in (alone.p50_ms, row.p50_ms, row.p99_ms)]
            share = f"{row.p50_ms / alone.p50_ms:.1f}"
            lines.append([row.peer, where, *figures, share, row.failures])
    return table(head, lines)


class Goals:
    """What issue 4 wants, and what a run gave."""

    def __init__(self) -> None:
        """Start without figures."""
        self._lines: list[list[str]] = []
        self._started: dict[str, Server] = {}

    def servers(self, size: str, running: Sequence[Server]) -> None:
        """Take what start and memory cost on the real graph."""
        if size != "real":
            return
        by_name = {server.peer.name: server for server in running}
        if ours := by_name.get(OURS):
            self._add("start to first answer, real graph", "", 2.0, ours.start_s, most=True)
            if comunica := by_name.get("comunica"):
                share = processes.memory_mb(ours.pid) / processes.memory_mb(comunica.pid)
                self._add("memory after queries, real graph", "comunica", 1.0, share, most=True)

    def take(self, size: str, rows: Sequence[Row]) -> None:
        """Take the figures of one graph."""
        eight = [row for row in rows if row.clients == 8]
        unique = [row for row in eight if row.part == "unique"]
        for peer, goal in _GOALS.get(size, {}).items():
            what = f"unique queries, geometric mean, 8 clients, {size}"
            self._add(what, peer, goal, mean_ratio(unique, peer))
        if size == "10k":
            memory = "oxigraph-memory"
            small = [r for r in eight if r.part == "repeated" and r.answer_bytes < _SMALL_BYTES]
            what = "repeated queries, answers under 10 kB, 8 clients"
            self._add(what, memory, 1.2, mean_ratio(small, memory))
            lookup = [row for row in unique if row.kind == "lookup"]
            self._add(
                "the cheapest lookup, unique, 8 clients", memory, 0.6, mean_ratio(lookup, memory)
            )
            self._beside(rows)

    def _beside(self, rows: Sequence[Row]) -> None:
        for part, where in (("endless", "four addresses"), ("endless-one-address", "one address")):
            found = {row.part: row.p50_ms for row in rows if row.peer == OURS}
            if part in found:
                what = f"cheap client's median latency beside four endless queries, {where}"
                share = found[part] / found[f"{part}-alone"]
                self._add(what, "alone", 3.0, share, most=True)

    def _add(
        self, what: str, peer: str, goal: float, got: float | None, *, most: bool = False
    ) -> None:
        if got is not None:
            met = got < goal if most else got >= goal
            unit = "" if peer else " s"
            wanted = f"{'under' if most else 'at least'} {goal:g}{unit or 'x'}"
            self._lines.append(
                [what, peer, wanted, f"{got:.2f}{unit or 'x'}", "yes" if met else "**no**"]
            )

    def table(self) -> str:
        """Return the goals that this run can tell of."""
        if not self._lines:
            return ""
        head = ["what", "against", "wanted", "measured", "reached"]
        return "\n## To reach\n\n" + table(head, self._lines)


_GOALS = {
    "10k": {
        "oxigraph-disk": 2.0,
        "oxigraph-memory": 0.8,
        "virtuoso": 8.0,
        "comunica": 50.0,
        "rdflib-endpoint": 50.0,
    },
    "1M": {"oxigraph-disk": 1.0},
}

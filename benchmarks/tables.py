"""The tables that a run prints, in Markdown."""

import os
import platform
from collections.abc import Iterable, Sequence
from math import isfinite
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
    head.append("other answers than pyoxigraph to")
    lines = [
        [
            f"{one.peer.name} ({one.peer.version()})",
            f"{one.load_s:.2f}",
            f"{one.start_s:.2f}",
            f"{one.start_mb:.0f}",
            f"{processes.memory_mb(one.pid):.0f}",
            ", ".join(one.wrong),
        ]
        for one in running
    ]
    return table(head, lines)


def names(rows: Iterable[Row]) -> list[str]:
    """Return the peers of some rows, in the order of their first appearance."""
    return list(dict.fromkeys(row.peer for row in rows))


def cells(rows: Iterable[Row], peer: str, kind: str) -> list[Row]:
    """Return a peer's rows for one kind, round by round."""
    return [row for row in rows if (row.peer, row.kind) == (peer, kind)]


def ratio(rows: Sequence[Row], kind: str, peer: str) -> float | None:
    """Return how many times as fast as a peer we are: the median over the rounds.

    None when the peer did not answer; 0 when we did not.
    """
    pairs = list(zip(cells(rows, OURS, kind), cells(rows, peer, kind), strict=False))
    if not pairs or not all(theirs.is_sound for _, theirs in pairs):
        return None
    return median(ours.speed / theirs.speed if ours.is_sound else 0.0 for ours, theirs in pairs)


def mean_ratio(rows: Sequence[Row], peer: str) -> float | None:
    """Return the geometric mean of the ratios over the kinds that the peer answers.

    0 when there is one that we do not answer, None when there is nothing to compare.
    """
    found = [ratio(rows, kind, peer) for kind in kinds(rows)]
    return _mean([one for one in found if one is not None])


def _mean(values: Sequence[float]) -> float | None:
    if not values:
        return None
    return geometric_mean(values) if min(values) > 0 else 0.0


def kinds(rows: Iterable[Row]) -> list[str]:
    """Return the kinds of some rows, in the order of their first appearance."""
    return list(dict.fromkeys(row.kind for row in rows))


def of_size(size: str, rows: Sequence[Row]) -> str:
    """Return the tables of one graph: answers a second, milliseconds for a client alone."""
    texts = []
    for part in ("unique", "repeated"):
        for clients in dict.fromkeys(row.clients for row in rows if row.part == part):
            some = [row for row in rows if row.part == part and row.clients == clients]
            what = "1 client: median ms" if clients == 1 else f"{clients} clients: answers a second"
            texts.append(f"\n### {size}, {part} queries, {what}\n\n" + _speeds(some))
    hostile = [row for row in rows if row.part.startswith("endless")]
    if hostile:
        texts.append("\n### A cheap client beside four whose queries never end\n\n")
        texts.append(_endless(hostile))
    return "".join(texts)


def _speeds(rows: Sequence[Row]) -> str:
    peers = names(rows)
    others = [peer for peer in peers if peer != OURS] if OURS in peers else []
    head = ["kind", *peers, *(f"ours / {peer}" for peer in others), f"{peers[0]}: p50, p99 ms"]
    lines = [
        [
            kind,
            *(_figure(cells(rows, peer, kind)) for peer in peers),
            *(_ratio(ratio(rows, kind, peer)) for peer in others),
            _latency(cells(rows, peers[0], kind)),
        ]
        for kind in kinds(rows)
    ]
    means = [f"**{_ratio(mean_ratio(rows, peer))}**" for peer in others]
    lines.append(["geometric mean", *(_mean_figure(rows, peer) for peer in peers), *means, ""])
    blanks = [""] * (len(others) + 1)
    lines.append(["processor µs an answer", *(_cost(rows, peer) for peer in peers), *blanks])
    return table(head, lines) + _ceiling(rows)


def _cost(rows: Sequence[Row], peer: str) -> str:
    """Return the processor time that a server takes for an answer, whatever the generator takes."""
    costs = [median(row.server_us for row in cells(rows, peer, kind)) for kind in kinds(rows)]
    return _short(_mean([cost for cost in costs if cost]) or 0.0)


def _ceiling(rows: Sequence[Row]) -> str:
    costs_us = [row.client_us for row in rows if row.answers]
    if not costs_us:
        return ""
    return (
        f"\nThe load generator took {min(costs_us):.0f} to {median(costs_us):.0f} µs of one "
        f"processor for a request, so it ends at {1e6 / min(costs_us):.0f} a second; "
        "≥ marks what it held back.\n"
    )


def _figure(rows: Sequence[Row]) -> str:
    is_alone = rows[0].clients == 1
    value = median(row.p50_ms if is_alone else row.rate for row in rows)
    failures = [row.failures for row in rows if row.failures]
    bounded = "≥ " if not is_alone and any(row.is_bounded for row in rows) else ""
    return bounded + _short(value) + (f" (failed: {failures[0]})" if failures else "")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _latency(rows: Sequence[Row]) -> str:
    both = ([row.p50_ms for row in rows], [row.p99_ms for row in rows])
    return ", ".join(_ms(median(values)) for values in both)


def _mean_figure(rows: Sequence[Row], peer: str) -> str:
    speeds = [median(row.speed for row in cells(rows, peer, kind)) for kind in kinds(rows)]
    mean = _mean(speeds)
    if not mean:
        return "-"
    return _short(1000 / mean if rows[0].clients == 1 else mean)


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
            figures = [_ms(one) for one in (alone.p50_ms, row.p50_ms, row.p99_ms)]
            share = f"{row.p50_ms / alone.p50_ms:.1f}" if row.is_sound else "-"
            lines.append([row.peer, where, *figures, share, row.failures])
    return table(head, lines)


def _ms(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "-"

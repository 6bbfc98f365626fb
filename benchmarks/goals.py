"""What is to be reached, held against what a run gave."""

from collections.abc import Sequence

import processes
import tables
from measure import Row, Server
from tables import OURS

_SMALL_BYTES = 10_000
_UNIQUE = {
    "10k": {
        "oxigraph-disk": 2.0,
        "oxigraph-memory": 0.8,
        "virtuoso": 8.0,
        "comunica": 50.0,
        "rdflib-endpoint": 50.0,
    },
    "1M": {"oxigraph-disk": 1.0},
}
_HOSTILE_AT = {"endless": "four addresses", "endless-one-address": "one address"}


class Goals:
    """The lines of the table, filled while the run goes on."""

    def __init__(self) -> None:
        """Start without figures."""
        self._lines: list[list[str]] = []

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
        for peer, goal in _UNIQUE.get(size, {}).items():
            what = f"unique queries, geometric mean, 8 clients, {size}"
            self._add(what, peer, goal, tables.mean_ratio(unique, peer))
        if size == "10k":
            memory = "oxigraph-memory"
            small = [r for r in eight if r.part == "repeated" and r.answer_bytes < _SMALL_BYTES]
            what = "repeated queries, answers under 10 kB, 8 clients"
            self._add(what, memory, 1.2, tables.mean_ratio(small, memory))
            lookup = tables.mean_ratio([row for row in unique if row.kind == "lookup"], memory)
            self._add("the cheapest lookup, unique, 8 clients", memory, 0.6, lookup)
            self._beside(rows)

    def _beside(self, rows: Sequence[Row]) -> None:
        for part, where in _HOSTILE_AT.items():
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
        return "\n## To reach\n\n" + tables.table(head, self._lines)

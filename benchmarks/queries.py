"""How long each query of the catalogue takes on the in-memory store, slowest first.

Every query is asked with its defaults; the best of several rounds is what the engine needs, the
worst is what a busy machine makes of it. Run ``.venv/bin/python benchmarks/queries.py``.
"""

import argparse
import time
from pathlib import Path

from pyoxigraph import QueryBoolean, Store

from intmk import catalogue, sources

ROOT = Path(__file__).parent.parent


def load(root: Path) -> Store:
    """Return the whole graph of ``root`` in memory, default graph included."""
    quads = list(sources.collect(root).quads())
    store = Store()
    store.bulk_extend(quads)
    store.bulk_extend(sources.materialise(quads))
    return store


def ask(store: Store, text: str) -> tuple[float, int]:
    """Return the milliseconds a query takes, its answer read to the end, and its length."""
    start = time.perf_counter()
    answer = store.query(text)
    assert not isinstance(answer, QueryBoolean)
    length = len(list(answer))
    return (time.perf_counter() - start) * 1000, length


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    store = load(ROOT)
    rows = []
    for query in catalogue.load(ROOT).values():
        runs = [ask(store, query.full_text) for _ in range(rounds)]
        times = sorted(milliseconds for milliseconds, _ in runs)
        rows.append((times[0], times[-1], runs[0][1], f"{query.topic}/{query.stem}"))
    print(f"{len(store):,} quads, {len(rows)} queries\n")
    print("| query | rows | best ms | worst ms |\n|---|--:|--:|--:|")
    for best, worst, length, name in sorted(rows, reverse=True):
        print(f"| {name} | {length} | {best:.1f} | {worst:.1f} |")


if __name__ == "__main__":
    main()

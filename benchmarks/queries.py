"""How long each query of the catalogue takes on the in-memory store, slowest first.

Every query is asked with its defaults, several times. On a busy machine the processor time says
what the engine needs, and the time by the clock what its neighbours leave of it.

Run ``.venv/bin/python benchmarks/queries.py``.
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


def ask(store: Store, text: str) -> tuple[float, float, int]:
    """Return the milliseconds a query takes, its answer read to the end, and its length.

    The first number is by the clock, the second counts the processor's work only.
    """
    start, work = time.perf_counter(), time.process_time()
    answer = store.query(text)
    assert not isinstance(answer, QueryBoolean)
    length = len(list(answer))
    ended, done = time.perf_counter(), time.process_time()
    return (ended - start) * 1000, (done - work) * 1000, length


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    store = load(ROOT)
    rows = []
    for query in catalogue.load(ROOT).values():
        clock, work, length = zip(
            *(ask(store, query.full_text) for _ in range(rounds)), strict=True
        )
        name = f"{query.topic}/{query.stem}"
        rows.append((min(work), min(clock), max(clock), length[0], name))
    print(f"{len(store):,} quads, {len(rows)} queries\n")
    print("| query | rows | processor ms | best ms | worst ms |\n|---|--:|--:|--:|--:|")
    for work, best, worst, length, name in sorted(rows, reverse=True):
        print(f"| {name} | {length} | {work:.1f} | {best:.1f} | {worst:.1f} |")


if __name__ == "__main__":
    main()

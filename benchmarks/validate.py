"""Compares full and incremental validation, and both with pySHACL alone and with rudof.

    python benchmarks/validate.py                 # 10k, 100k, 1M: some 45 minutes, 2 GB
    python benchmarks/validate.py --quick         # 10k, once, without the others: a minute
    python benchmarks/validate.py --changes 1000  # equal findings, at 10k: about an hour

The graph is the real one: a part of its things, or all of them and copies under other names, until
there are enough triples. Every way to validate judges the same default graph by the same shapes in
one run, the incremental one some changes of about a hundred triples; what is printed is the median,
in seconds of processor time, so that a busy machine matters little. pyrudof is installed into
var/benchmarks/ and knows no SPARQL constraints, so it has less to do than the others. The table for
README.md comes last.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from hashlib import md5
from itertools import count
from pathlib import Path

from pyoxigraph import NamedNode, Quad, RdfFormat, Store, serialize

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from intmk import sources  # noqa: E402 - after the path is set
from intmk.judge import Change, Judge, apply  # noqa: E402
from intmk.judged import default_graph  # noqa: E402
from intmk.validation import shape_texts  # noqa: E402
from random_changes import change  # noqa: E402

SIZES = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
# After so many of the changes all is judged as well, to compare time and findings.
FULL_RUNS = {"10k": 5, "100k": 2, "1M": 1}
CHANGES = 5
CHANGE_TRIPLES = 100
# Larger graphs take the others too long.
PEER_SIZE = 100_000
PEER_LIMIT_S = 900
_VENV = ROOT / "var" / "benchmarks" / "pyrudof"
# What every copy shares: terms, lists, themes and the Länder, whose names order the chairs.
_COPIED = re.compile(
    r"(https://w3id\.org/intmk/(?:id/(?!kind/|theme/|land/|agent/)[a-z-]+|source)/[a-z0-9-]+)"
)
_RDFLIB = """
import sys, time, pyshacl, rdflib
data, shapes = (rdflib.Graph().parse(path) for path in sys.argv[1:3])
begin = time.process_time()
pyshacl.validate(data, shacl_graph=shapes)
print(time.process_time() - begin)
"""
_RUDOF = """
import sys, time
from pyrudof import RDFFormat, Rudof, RudofConfig, ShaclFormat
rudof = Rudof(RudofConfig())
rudof.read_data(sys.argv[1], RDFFormat.Turtle)
begin = time.process_time()
rudof.read_shacl(sys.argv[2], ShaclFormat.Turtle)
rudof.validate_shacl()
print(time.process_time() - begin)
"""


def graph(size: int) -> tuple[Judge, Store]:
    """Return the project's shapes, and a default graph of about ``size`` triples."""
    collection = sources.collect(ROOT)
    real = default_graph(collection.quads())
    store = Store()
    store.bulk_extend(_part(real, size))
    for number in count(1):
        if len(store) >= min(size, len(real)) and len(store) + len(real) // 2 > size:
            break
        store.bulk_extend(_copy(real, number))
    return Judge(shape_texts(collection.documents)), store


def _part(quads: set[Quad], size: int) -> list[Quad]:
    """Return the terms, lists and themes of a graph, and of its other things as many as fit."""
    by_subject: dict[str, list[Quad]] = {}
    for quad in sorted(quads, key=str):
        by_subject.setdefault(str(quad.subject), []).append(quad)
    shared = {name for name in by_subject if not _COPIED.search(name)}
    part = [quad for name in shared for quad in by_subject[name]]
    # In the order of a digest, so that things of all kinds are among them.
    for name in sorted(by_subject.keys() - shared, key=lambda one: md5(one.encode()).hexdigest()):
        if len(part) >= size:
            break
        part += by_subject[name]
    return part


def _copy(quads: Iterable[Quad], number: int) -> Iterable[Quad]:
    def renamed(term: object) -> object:
        if isinstance(term, NamedNode):
            return NamedNode(_COPIED.sub(rf"\1-{number}", term.value))
        return term

    for quad in quads:
        terms = [renamed(term) for term in (quad.subject, quad.predicate, quad.object)]
        copied = Quad(*terms)  # type: ignore[arg-type]
        if copied != quad:
            yield copied


def some_change(store: Store, things: list[str], seed: int) -> Change:
    """Return a change of about a hundred triples to a few dozen things that lie together."""
    first = (seed * 7919) % max(1, len(things) - 40)
    near = [
        quad
        for thing in things[first : first + 40]
        for quad in store.quads_for_pattern(NamedNode(thing), None, None)
    ]
    return change(near, seed, size=CHANGE_TRIPLES)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that some work takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def compare(name: str, full_runs: int, without: list[str]) -> dict[str, float]:
    """Measure one size, check that findings are equal, and print a row for each way."""
    judge, store = graph(SIZES[name])
    things = sorted({q.subject.value for q in store if "/id/" in str(q.subject)})
    reach_s = timed(judge.hasten)
    before: list = []
    full, quick, sizes = [timed(lambda: before.extend(judge.shapes.results(store)))], [], []
    for seed in range(CHANGES):
        some = some_change(store, things, seed)
        apply(store, some)
        found: list = []
        quick.append(timed(lambda: found.extend(judge.results(store, some))))  # noqa: B023
        if seed < full_runs:
            after: list = []
            full.append(timed(lambda: after.extend(judge.shapes.results(store))))  # noqa: B023
            check(before, after, found)
        apply(store, Change(some.removed, some.added))
        sizes.append(len(some.added) + len(some.removed))
    rows = {"full": statistics.median(full), "incremental": statistics.median(quick)}
    rows |= {"reach, once": reach_s}
    rows |= peers(store, without) if SIZES[name] <= PEER_SIZE else {}
    print(f"\n{name}: {len(store)} triples, changes of {statistics.mean(sizes):.0f} on average")
    for way, seconds in rows.items():
        print(
            f"  {way:24} {seconds:9.3f} s {seconds / rows['full']:9.4f} of a full run", flush=True
        )
    return rows


def table(found: dict[str, dict[str, float]]) -> None:
    """Print the seconds of each way at each size, and its part of a full run, as Markdown."""
    print(f"\n| way | {' | '.join(found)} |\n| --- |{' --: |' * len(found)}")
    for way in dict.fromkeys(way for rows in found.values() for way in rows):
        cells = [_cell(rows.get(way), rows["full"]) for rows in found.values()]
        print(f"| {way} | {' | '.join(cells)} |")


def _cell(seconds: float | None, full: float) -> str:
    if seconds is None:
        return ""
    if seconds == float("inf"):
        return f"over {PEER_LIMIT_S} s"
    return f"{seconds:.2f} s ({seconds / full:.4g})"


def check(before: list, after: list, found: list) -> None:
    """Fail when a full run finds something else because of a change than the incremental one."""
    seen, now = set(map(str, before)), set(map(str, after))
    new = {str(result) for result, is_known in found if not is_known}
    if new != now - seen:
        sys.exit("The findings differ:\n" + "\n".join(sorted(new ^ (now - seen))))


def peers(store: Store, without: list[str]) -> dict[str, float]:
    """Return the seconds that other programs take for a full run; inf where they do not end."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        data, shapes = Path(folder, "data.ttl"), Path(folder, "shapes.ttl")
        data.write_bytes(serialize((q.triple for q in store), format=RdfFormat.TURTLE) or b"")
        texts = shape_texts(sources.collect(ROOT).documents)
        triples = {q.triple for text in texts for q in parsed(text)}
        shapes.write_bytes(serialize(triples, format=RdfFormat.TURTLE) or b"")
        if "rdflib" not in without:
            rows["pySHACL on rdflib"] = run([sys.executable, "-c", _RDFLIB, data, shapes])
        if "rudof" not in without and (python := installed()):
            rows["pyrudof (core only)"] = run([python, "-c", _RUDOF, data, shapes])
    return rows


def parsed(text: str) -> Iterable[Quad]:
    """Return the triples of shapes in Turtle, their blank nodes told apart."""
    from pyoxigraph import parse

    return list(parse(text, RdfFormat.TURTLE, rename_blank_nodes=True))


def installed() -> Path | None:
    """Return the Python of an environment with pyrudof, or None where it cannot be installed."""
    python = _VENV / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "pyrudof==0.3.35"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"pyrudof is left out: {error}", file=sys.stderr)
        return None
    return python


def run(command: list[object]) -> float:
    """Return what a program prints, a number of seconds; inf when it takes too long or fails."""
    try:
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=PEER_LIMIT_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return float("inf")
    except subprocess.CalledProcessError as error:
        print(error.stderr[-300:], file=sys.stderr)
        return float("inf")
    return float(done.stdout.split()[-1])


def compare_changes(number: int) -> None:
    """Compare so many random changes of the smallest graph with full runs."""
    judge, store = graph(SIZES["10k"])
    judge.hasten()
    before = judge.shapes.results(store)
    triples = set(store)
    found_new = 0
    for seed in range(number):
        some = change(triples, seed, size=1 + seed % 40)
        apply(store, some)
        found, after = judge.results(store, some), judge.shapes.results(store)
        apply(store, Change(some.removed, some.added))
        check(before, after, found)
        found_new += sum(not is_known for _, is_known in found)
    print(f"{number} random changes, {found_new} new findings: equal to those of full runs.")


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--without", nargs="*", choices=["rdflib", "rudof"], default=[])
    parser.add_argument("--quick", action="store_true", help="only to see that it works")
    parser.add_argument("--changes", type=int, default=0, help="compare findings only")
    chosen = parser.parse_args()
    if chosen.changes:
        compare_changes(chosen.changes)
    elif chosen.quick:
        table({"10k": compare("10k", 1, ["rdflib", "rudof"])})
    else:
        table({one: compare(one, FULL_RUNS[one], chosen.without) for one in chosen.sizes})


if __name__ == "__main__":
    main()

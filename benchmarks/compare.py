"""Compares our server with its peers: the same graph, the same queries, in turn, in one run.

    .venv/bin/python benchmarks/compare.py                     everything, about half an hour
    .venv/bin/python benchmarks/compare.py --quick --peers intmk oxigraph-memory
    .venv/bin/python benchmarks/compare.py --part unique --clients 8 --seconds 5 --kinds lookup \\
        --peers intmk oxigraph-memory

See README.md beside this file for what the parts are and what came out.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import client
import generate
import loads
import measure
import needs
import processes
import tables
from goals import Goals
from loads import Load
from measure import Row, Server, say
from peers import INSTALLED, PEERS, ROOT, Peer

PARTS = ("unique", "repeated", "endless")
# Their in-memory indexes take minutes and many gigabytes to build beyond this.
SMALL_ONLY = ("rdflib-endpoint", "comunica")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else "", allow_abbrev=False
    )
    kinds = [kind.name for kind in loads.KINDS]
    parser.add_argument("--size", nargs="+", help="real, 10k, 1M, 10M; all but 10M by default")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--part", nargs="+", choices=PARTS)
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument(
        "--clients", nargs="+", type=int, help="1 8 32 by default, 8 for other sizes than 10k"
    )
    parser.add_argument("--seconds", type=float, help="of one measurement; 1 by default")
    parser.add_argument("--rounds", type=int, help="A B A B … so many times; 3 by default")
    parser.add_argument("--quick", action="store_true", help="10k, 8 clients, one round of 0.1 s")
    parser.add_argument("--json", type=Path, help="write every single figure to this file too")
    chosen = parser.parse_args(given)
    quick = chosen.quick
    chosen.size = chosen.size or (["10k"] if quick else ["real", "10k", "1M"])
    chosen.seconds = chosen.seconds or (0.1 if quick else 1.0)
    chosen.rounds = chosen.rounds or (1 if quick else 3)
    return chosen


def narrowed(chosen: argparse.Namespace, size: str) -> argparse.Namespace:
    """Return what to do with one graph: everything with 10k, unless said otherwise."""
    is_main = size == "10k"
    parts = PARTS if is_main and not chosen.quick else PARTS[: 1 + is_main]
    clients = [1, 8, 32] if is_main and not chosen.quick else [8]
    given = vars(chosen)
    narrow = {"part": chosen.part or parts, "clients": chosen.clients or clients}
    return argparse.Namespace(**given | narrow)


def main() -> None:
    """Run what was asked for and print it as the tables of README.md."""
    chosen = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("stopped"))
    INSTALLED.mkdir(parents=True, exist_ok=True)
    peers = list(installed(chosen.peers))
    print(tables.machine())
    everything: list[dict[str, object]] = []
    goals = Goals()
    for size in chosen.size:
        if not is_possible(size, suited(size, peers)):
            continue
        with tempfile.TemporaryDirectory(dir=INSTALLED) as folder:
            dump = graph(size, Path(folder))
            rows = list(run(size, dump, suited(size, peers), narrowed(chosen, size), goals))
        print(tables.of_size(size, rows), flush=True)
        goals.take(size, rows)
        everything += [{"size": size} | asdict(row) for row in rows]
    print(goals.table())
    if chosen.json:
        chosen.json.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n")


def installed(names: Sequence[str]) -> Iterator[Peer]:
    """Yield the peers that are there or could be installed; tell which are left out."""
    for name in names:
        peer = PEERS[name]()
        say(f"installing {name}")
        try:
            peer.install()
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", "") or str(error)
            say(f"{name} is left out: {reason.strip()[-300:]}")
        else:
            yield peer


def suited(size: str, peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers that can hold a graph of this size."""
    is_small = size == "real" or generate.statements(size) <= 100_000
    return [peer for peer in peers if is_small or peer.name not in SMALL_ONLY]


def is_possible(size: str, peers: Sequence[Peer]) -> bool:
    """Whether this machine can hold a graph of this size in these servers; tell what it takes."""
    if size == "real":
        return True
    names = [peer.name for peer in peers]
    say(needs.told(size, names))
    lacking = needs.lacking(size, names, INSTALLED)
    if lacking:
        say(f"{size} is left out. {lacking}. Name fewer servers with --peers.")
    return not lacking


def graph(size: str, folder: Path) -> Path:
    """Return the N-Quads of the real graph as it is built, or generate one of this size."""
    if size == "real":
        built = ROOT / "var" / "current" / "dump.nq"
        if not built.is_file():
            sys.exit("There is no built graph. Run: .venv/bin/intmk build")
        return built.resolve()
    target = folder / f"{size}.nq"
    say(f"generating {size}")
    generate.write(size, target)
    return target


def run(
    size: str,
    dump: Path,
    peers: Sequence[Peer],
    chosen: argparse.Namespace,
    goals: Goals,
) -> Iterator[Row]:
    """Yield the rows of every part on one graph."""
    store = loads.open_graph(dump)
    every = loads.loads(store, chosen.kinds)
    print(f"\n## {size}: {len(store)} statements\n")
    with contextlib.ExitStack() as stack:
        servers = [
            server for peer in peers if (server := started(stack, peer, dump, every[0])) is not None
        ]
        for server in servers:
            server.wrong = measure.differences(server, every, store)
            told = f"answers differ: {server.wrong}" if server.wrong else "answers agree"
            say(f"{server.peer.name}: {told}")
        del store
        say(f"about {minutes(chosen, len(servers)):.0f} minutes")
        for part in ("unique", "repeated"):
            if part in chosen.part:
                for load in every:
                    yield from cells(part, servers, load, chosen)
        print(tables.servers(servers), flush=True)
        goals.servers(size, servers)
    if "endless" in chosen.part:
        for peer in peers:
            yield from endless(peer, dump, every[0])


def started(stack: contextlib.ExitStack, peer: Peer, dump: Path, load: Load) -> Server | None:
    """Start a server that runs until the stack is left; tell why when it does not start."""
    say(f"starting {peer.name}")
    probe = loads.request(peer.path, load.query(0), load.kind.accept)
    try:
        return stack.enter_context(measure.serving(peer, dump, probe))
    except processes.NotStarted as error:
        if peer.name == tables.OURS:
            sys.exit(f"The server to be measured did not start: {error}")
        say(f"left out: {error}")
        return None


def cells(
    part: str, servers: Sequence[Server], load: Load, chosen: argparse.Namespace
) -> Iterator[Row]:
    """Yield one kind's rows for each number of clients; repeated questions with 8 only."""
    for clients in chosen.clients if part == "unique" else [8]:
        say(f"{part} {load.kind.name}, {clients} clients")
        yield from measure.in_turn(part, servers, load, clients, chosen.rounds, chosen.seconds)


def minutes(chosen: argparse.Namespace, servers: int) -> float:
    """Return how long the queries of one graph take at least."""
    runs = len(chosen.clients) * ("unique" in chosen.part) + ("repeated" in chosen.part)
    each_s = chosen.seconds * (chosen.rounds + measure.WARM_UP)
    return float(runs * len(chosen.kinds) * servers * each_s / 60)


def endless(peer: Peer, dump: Path, load: Load) -> Iterator[Row]:
    """Yield a cheap client's latency beside four hostile ones, at four addresses and at one."""
    for sources in (client.addresses(4), client.addresses(1) * 4):
        with contextlib.ExitStack() as stack:
            server = started(stack, peer, dump, load)
            if server:
                yield from measure.beside_endless(server, load, sources)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()

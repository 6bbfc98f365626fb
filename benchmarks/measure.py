"""What is measured, on servers that run at the same time and are asked in turn: A B A B …"""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import client
import loads
import processes
from client import Cell
from loads import Load
from peers import INSTALLED, Peer, await_answer
from pyoxigraph import QueryResultsFormat, RdfFormat, Store, parse

WARM_UP = 0.25
_FULL_PROCESSOR_US = 0.85e6
_CHECKED = 3
_CHEAP_S = 3.0
# Longer than our deadline of 10 s, so that queries are ended and workers replaced meanwhile.
_BESIDE_S = 15.0
_HOSTILE = 4


@dataclass
class Server:
    """A running peer, with what its start took."""

    peer: Peer
    port: int
    pid: int
    load_s: float
    start_s: float
    start_mb: float
    wrong: list[str] = field(default_factory=list)
    numbers: dict[str, Iterator[int]] = field(default_factory=dict)

    def unique(self, load: Load) -> Iterator[bytes]:
        """Return requests of a kind that this server has not had yet."""
        numbers = self.numbers.setdefault(load.kind.name, itertools.count(1))
        return load.requests(self.peer.path, numbers)


@dataclass(frozen=True)
class Row:
    """One cell of the result: what, by whom, and its figures; several rounds make several rows."""

    part: str
    kind: str
    clients: int
    peer: str
    rate: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    answers: int = 0
    answer_bytes: float = 0.0
    client_us: float = 0.0
    server_us: float = 0.0
    failed: int = 0
    failures: str = ""
    has_ended: bool = False

    @property
    def speed(self) -> float:
        """Answers in a second; with one client, in a second of its median latency."""
        return 1000 / self.p50_ms if self.clients == 1 else self.rate

    @property
    def is_sound(self) -> bool:
        """Whether most requests were answered with 200, and the server is there still."""
        return self.answers > self.failed and not self.has_ended

    @property
    def is_bounded(self) -> bool:
        """Whether the load generator had no processor time left, so that this rate is its own."""
        return self.client_us * self.rate > _FULL_PROCESSOR_US


@contextlib.contextmanager
def serving(peer: Peer, dump: Path, probe: bytes) -> Iterator[Server]:
    """Load and start a server, in a folder that goes with it; ``probe`` is its first query."""
    with tempfile.TemporaryDirectory(prefix=f"{peer.name}-", dir=INSTALLED) as name:
        folder = Path(name)
        try:
            with _served(peer, dump, folder, probe) as server:
                yield server
        except (processes.NotStarted, subprocess.SubprocessError) as error:
            if (folder / "log").is_file():
                shutil.copyfile(folder / "log", INSTALLED / f"{peer.name}.log")
            raise processes.NotStarted(f"{peer.name}: {error}") from error


@contextlib.contextmanager
def _served(peer: Peer, dump: Path, folder: Path, probe: bytes) -> Iterator[Server]:
    began = time.perf_counter()
    peer.load(dump, folder)
    loaded = time.perf_counter()
    port = processes.free_port()
    command = peer.command(dump, folder, port)
    with processes.running(command, folder, peer.environment(folder, port)) as pid:
        start(peer, dump, port, pid, probe)
        start_s = time.perf_counter() - loaded
        yield Server(peer, port, pid, loaded - began, start_s, processes.memory_mb(pid))


def start(peer: Peer, dump: Path, port: int, pid: int, probe: bytes) -> None:
    """Wait for a server's port, fill it, and wait for its first answer."""
    processes.await_port(pid, port, 120)
    peer.fill(dump, port)
    await_answer(pid, port, probe)


def say(text: str) -> None:
    """Tell who waits how far we are."""
    print(text, file=sys.stderr, flush=True)


def in_turn(
    part: str,
    servers: Sequence[Server],
    load: Load,
    clients: int,
    rounds: int,
    seconds: float,
) -> Iterator[Row]:
    """Measure one kind on every server, ``rounds`` times in turn, after warming each."""

    def requests(server: Server) -> Iterator[bytes]:
        return load.repeated(server.peer.path) if part == "repeated" else server.unique(load)

    sources = client.addresses(clients)
    for server in servers:
        client.run(server.port, requests(server), sources, seconds * WARM_UP)
    for _ in range(rounds):
        for server in servers:
            before = processes.cpu_seconds(server.pid)
            cell = client.run(server.port, requests(server), sources, seconds)
            used_s = processes.cpu_seconds(server.pid) - before
            yield row(part, load, clients, server, cell, used_s)


def row(
    part: str, load: Load, clients: int, server: Server, cell: Cell, used_s: float = 0.0
) -> Row:
    """Return the figures of a cell; ``used_s`` is the processor time of the server meanwhile."""
    count = len(cell.latencies)
    failures = [f"{status}: {times}" for status, times in sorted((+cell.failures).items())]
    has_ended = not processes.is_running(server.pid)
    return Row(
        part,
        load.kind.name,
        clients,
        server.peer.name,
        cell.rate,
        cell.latency_ms(0.5),
        cell.latency_ms(0.99),
        count,
        cell.bytes / count if count else 0.0,
        cell.client_us,
        used_s * 1e6 / count if count else 0.0,
        cell.failures.total(),
        ", ".join(failures + ["the server ended"] * has_ended),
        has_ended,
    )


def beside_endless(server: Server, load: Load, sources: Sequence[str]) -> list[Row]:
    """Measure a cheap client alone, then while others send queries that never end."""
    path = server.peer.path
    cheap = ["127.0.2.1"]
    part = "endless" if len(set(sources)) > 1 else "endless-one-address"
    cell = client.run(server.port, server.unique(load), cheap, _CHEAP_S)
    alone = row(f"{part}-alone", load, 1, server, cell)
    endless = (
        loads.request(path, f"{loads.ENDLESS} LIMIT {number}") for number in itertools.count(1)
    )
    hostile = threading.Thread(
        target=client.run, args=(server.port, endless, sources, _BESIDE_S + 1, 0.0)
    )
    hostile.start()
    time.sleep(1)
    cell = client.run(server.port, server.unique(load), cheap, _BESIDE_S)
    hostile.join()
    return [alone, row(part, load, 1, server, cell)]


def differences(server: Server, every: Sequence[Load], graph: Store) -> list[str]:
    """Return the kinds whose answers are not those that the engine gives in this process."""
    return [load.kind.name for load in every if not _is_right(server, load, graph)]


def _is_right(server: Server, load: Load, graph: Store) -> bool:
    for number in range(_CHECKED):
        text = load.query(number)
        request = loads.request(server.peer.path, text, load.kind.accept)
        try:
            status, body = client.fetch(server.port, request)
            if status != 200 or _content(load, body) != _expected(load, text, graph):
                return False
        except (OSError, ValueError, SyntaxError):
            # It hung up, or this is no answer.
            return False
    return True


def _expected(load: Load, text: str, graph: Store) -> object:
    answer = graph.query(text)
    if load.kind.accept == loads.GRAPH:
        return set(answer)  # type: ignore[arg-type]
    return _content(load, answer.serialize(format=QueryResultsFormat.JSON) or b"")  # type: ignore


def _content(load: Load, body: bytes) -> object:
    """Return an answer so that equal ones compare equal: values, whatever their order."""
    if load.kind.accept == loads.GRAPH:
        return {quad.triple for quad in parse(body, RdfFormat.N_TRIPLES)}
    answer = json.loads(body)
    if "boolean" in answer:
        return answer["boolean"]
    rows = answer["results"]["bindings"]
    return sorted(sorted((name, term["value"]) for name, term in row.items()) for row in rows)

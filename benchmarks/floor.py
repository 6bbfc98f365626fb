"""Where the processor time of the cheapest lookup goes: each part of the way by itself.

    python benchmarks/floor.py

A server on our HTTP server that answers at once, our front with an engine that answers at once, the
engine within one process, and the whole, each asked by 8 clients for some seconds on 10k triples.
What the whole takes beyond its parts is the way between processes and threads.
"""

import io
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import IO, Any, cast

import client
import generate
import loads
import peers
import processes
from pyoxigraph import QueryResultsFormat, QuerySolutions, Store

from intmk import settings as options
from intmk.engine import Answer, Engine, Question

CLIENTS, SECONDS = 8, 4.0
_BODY = b'{"head":{"vars":["property","value"]},"results":{"bindings":[]}}' + b" " * 1400
_EVALUATIONS = 3000


class Ready(Engine):
    """An engine that has its answer already."""

    def ask(self, question: Question) -> Answer:
        """Return the same short answer to any question."""
        return Answer("select", loads.RESULTS, "1", _BODY, len(_BODY), 0.0)

    def version(self) -> str:
        """Return a version."""
        return "1"


def bare(_: dict[str, Any], start: Any) -> Iterable[bytes]:
    """Answer any request (PEP 3333)."""
    start("200 OK", [("Content-Type", loads.RESULTS), ("Content-Length", str(len(_BODY)))])
    return [_BODY]


def application(name: str, folder: Path) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI callable of one front process."""
    if name == "http":
        return bare
    from intmk import app

    settings = options.read({"store": folder})
    return cast(Any, app.create_app(settings, Ready(folder, settings)).wsgi_app)


def serve(name: str, folder: str, port: str) -> None:
    """Serve an application as ``intmk serve`` does."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    multiprocessing.set_start_method("spawn", force=True)
    server = Granian(
        name,
        port=int(port),
        interface=Interfaces.WSGI,
        workers=2,
        blocking_threads=64,
        http=HTTPModes.http1,
        websockets=False,
    )
    server.serve(target_loader=partial(application, name, Path(folder)), wrap_loader=False)


@contextmanager
def serving(name: str, dump: Path) -> Iterator[tuple[int, int]]:
    """Run a server; gives process id and port."""
    peer, port = peers.Intmk(), processes.free_port()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        command = [sys.executable, __file__, name, text, str(port)]
        if name == "whole":
            peer.load(dump, folder)
            command = peer.command(dump, folder, port)
        else:
            (folder / "metrics").mkdir()
        with processes.running(command, folder, peer.environment(folder, port)) as pid:
            processes.await_port(pid, port, 20)
            yield pid, port


def served_us(name: str, dump: Path, load: loads.Load) -> float:
    """Return the microseconds of processor time that a server takes for an answer."""
    requests = load.requests("/sparql?", count(1))
    addresses = client.addresses(CLIENTS)
    with serving(name, dump) as (pid, port):
        client.run(port, requests, addresses, 1.0)
        before = processes.cpu_seconds(pid)
        cell = client.run(port, requests, addresses, SECONDS)
        return (processes.cpu_seconds(pid) - before) / len(cell.latencies) * 1e6


def evaluated_us(store: Store, load: loads.Load) -> float:
    """Return the microseconds that the engine takes to evaluate and write an answer."""
    queries = list(islice(map(load.query, count(1)), _EVALUATIONS))
    begin = time.process_time()
    for query in queries:
        rows = cast(QuerySolutions, store.query(query))
        rows.serialize(cast(IO[bytes], io.BytesIO()), format=QueryResultsFormat.JSON)
    return (time.process_time() - begin) / _EVALUATIONS * 1e6


def main() -> None:
    """Measure, and print the table for README.md."""
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "graph.nq"
        generate.write("10k", dump)
        store = loads.open_graph(dump)
        (load,) = loads.loads(store, ["lookup"])
        rows = [
            ("HTTP server, answering at once", served_us("http", dump, load)),
            ("the same with our protocol, answering at once", served_us("front", dump, load)),
            ("engine within one process", evaluated_us(store, load)),
            ("whole server", served_us("whole", dump, load)),
        ]
    print("| cheapest lookup, 8 clients | processor µs an answer |\n| --- | --: |")
    for name, microseconds in rows:
        print(f"| {name} | {microseconds:.0f} |")


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(*sys.argv[1:])
    else:
        main()

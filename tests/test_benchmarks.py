"""The benchmarks: the generated graph is always the same, and a short run works."""

import hashlib
import importlib
import subprocess
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import DefaultGraph, NamedNode, RdfFormat, Store, Triple, parse

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KINDS = 12
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
# Changes with the generator; figures in README.md from before such a change do not compare.
DIGEST_1K = "3999695300be576c"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def generated(module: Any, tmp_path: Path) -> Store:
    """Return a small generated graph."""
    module("generate").write("2k", tmp_path / "graph.nq")
    store: Store = module("loads").open_graph(tmp_path / "graph.nq")
    return store


def test_the_generator_gives_the_same_bytes_everywhere(module: Any, tmp_path: Path) -> None:
    """Size and seed alone decide what is in the file."""
    module("generate").write("1k", tmp_path / "graph.nq")
    content = (tmp_path / "graph.nq").read_bytes()
    assert hashlib.sha256(content).hexdigest()[:16] == DIGEST_1K


def test_the_generator_keeps_to_the_size(module: Any) -> None:
    """There are as many statements as asked for, up to a year of one body more."""
    for size in (1_000, 10_000):
        lines = list(module("generate").Graph(size).lines())
        assert size <= len(lines) < size + 400
        assert len(set(lines)) == len(lines)


def test_the_generated_graph_is_valid(module: Any) -> None:
    """Every line is N-Quads that a strict parser takes."""
    lines = list(module("generate").Graph(1_000).lines())
    assert len(list(parse("".join(lines), RdfFormat.N_QUADS))) == len(lines)


def test_the_default_graph_is_what_accepted_passages_say(generated: Store) -> None:
    """Each of its statements is in a named graph, and none is of a disputed passage alone."""
    by_graph: dict[object, set[Triple]] = defaultdict(set)
    for quad in generated:
        by_graph[quad.graph_name].add(quad.triple)
    status = NamedNode("https://w3id.org/intmk/ontology#status")
    disputed_status = NamedNode("https://w3id.org/intmk/id/kind/disputed")
    disputed = {quad.subject for quad in generated.quads_for_pattern(None, status, disputed_status)}
    in_default = by_graph.pop(DefaultGraph())
    accepted = set().union(*(said for graph, said in by_graph.items() if graph not in disputed))
    assert disputed
    assert in_default == accepted
    assert any(by_graph[graph] - in_default for graph in disputed)


def test_every_kind_of_query_finds_something(module: Any, generated: Store) -> None:
    """No kind is measured on empty answers."""
    every = module("loads").loads(generated)
    assert len(every) == KINDS
    for load in every:
        answers = [generated.query(load.query(number)) for number in range(100)]
        assert any(bool(answer) if load.kind.name == "ask" else list(answer) for answer in answers)


def test_requests_are_unique_and_the_same_in_every_run(module: Any, generated: Store) -> None:
    """A request is never sent twice, and a second run sends the same ones."""
    loads = module("loads")
    for kind in loads.KINDS:
        first, again = (
            list(islice(loads.Load(kind, generated).requests("/sparql?", iter(range(500))), 500))
            for _ in range(2)
        )
        assert len(set(first)) == len(first)
        assert first == again


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
    ],
)
def test_the_client_knows_when_an_answer_is_whole(module: Any, answer: bytes, body: bytes) -> None:
    """An answer ends with its last byte, not before and not later."""
    client = module("client")
    assert client.answer_length(answer) == len(answer)
    assert client.body(answer) == body
    for cut in range(1, len(answer)):
        length = client.answer_length(answer[:cut])
        assert length is None or length > cut


DYING = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if "LIMIT" in self.path:
            os._exit(3)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_server_that_ends_is_told_in_the_table(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever a peer dies of, the run goes on, and its figures count as none."""
    measure, loads, peers = (module(name) for name in ("measure", "loads", "peers"))
    for name in ("_CHEAP_S", "_BESIDE_S"):
        monkeypatch.setattr(measure, name, 0.1)
    monkeypatch.setattr(measure, "INSTALLED", tmp_path)
    module("generate").write("2k", tmp_path / "graph.nq")
    load = loads.loads(loads.open_graph(tmp_path / "graph.nq"), ["ask"])[0]

    class Dying(peers.Peer):  # type: ignore[misc, name-defined]
        name = "dying"

        def command(self, dump: Path, folder: Path, port: int) -> list[str]:
            return [sys.executable, "-c", DYING, str(port)]

    probe = b"GET /sparql?probe HTTP/1.1\r\nHost: x\r\n\r\n"
    with measure.serving(Dying(), tmp_path / "graph.nq", probe) as server:
        monkeypatch.setattr(server, "unique", lambda _: iter(lambda: probe, None))
        alone, beside = measure.beside_endless(server, load, ["127.0.1.1", "127.0.1.2"])
        (after,) = measure.in_turn("unique", [server], load, 2, 1, 0.1)
    assert alone.is_sound
    assert not any(row.is_sound for row in (beside, after))
    text = module("tables").of_size("2k", [alone, beside, after])
    assert text.count("the server ended") == 2
    assert "inf" not in text


def test_a_size_says_what_it_takes(module: Any, tmp_path: Path) -> None:
    """What no machine has is left out, with what there is."""
    needs = module("needs")
    assert "10M takes about 15 minutes" in needs.told("10M", ["intmk"])
    assert needs.lacking("10k", ["intmk"], tmp_path) == ""
    assert "memory: " in needs.lacking("1000000M", ["oxigraph-memory"], tmp_path)
    with_memory = needs.memory_gb("1M", ["intmk", "oxigraph-memory"])
    assert with_memory > needs.memory_gb("1M", ["intmk", "oxigraph-disk"])


def test_a_short_run_answers_every_kind() -> None:
    """The command starts our server, gets the right answers, and prints the tables."""
    options = ["--quick", "--peers", "intmk", "--seconds", "0.02", "--clients", "2"]
    command = [sys.executable, str(BENCHMARKS / "compare.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "intmk: answers agree" in done.stderr
    assert "failed" not in done.stdout
    kinds = [line.split(" |")[0] for line in done.stdout.splitlines()]
    assert kinds.count("| lookup") == 2
    assert kinds.count("| construct") == 2


@pytest.mark.parametrize("name", ["http", "front", "whole"])
def test_each_part_of_the_way_is_asked_by_itself(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Servers that answer at once, and the whole, take some processor time for an answer."""
    floor, loads = module("floor"), module("loads")
    monkeypatch.setattr(floor, "SECONDS", 0.2)
    module("generate").write("2k", tmp_path / "graph.nq")
    (load,) = loads.loads(loads.open_graph(tmp_path / "graph.nq"), ["lookup"])
    assert 0 < floor.served_us(name, tmp_path / "graph.nq", load) < 1e6
    assert floor.evaluated_us(loads.open_graph(tmp_path / "graph.nq"), load) > 0

"""Hostile input to one real server, while another client's cheap questions are answered.

Each case has a clear and bounded outcome: a status of our own, or a closed connection.
"""

import contextlib
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import requests

from intmk.settings import Settings
from server_fixtures import make_settings, publish
from test_serving import SERVE, await_answer, free_port

FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
# Addresses of the loopback network: who attacks, and who only asks.
ATTACKER, NEIGHBOUR = "127.0.0.66", "127.0.0.7"
PATIENCE_S = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One server for all cases: what an earlier one breaks, a later one notices."""
    store = tmp_path_factory.mktemp("store")
    publish(store, "first")
    settings = make_settings(
        store,
        port=free_port(),
        query_timeout_s=2,
        query_memory_mb=200,
        front_threads=16,
        slow_workers=2,
    )
    environment = os.environ | settings.environment()
    with subprocess.Popen([sys.executable, "-c", SERVE], env=environment) as process:
        try:
            await_answer(settings, process)
            yield settings
            assert process.poll() is None
        finally:
            process.terminate()


class Neighbour(threading.Thread):
    """A client that asks cheap questions, each a new one, until told to stop."""

    def __init__(self, settings: Settings) -> None:
        """Take the server to ask."""
        super().__init__()
        self.answers: list[str] = []
        self._port = settings.port
        self._is_over = threading.Event()

    def run(self) -> None:
        """Ask and note the answers."""
        number = 0
        while not self._is_over.is_set():
            number += 1
            query = f"ASK {{ <https://example.org/n/7> ?p {7 if number % 2 else number + 1000} }}"
            text = send(self._port, get(query), NEIGHBOUR).partition("\r\n\r\n")[2]
            self.answers.append(text if text != _expected(number) else "right")

    def stop(self) -> None:
        """Let the last answer come in."""
        self._is_over.set()
        self.join()


def _expected(number: int) -> str:
    return '{"head":{},"boolean":' + ("true}" if number % 2 else "false}")


@pytest.fixture(autouse=True)
def neighbour(server: Settings) -> Iterator[Neighbour]:
    """Whatever a case does, every cheap question meanwhile is answered, and rightly."""
    found = Neighbour(server)
    found.start()
    yield found
    found.stop()
    assert found.answers
    assert set(found.answers) == {"right"}


def get(query: str, *headers: str, version: str = "1.1") -> bytes:
    """Return the bytes of a GET request that closes the connection."""
    lines = [f"GET /sparql?query={quote(query)} HTTP/{version}", "Host: x", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def connect(port: int, source: str = ATTACKER) -> socket.socket:
    """Connect from an address of the loopback network."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))


def send(port: int, data: bytes, source: str = ATTACKER) -> str:
    """Send bytes, and return what comes back until the server closes the connection."""
    with connect(port, source) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return rest(connection)


def rest(connection: socket.socket) -> str:
    """Return what is still to come on a connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts).decode("latin-1")


def post(settings: Settings, body: bytes, **headers: str) -> requests.Response:
    """Post a body as a query."""
    return requests.post(
        f"{settings.public_url}/sparql",
        data=body,
        headers={"Content-Type": QUERY} | {k.replace("_", "-"): v for k, v in headers.items()},
        timeout=PATIENCE_S,
    )


def status(answer: str) -> int:
    """Return the status of an answer; 0 when the connection was closed without one."""
    return int(answer[9:12]) if answer.startswith("HTTP/1.") else 0


DEEP = 10_000
EXPENSIVE = {
    "parentheses": ("SELECT * { FILTER(" + "(" * DEEP + "1" + ")" * DEEP + ") }", {400}),
    "groups": ("SELECT * " + "{" * DEEP + "}" * DEEP, {400}),
    "operators": ("ASK { FILTER(" + "!" * 100_000 + "1) }", {400}),
    "collections": ("ASK { ?s ?p " + "(" * DEEP + ")" * DEEP + " }", {400}),
    "a long sum": ("SELECT (" + "1+" * 100_000 + "1 AS ?x) {}", {200, 400, 504}),
    "many unions": ("SELECT * { {} " + "UNION {} " * 20_000 + "}", {200, 400, 504, 507}),
    "a path of paths": ("ASK { ?s " + "(" * 30 + "!<a:b>" + ")*" * 30 + " ?o }", {200, 400, 504}),
    "paths from everywhere to everywhere": (
        "SELECT (COUNT(*) AS ?n) { ?s (!<a:b>|^!<a:b>)* ?o . ?o (!<a:c>|^!<a:c>)+ ?u . "
        "?x (!<a:b>|^!<a:b>)* ?y }",
        {504, 507},
    ),
    "a cross product": (ENDLESS, {504}),
    "a sorted cross product": (
        "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?i ?f ?c",
        {504, 507},
    ),
    "a regex bomb": (
        'ASK { FILTER(REGEX("' + "a" * 5000 + '!", "^(([a-z])+.)+[A-Z]([a-z])+$")) }',
        {200, 504},
    ),
    "a repeated regex": (
        'ASK { FILTER(REGEX("aaa", "' + "(" * 200 + "a{1,100}" + "){1,100}" * 200 + '")) }',
        {200, 400, 504, 507},
    ),
    "growing text": (
        'SELECT (STRLEN(?z) AS ?n) { BIND("'
        + "x" * 1000
        + '" AS ?a)'
        + " ".join(
            f"BIND(CONCAT({', '.join([f'?{a}'] * 100)}) AS ?{b})" for a, b in ("ab", "bc", "cz")
        )
        + "}",
        {200, 504, 507},
    ),
    "replaced text": (
        'SELECT (STRLEN(REPLACE("' + "a" * 100_000 + '", "", "' + "b" * 10_000 + '")) AS ?n) {}',
        {200, 400, 504, 507},
    ),
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_an_expensive_query_has_a_bounded_end(server: Settings, name: str) -> None:
    """An answer within the limits, or an error that names the limit or the nesting."""
    query, statuses = EXPENSIVE[name]
    response = post(server, query.encode())
    assert response.status_code in statuses, response.text[:300]
    if response.status_code != 200:
        assert set(response.json()) >= {"type", "title", "status", "detail"}


def test_five_megabytes_are_too_many(server: Settings) -> None:
    """As a body with a length, as a body in pieces, and in the address."""
    long = b"ASK { #" + b"x" * 5_000_000 + b"\n}"
    assert post(server, long).status_code == 413
    pieces = (long[start : start + 100_000] for start in range(0, len(long), 100_000))
    try:
        chunked = requests.post(
            f"{server.public_url}/sparql",
            data=pieces,
            headers={"Content-Type": QUERY},
            timeout=PATIENCE_S,
        )
        assert chunked.status_code == 413
    except requests.ConnectionError:
        # The server need not read on to have its answer read.
        pass
    assert status(send(server.port, get(long.decode()))) in (0, 400, 413, 414, 431)


def test_ten_times_one_megabyte_of_operators_are_survived(server: Settings) -> None:
    """What is just short enough to be parsed is parsed by workers, one after the other."""
    body = ("ASK { FILTER(" + "1+" * 490_000 + "1) }").encode()
    for _ in range(3):
        assert post(server, body).status_code in (200, 400, 504)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_decompression_bomb_is_not_unpacked(server: Settings, coding: str) -> None:
    """A request body with a coding is refused as it is."""
    bomb = gzip.compress(b"#" * 10_000_000)
    assert post(server, bomb, Content_Encoding=coding).status_code == 415


def test_many_endless_queries_from_one_address_leave_room(server: Settings) -> None:
    """Twelve at once: two run to their deadline, the others are told to wait their turn."""
    with ExitStack() as stack:
        flood = [stack.enter_context(closing(connect(server.port))) for _ in range(12)]
        for number, connection in enumerate(flood):
            connection.sendall(get(ENDLESS + f"#{number}"))
        found = [status(rest(connection)) for connection in flood]
    assert set(found) <= {429, 503, 504}
    assert 429 in found


def test_who_floods_and_leaves_costs_nothing(server: Settings) -> None:
    """Queries whose clients have gone are stopped long before their deadline."""
    for number in range(20):
        with connect(server.port) as connection:
            connection.sendall(get(ENDLESS + f"#left {number}"))
    for _ in range(3):
        assert post(server, b"ASK {}").status_code == 200


def test_slow_senders_do_not_hold_the_server(server: Settings) -> None:
    """Headers and bodies that come byte by byte, from more clients than there are threads."""
    head = f"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: {QUERY}\r\n".encode()
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(connect(server.port))) for _ in range(60)]
        for number, connection in enumerate(slow):
            connection.sendall(
                head + (b"Content-Length: 1000\r\n\r\nASK" if number % 2 else b"X-A")
            )
        for byte in (b" ", b"{", b"}"):
            for connection in slow:
                _try(connection, byte)
        assert post(server, b"ASK {}").status_code in (200, 503)
        assert requests.get(f"{server.public_url}/health/live", timeout=PATIENCE_S).ok
    assert post(server, b"ASK {}").status_code == 200


def _try(connection: socket.socket, data: bytes) -> None:
    """Send what may be refused by now."""
    with suppress(OSError):
        connection.sendall(data)


def test_hundreds_of_idle_connections_are_no_load(server: Settings) -> None:
    """They wait for nothing; the three hundred and first is answered."""
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(closing(connect(server.port)))
        assert status(send(server.port, get("ASK {}"))) == 200


def test_a_client_that_does_not_read_blocks_nobody(server: Settings) -> None:
    """Long answers that are asked for and not taken."""
    query = "SELECT ?a ?b { ?a ?p ?c . ?b ?q ?d FILTER(?d < 20) }"
    with ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(closing(connect(server.port)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(get(query, "Accept: text/csv"))
        assert status(send(server.port, get("ASK {}"))) == 200


MALFORMED: dict[str, bytes] = {
    "no HTTP": b"hello\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "an unknown version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
    "two lengths": b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nASK {}",
    "a negative length": b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length that overflows": b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + b"9" * 40
    + b"\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    "NUL in the path": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header line folded": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n",
    "bad chunks": b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: application/sparql-query\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nASK\r\n0\r\n\r\n",
    "huge headers": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "ten thousand headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_http_is_refused_or_dropped(server: Settings, name: str) -> None:
    """Never a 200, never a hang: the connection is closed, with an error or without."""
    with connect(server.port) as connection:
        _try(connection, MALFORMED[name])
        # The server may have hung up already.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        assert status(rest(connection)) in (0, 400, 408, 413, 414, 431, 505)


def test_length_and_chunks_at_once_smuggle_nothing(server: Settings) -> None:
    """RFC 9112 section 6.3: refused, or read as chunks; never as two requests."""
    smuggled = (
        b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: application/sparql-query\r\n"
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"6\r\nASK {}\r\n0\r\n\r\nGET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    answer = send(server.port, smuggled)
    assert answer.count("HTTP/1.1 ") <= 1
    assert "/secret" not in answer


@pytest.mark.parametrize(
    "value",
    ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\r\n\r\n<html>", "a\x00b", "ä", "a" * 5000],
)
def test_no_parameter_becomes_a_header(server: Settings, value: str) -> None:
    """Whatever is in the query string, the header lines are ours."""
    pairs = {"query": "ASK {}", "format": value, "lang": value, "page": value}
    for path in ("/sparql", "/", "/id/body/intmk", "/queries", f"/id/body/{quote(value)}"):
        line = f"GET {path}?{urlencode(pairs)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = send(server.port, line.encode())
        head = answer.partition("\r\n\r\n")[0]
        assert status(answer) in (200, 303, 400, 404, 406, 429)
        assert not any(one.lower().startswith("x-injected") for one in head.split("\r\n"))


@pytest.mark.parametrize("given", ["../../../../etc/passwd", "a" * 5000, "%0d%0aX: y", "<script>"])
def test_a_query_id_is_ours_or_harmless(server: Settings, given: str) -> None:
    """What is not plain letters and digits is not repeated."""
    answer = send(server.port, get("ASK {}", f"Query-Id: {given}"))
    assert status(answer) == 200
    assert given not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/static/../../../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/settings.py",
        "/static//etc/passwd",
        "/source/..%2f..%2fetc%2fpasswd",
        "/queries/..%2f..%2fpyproject",
        "/data/body/..%2f..%2f..%2fetc%2fpasswd.ttl",
        "/doc/%00",
        "/%c0%ae%c0%ae/etc/passwd",
        "/\\..\\..\\windows\\win.ini",
        "//etc/passwd",
        "http://127.0.0.1:1/etc/passwd",
    ],
)
def test_no_path_leads_out(server: Settings, path: str) -> None:
    """Nothing but what is published is read."""
    answer = send(
        server.port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert status(answer) in (0, 308, 400, 404)
    assert "root:" not in answer
    assert status(answer) != 308 or "\r\nlocation: http://x/" in answer.lower()


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>"


@pytest.mark.parametrize(
    "path",
    [
        "/sparql?" + urlencode({"query": MARKUP}),
        "/sparql?" + urlencode({"query": "ASK {}", "format": MARKUP}),
        "/sparql?" + urlencode({"query": "ASK {}", "default-graph-uri": MARKUP}),
        "/" + quote(MARKUP),
        "/id/body/" + quote(MARKUP, safe=""),
        "/queries/" + quote(MARKUP, safe=""),
        "/?" + urlencode({"lang": MARKUP, "page": MARKUP, MARKUP: MARKUP}),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "*/*", "text/plain"])
def test_markup_stays_text(server: Settings, path: str, accept: str) -> None:
    """On pages it is escaped; elsewhere the type says that it is not markup."""
    response = requests.get(
        server.public_url + path, headers={"Accept": accept}, timeout=PATIENCE_S
    )
    assert response.status_code < 500
    if response.headers["Content-Type"].startswith("text/html"):
        assert "<script>alert" not in response.text
        assert "<svg/onload" not in response.text
        assert "script-src" in response.headers["Content-Security-Policy"] or (
            "default-src 'self'" in response.headers["Content-Security-Policy"]
        )
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("query=%FF%FE", {400}),
        ("query=ASK%7B%7D%00", {400}),
        ("query=%ED%A0%80", {400}),
        ("query=ASK%20%7B%20%3Fs%20%3Fp%20'%00'%20%7D", {200, 400}),
        ("query=" + "%F0%9F%98%80" * 1000, {400}),
        ("query=%", {400}),
        ("&" * 10_000, {200}),
        ("a=b&" * 10_000 + "query=ASK%7B%7D", {200}),
    ],
)
def test_bad_text_is_refused(server: Settings, query: str, statuses: set[int]) -> None:
    """NUL, lone surrogates and what is not UTF-8 reach no parser that could trip over them."""
    data = f"GET /sparql?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert status(send(server.port, data.encode())) in statuses


def test_http_1_0_is_answered(server: Settings) -> None:
    """With a length, and the connection closed."""
    answer = send(server.port, get("ASK {}", version="1.0"))
    assert status(answer) == 200
    assert json.loads(answer.partition("\r\n\r\n")[2])["boolean"] is True


def test_requests_sent_ahead_are_answered_in_order(server: Settings) -> None:
    """RFC 9112 section 9.3.2."""
    ahead = [
        f"GET /sparql?query={quote(f'SELECT ({n} AS ?n) {{}}')} HTTP/1.1\r\nHost: x\r\n"
        f"Accept: text/csv\r\n{'Connection: close' if n == 19 else 'X-A: b'}\r\n\r\n"
        for n in range(20)
    ]
    answer = send(server.port, "".join(ahead).encode())
    found = [part.split("\r\n")[1] for part in answer.split("\r\n\r\n")[1:]]
    assert found == [str(number) for number in range(20)]


def test_other_servers_are_not_asked(server: Settings) -> None:
    """Neither by SERVICE nor by FROM, and not by spelling it in another way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        queries: list[tuple[str, Callable[[int], bool]]] = [
            (f"ASK {{ SERVICE <{url}> {{ ?s ?p ?o }} }}", lambda code: code == 403),
            (f"ASK {{ SeRvIcE SILENT <{url}> {{ ?s ?p ?o }} }}", lambda code: code == 403),
            (f"ASK {{ SERVICE#\n<{url}> {{ ?s ?p ?o }} }}", lambda code: code == 403),
            (f"SELECT * {{ VALUES ?u {{ <{url}> }} SERVICE ?u {{}} }}", lambda code: code == 403),
            (f"ASK FROM <{url}> {{ ?s ?p ?o }}", lambda code: code == 200),
            (f"LOAD <{url}>", lambda code: code == 403),
        ]
        for query, is_right in queries:
            assert is_right(post(server, query.encode()).status_code), query
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_server_is_whole_afterwards(server: Settings) -> None:
    """After all this, both workers are there, nothing runs, and the version is the same."""
    for _ in range(100):
        health = requests.get(f"{server.public_url}/health", timeout=PATIENCE_S).json()
        metrics = requests.get(f"{server.public_url}/metrics", timeout=PATIENCE_S).text
        if health["workers"] == 2 and "intmk_slow_workers 0.0" in metrics:
            break
        post(server, b"ASK {}")
    assert health == {"status": "ok", "version": "first", "workers": 2}
    assert not Path("/core").exists()

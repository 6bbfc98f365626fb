"""A load generator: one thread, raw sockets, keep-alive, a closed loop for each client.

It shares the processors with the server it measures, so it does little: about 15 µs of processor
time a request, which :class:`Cell` reports as ``client_us``. Answers are read to their end
(RFC 9112: Content-Length or chunked), counted, and not looked into; ``compare.py`` checks them
once before it measures.
"""

import contextlib
import gc
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# Beyond 128 kB each read would map and unmap memory.
_READ_BYTES = 1 << 16
# Requests under way when the time is up may end; a server that needs longer gave no answer.
_PATIENCE_S = 20.0


@dataclass
class Cell:
    """What one run gave: answers with 200, the seconds they took, and everything else by status.

    Status 0 stands for a connection that the server closed, -1 for an answer that did not come.
    """

    seconds: float = 0.0
    bytes: int = 0
    client_us: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def latency_ms(self, share: float = 0.5) -> float:
        """Return the latency that this share of the answers did not exceed, in milliseconds."""
        ranked = sorted(self.latencies)
        if not ranked:
            return float("inf")
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000


class Connection:
    """One client: sends the next request when the answer to the last one is complete."""

    def __init__(self, port: int, source: str) -> None:
        """Connect from the loopback address ``source``, so that each client has its own."""
        self._where = ("127.0.0.1", port)
        self._source = (source, 0)
        self.started = 0.0
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(self._where, _PATIENCE_S, self._source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def renew(self) -> bool:
        """Connect again, after the server closed; returns whether it is there."""
        self.close()
        try:
            self._connect()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def send(self, request: bytes) -> None:
        """Send a request and note the time."""
        self.started = time.perf_counter()
        # Whoever has hung up is found out when the answer is read.
        with contextlib.suppress(OSError):
            self.socket.sendall(request)

    def receive(self) -> tuple[int, int] | None:
        """Read what has come: (status, bytes) once the answer is whole, else None.

        Status 0 when the server closed the connection before that.
        """
        try:
            data: bytes | bytearray = self.socket.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            return 0, 0
        if self._received:
            self._received += data
            data = self._received
        length = answer_length(data)
        if length is None or len(data) < length:
            if data is not self._received:
                self._received += data
            return None
        self._received = bytearray()
        return int(data[9:12]), length


def answer_length(data: bytes | bytearray) -> int | None:
    """Return the length of an answer with its head, or None when it cannot be told yet."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    start = head.find(b"\r\ncontent-length:")
    if start >= 0:
        return end + 4 + int(head[start + 17 : head.find(b"\r\n", start + 2)])
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        return _chunked_length(data, end + 4)
    return end + 4


def _chunked_length(data: bytes | bytearray, place: int) -> int | None:
    while True:
        end = data.find(b"\r\n", place)
        if end < 0:
            return None
        size = int(data[place:end].split(b";")[0], 16)
        place = end + 2 + size + 2
        if size == 0:
            return place
        if place > len(data):
            return None


def body(answer: bytes) -> bytes:
    """Return the body of a whole answer."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    parts = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        parts.append(rest[:count])
        rest = rest[count + 2 :]
    return b"".join(parts)


def fetch(port: int, request: bytes, timeout_s: float = _PATIENCE_S) -> tuple[int, bytes]:
    """Return status and body of one answer; raises OSError when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(request)
        received = bytearray()
        while (length := answer_length(received)) is None or len(received) < length:
            data = connection.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("the server closed the connection")
            received += data
        return int(received[9:12]), body(bytes(received))


def addresses(count: int) -> list[str]:
    """Return so many loopback addresses, since real clients have one each."""
    return [f"127.0.1.{number + 1}" for number in range(count)]


def run(
    port: int,
    requests: Iterator[bytes],
    sources: Sequence[str],
    seconds: float,
    patience_s: float = _PATIENCE_S,
) -> Cell:
    """Have one client at each of ``sources`` ask one request after the other for so long.

    Answers that are under way then are waited for, ``patience_s`` at most. Clients whose server has
    ended stop.
    """
    try:
        connections = [Connection(port, source) for source in sources]
    except OSError:
        return Cell(failures=Counter({0: len(sources)}))
    gc.disable()
    try:
        return _run(connections, requests, seconds, patience_s)
    finally:
        gc.enable()
        for connection in connections:
            connection.close()


def _run(
    connections: list[Connection], requests: Iterator[bytes], seconds: float, patience_s: float
) -> Cell:
    cell = Cell()
    poll = select.epoll()
    asking: dict[int, Connection] = {}
    cpu, start = time.process_time(), time.perf_counter()
    for connection in connections:
        poll.register(connection.socket, select.EPOLLIN)
        asking[connection.socket.fileno()] = connection
        connection.send(next(requests))
    end = now = start
    stop = start + seconds
    while asking and now < stop + patience_s:
        for descriptor, _ in poll.poll(0.5):
            connection = asking[descriptor]
            answer = connection.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            status, length = answer
            if status == 200:
                cell.latencies.append(now - connection.started)
                cell.bytes += length
                end = now
            else:
                cell.failures[status] += 1
            if status == 0:
                del asking[descriptor]
                if not connection.renew():
                    continue
                poll.register(connection.socket, select.EPOLLIN)
                asking[connection.socket.fileno()] = connection
            if now < stop:
                connection.send(next(requests))
            else:
                del asking[connection.socket.fileno()]
                poll.unregister(connection.socket)
        now = time.perf_counter()
    poll.close()
    cell.failures[-1] += len(asking)
    cell.seconds = end - start
    cell.client_us = (time.process_time() - cpu) * 1e6 / max(1, len(cell.latencies))
    return cell

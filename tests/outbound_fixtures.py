"""Other servers, which answer whatever a test wants."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/sparql-results+json\r\n\r\n"


@contextlib.contextmanager
def answering(
    parts: Iterable[bytes], *, is_silent: bool = False, certificate: Path | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one request on a free port with these bytes; yield the address and what was asked.

    Who is silent says no more after them, and does not hang up either.
    """
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        is_over = threading.Event()

        def answer() -> None:
            with contextlib.suppress(OSError), _accepted(listener, certificate) as connection:
                requests.append(_request(connection))
                for part in parts:
                    connection.sendall(part)
                if is_silent:
                    is_over.wait()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/", requests
        finally:
            is_over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accepted(listener: socket.socket, certificate: Path | None) -> socket.socket:
    connection = listener.accept()[0]
    if certificate is None:
        return connection
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context.wrap_socket(connection, server_side=True)


def _request(connection: socket.socket) -> bytes:
    """Return head and body of a request."""
    data = b""
    while b"\r\n\r\n" not in data and (part := connection.recv(65_536)):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length and (part := connection.recv(65_536)):
        body += part
    return head + b"\r\n\r\n" + body

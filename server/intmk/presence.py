"""Whether the client of a request that takes long is still there.

WSGI does not say, and Granian closes the connection of a client that left without telling the
application. So this process's own connections are looked through: when none of a client's address
can have a request under way, the request was abandoned. A connection on which something was sent
after the last thing received is idle (TCP_INFO of Linux; elsewhere every connection counts), but
not if it was sent just as the request began: then that one was sent ahead (pipelining, RFC 9112
section 9.3.2). Other requests from the same address, through one proxy for example, may hide that
one has left; then the deadline ends its query.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_FOLDERS = ("/proc/self/fd", "/dev/fd")
_NEAR_MS = 100
# struct tcp_info of Linux: milliseconds since something was last sent, and last received.
_SENT_AND_RECEIVED = struct.Struct("=44xI4xI")


class Presence:
    """Tells whether the client of a request has left; False where that cannot be known."""

    def __init__(self, environ: Mapping[str, Any], started: float) -> None:
        """Take the WSGI environment of the request, and when it began (``time.perf_counter``)."""
        self._address = environ.get("REMOTE_ADDR", "")
        # Only of this server it is known that each connection is this process's own.
        self._is_known = environ.get("SERVER_SOFTWARE") == "Granian"
        self._started = started
        self._was_seen = False

    def __call__(self) -> bool:
        """Look once; who was never seen has not left."""
        if not self._is_known:
            return False
        is_here = may_wait(self._address, time.perf_counter() - self._started)
        self._was_seen = self._was_seen or is_here
        return self._was_seen and not is_here


def may_wait(address: str, age_s: float) -> bool:
    """Tell whether a connection from an IP address may wait for a request begun so long ago.

    True where the process's connections cannot be listed.
    """
    folder = next((one for one in _FOLDERS if os.path.isdir(one)), None)  # noqa: PTH112
    if folder is None:
        return True
    return any(_may_wait(int(name), address, age_s) for name in os.listdir(folder))  # noqa: PTH208


def _may_wait(descriptor: int, address: str, age_s: float) -> bool:
    with suppress(OSError, ValueError):
        connection = socket.socket(fileno=descriptor)
        try:
            return _is_from(connection, address) and not _is_idle(connection, age_s)
        finally:
            # It is the server's, not ours to close.
            connection.detach()
    return False


def _is_from(connection: socket.socket, address: str) -> bool:
    internet = (socket.AF_INET, socket.AF_INET6)
    if connection.family not in internet:
        return False
    peer: str = connection.getpeername()[0]
    return peer == address


def _is_idle(connection: socket.socket, age_s: float) -> bool:
    if not hasattr(socket, "TCP_INFO"):
        return False
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SENT_AND_RECEIVED.size)
    sent_ms, received_ms = _SENT_AND_RECEIVED.unpack(info)
    return bool(sent_ms < received_ms and abs(sent_ms - age_s * 1000) > _NEAR_MS)

"""One question to another server, with nothing of it trusted.

The connection goes to an address that was checked, follows no redirect, and has a limit of time
and of bytes, however slowly or densely the bytes come.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast
from urllib.parse import SplitResult, urlencode, urlsplit

from intmk.errors import ClientLeft, ServiceFailed, ServiceTimeout

_POLL_S = 0.2
_CHUNK_BYTES = 65_536
_TOLD_BYTES = 300
# Addresses that stand for those of IPv4 (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NARROW = "Narrow the pattern inside SERVICE: bind more of it there, for example with VALUES."


class Budget:
    """The time and the bytes that several requests may take together."""

    def __init__(self, seconds: float, count: int, has_left: Callable[[], bool]) -> None:
        """Begin now with so many seconds and bytes; ``has_left`` tells that nobody waits."""
        self._seconds = seconds
        self._ends_s = time.monotonic() + seconds
        self._bytes = self._left_bytes = count
        self._has_left = has_left

    def left_s(self) -> float:
        """Return the seconds that are left; raises ServiceTimeout when there are none."""
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            detail = f"Other servers may take {self._seconds:g} s for one query."
            raise ServiceTimeout(detail, hint=_NARROW, limit_s=self._seconds)
        return left_s

    def take(self, count: int) -> int:
        """Take so many bytes and return how many; raises ServiceFailed when there are fewer."""
        self._left_bytes -= count
        if self._left_bytes < 0:
            detail = f"Other servers may answer {self._bytes} bytes for one query; there are more."
            raise ServiceFailed(detail, hint=_NARROW)
        return count

    def look_around(self) -> None:
        """Raise ClientLeft when nobody waits any more."""
        if self._has_left():
            raise ClientLeft("The client hung up.")


def post(url: str, form: dict[str, str], media_types: tuple[str, ...], budget: Budget) -> bytes:
    """Post a form to an ASCII http or https address; return the body, of one of the media types.

    Raises ServiceFailed, ServiceTimeout and ClientLeft. Of a host that is not given as a number
    only public addresses are asked. The name is looked up once, in the resolver's own time.
    """
    address = urlsplit(url)
    try:
        with _connected(address, budget) as connection:
            response = _asked(address, form, media_types, connection, budget)
            _check(url, response, media_types)
            return b"".join(iter(partial(response.read, _CHUNK_BYTES), b""))
    except TimeoutError:
        budget.left_s()
        raise ServiceFailed(f"<{url}> cannot be reached.") from None
    except (OSError, http.client.HTTPException) as error:
        reason = str(error)[:200] or "it hung up"
        raise ServiceFailed(f"<{url}> cannot be read: {reason}.") from error


def _connected(address: SplitResult, budget: Budget) -> socket.socket:
    host, is_secure = address.hostname or "", address.scheme == "https"
    port = address.port or (443 if is_secure else 80)
    connection = _first(_places(host, port), port, budget)
    connection.settimeout(budget.left_s())
    if not is_secure:
        return connection
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _first(places: list[str], port: int, budget: Budget) -> socket.socket:
    """Return a connection to the first address that takes one."""
    for number, place in enumerate(places, 1):
        wait_s = budget.left_s() / (len(places) + 1 - number)
        try:
            return socket.create_connection((place, port), wait_s)
        except OSError:
            if number == len(places):
                raise
    raise AssertionError("there is no address")


def _places(host: str, port: int) -> list[str]:
    """Return the addresses of a host that may be asked."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = list(dict.fromkeys(str(row[4][0]) for row in found))
    allowed = [place for place in places if host in ("localhost", place) or is_public(place)]
    if not allowed:
        raise ServiceFailed(
            f"The name {host} does not lead to a public address.",
            hint="The operator can allow an address that is not public by its number.",
        )
    return allowed


def is_public(place: str) -> bool:
    """Tell whether an IP address is one of the public internet, and not by way of a tunnel."""
    address = ipaddress.ip_address(place.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour or address.teredo:
            return False
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Incoming(io.RawIOBase):
    """What comes in on a connection within a budget, as ``http.client`` reads it."""

    def __init__(self, connection: socket.socket, budget: Budget) -> None:
        self._connection = connection
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._connection.settimeout(min(self._budget.left_s(), _POLL_S))
            try:
                return self._budget.take(self._connection.recv_into(buffer))
            except TimeoutError:
                self._budget.look_around()

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _asked(
    address: SplitResult,
    form: dict[str, str],
    media_types: tuple[str, ...],
    connection: socket.socket,
    budget: Budget,
) -> http.client.HTTPResponse:
    """Send the form; return the answer with its body still to be read."""
    headers = {
        "Host": address.netloc,
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": media_types[0],
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "intmk",
    }
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    request = http.client.HTTPConnection(address.hostname or "")
    request.sock = connection
    request.request("POST", target, urlencode(form), headers)
    response = http.client.HTTPResponse(cast(Any, _Incoming(connection, budget)), method="POST")
    response.begin()
    return response


def _check(url: str, response: http.client.HTTPResponse, media_types: tuple[str, ...]) -> None:
    """Raise ServiceFailed for what is not an answer of one of the media types as it is."""
    media_type = response.headers.get_content_type()
    if response.status != 200:
        is_text = media_type == "text/plain"
        said = f": {response.read(_TOLD_BYTES).decode(errors='replace')}" if is_text else ""
        where = ", and redirects are not followed" if 300 <= response.status < 400 else ""
        raise ServiceFailed(f"<{url}> answered {response.status}{where}{said}.")
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ServiceFailed(f"<{url}> answered in a coding that was not asked for.")
    if media_type not in media_types:
        raise ServiceFailed(f"<{url}> answered {media_type[:80]}, not {media_types[0]}.")

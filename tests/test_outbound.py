"""What reaches another server, and how little of one is believed."""

import gzip
import itertools
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from intmk import outbound
from intmk.errors import ClientLeft, ServiceFailed, ServiceTimeout
from intmk.outbound import Budget
from outbound_fixtures import OK, answering

JSON = ("application/sparql-results+json", "application/json")


def post(url: str, seconds: float = 60, count: int = 100_000) -> bytes:
    """Ask an address for JSON."""
    return outbound.post(url, {"query": "ASK {}"}, JSON, Budget(seconds, count, lambda: False))


def test_a_question_is_a_form() -> None:
    """Method, target, host and length are those of HTTP; no coding is asked for."""
    with answering([OK, b"{}"]) as (url, requests):
        assert post(f"{url}sparql?x=1") == b"{}"
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /sparql?x=1 HTTP/1.1"
    assert f"Host: {url.split('/')[2]}" in lines
    assert "Accept-Encoding: identity" in lines
    assert f"Content-Length: {len(body)}" in lines
    assert body == b"query=ASK+%7B%7D"


@pytest.mark.parametrize(
    ("place", "is_public"),
    [
        ("9.9.9.9", True),
        ("2620:fe::fe", True),
        ("64:ff9b::909:909", True),
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%lo", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:9.9.9.9", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::1", False),
        ("2001:0:7f00:1::1", False),
    ],
)
def test_only_the_public_internet_is_public(place: str, is_public: bool) -> None:
    """Not loopback, private, link-local, shared, documentation, multicast or reserved addresses,
    and none of these in the clothes of another."""
    assert outbound.is_public(place) is is_public


@pytest.mark.parametrize("host", ["127.1", "0x7f.0.0.1", "2130706433", "0"])
def test_a_name_that_leads_inside_is_not_followed(host: str) -> None:
    """Nobody knocks: only an address written out as such was meant as such."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://{host}:{listener.getsockname()[1]}/"
        with pytest.raises(ServiceFailed, match="public address"):
            post(url)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_inside_can_be_named(host: str) -> None:
    """By its number, and loopback by its name."""
    with answering([OK, b"{}"]) as (url, _):
        assert post(url.replace("127.0.0.1", host)) == b"{}"


def test_a_redirect_is_told_and_not_followed() -> None:
    """Wherever it leads."""
    with (
        answering([OK, b"{}"]) as (inner, asked),
        answering([f"HTTP/1.1 307 Go\r\nLocation: {inner}\r\n\r\n".encode()]) as (url, _),
    ):
        with pytest.raises(ServiceFailed, match="307, and redirects are not followed"):
            post(url)
        assert asked == []


def pieces(*parts: bytes, last: bytes) -> Iterator[bytes]:
    """Yield parts, and then the last one for ever."""
    yield from parts
    yield from itertools.repeat(last)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, tuple[Iterable[bytes], str]] = {
    "a body without end": (pieces(OK, last=b" " * 10_000), "more"),
    "chunks without end": (pieces(CHUNKED, last=b"3e8\r\n" + b" " * 1000 + b"\r\n"), "more"),
    "headers without end": (pieces(b"HTTP/1.1 200 OK\r\n", last=b"X: y\r\n"), "headers"),
    "a header without end": (pieces(b"HTTP/1.1 200 OK\r\nX: ", last=b"y" * 1000), "line"),
    "a status without end": (pieces(b"HTTP/1.1 200 ", last=b"y" * 1000), "line"),
    "continue without end": (pieces(last=b"HTTP/1.1 100 Continue\r\n\r\n"), "more"),
    "a length of a terabyte": (
        [OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000000000\r\n\r\n"), b" " * 200_000],
        "more",
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_end_is_ended(name: str) -> None:
    """By the limit of bytes, or by that of headers."""
    parts, word = ENDLESS[name]
    with answering(parts) as (url, _), pytest.raises(ServiceFailed, match=word):
        post(url)


@pytest.mark.parametrize("parts", [[], [OK], [OK, b"{"], [b"HTTP/1.1 200 OK\r\nA"]])
def test_who_says_nothing_is_not_waited_for(parts: list[bytes]) -> None:
    """Silence, before the answer or in it, ends with the time there is."""
    with answering(parts, is_silent=True) as (url, _), pytest.raises(ServiceTimeout):
        post(url, seconds=0.3)


def test_who_drips_is_not_waited_for() -> None:
    """The time is for all, not for each byte."""
    patience = threading.Event()

    def drip() -> Iterator[bytes]:
        yield OK
        while not patience.wait(0.01):
            yield b" "

    with answering(drip()) as (url, _), pytest.raises(ServiceTimeout):
        post(url, seconds=0.3)


def test_nobody_is_waited_for_when_nobody_waits() -> None:
    """A client that hangs up ends the request."""
    budget = Budget(60, 1000, lambda: True)
    with answering([], is_silent=True) as (url, _), pytest.raises(ClientLeft):
        outbound.post(url, {}, JSON, budget)


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"
ERROR = b"HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nno such x"
WRONG: dict[str, tuple[bytes, str]] = {
    "a page": (HTML, "text/html"),
    "an error with a reason": (ERROR, "400: no such x"),
    "an error with a page": (HTML.replace(b"200", b"503"), "503"),
    "no type": (b"HTTP/1.1 200 OK\r\n\r\n{}", "text/plain"),
    "no HTTP": (b"hello\r\n\r\n", "hello"),
    "nothing": (b"", "cannot be read"),
    "half a chunk": (CHUNKED + b"5\r\n{}", "cannot be read"),
    "no chunk": (CHUNKED + b"zz\r\n{}", "cannot be read"),
    "compressed": (
        OK.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
        + gzip.compress(bytes(10_000_000)),
        "coding",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_told(name: str) -> None:
    """With what came instead."""
    data, word = WRONG[name]
    with answering([data]) as (url, _), pytest.raises(ServiceFailed, match=word) as caught:
        post(url)
    assert url in caught.value.detail


def test_a_server_that_is_not_there_is_told() -> None:
    """Nobody listens, or nobody has the name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    for one in (url, "http://nobody.invalid/"):
        with pytest.raises(ServiceFailed, match="cannot be read"):
            post(one)


CERTIFICATE = Path(__file__).parent / "fixtures" / "tls" / "localhost.pem"


def test_a_certificate_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot prove to be the host is not asked: one that nobody trusts, one of another name."""

    def ask(host: str) -> bytes:
        with answering([OK, b"{}"], certificate=CERTIFICATE) as (url, asked):
            try:
                return post(url.replace("http://127.0.0.1", f"https://{host}"))
            except ServiceFailed:
                assert asked == []
                raise

    with pytest.raises(ServiceFailed, match="self-signed"):
        ask("localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert ask("localhost") == b"{}"
    with pytest.raises(ServiceFailed, match=r"not valid for '127\.0\.0\.1'"):
        ask("127.0.0.1")


def test_requests_share_a_budget() -> None:
    """What one has taken is not there for the next."""
    budget = Budget(60, 300, lambda: False)

    def ask() -> bytes:
        with answering([OK, b" " * 100]) as (url, _):
            return outbound.post(url, {}, JSON, budget)

    assert ask() == b" " * 100
    with pytest.raises(ServiceFailed, match="300 bytes"):
        ask()

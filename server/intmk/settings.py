"""Every setting once: its name, default and meaning, read from flags and environment."""

import base64
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

PREFIX = "INTMK_"


class SettingError(ValueError):
    """A setting's value cannot be read; the message names the setting, the value and the remedy."""


class Setting(NamedTuple):
    """One row of the table: how a setting is called, read and explained."""

    name: str
    default: str
    help: str
    type: Callable[[str], object]

    @property
    def variable(self) -> str:
        """The environment variable that holds this setting."""
        return PREFIX + self.name.upper()


def is_address(text: object) -> bool:
    """Tell whether a store is named by the address of a SPARQL endpoint, or of what a path makes
    of one."""
    return str(text).lower().startswith(("http:/", "https:/"))


def credentials(address: str) -> dict[str, str]:
    """Return the header for the name and password in an address (RFC 7617), if it has them."""
    parts = urlsplit(address)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def shown(address: str) -> str:
    """Return an address without the name and password that may stand in it."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _path(text: str) -> Path:
    if is_address(text):
        raise ValueError("a folder")
    return Path(text).expanduser().resolve()


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("a whole number from 0")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("a number above 0")
    return value


def _several(text: str) -> int:
    value = int(text)
    if value < 2:
        raise ValueError("a whole number from 2")
    return value


def _switch(text: str) -> str:
    if text not in ("on", "off"):
        raise ValueError("on or off")
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and not (is_address(text) and parts.hostname and parts.port != 0):
        raise ValueError("an http or https address")
    return text


def _networks(text: str) -> str:
    for one in [] if text == "none" else text.split(","):
        ipaddress.ip_network(one.strip())
    return text


def _endpoints(text: str) -> str:
    for one in [] if text == "none" else text.split(","):
        parts = urlsplit(one.strip())
        is_plain = one.isascii() and not parts.fragment and "@" not in parts.netloc
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
            raise ValueError("none, or addresses such as https://example.org/sparql")
        _ = parts.port
    return text


# A default of "" is derived from other settings or from the machine; `help` says how.
SETTINGS = (
    Setting(
        "root",
        "",
        "Folder with ontology/, shapes/, data/ and queries/; "
        "by default the checkout, or the copy inside an installed package.",
        _path,
    ),
    Setting(
        "store",
        "",
        "Folder of the built versions; by default var/ in the root. "
        "Only intmk serve takes the address of a SPARQL endpoint as well.",
        _path,
    ),
    Setting(
        "remote",
        "",
        "Address of a SPARQL 1.1 endpoint that answers in place of a store, "
        "with parameters that every query gets; by default none.",
        _address,
    ),
    Setting("host", "127.0.0.1", "Address to listen on.", str),
    Setting("port", "8000", "Port to listen on.", _count),
    Setting(
        "public_url",
        "",
        "Address under which clients reach the server, without a slash at the end; "
        "by default http://HOST:PORT.",
        str,
    ),
    Setting("front_workers", "2", "Processes that speak HTTP.", _count),
    Setting("front_threads", "64", "Requests each of these processes handles at once.", _count),
    Setting(
        "query_workers",
        "",
        "Processes that evaluate queries; by default one for each processor, at least two.",
        _count,
    ),
    Setting("query_timeout_s", "10", "Seconds of evaluation one query may take.", _positive),
    Setting(
        "slow_after_s",
        "0.2",
        "Seconds after which a query counts as long: it gets less of the processors, and its "
        "worker is replaced for the others.",
        _positive,
    ),
    Setting("query_memory_mb", "2048", "Megabytes one query may take beyond the graph.", _count),
    Setting(
        "slow_workers",
        "",
        "Long queries that may run at once; beyond it the address with the most loses its latest. "
        "By default as many as half of the memory has room for, from 4 to 16.",
        _count,
    ),
    Setting("query_bytes", "1000000", "Bytes a request body may have.", _count),
    Setting("result_bytes", "500000000", "Bytes an answer may have.", _count),
    Setting(
        "queue_length",
        "128",
        "Queries that may wait for a worker in each process that speaks HTTP.",
        _count,
    ),
    Setting("queue_wait_s", "5", "Seconds a query may wait for a worker.", _positive),
    Setting(
        "cache_mb",
        "64",
        "Megabytes of answers each HTTP process keeps to give again while the version lasts.",
        _count,
    ),
    Setting(
        "trusted_proxies",
        "none",
        "Addresses or networks of proxies, with commas between, whose X-Forwarded-For is believed.",
        _networks,
    ),
    Setting(
        "access_log",
        "none",
        "File to which a JSON line is added for each request; - for the error output.",
        str,
    ),
    Setting("send_timeout_s", "30", "Seconds a client may take no byte of its answer.", _positive),
    Setting(
        "memory_store_mb",
        "1024",
        "Megabytes a graph may take in memory; a larger one is read from disk.",
        _count,
    ),
    Setting(
        "services",
        "none",
        "Endpoints that queries may ask with SERVICE, as IRIs with commas between.",
        _endpoints,
    ),
    Setting("service_timeout_s", "10", "Seconds other servers may take for one query.", _positive),
    Setting("service_bytes", "5000000", "Bytes other servers may answer for one query.", _count),
    Setting("gate", "on", "Whether a write that breaks a rule is refused: on or off.", _switch),
    Setting("write_timeout_s", "60", "Seconds one write may take.", _positive),
    Setting("write_memory_mb", "2048", "Megabytes one write may take.", _count),
    Setting("write_bytes", "20000000", "Bytes the body of a write may have.", _count),
    Setting("write_queue", "8", "Writes that may be made or wait at once.", _count),
    Setting("write_wait_s", "30", "Seconds a write may wait for those before it.", _positive),
    Setting(
        "follow",
        "",
        "Address of a server of this kind whose graph this one copies; by default none.",
        _address,
    ),
    Setting("follow_every_s", "5", "Seconds between two looks at that server.", _positive),
    Setting("follow_bytes", "1000000000", "Bytes a version copied from there may have.", _count),
    Setting("follow_timeout_s", "600", "Seconds one copy may take to arrive.", _positive),
    Setting("keep_versions", "10", "Versions that are kept, at least two.", _several),
)


@dataclass(frozen=True)
class Settings:
    """The values in force; made by :func:`read`, which documents where they come from."""

    root: Path
    store: Path
    remote: str
    host: str
    port: int
    public_url: str
    front_workers: int
    front_threads: int
    query_workers: int
    query_timeout_s: float
    slow_after_s: float
    query_memory_mb: int
    slow_workers: int
    query_bytes: int
    result_bytes: int
    queue_length: int
    queue_wait_s: float
    cache_mb: int
    trusted_proxies: str
    access_log: str
    send_timeout_s: float
    memory_store_mb: int
    services: str
    service_timeout_s: float
    service_bytes: int
    gate: str
    write_timeout_s: float
    write_memory_mb: int
    write_bytes: int
    write_queue: int
    write_wait_s: float
    follow: str
    follow_every_s: float
    follow_bytes: int
    follow_timeout_s: float
    keep_versions: int

    def environment(self) -> dict[str, str]:
        """Return these settings as the variables that make a child process read them again."""
        return {row.variable: str(getattr(self, row.name)) for row in SETTINGS}


def read(
    explicit: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings: ``explicit`` values (flags; None means not given), else the
    environment's ``INTMK_`` variables, else the defaults.

    Raises SettingError when a value cannot be read.
    """
    given = {name: str(value) for name, value in (explicit or {}).items() if value is not None}
    values: dict[str, Any] = {}
    for row in SETTINGS:
        text = given.get(row.name) or environ.get(row.variable) or row.default
        values[row.name] = _value(row, text) if text else _derived(row.name, values)
    return Settings(**values)


def _value(row: Setting, text: str) -> object:
    try:
        return row.type(text)
    except ValueError as error:
        raise SettingError(
            f"The setting {row.name} ({row.variable}) cannot be {text!r}. {row.help}"
        ) from error


def _derived(name: str, values: Mapping[str, Any]) -> object:
    """Return a default that follows from earlier rows of the table or from the machine."""
    if name == "root":
        return _default_root()
    if name == "store":
        return values["root"] / "var"
    if name in ("remote", "follow"):
        return ""
    if name == "public_url":
        return f"http://{values['host']}:{values['port']}"
    if name == "slow_workers":
        return max(4, min(16, _memory_mb() // 2 // values["query_memory_mb"]))
    return max(2, os.cpu_count() or 1)


def _memory_mb() -> int:
    """Return the memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000


def _default_root() -> Path:
    """Return the graph inside an installed package, else the checkout around this file."""
    package = Path(__file__).resolve().parent
    return package / "graph" if (package / "graph").is_dir() else package.parents[1]

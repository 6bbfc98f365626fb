"""Engines of others on a free port: Oxigraph's own server, and Virtuoso where it is installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

_DEFAULT_GRAPH = "urn:default"
_PROGRAMS = ("virtuoso-t", "isql-vt")
_INI = """
[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
[TempDatabase]
DatabaseFile = temp.db
TransactionFile = temp.trx
[Parameters]
ServerPort = {sql_port}
DirsAllowed = ., {allowed}
NumberOfBuffers = 20000
MaxDirtyBuffers = 15000
[HTTPServer]
ServerPort = {port}
ServerThreads = 10
[SPARQL]
ResultSetMaxRows = {most_rows}
"""


@contextlib.contextmanager
def oxigraph(dump: Path, *options: str) -> Iterator[str]:
    """Serve N-Quads with ``oxigraph serve``, from memory; yield the address of its endpoint."""
    port = free_port()
    program = Path(sys.executable).with_name("oxigraph")
    command = [str(program), "serve", *options, "--bind", f"127.0.0.1:{port}"]
    with _running(command, dump.parent, port):
        requests.post(
            f"http://127.0.0.1:{port}/store",
            dump.read_bytes(),
            headers={"Content-Type": "application/n-quads"},
            timeout=60,
        ).raise_for_status()
        yield f"http://127.0.0.1:{port}/query"


@contextlib.contextmanager
def virtuoso(dump: Path, folder: Path, most_rows: int = 1_000_000) -> Iterator[str]:
    """Serve N-Quads with Virtuoso from a folder; yield the address of its endpoint.

    It has no default graph of its own; the address names the graph that stands for it.
    """
    _need_virtuoso()
    port, sql_port = free_port(), free_port()
    text = _INI.format(port=port, sql_port=sql_port, allowed=dump.parent, most_rows=most_rows)
    (folder / "virtuoso.ini").write_text(text)
    command = [str(shutil.which("virtuoso-t")), "+foreground", "+configfile", "virtuoso.ini"]
    load = f"TTLP_MT(file_open('{dump}'), '', '{_DEFAULT_GRAPH}', 512, 2);"  # 512: N-Quads
    with _running(command, folder, port):
        isql = [str(shutil.which("isql-vt")), str(sql_port), "dba", "dba", f"EXEC={load}"]
        subprocess.run(isql, check=True, capture_output=True)
        graph = quote(_DEFAULT_GRAPH, safe="")
        yield f"http://127.0.0.1:{port}/sparql?default-graph-uri={graph}"


def _need_virtuoso() -> None:
    missing = [program for program in _PROGRAMS if not shutil.which(program)]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{' and '.join(missing)} of virtuoso-opensource-7 not installed")
    assert not missing


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    """Run a server until the block ends; what it says goes to the file ``log`` in the folder."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _await_port(process, port)
        yield
    finally:
        process.kill()
        process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    patience = threading.Event()
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        patience.wait(0.02)
    raise AssertionError(f"{process.args} has ended with {process.returncode}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port

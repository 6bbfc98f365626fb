"""The servers that are compared: how each is installed, loaded and started.

Installed into ``var/benchmarks/``, each in a place of its own, at the versions named here.
"""

import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path

import client
import processes
from pyoxigraph import RdfFormat, Store

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = ROOT / "var" / "benchmarks"
OXIGRAPH = "oxigraph==0.5.13"
RDFLIB_ENDPOINT = ("rdflib-endpoint[cli]==0.6.3", "uvicorn")
COMUNICA = "@comunica/query-sparql-file@5.3.0"
_FIRST_ANSWER_S = 900.0


class Peer:
    """One server: how it is installed, given a graph, and started."""

    name = ""
    path = "/sparql?"

    def version(self) -> str:
        """Return what runs, as a reader would look for it."""
        return self.name

    def install(self) -> None:
        """Install what is not there yet. Raises OSError or CalledProcessError."""

    def load(self, dump: Path, folder: Path) -> None:
        """Prepare ``folder`` from the N-Quads of a graph, before the server is started."""

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command that serves the graph on this port."""
        raise NotImplementedError

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        """Return variables to be set for the command."""
        return {}

    def fill(self, dump: Path, port: int) -> None:
        """Give the graph to the running server, if it wants it that way."""


class Intmk(Peer):
    """Our server as ``intmk serve`` starts it, on a version that nothing had to validate."""

    name = "intmk"

    def load(self, dump: Path, folder: Path) -> None:
        """Lay out a store as ``intmk build`` does."""
        version = folder / "versions" / "0000000000000001"
        version.mkdir(parents=True)
        shutil.copyfile(dump, version / "dump.nq")
        store = Store(str(version / "db"))
        store.bulk_load(path=dump, format=RdfFormat.N_QUADS)
        store.optimize()
        store.flush()
        (folder / "current").symlink_to(Path("versions") / version.name)

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command."""
        code = "from intmk import app, settings; app.serve(settings.read())"
        return [sys.executable, "-c", code]

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        """Return the settings."""
        return {"INTMK_ROOT": str(ROOT), "INTMK_STORE": str(folder), "INTMK_PORT": str(port)}


class OxigraphDisk(Peer):
    """``oxigraph serve`` on a folder; the binary comes from PyPI."""

    name = "oxigraph-disk"
    path = "/query?"

    def version(self) -> str:
        """Return the version."""
        return OXIGRAPH.replace("==", " ")

    def install(self) -> None:
        """Install the server's binary into a virtual environment."""
        _install_python("oxigraph", OXIGRAPH)

    def load(self, dump: Path, folder: Path) -> None:
        """Load in bulk."""
        _run([str(_BINARY), "load", "--location", str(folder / "db"), "--file", str(dump)])
        _run([str(_BINARY), "optimize", "--location", str(folder / "db")])

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command."""
        where = ["--location", str(folder / "db")]
        return [str(_BINARY), "serve", *where, "--bind", f"127.0.0.1:{port}"]


class OxigraphMemory(OxigraphDisk):
    """``oxigraph serve`` without a folder, filled over HTTP."""

    name = "oxigraph-memory"

    def load(self, dump: Path, folder: Path) -> None:
        """Do nothing: there is no folder."""

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command."""
        return [str(_BINARY), "serve", "--bind", f"127.0.0.1:{port}"]

    def fill(self, dump: Path, port: int) -> None:
        """Post the graph to the server's store."""
        head = (
            "POST /store HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/n-quads\r\n"
            f"Content-Length: {dump.stat().st_size}\r\n\r\n"
        )
        status, body = client.fetch(port, head.encode() + dump.read_bytes(), _FIRST_ANSWER_S)
        if status >= 300:
            raise processes.NotStarted(f"{status} {body[:200]!r}")


class RdflibEndpoint(Peer):
    """``rdflib-endpoint`` from PyPI: RDFLib behind FastAPI and uvicorn."""

    name = "rdflib-endpoint"
    path = "/?"

    def version(self) -> str:
        """Return the version."""
        return "rdflib-endpoint 0.6.3"

    def install(self) -> None:
        """Install it into a virtual environment."""
        _install_python("rdflib-endpoint", *RDFLIB_ENDPOINT)

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return a command that keeps the graphs apart; its own command merges them all."""
        code = (
            "import sys, uvicorn\n"
            "from rdflib import Dataset\n"
            "from rdflib_endpoint import SparqlEndpoint\n"
            "graph = Dataset(default_union=False)\n"
            "graph.parse(sys.argv[1], format='nquads')\n"
            "app = SparqlEndpoint(graph=graph)\n"
            "uvicorn.run(app, port=int(sys.argv[2]), log_level='error')\n"
        )
        python = INSTALLED / "rdflib-endpoint" / "bin" / "python"
        return [str(python), "-c", code, str(dump), str(port)]


class Comunica(Peer):
    """``comunica-sparql-file-http`` from npm, on two worker threads as we have two processors."""

    name = "comunica"

    def version(self) -> str:
        """Return the version."""
        return COMUNICA.removeprefix("@")

    def install(self) -> None:
        """Install it with npm."""
        folder = INSTALLED / "comunica"
        if _is_installed(folder, COMUNICA):
            return
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        quiet = ["--no-audit", "--no-fund", "--silent", "--omit-lockfile-registry-resolved"]
        _run(["npm", "install", *quiet, COMUNICA], folder)
        (folder / "installed").write_text(COMUNICA)

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command."""
        binary = INSTALLED / "comunica" / "node_modules" / ".bin" / "comunica-sparql-file-http"
        workers = ["--workers", str(os.cpu_count() or 1)]
        return [str(binary), str(dump), "--port", str(port), *workers, "--timeout", "60"]

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        """Return the memory Node may take."""
        return {"NODE_OPTIONS": "--max-old-space-size=8192"}


_BINARY = INSTALLED / "oxigraph" / "bin" / "oxigraph"
PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (Intmk, OxigraphMemory, OxigraphDisk, RdflibEndpoint, Comunica)
}


def _install_python(name: str, *packages: str) -> None:
    folder = INSTALLED / name
    if _is_installed(folder, " ".join(packages)):
        return
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--disable-pip-version-check", *packages])
    (folder / "installed").write_text(" ".join(packages))


def _is_installed(folder: Path, what: str) -> bool:
    note = folder / "installed"
    return note.is_file() and note.read_text() == what


def _run(command: list[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_FIRST_ANSWER_S)


def await_answer(pid: int, port: int, request: bytes) -> None:
    """Return once a query is answered with 200; raises NotStarted when that takes too long."""
    stop = time.monotonic() + _FIRST_ANSWER_S
    problem = "no answer"
    while time.monotonic() < stop and processes.is_running(pid):
        try:
            status, body = client.fetch(port, request, _FIRST_ANSWER_S)
        except OSError as error:
            problem = str(error)
        else:
            if status == 200:
                return
            problem = f"{status} {body[:200]!r}"
        time.sleep(0.005)
    raise processes.NotStarted(problem)

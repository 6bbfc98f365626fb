"""The README: its examples give, on a real server, exactly the answers printed below them."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_EXAMPLE = re.compile(r"```sh\n(curl .+?)```\n+```\n(.+?)```", re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Return (command, printed answer) of each curl example."""
    return _EXAMPLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the real graph on a free port, as `make serve` does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = tmp_path_factory.mktemp("store")
    command = [str(Path(sys.executable).parent / "intmk"), "serve", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout
        line = next(line for line in server.stdout if b"http://" in line)
        yield re.search(r"http://\S+", line.decode())[0]
        server.terminate()


def test_there_are_three_examples() -> None:
    """The README shows three questions and their answers."""
    assert len(examples()) == 3


@pytest.mark.parametrize(("command", "printed"), examples())
def test_an_example_works_as_printed(command: str, printed: str, address: str) -> None:
    """A reader who pastes the command sees what the README shows."""
    command = command.replace("http://127.0.0.1:8000", address)
    # The address is printed a moment before it is listened on.
    patient = 'curl() { command curl --retry 20 --retry-connrefused --retry-delay 1 "$@"; }; '
    shell = ["bash", "-c", patient + command]
    done = subprocess.run(shell, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().replace("\r\n", "\n") == printed

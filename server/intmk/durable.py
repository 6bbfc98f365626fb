"""Files that survive the loss of power: written whole or not at all."""

import os
from pathlib import Path


def write(path: Path, data: str | bytes) -> None:
    """Put a file in its place in one step; text is UTF-8 with lines ending as given."""
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    with beside.open("wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def append(path: Path, line: str) -> None:
    """Add a line to a file that only grows; a last line that a crash tore is left behind."""
    is_torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    with path.open("ab") as file:
        file.write((("\n" if is_torn else "") + line + "\n").encode())
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def sync(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

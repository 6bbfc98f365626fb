"""The record of versions: which was published when, after which one, and by what.

``<store>/versions.jsonl`` holds one JSON object a line, oldest first, and only ever grows; it
stands beside the graph, so that nothing inside a version depends on the time. A version may be
published more than once, each time under a new number. What makes a version current is the link
``current`` alone: the record of a publication waits in ``pending`` while the link is swapped, so
that after a crash the journal says what the link says.
"""

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from intmk.errors import NotFound

JOURNAL, PENDING = "versions.jsonl", "pending"
# How a version came about: from the files, by a SPARQL update, through the Graph Store Protocol,
# from a backup, by a proposal that was accepted, or by taking changes back.
BUILD, UPDATE, GRAPHS, RESTORE = "build", "update", "graphs", "restore"
PROPOSAL, ROLLBACK = "proposal", "rollback"
# Copied from another server.
REPLICA = "replica"
_ID_CHARACTERS = 16


class Record(NamedTuple):
    """One publication.

    ``number`` counts from 1, ``id`` is the version's, ``time`` is UTC after RFC 3339, ``parent``
    the id that was current before. ``triples`` are those of the default graph, ``quads`` all.
    ``kind`` is one of those above, ``by`` the name of the token used. ``author`` and ``reason`` say
    whose change it is and why, ``proposal`` is the number of the proposal that it was, ``comment``
    what its reviewer said. ``findings`` counts what was doubtful in it and was let through.
    """

    number: int
    id: str
    time: str
    parent: str | None
    triples: int
    quads: int
    kind: str
    by: str | None = None
    author: str | None = None
    reason: str | None = None
    proposal: int | None = None
    comment: str | None = None
    findings: int = 0


def records(store: Path) -> list[Record]:
    """Return all records, oldest first; a last line that a power cut tore is left out."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for row in (store / JOURNAL).read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, TypeError):
                found.append(Record(**json.loads(row)))
    return found


def last(store: Path) -> Record | None:
    """Return the newest record, or None when nothing was published."""
    found = records(store)
    return found[-1] if found else None


def find(store: Path, key: str) -> Record:
    """Return the newest record of a version, given as its number or its id.

    Raises NotFound when there was never such a version.
    """
    is_number = key.isascii() and key.isdigit() and len(key) < _ID_CHARACTERS
    for record in reversed(records(store)):
        if record.id == key or (is_number and record.number == int(key)):
            return record
    raise NotFound(
        f"There was never a version {key[:80]!r}.", hint="The address /versions lists them."
    )


def record(store: Path, new: Record, swap: Callable[[], object]) -> Record:
    """Make a version current with ``swap``, and keep its record, numbered and timed here.

    Whoever calls holds the store's lock. Killed at any moment, ``settle`` puts it right.
    """
    before = last(store)
    time = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    new = new._replace(number=before.number + 1 if before else 1, time=time)
    _write(store / PENDING, line(new), "w")
    swap()
    settle(store, new.id)
    return new


def settle(store: Path, current: str | None) -> None:
    """Finish or forget a publication that was interrupted, by what the link says."""
    try:
        pending = Record(**json.loads((store / PENDING).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        pending = None
    if pending and pending.id == current and pending not in records(store):
        path = store / JOURNAL
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        _write(path, ("\n" if torn else "") + line(pending), "a")
    (store / PENDING).unlink(missing_ok=True)


def line(entry: Record) -> str:
    """Return a record as a line of the journal."""
    return json.dumps(entry._asdict(), ensure_ascii=False) + "\n"


def _write(path: Path, text: str, mode: str) -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())

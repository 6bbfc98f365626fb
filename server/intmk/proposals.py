"""Proposals as they are kept: what was proposed never changes, and what became of it is added.

``<store>/proposals/<number>/`` holds ``proposal.json`` (who, why, from which sources),
``change.rdfp`` (the statements), ``update.ru`` (the SPARQL update they come from, if any),
``events.jsonl`` (rejections and conflicts) and ``assessment.json`` (what it would do, to be worked
out anew at any time). That a proposal was accepted is said by the journal alone, so it is accepted
if, and only if, its change was made.
"""

import contextlib
import fcntl
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from intmk import durable, journal, patch
from intmk.errors import Conflict, InvalidRequest, NotFound
from intmk.patch import Patch

FOLDER = "proposals"
OPEN, ACCEPTED, REJECTED, CONFLICTING = "open", "accepted", "rejected", "conflicting"
STATES = (OPEN, CONFLICTING, ACCEPTED, REJECTED)
_LONGEST = 10_000
_UPDATE = "update.ru"


class Proposal(NamedTuple):
    """What was proposed: ``base`` is the number of the version it was made for, ``by`` a token."""

    number: int
    author: str
    reason: str
    sources: tuple[str, ...]
    time: str
    base: int
    by: str | None = None


class Event(NamedTuple):
    """What became of a proposal: ``kind`` is a state; ``change`` the number of what was made."""

    kind: str
    time: str
    by: str | None = None
    comment: str = ""
    change: int | None = None


def now() -> str:
    """Return the time in UTC after RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def checked(author: str, reason: str, sources: tuple[str, ...]) -> None:
    """Raise InvalidRequest unless it is said whose proposal it is, and why."""
    for name, value in (("author", author), ("reason", reason)):
        if not value.strip():
            raise InvalidRequest(
                f"The proposal has no {name}.", hint="Say who proposes the change, and why."
            )
    if sum(map(len, (author, reason, *sources))) > _LONGEST:
        raise InvalidRequest(f"Author, reason and sources are longer than {_LONGEST} characters.")


def create(store: Path, proposal: Proposal, change: Patch, update: str = "") -> Proposal:
    """Keep a proposal under the next number, and return it with that; it is on the disk then.

    ``update`` is the SPARQL update that the change comes from.
    """
    folder = store / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        number = max(_numbers(store), default=0) + 1
        proposal = proposal._replace(number=number, time=now())
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
        made.chmod(0o755)
        fields = json.dumps(proposal._asdict(), ensure_ascii=False, indent=1)
        durable.write(made / "proposal.json", fields + "\n")
        durable.write(made / f"change.{patch.EXTENSION}", patch.write(change, {}))
        if update:
            durable.write(made / _UPDATE, update)
        made.rename(folder / str(number))
        durable.sync(folder)
    return proposal


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _numbers(store: Path) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        folders = (store / FOLDER).iterdir()
        return sorted(int(one.name) for one in folders if one.name.isdigit())
    return []


def folder_of(store: Path, number: int) -> Path:
    """Return where a proposal is kept; raises NotFound."""
    folder = store / FOLDER / str(number)
    if not folder.is_dir():
        raise NotFound(f"There is no proposal {number}.", hint="See /proposals or intmk review.")
    return folder


def get(store: Path, number: int) -> Proposal:
    """Return a proposal. Raises NotFound."""
    fields = json.loads((folder_of(store, number) / "proposal.json").read_text(encoding="utf-8"))
    return Proposal(**fields | {"sources": tuple(fields["sources"])})


def every(store: Path) -> list[tuple[Proposal, str]]:
    """Return all proposals with their states, the newest first."""
    accepted = _accepted(store)
    found = [get(store, number) for number in reversed(_numbers(store))]
    return [(one, _state(store, one.number, accepted.get(one.number))) for one in found]


def text(store: Path, number: int) -> str:
    """Return the RDF Patch of a proposal. Raises NotFound."""
    return (folder_of(store, number) / f"change.{patch.EXTENSION}").read_text(encoding="utf-8")


def update(store: Path, number: int) -> str:
    """Return the SPARQL update that a proposal comes from, or "". Raises NotFound."""
    with contextlib.suppress(FileNotFoundError):
        return (folder_of(store, number) / _UPDATE).read_bytes().decode()
    return ""


def change(store: Path, number: int) -> Patch:
    """Return the statements that a proposal adds and removes. Raises NotFound."""
    return patch.read(text(store, number))


def _accepted(store: Path) -> dict[int, journal.Record]:
    return {one.proposal: one for one in journal.records(store) if one.proposal is not None}


def events(store: Path, number: int) -> list[Event]:
    """Return what became of a proposal, oldest first. Raises NotFound."""
    found = _events(folder_of(store, number))
    record = _accepted(store).get(number)
    if record:
        found.append(Event(ACCEPTED, record.time, record.by, record.comment or "", record.number))
    return sorted(found, key=lambda one: one.time)


def _events(folder: Path) -> list[Event]:
    found = []
    with contextlib.suppress(FileNotFoundError):
        for row in (folder / "events.jsonl").read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, TypeError):
                found.append(Event(**json.loads(row)))
    return found


def state(store: Path, number: int) -> str:
    """Return one of ``STATES``. Raises NotFound."""
    return _state(store, number, _accepted(store).get(number))


def _state(store: Path, number: int, accepted: journal.Record | None) -> str:
    if accepted:
        return ACCEPTED
    kinds = [one.kind for one in _events(folder_of(store, number))]
    return REJECTED if REJECTED in kinds else kinds[-1] if kinds else OPEN


def require_undecided(store: Path, number: int) -> None:
    """Raise Conflict when a proposal was accepted or rejected; NotFound when there is none."""
    found = state(store, number)
    if found in (ACCEPTED, REJECTED):
        raise Conflict(
            f"Proposal {number} was {found} already.", hint="Propose it again if it is to be made."
        )


def tell(store: Path, number: int, event: Event) -> None:
    """Add to what became of a proposal. To decide one, the caller holds the store's lock."""
    line = json.dumps(event._asdict(), ensure_ascii=False)
    durable.append(folder_of(store, number) / "events.jsonl", line)


def assessment(store: Path, number: int) -> dict[str, Any] | None:
    """Return what was last worked out about a proposal, or None. Raises NotFound."""
    try:
        path = folder_of(store, number) / "assessment.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def keep_assessment(store: Path, number: int, found: dict[str, Any]) -> None:
    """Keep what was worked out about a proposal in place of what was before."""
    path = folder_of(store, number) / "assessment.json"
    durable.write(path, json.dumps(found, ensure_ascii=False, indent=1) + "\n")

"""The record of changes: what each publication changed, kept for good beside the versions.

``<store>/changes/<number>.rdfp`` is the RDF Patch from the version before to the version of that
number; who published it, when and why stands in the journal. A patch is on the disk before its
version becomes current, and counts from the moment the journal names it. The first patch begins
with nothing, so all of them together give every version again, whichever are still kept. What was
doubtful in a change, and new with it, stands in ``<number>.findings.json`` beside it.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from intmk import durable, journal, patch
from intmk.errors import NotFound
from intmk.journal import Record
from intmk.patch import Patch
from intmk.report import Finding, Report

FOLDER = "changes"


def keep(store: Path, number: int, version: str, before: Path | None, after: bytes) -> None:
    """Write the patch of a publication that is about to be made.

    ``before`` is the canonical dump of the version now current, ``after`` that of the new one.
    Whoever calls holds the store's lock; a patch left by an interrupted publication is replaced.
    """
    if not (store / FOLDER).is_dir():
        (store / FOLDER).mkdir()
        durable.sync(store)
    previous = _header(store, number - 1)
    news = after.splitlines(keepends=True)
    if not previous:
        change = patch.difference((), news)
    elif before is None:  # restored from a backup: the record has it, the versions do not
        change = patch.difference(rebuild(store, number - 1).splitlines(keepends=True), news)
    else:
        with before.open("rb") as file:
            change = patch.difference(file, news)
    durable.write(_path(store, number), patch.write(change, _heading(number, version, previous)))


def keep_findings(store: Path, number: int, report: Report) -> None:
    """Write what is doubtful in a publication that is about to be made, and lets it through."""
    path = _findings_path(store, number)
    path.unlink(missing_ok=True)
    if report.findings:
        found = [asdict(one) for one in report.findings]
        durable.write(path, json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def findings(store: Path, number: int) -> list[Finding]:
    """Return what was doubtful in a publication when it was made."""
    try:
        text = _findings_path(store, number).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [Finding(**one) for one in json.loads(text)]


def _findings_path(store: Path, number: int) -> Path:
    return store / FOLDER / f"{number}.findings.json"


def _heading(number: int, version: str, previous: dict[str, str]) -> dict[str, str]:
    """Return a header; the id follows from number, version and all patches before."""
    before = previous.get("id", "")
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{before} {number} {version}")
    heading = {"id": f"<urn:uuid:{name}>", "version": f'"{version}"'}
    return heading | ({"prev": before} if before else {})


def _header(store: Path, number: int) -> dict[str, str]:
    try:
        with _path(store, number).open(encoding="utf-8") as file:
            return patch.header("".join(next(file, "") for _ in range(4)))
    except FileNotFoundError:
        return {}


def _path(store: Path, number: int) -> Path:
    return store / FOLDER / f"{number}.{patch.EXTENSION}"


def text(store: Path, number: int) -> str:
    """Return the patch of a publication as it is kept.

    Raises NotFound when there was no such publication, or none was recorded then.
    """
    newest = journal.last(store)
    if 1 <= number <= (newest.number if newest else 0):
        try:
            return _path(store, number).read_text(encoding="utf-8")
        except FileNotFoundError:
            detail = f"What change {number} changed was not recorded."
            raise NotFound(detail, hint="The record began later.") from None
    raise NotFound(f"There is no change {number}.", hint="Run: intmk history")


def change(store: Path, number: int) -> Patch:
    """Return what a publication changed. Raises NotFound."""
    return patch.read(text(store, number))


def between(store: Path, first: int, last: int) -> Patch:
    """Return what leads from one version to another, both by number; either may be the older.

    Raises NotFound for versions from before the record.
    """
    if last < first:
        return between(store, last, first).inverse
    for number in range(first + 1, last + 1):
        if "prev" not in patch.header(text(store, number)):
            raise NotFound(
                f"The record begins with change {number}, so version {first} is not known any more."
            )
    return patch.net(change(store, number) for number in range(first + 1, last + 1))


def rebuild(store: Path, number: int) -> bytes:
    """Return the canonical dump of a version from the record alone. Raises NotFound."""
    first = number
    while "prev" in patch.header(text(store, first)):
        first -= 1
    net = patch.net(change(store, one) for one in range(first, number + 1))
    return b"".join(sorted(f"{statement}\n".encode() for statement in net.added))


class Touch(NamedTuple):
    """A later change that took a statement away, and what it put in its place."""

    record: Record
    removed: str
    added: tuple[str, ...]


def removals(store: Path, since: int, statements: frozenset[str]) -> Iterator[Touch]:
    """Yield which publications after ``since`` took any of these statements away."""
    for one in journal.records(store):
        if one.number > since:
            found = change(store, one.number)
            for statement in sorted(found.removed & statements):
                key = about(statement)
                instead = tuple(sorted(new for new in found.added if about(new) == key))
                yield Touch(one, statement, instead)


def about(statement: str) -> tuple[str, str, str]:
    """Return subject, predicate and graph of a statement."""
    found = patch.parts(statement)
    return found.subject, found.predicate, found.graph

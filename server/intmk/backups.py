"""One version in one file, to be put into another store or back into this one.

A backup is a gzip-compressed tar archive with the canonical dump, the record of versions and of
changes up to it, the proposals, and the hashes of the tokens. It is made from a version, which
never changes, so the server and its writers may go on.
"""

import io
import json
import os
import re
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import RdfFormat, parse

from intmk import durable, journal, proposals, record, store, tokens
from intmk.errors import InvalidRequest
from intmk.store import Dump, Version

_DUMP, _ABOUT = "dump.nq", "backup.json"
# What else is kept, and nothing else: no name of an archive leads out of the store.
_KEPT = re.compile(
    rf"{record.FOLDER}/(?P<change>[0-9]+)\.(?:rdfp|findings\.json)|"
    rf"{proposals.FOLDER}/[0-9]+/(proposal\.json|change\.rdfp|events\.jsonl|assessment\.json)",
    re.ASCII,
)


class _Backup(NamedTuple):
    dump: Dump
    journal: bytes
    tokens: bytes | None
    kept: dict[str, bytes]


def backup(folder: Path, target: Path) -> Path:
    """Write the current version of a store into a file, and return its path.

    In a directory the file is named after number and id of the version. It is readable by its owner
    alone, and appears only when it is whole. Raises NotFound when there is no version, and OSError.
    """
    version = store.current_path(folder)
    with (version / _DUMP).open("rb") as dump:
        upto = journal.records(folder)
        while upto and upto[-1].id != version.name:
            upto.pop()
        number = upto[-1].number if upto else 0
        if target.is_dir():
            target = target / f"intmk-{number}-{version.name}.tar.gz"
        members = {
            _ABOUT: json.dumps({"id": version.name, "number": number}).encode(),
            journal.JOURNAL: b"".join(journal.line(one).encode() for one in upto),
            tokens.FILE: _read(folder / tokens.FILE),
            _DUMP: dump.read(),
            **_kept(folder, number),
        }
    _write(target, {name: data for name, data in members.items() if data is not None})
    return target


def _kept(folder: Path, number: int) -> dict[str, bytes]:
    """Return the record of changes up to a number, and all proposals, by their names."""
    paths = [
        path for name in (record.FOLDER, proposals.FOLDER) for path in folder.glob(f"{name}/**/*")
    ]
    names = {path.relative_to(folder).as_posix(): path for path in sorted(paths) if path.is_file()}
    matches = [match for name in names if (match := _KEPT.fullmatch(name))]
    return {
        match[0]: names[match[0]].read_bytes()
        for match in matches
        if match["change"] is None or int(match["change"]) <= number
    }


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(target: Path, members: dict[str, bytes]) -> None:
    # mkstemp makes files that only their owner may read.
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for member, data in members.items():
                    head = tarfile.TarInfo(member)
                    head.size, head.mode = len(data), 0o600
                    archive.addfile(head, io.BytesIO(data))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise


def restore(folder: Path, source: Path, *, keep: int = store.KEEP, wait_s: float = 0) -> Version:
    """Publish the version in a backup as a new one of a store, and return it.

    A store that has none gets the record, the proposals and the tokens as well. Raises
    InvalidRequest when the file is not a backup, or not as it was made, and OSError.
    """
    found = _load(source)
    with store.exclusive(folder, wait_s):
        if not journal.records(folder):
            for name, data in found.kept.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                durable.write(folder / name, data)
            (folder / journal.JOURNAL).write_bytes(found.journal)
        if found.tokens is not None:
            tokens.adopt(folder, found.tokens)
        return store.publish(folder, found.dump, journal.RESTORE, keep=keep)


def _load(source: Path) -> _Backup:
    """Read a backup, and check that the dump has the id it was stored under."""
    try:
        with tarfile.open(source, "r:gz") as archive:
            members = {
                member.name: file.read()
                for member in archive
                if (file := archive.extractfile(member)) is not None
            }
        about = json.loads(members[_ABOUT])
        dump = store.canonical_dump(parse(members[_DUMP], RdfFormat.N_QUADS))
    except (tarfile.TarError, EOFError, zlib.error, KeyError, ValueError, SyntaxError) as error:
        raise InvalidRequest(f"{source} is not a whole backup: {error}.") from error
    if dump.id != about["id"]:
        raise InvalidRequest(
            f"{source} is damaged: it holds the version {dump.id}, not {about['id']}."
        )
    kept = {name: data for name, data in members.items() if _KEPT.fullmatch(name)}
    return _Backup(dump, members.get(journal.JOURNAL, b""), members.get(tokens.FILE), kept)

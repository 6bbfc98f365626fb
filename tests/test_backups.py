"""Backups: what goes in comes out, in this store or another, and what is damaged does not."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pyoxigraph import RdfFormat, parse

from intmk import backups, journal, proposals, record, store, tokens
from intmk.errors import Busy, InvalidRequest, NotFound
from intmk.patch import Patch
from intmk.proposals import Proposal
from intmk.validation import validate


@pytest.fixture
def written(root: Path, tmp_path: Path) -> Path:
    """A store that was built and written to, with a token."""
    folder = tmp_path / "var"
    store.build(root, folder, validate)
    write(folder, '<a:s> <a:p> "Größe 😀" <a:g> .')
    tokens.create(folder, "ada", "write")
    return folder


def write(folder: Path, triple: str) -> store.Version:
    """Publish the current version with one more triple."""
    with store.exclusive(folder):
        quads = store.load_current(folder) | set(parse(triple, RdfFormat.N_QUADS))
        return store.publish(folder, store.canonical_dump(quads), journal.UPDATE, "ada")


def test_a_backup_makes_the_same_store_elsewhere(written: Path, tmp_path: Path) -> None:
    """Content, id, history and tokens; the restoration is one more record."""
    file, other = backups.backup(written, tmp_path / "b.tar.gz"), tmp_path / "other"
    version = backups.restore(other, file)
    assert version.id == store.current_version(written)
    assert store.load_current(other) == store.load_current(written)
    assert set(store.open_current(other)) == set(store.open_current(written))
    history = journal.records(other)
    assert history[:-1] == journal.records(written)
    assert (history[-1].kind, history[-1].number) == (journal.RESTORE, version.number)
    assert tokens.tokens(other) == tokens.tokens(written)
    assert (other / tokens.FILE).stat().st_mode & 0o777 == 0o600
    assert store.is_written(other)


def test_the_record_and_the_proposals_go_along(written: Path, tmp_path: Path) -> None:
    """Every version can be had from the other store, and what was proposed is there."""
    change = Patch(frozenset({"<a:s> <a:p> <a:o> <a:g> ."}))
    proposals.create(written, Proposal(0, "Ada", "so", (), "", 2), change)
    other = tmp_path / "other"
    backups.restore(other, backups.backup(written, tmp_path / "b.tar.gz"))
    for number in (1, 2):
        assert record.text(other, number) == record.text(written, number)
    assert record.rebuild(other, 3) == record.rebuild(written, 2)
    assert record.between(other, 2, 3).size == 0
    assert proposals.every(other) == proposals.every(written)
    assert proposals.change(other, 1) == change


def test_no_name_in_an_archive_leads_out_of_the_store(written: Path, tmp_path: Path) -> None:
    """Only what a backup holds is taken from one."""
    file, forged = backups.backup(written, tmp_path / "b.tar.gz"), tmp_path / "f.tar.gz"
    with tarfile.open(file) as source, tarfile.open(forged, "w:gz") as target:
        for member in source:
            target.addfile(member, source.extractfile(member))
        for name in ("../out", "proposals/1/../../../out", "changes/x.rdfp"):
            target.addfile(tarfile.TarInfo(name), io.BytesIO())
    backups.restore(tmp_path / "deep" / "other", forged)
    assert not list(tmp_path.glob("**/out"))
    assert not list(tmp_path.glob("**/x.rdfp"))


def test_a_backup_is_put_back_over_later_writes(written: Path, tmp_path: Path) -> None:
    """Under a new number; history and tokens of the store stay its own."""
    file = backups.backup(written, tmp_path / "b.tar.gz")
    saved = store.current_version(written)
    write(written, '<a:s> <a:p> "later" <a:g> .')
    tokens.create(written, "bob", "write")
    version = backups.restore(written, file)
    assert (version.id, version.number, version.new) == (saved, 4, True)
    kinds = [one.kind for one in journal.records(written)]
    assert kinds == ["build", "update", "update", "restore"]
    assert len(tokens.tokens(written)) == 2
    assert backups.restore(written, file).new is False


def test_a_backup_in_a_folder_is_named_after_its_version(written: Path, tmp_path: Path) -> None:
    """Number and id tell which it is; nobody else may read it; nothing else is left there."""
    folder = tmp_path / "backups"
    folder.mkdir()
    path = backups.backup(written, folder)
    assert path.name == f"intmk-2-{store.current_version(written)}.tar.gz"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(folder.iterdir()) == [path]


def test_a_backup_is_of_one_version_while_writers_go_on(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published meanwhile is not in it by half: neither content nor record."""
    first, whole = store.current_version(written), journal.records

    def records(folder: Path) -> list[journal.Record]:
        monkeypatch.setattr(journal, "records", whole)
        write(folder, '<a:s> <a:p> "meanwhile" <a:g> .')
        return whole(folder)

    monkeypatch.setattr(journal, "records", records)
    file = backups.backup(written, tmp_path / "b.tar.gz")
    other = tmp_path / "other"
    assert backups.restore(other, file).id == first
    assert [one.id for one in journal.records(other)][-2:] == [first, first]


def members(file: Path) -> dict[str, bytes]:
    """Return what is in an archive."""
    with tarfile.open(file) as archive:
        found = {one.name: archive.extractfile(one) for one in archive}
        return {name: stream.read() for name, stream in found.items() if stream}


def packed(file: Path, parts: dict[str, bytes]) -> None:
    """Write an archive."""
    with tarfile.open(file, "w:gz") as archive:
        for name, data in parts.items():
            head = tarfile.TarInfo(name)
            head.size = len(data)
            archive.addfile(head, io.BytesIO(data))


def _changed(file: Path) -> None:
    parts = members(file)
    packed(file, parts | {"dump.nq": parts["dump.nq"] + b"<a:s> <a:p> <a:o> .\n"})


def _not_rdf(file: Path) -> None:
    packed(file, members(file) | {"dump.nq": b"nonsense"})


def _incomplete(file: Path) -> None:
    packed(file, {"backup.json": b"{}"})


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-400])


def _text(file: Path) -> None:
    file.write_text("nonsense")


def _other(file: Path) -> None:
    file.write_bytes(gzip.compress(b"nonsense"))


@pytest.mark.parametrize("damage", [_changed, _not_rdf, _incomplete, _cut, _text, _other])
def test_what_is_damaged_is_not_restored(
    written: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The file is named, and the store is as it was."""
    file = backups.backup(written, tmp_path / "b.tar.gz")
    damage(file)
    for folder in (written, tmp_path / "empty"):
        before = store.current_version(folder)
        with pytest.raises(InvalidRequest, match=r"b\.tar\.gz"):
            backups.restore(folder, file)
        assert store.current_version(folder) == before


def test_an_archive_writes_nowhere_else(written: Path, tmp_path: Path) -> None:
    """Nothing is unpacked by the names that stand in it."""
    file = backups.backup(written, tmp_path / "b.tar.gz")
    packed(file, members(file) | {"../../escaped": b"x"})
    backups.restore(tmp_path / "deep" / "other", file)
    assert not list(tmp_path.rglob("escaped"))


def test_a_restoration_waits_for_writers(written: Path, tmp_path: Path) -> None:
    """One at a time."""
    file = backups.backup(written, tmp_path / "b.tar.gz")
    with store.exclusive(written), pytest.raises(Busy):
        backups.restore(written, file, wait_s=0.1)


def test_what_cannot_be_backed_up_leaves_no_file(written: Path, tmp_path: Path) -> None:
    """No version, or no folder to write into."""
    with pytest.raises(NotFound):
        backups.backup(tmp_path / "none", tmp_path / "b.tar.gz")
    with pytest.raises(FileNotFoundError):
        backups.backup(written, tmp_path / "none" / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()

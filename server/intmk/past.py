"""Answers questions on versions that are still kept but no longer current.

Each such version gets workers of its own, when somebody asks: they see a folder that looks like a
store in which this version is current. They read from disk, and few are kept at a time, so that
the past never takes the memory of the present.
"""

import dataclasses
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from intmk import journal, store
from intmk.engine import Answer, Engine, Question
from intmk.errors import Busy, NotOffered, Unavailable, VersionGone
from intmk.settings import Settings
from intmk.workers import Workers

_AT_ONCE = 2
_WORKERS = 1
# How the directories of such workers are named where all processes find them.
_LINK = "past-"


class _Opened:
    """A version with workers, and how many questions are being put to it."""

    def __init__(self, settings: Settings, version: str, links: Path) -> None:
        self._resources = ExitStack()
        folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="intmk-")))
        (folder / store.VERSIONS).symlink_to(settings.store / store.VERSIONS)
        (folder / store.CURRENT).symlink_to(Path(store.VERSIONS) / version)
        chosen = dataclasses.replace(
            settings, store=folder, query_workers=_WORKERS, memory_store_mb=0
        )
        try:
            workers = self._resources.enter_context(Workers(chosen))
        except BaseException:
            self._resources.close()
            raise
        link = links / f"{_LINK}{workers.directory.name}"
        link.symlink_to(workers.directory)
        self._resources.callback(link.unlink, missing_ok=True)
        self.engine = Engine(workers.directory, chosen)
        self.questions = 0
        self.close = self._resources.close


class Past:
    """The kept versions of one store; safe to be asked by several threads."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        """Take the settings of the present, and the directory that all processes of the server
        share; nothing is started yet."""
        self._settings = settings
        self._directory = directory
        self._lock = threading.Lock()
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        # Also at the end of the process, so that no folder stays behind.
        weakref.finalize(self, _close, self._opened)

    def at(self, key: str) -> "Moment":
        """Return the graph as it was, by the number or the id of a version.

        Raises NotFound when there was never such a version, VersionGone when it is not kept, and
        NotOffered when another engine holds the graph.
        """
        if self._settings.remote:
            raise NotOffered("Another engine holds the graph here: it has no versions.")
        found = journal.find(self._settings.store, key)
        if not (self._settings.store / store.VERSIONS / found.id).is_dir():
            raise VersionGone(
                f"Version {found.number} ({found.id}) of {found.time} is no longer kept.",
                hint="The address /versions tells which are.",
            )
        return Moment(self, found.id)

    def ask(self, question: Question, version: str) -> Answer:
        """Return the answer to a question on a version that is kept; raises as ``Engine.ask``."""
        with self._engine(version) as engine:
            return engine.ask(question)

    def cancel(self, question: bytes) -> bool:
        """Stop a question on any version, whichever process put it; returns whether there was
        one."""
        links = self._directory.glob(f"{_LINK}*")
        return any(_is_cancelled(Engine(link, self._settings), question) for link in links)

    @contextmanager
    def _engine(self, version: str) -> Iterator[Engine]:
        with self._lock:
            opened = self._opened.get(version) or self._open(version)
            self._opened.move_to_end(version)
            opened.questions += 1
        try:
            yield opened.engine
        finally:
            with self._lock:
                opened.questions -= 1

    def _open(self, version: str) -> _Opened:
        """Start workers for a version, in the place of the one that was not asked for longest."""
        if len(self._opened) >= _AT_ONCE:
            idle = [name for name, one in self._opened.items() if not one.questions]
            if not idle:
                raise Busy(
                    "Other versions of the past are being asked.", hint="Ask again in a moment."
                )
            self._opened.pop(idle[0]).close()
        opened = self._opened[version] = _Opened(self._settings, version, self._directory)
        return opened

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            _close(self._opened)


class Moment:
    """A version that is kept, asked as the engine is asked."""

    def __init__(self, past: Past, version: str) -> None:
        """Take who asks, and the version's id."""
        self._past = past
        self._version = version

    def version(self) -> str:
        """Return the id of the version."""
        return self._version

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question; raises as ``Engine.ask``, and Busy."""
        return self._past.ask(question, self._version)


def _is_cancelled(engine: Engine, question: bytes) -> bool:
    # Whoever opened the version may be closing it.
    with suppress(Unavailable):
        return engine.cancel(question)
    return False


def _close(opened: OrderedDict[str, _Opened]) -> None:
    while opened:
        opened.popitem()[1].close()

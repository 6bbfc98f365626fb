"""Keeps a nursery of query workers alive as long as the server lives."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from intmk import errors
from intmk.settings import Settings

_START_PAUSE_S = 0.2


class Workers:
    """Starts a nursery, starts it again should it end, and ends it: ``with Workers(settings)``."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is started yet."""
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="intmk-")
        self._is_ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = threading.Thread(target=self._keep_alive, daemon=True)

    @property
    def directory(self) -> Path:
        """Where the nursery's sockets are; only this user may look into it."""
        return Path(self._folder.name)

    @property
    def pid(self) -> int:
        """The nursery's process id; 0 before it is started."""
        return self._process.pid if self._process else 0

    def __enter__(self) -> "Workers":
        """Start the nursery and wait until it can be asked.

        Raises Unavailable when it cannot start; it has said why on the error output.
        """
        try:
            self._process = self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the nursery, which ends its workers."""
        self._is_ending.set()
        if self._process:
            _hang_up(self._process)
        self._watch.join()
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "intmk.nursery", str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | self._settings.environment(),
        )
        assert process.stdout  # noqa: S101 - Popen was given PIPE
        with process.stdout as output:
            is_ready = output.readline()
        if not is_ready:
            _hang_up(process)
            process.wait()
            raise errors.Unavailable("The query engine did not start.")
        return process

    def _keep_alive(self) -> None:
        while self._process:
            self._process.wait()
            _hang_up(self._process)
            if self._is_ending.wait(_START_PAUSE_S):
                return
            with contextlib.suppress(errors.Unavailable):
                self._process = self._start()


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    """Close a nursery's standard input, which is how it is told to end."""
    if process.stdin:
        process.stdin.close()

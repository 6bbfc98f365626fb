"""A progress bar for whoever waits longer than a second."""

import sys
import threading
from typing import Any

import click


class Bar:
    """Shows progress on stderr once a second has passed; used as a context manager.

    Called as a ``sources.Progress`` from the thread that works; a timer draws the first time, so
    that a single long step is seen as well.
    """

    delay_s = 1.0

    def __init__(self) -> None:
        """Start with nothing to show."""
        self._timer = threading.Timer(self.delay_s, self._show)
        self._lock = threading.Lock()
        self._bar: Any = None
        self._state = ("starting", 0, 1)
        self._shown = False

    def __enter__(self) -> "Bar":
        """Start the clock."""
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the clock and end the line, if there is one."""
        self._timer.cancel()
        with self._lock:
            if self._bar:
                self._bar.render_finish()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take the state of the work, and draw it if it is time."""
        with self._lock:
            self._state = stage, done, total
            if self._shown:
                self._draw()

    def _show(self) -> None:
        with self._lock:
            self._shown = True
            self._draw()

    def _draw(self) -> None:
        stage, done, total = self._state
        if self._bar is None or self._bar.label != stage:
            if self._bar:
                self._bar.render_finish()
            self._bar = click.progressbar(length=total, label=stage, file=sys.stderr)
        self._bar.length, self._bar.pos = total, done
        self._bar.render_progress()

"""Starts the server: query workers, and processes that speak HTTP in front of them."""

import gc
import multiprocessing
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from intmk import errors
from intmk.engine import Engine
from intmk.replica import Follower
from intmk.settings import Settings
from intmk.workers import Workers

_SHUTDOWN_S = 5


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, leaving no process behind.

    Raises Unavailable when the graph cannot be loaded or the address cannot be listened on.
    """
    _check_address(settings)
    # Forking would hand the front processes the pipe by which the nursery is told to end.
    multiprocessing.set_start_method("spawn", force=True)
    with _answering(settings) as directory:
        server = Granian(
            "intmk.serving",
            settings.host,
            settings.port,
            interface=Interfaces.WSGI,
            workers=settings.front_workers,
            blocking_threads=settings.front_threads,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
            respawn_failed_workers=True,
            workers_kill_timeout=_SHUTDOWN_S,
        )
        server.serve(target_loader=partial(_front, settings, directory), wrap_loader=False)


@contextmanager
def _answering(settings: Settings) -> Iterator[Path]:
    """Run who answers questions, and yield the folder that all processes share."""
    if settings.remote:
        with tempfile.TemporaryDirectory(prefix="intmk-") as folder:
            yield Path(folder)
        return
    with Workers(settings) as workers, _following(settings):
        yield workers.directory


def _following(settings: Settings) -> AbstractContextManager[object]:
    return Follower(settings) if settings.follow else nullcontext()


def _check_address(settings: Settings) -> None:
    """Raise Unavailable when the address is taken, before anything is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        raise errors.Unavailable(
            f"Cannot listen on {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}.",
            hint="Choose another port with --port.",
        ) from error


def _front(settings: Settings, directory: Path) -> Callable[..., Iterable[bytes]]:
    """Return the application for one front process, which ends when its parent does."""
    # Here and not above: the process that only looks after the others starts a second sooner.
    from intmk import app, remote

    threading.Thread(target=_end_with_parent, daemon=True).start()
    kind = remote.Remote if settings.remote else Engine
    application = app.create_app(settings, kind(directory, settings)).wsgi_app
    # What lives as long as the process need not be looked through while requests wait.
    gc.collect()
    gc.freeze()
    return application


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)

"""The one writer: makes the next version of the graph, in a limited process of its own.

A write never touches what is being served. A process (``python -m intmk.writer``) takes the store's
lock, applies one change to a copy of the current version, has the result judged by the gate, and
publishes it as a new version by one rename. It has a deadline, a memory limit and no network;
whatever ends it before that rename leaves everything as it was.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from intmk import (
    changes,
    errors,
    filing,
    gate,
    isolation,
    journal,
    patch,
    placing,
    proposals,
    store,
    vocab,
    wire,
)
from intmk.changes import Change
from intmk.report import Report
from intmk.settings import Settings, read

WRITES, PREVIEWS = "writes", "previews"
"""The queues of those who have a token, and of those who need none."""
_PREVIEWS = 2
_GRACE_S = 30.0
_TOLD_FINDINGS = 100


class Written(NamedTuple):
    """The version a change led to, its number, whether it is a new one and whether the change made
    the graph it names."""

    version: str
    number: int
    is_new: bool
    has_created: bool


def write(settings: Settings, change: Change) -> Written:
    """Make a change, and return the version that has it.

    Raises WriteRefused with the gate's findings, WriteTimeout, OutOfMemory, Busy when too many
    writes wait, and what ``changes.apply`` raises.
    """
    return Written(**ask(settings, "intmk.writer", packed(change), change.kind == "update"))


def ask(
    settings: Settings, module: str, data: bytes, is_update: bool = False, queue: str = WRITES
) -> dict[str, Any]:
    """Run a module of ours that limits itself, and return its answer, a JSON object.

    Raises the error that it answers with, WriteTimeout, OutOfMemory, Busy when too many wait, and
    QueryTooDeep (``is_update``) or SourceSyntaxError when what it parses nests too deeply.
    """
    with _place(settings, queue):
        process = subprocess.Popen(  # noqa: S603 - a module of this package
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | settings.environment(),
        )
        output = _converse(process, data, settings)
    if process.returncode or not output:
        raise _lost(process.returncode, is_update, settings)
    answer: dict[str, Any] = json.loads(output)
    if "class" in answer:
        raise wire.unpack_error(answer)
    return answer


def _converse(process: "subprocess.Popen[bytes]", data: bytes, settings: Settings) -> bytes:
    """Return what the writer says; it ends by itself, so the limit here is for a broken one."""
    limit_s = settings.write_wait_s + settings.write_timeout_s + _GRACE_S
    try:
        return process.communicate(data, limit_s)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return b""


@contextmanager
def _place(settings: Settings, queue: str) -> Iterator[None]:
    """Hold one of the places of a queue, which all processes of the server share."""
    folder = settings.store / queue
    folder.mkdir(parents=True, exist_ok=True)
    places = _PREVIEWS if queue == PREVIEWS else settings.write_queue
    for number in range(places):
        with (folder / str(number)).open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield
            return
    raise errors.Busy(f"{places} {queue} are being made already.", hint="Try again in a moment.")


def _lost(code: int, is_update: bool, settings: Settings) -> errors.GraphError:
    """Return the reason for which a writer ended without an answer."""
    if code == -signal.SIGALRM:
        limit_s = settings.write_timeout_s
        return errors.WriteTimeout(
            f"The write was stopped after {limit_s:g} s, and nothing was changed.",
            hint="Make it in smaller parts.",
            limit_s=limit_s,
        )
    if code == -signal.SIGABRT:
        return _out_of_memory(settings)
    if code == -signal.SIGSEGV:
        detail = "It nests deeper than the parser can follow; nothing was changed."
        if is_update:
            return errors.QueryTooDeep(detail)
        return errors.SourceSyntaxError(detail, file="request body", line=None, column=None)
    return errors.Unavailable(
        "The writer was lost.", hint="The list of /versions tells whether the write was made."
    )


def _out_of_memory(settings: Settings) -> errors.OutOfMemory:
    limit = settings.write_memory_mb
    return errors.OutOfMemory(
        f"One write may take {limit} MB; nothing was changed.", hint="Make it in smaller parts."
    )


def packed(change: Change) -> bytes:
    """Return a change as the writer's process reads it."""
    head = json.dumps(change._replace(body=b"")._asdict() | {"body": None})
    return head.encode() + b"\n" + change.body


def _unpacked(data: bytes) -> Change:
    head, _, body = data.partition(b"\n")
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(head).items()
    }
    return Change(**(fields | {"body": body}))


def main() -> None:
    """Make the change that comes on the standard input; tell how it went on the standard output."""
    reply(lambda settings, data: _confined(settings, _unpacked(data))._asdict())


def reply(work: Callable[[Settings, bytes], dict[str, Any]]) -> None:
    """Be the process that ``ask`` runs: give the input to ``work``, and its answer to who asked."""
    settings = read()
    data = sys.stdin.buffer.read()
    try:
        answer = work(settings, data)
    except errors.GraphError as error:
        answer = wire.pack_error(error)
    except MemoryError:
        answer = wire.pack_error(_out_of_memory(settings))
    sys.stdout.write(json.dumps(answer))


def _confined(settings: Settings, change: Change) -> Written:
    prefixes = vocab.prefixes(settings.root)
    isolation.limit_memory(settings.write_memory_mb)
    isolation.forbid_sockets()
    with store.exclusive(settings.store, settings.write_wait_s):
        set_deadline(settings.write_timeout_s)
        _check_version(settings.store, change)
        if change.proposal is not None:
            proposals.require_undecided(settings.store, change.proposal)
        if change.kind == "patch":
            filing.check(settings, patch.read(change.body.decode()))
        before = store.load_current(settings.store)
        changed = changes.apply(before, change, prefixes, vocab.BASE, settings.write_bytes)
        after = gate.follow(before, changed.quads)
        report = _pass(settings, change, before, after)
        dump = store.canonical_dump(after)
        # From here on it is only files, and better not stopped half-way through.
        set_deadline(0)
        made = store.publish(
            settings.store, dump, _kind(change), change.by, keep=settings.keep_versions,
            why=change.why, report=report,
        )  # fmt: skip
        # What cannot be filed now is filed with the next change.
        with contextlib.suppress(OSError, errors.GraphError):
            filing.file_changes(settings)
    return Written(made.id, made.number, made.new, changed.has_created)


def _kind(change: Change) -> str:
    """Return how the journal calls a change."""
    if change.kind == "patch":
        return journal.PROPOSAL if change.proposal is not None else journal.ROLLBACK
    return journal.UPDATE if change.kind == "update" else journal.GRAPHS


def set_deadline(seconds: float) -> None:
    """Have the kernel end this process after so many seconds; 0 takes that back."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _check_version(folder: Path, change: Change) -> None:
    if change.versions is None:
        return
    current = store.current_version(folder)
    if current not in change.versions:
        raise errors.PreconditionFailed(
            f"The graph has the version {current} by now.", hint="Read it again and write again."
        )


def _pass(
    settings: Settings, change: Change, before: gate.Quads, after: gate.Quads
) -> Report | None:
    """Return the report on what a write leads to, None when the operator has opened the gate.

    Raises WriteRefused with what is wrong, and where in the request.
    """
    if settings.gate == "off":
        return None
    report = gate.strict(before, after, gate.known(settings.store, before))
    wrong = [finding for finding in report.findings if finding.severity == "error"]
    if wrong:
        wrong = placing.placed(wrong, change, after, vocab.prefixes(settings.root), vocab.BASE)
        where = f"{wrong[0].position}: " if wrong[0].line else ""
        raise errors.WriteRefused(
            f"It would break a rule in {len(wrong)} places; nothing was changed.",
            hint=where + wrong[0].message_en,
            findings=[asdict(finding) for finding in wrong[:_TOLD_FINDINGS]],
        )
    return report


if __name__ == "__main__":
    main()

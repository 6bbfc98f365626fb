"""What curators do: propose a change, look what it would do, accept or reject it, take it back."""

from collections.abc import Iterator
from typing import Any
from unicodedata import category

from intmk import assessment, drafts, journal, patch, proposals, record, store, writer
from intmk.assessment import Assessed
from intmk.changes import Change
from intmk.drafts import Draft
from intmk.errors import Conflict, InvalidRequest, WriteRefused
from intmk.filing import BY_HAND
from intmk.patch import Patch
from intmk.proposals import ACCEPTED, CONFLICTING, OPEN, REJECTED, Event, Proposal
from intmk.settings import Settings
from intmk.vocab import QUALITY_GRAPH
from intmk.writer import Written

__all__ = ["ACCEPTED", "CONFLICTING", "OPEN", "REJECTED", "Draft"]


def propose(
    settings: Settings,
    draft: Draft,
    author: str,
    reason: str,
    sources: tuple[str, ...] = (),
    by: str | None = None,
) -> Proposal:
    """Keep a change for review, and return it with its number.

    ``by`` is the name of the token. Raises InvalidRequest when nobody says who or why or nothing
    would change, SourceSyntaxError with the line, and what ``writer.ask`` raises. A change that
    breaks a rule is kept all the same: its page tells what is wrong.
    """
    author, reason = _plain(author), _plain(reason)
    proposals.checked(author, reason, sources)
    found = assessment.draft(settings, draft)
    proposal = Proposal(0, author, reason, sources, "", found.number, by)
    update = draft.additions if draft.extension == drafts.UPDATE else ""
    proposal = proposals.create(settings.store, proposal, found.change, update)
    _keep(settings, proposal.number, found)
    return proposal


def preview(settings: Settings, draft: Draft) -> Assessed:
    """Return what a draft would do, and keep nothing of it; raises as :func:`propose`.

    Whoever asks holds up no write: previews have a queue of their own.
    """
    return assessment.draft(settings, draft, writer.PREVIEWS)


def look(settings: Settings, number: int, queue: str = writer.WRITES) -> dict[str, Any]:
    """Return what a proposal would do to the graph as it is, or did when it was decided.

    The members are those of ``assessment``, and ``number``, that of the version looked at. It waits
    in the ``queue`` of ``writer``. Raises NotFound, and what ``writer.ask`` raises.
    """
    found, newest = proposals.assessment(settings.store, number), journal.last(settings.store)
    is_decided = proposals.state(settings.store, number) in (ACCEPTED, REJECTED)
    if found and (is_decided or (newest and found["number"] == newest.number)):
        return found
    fresh = assessment.again(settings, proposals.change(settings.store, number), queue)
    return _keep(settings, number, fresh)


def _keep(settings: Settings, number: int, found: Assessed) -> dict[str, Any]:
    kept = found.found | {"number": found.number}
    proposals.keep_assessment(settings.store, number, kept)
    return kept


def redraft(settings: Settings, number: int) -> Draft:
    """Return a proposal as a draft for the graph as it is.

    An update is itself; of other changes what is gone already is left out. Raises as :func:`look`.
    """
    if update := proposals.update(settings.store, number):
        return Draft(update, extension=drafts.UPDATE)
    change, gone = proposals.change(settings.store, number), look(settings, number)["gone"]
    left = Patch(change.added, change.removed - set(gone))
    return Draft(patch.write(left, {}), extension=patch.EXTENSION)


def rebase(settings: Settings, number: int, by: str | None) -> Proposal:
    """Propose a change again on the graph as it is, with the same author, reason and sources.

    Raises Conflict when it was decided, or when others have changed the same, saying what; and what
    :func:`propose` raises.
    """
    proposals.require_undecided(settings.store, number)
    proposal = proposals.get(settings.store, number)
    is_update = bool(proposals.update(settings.store, number))
    if not is_update and look(settings, number)["gone"]:
        raise _conflict(settings, number, by, list(_replaced(settings, proposal)))
    again = redraft(settings, number)
    made = propose(settings, again, proposal.author, proposal.reason, proposal.sources, by)
    said = f"Proposed again as proposal {made.number}."
    proposals.tell(settings.store, number, Event(CONFLICTING, proposals.now(), by, said))
    return made


def accept(settings: Settings, number: int, by: str | None, comment: str = "") -> Written:
    """Make the change of a proposal, in one transaction, and return the version that has it.

    Raises NotFound; Conflict when it was decided already or others have changed the same, saying
    what; WriteRefused when it breaks a rule; and what ``writer.write`` raises.
    """
    proposal, change = (
        proposals.get(settings.store, number), proposals.text(settings.store, number)
    )  # fmt: skip
    wanted = Change(
        "patch", change.encode(), by=by, author=proposal.author, reason=proposal.reason,
        proposal=number, comment=_plain(comment) or None,
    )  # fmt: skip
    try:
        written = writer.write(settings, wanted)
    except Conflict as error:
        if "statements" not in error.extra:
            raise
        told = list(_replaced(settings, proposal))
        raise _conflict(settings, number, by, told or [error.detail]) from error
    except WriteRefused as error:
        told = list(_contradicted(settings, proposal, error))
        if told:
            raise _conflict(settings, number, by, told) from error
        raise
    if not written.is_new:
        raise _conflict(settings, number, by, ["The graph says all of this already."])
    return written


def reject(settings: Settings, number: int, by: str | None, comment: str = "") -> None:
    """Decide that a proposal is not made. Raises NotFound, and Conflict when it was decided."""
    proposals.get(settings.store, number)
    with store.exclusive(settings.store, settings.write_wait_s):
        proposals.require_undecided(settings.store, number)
        proposals.tell(
            settings.store, number, Event(REJECTED, proposals.now(), by, _plain(comment))
        )


def _conflict(settings: Settings, number: int, by: str | None, told: list[str]) -> Conflict:
    """Note a conflict with the proposal, and return it."""
    event = Event(CONFLICTING, proposals.now(), by, "\n".join(told))
    proposals.tell(settings.store, number, event)
    return Conflict(
        f"Proposal {number} does not fit any more. {told[0]}",
        hint="Propose it again on the graph as it is, or reject it.",
        conflicts=told,
    )


def _replaced(settings: Settings, proposal: Proposal) -> Iterator[str]:
    """Yield what others did to the statements that a proposal removes."""
    wanted = proposals.change(settings.store, proposal.number).removed
    for touch in record.removals(settings.store, proposal.base, wanted):
        instead = " and ".join(_said(one) for one in touch.added)
        done = f"replaced by {instead}" if instead else "removed"
        yield f"{_whole(touch.removed)} was {done} in {_named(touch.record)}."


def _contradicted(settings: Settings, proposal: Proposal, error: WriteRefused) -> Iterator[str]:
    """Yield what others have said since about the things and properties that are now wrong."""
    findings: Any = error.extra["findings"]
    wrong = {(f"<{one['focus']}>", f"<{one['path']}>") for one in findings}
    own = {record.about(one)[:2] for one in proposals.change(settings.store, proposal.number).added}
    for one in journal.records(settings.store):
        if one.number > proposal.base:
            for statement in sorted(record.change(settings.store, one.number).added):
                subject, predicate, graph = record.about(statement)
                if graph and (subject, predicate) in wrong & own:
                    yield f"{_whole(statement)} was added in {_named(one)}."


def _plain(text: str) -> str:
    """Return a text without the control characters that no format but JSON can hold."""
    return "".join(one for one in text if category(one) != "Cc" or one in "\n\t").strip()


def _named(one: journal.Record) -> str:
    who = one.author or one.by
    said = f"change {one.number}" + (f" by {who}" if who else "")
    return said + (f" ({one.reason})" if one.reason else "")


def _whole(statement: str) -> str:
    return " ".join(patch.parts(statement)[:3])


def _said(statement: str) -> str:
    return patch.parts(statement).object


def difference(settings: Settings, first: str, last: str) -> Patch:
    """Return what leads from one version to another, each given by number or id.

    Raises NotFound for what was never a version or is older than the record.
    """
    numbers = [journal.find(settings.store, key).number for key in (first, last)]
    return record.between(settings.store, *numbers)


def rollback(settings: Settings, key: str, by: str | None, reason: str = "") -> Written:
    """Make the graph say again what it said in an older version, by a new change.

    What comes from files written by hand (terms, prefixes, rules) stays as it is. Raises NotFound,
    InvalidRequest when nothing would change, WriteRefused when that version would not be let in
    today, and PreconditionFailed when another write came between.
    """
    target, newest = journal.find(settings.store, key), journal.last(settings.store)
    assert newest  # noqa: S101 - the target is one
    change = _free(record.between(settings.store, newest.number, target.number))
    if not change.size:
        raise InvalidRequest(f"The graph says now what it said in version {target.number}.")
    why = reason.strip() or f"Back to version {target.number} ({target.id})."
    body = patch.write(change, {}).encode()
    wanted = Change("patch", body, versions=(newest.id,), by=by, reason=why)
    return writer.write(settings, wanted)


def _free(change: Patch) -> Patch:
    """Return the part of a change that may be written: some graphs follow by themselves."""
    fixed = {"", *(f"<{graph.value}>" for graph in (*BY_HAND, QUALITY_GRAPH))}
    added, removed = (
        frozenset(one for one in lines if patch.parts(one).graph not in fixed) for lines in change
    )
    return Patch(added, removed)

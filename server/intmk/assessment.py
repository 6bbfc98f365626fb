"""What a proposal would do to the graph, worked out in a limited process before anyone decides.

``python -m intmk.assessment`` reads what was sent (a :class:`Draft`), or a proposal as it is kept,
and answers with its statements and with all that its page shows: what it would break, what it
would create, and which questions of the catalogue would be answered differently.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pyoxigraph import (
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    Store,
)

from intmk import (
    catalogue,
    drafts,
    filing,
    gate,
    isolation,
    journal,
    patch,
    store,
    vocab,
    writer,
)
from intmk.drafts import Draft, Understood
from intmk.patch import Patch
from intmk.report import Finding, sorted_report
from intmk.settings import Settings
from intmk.vocab import LABELS, TYPE

_TOLD = 100
_EXAMPLES = 10
_LANGUAGES = ("de", "en")

Quads = AbstractSet[Quad]


class Assessed(NamedTuple):
    """The statements of a proposal, the number of the version they were looked at with, and what
    they would do there (see ``_assess``)."""

    change: Patch
    number: int
    found: dict[str, Any]


def draft(settings: Settings, sent: Draft, queue: str = writer.WRITES) -> Assessed:
    """Return what a draft means; raises what ``drafts.understand`` and ``writer.ask`` raise."""
    is_update = sent.extension == drafts.UPDATE
    return _asked(settings, {"draft": sent._asdict()}, is_update, queue)


def again(settings: Settings, change: Patch, queue: str = writer.WRITES) -> Assessed:
    """Return what a proposal would do now; raises what ``ask`` raises."""
    return _asked(settings, {"patch": patch.write(change, {})}, queue=queue)


def _asked(
    settings: Settings, question: dict[str, Any], is_update: bool = False,
    queue: str = writer.WRITES,
) -> Assessed:  # fmt: skip
    data = json.dumps(question).encode()
    answer = writer.ask(settings, "intmk.assessment", data, is_update, queue)
    return Assessed(patch.read(answer["patch"]), answer["number"], answer["found"])


def main() -> None:
    """Be the process that works it out."""
    writer.reply(_confined)


def _confined(settings: Settings, data: bytes) -> dict[str, Any]:
    prefixes, queries = vocab.prefixes(settings.root), catalogue.load(settings.root)
    isolation.limit_memory(settings.write_memory_mb)
    isolation.forbid_sockets()
    writer.set_deadline(settings.write_timeout_s)
    newest, before = journal.last(settings.store), store.load_current(settings.store)
    question = json.loads(data)
    if "draft" in question:
        sent = Draft(**question["draft"])
        draft = drafts.understand(sent, before, prefixes, settings)
    else:
        draft = Understood(patch.read(question["patch"]), [])
    return {
        "patch": patch.write(draft.change, {}),
        "number": newest.number if newest else 0,
        "found": _assess(draft, before, settings.store, queries, prefixes),
    }


def _assess(
    draft: Understood,
    before: Quads,
    folder: Path,
    queries: catalogue.Catalogue,
    prefixes: Mapping[str, str],
) -> dict[str, Any]:
    """Return what a change would do, as JSON values.

    ``gone`` are statements it removes that are not there, ``new`` and ``known`` (the first hundred
    of ``known_count``) findings that it would bring or that are there without it, ``created``
    things, ``queries`` those that would be answered differently, ``labels`` what all of these are
    called, by IRI and language.
    """
    added, removed = (filing.statements(part) for part in draft.change)
    after = gate.follow(before, (before - removed) | added)
    new, known = _findings(before, after, gate.known(folder, before))
    spelling = draft.spelling(after) if new else []
    created = _created(before, added)
    named = {term.value for quad in added | removed for term in quad if isinstance(term, NamedNode)}
    return {
        "gone": sorted(drafts.lines(removed - before)),
        "new": _told(draft.place(one, spelling) for one in new),
        "known": _told(known),
        "known_count": len(known),
        "created": created,
        "queries": list(_different(before, after, queries, prefixes)),
        # What has a name keeps it here, whatever is proposed to call it.
        "labels": _labels(after, named | set(created)) | _labels(before, named),
    }


def _told(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the first findings in the order of their places, as JSON values."""
    return [asdict(one) for one in sorted_report(findings).findings[:_TOLD]]


def _findings(before: Quads, after: Quads, was: gate.Known) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that a change brings, and those that are there without it."""
    found = gate.strict(before, after, was).findings
    return [one for one in found if not one.is_known], [one for one in found if one.is_known]


def _created(before: Quads, added: Quads) -> list[str]:
    """Return the things of ours that get a class and had none."""
    typed = {quad.subject for quad in before if quad.predicate == TYPE}
    new = {quad.subject for quad in added if quad.predicate == TYPE} - typed
    return sorted(one.value for one in new if isinstance(one, NamedNode))


def _different(
    before: Quads, after: Quads, queries: catalogue.Catalogue, prefixes: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the questions that would be answered differently, with the rows that come and go."""
    stores = []
    for quads in (before, after):
        stores.append(Store())
        stores[-1].bulk_extend(quads)
    for query in queries.values():
        text = catalogue.bind(query, {})
        was, now = (_rows(one, text, prefixes) for one in stores)
        if was != now:
            come, go = now - was, was - now
            yield {
                "stem": query.stem,
                "title": dict(query.title),
                "added": come.total(),
                "removed": go.total(),
                "examples": [[list(row) for row in list(rows)[:_EXAMPLES]] for rows in (come, go)],
            }


def _rows(opened: Store, text: str, prefixes: Mapping[str, str]) -> Counter[tuple[str, ...]]:
    """Return the rows of an answer, or its triples, as N-Triples terms; how often each comes."""
    answer = opened.query(text, prefixes=dict(prefixes))
    if isinstance(answer, QueryBoolean):
        return Counter([(str(bool(answer)).lower(),)])
    if isinstance(answer, QuerySolutions):
        names = answer.variables
        return Counter(tuple(str(row[name] or "") for name in names) for row in answer)
    return Counter(tuple(str(term) for term in triple) for triple in answer)


def _labels(quads: Quads, wanted: set[str]) -> dict[str, dict[str, str]]:
    """Return what things are called, by IRI and language, the best name of each."""
    found: dict[str, dict[str, tuple[int, str]]] = {}
    for quad in quads:
        text, name = quad.object, quad.subject
        if quad.predicate not in LABELS or not isinstance(text, Literal):
            continue
        if isinstance(name, NamedNode) and name.value in wanted:
            one = (LABELS.index(quad.predicate), text.value)
            names = found.setdefault(name.value, {})
            language = text.language or "en"
            names[language] = min(names.get(language, one), one)
    return {
        iri: texts
        for iri, names in sorted(found.items())
        if (texts := {one: names[one][1] for one in _LANGUAGES if one in names})
    }


if __name__ == "__main__":
    main()

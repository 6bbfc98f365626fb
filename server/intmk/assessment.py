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
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    RdfFormat,
    Store,
    Triple,
)

from intmk import (
    catalogue,
    filing,
    formats,
    gate,
    isolation,
    journal,
    patch,
    store,
    uploads,
    vocab,
    writer,
)
from intmk.errors import InvalidRequest, SourceSyntaxError
from intmk.patch import Patch
from intmk.report import Finding
from intmk.settings import Settings
from intmk.vocab import BASE, LABELS, SOURCE_GRAPH, THEMES_GRAPH, TYPE

_TOLD = 100
_EXAMPLES = 10
_LANGUAGES = ("de", "en")
_PREFIXED = ("ttl", "trig")

Quads = AbstractSet[Quad]


class Draft(NamedTuple):
    """A change as a curator sends it.

    ``additions`` and ``removals`` are RDF in the format of ``extension``, laid out as a file of
    data/ is; with the extension ``rdfp`` the additions are an RDF Patch. ``replaces`` names a file
    of data/ whose statements the additions replace, all together.
    """

    additions: str = ""
    removals: str = ""
    extension: str = "trig"
    replaces: str = ""


class Assessed(NamedTuple):
    """The statements of a proposal, the number of the version they were looked at with, and what
    they would do there (see ``_assess``)."""

    change: Patch
    number: int
    found: dict[str, Any]


def draft(settings: Settings, sent: Draft) -> Assessed:
    """Return what a draft means. Raises SourceSyntaxError, InvalidRequest, what ``ask`` raises."""
    return _asked(settings, {"draft": sent._asdict()})


def again(settings: Settings, change: Patch) -> Assessed:
    """Return what a proposal would do now; raises what ``ask`` raises."""
    return _asked(settings, {"patch": patch.write(change, {})})


def _asked(settings: Settings, question: dict[str, Any]) -> Assessed:
    answer = writer.ask(settings, "intmk.assessment", json.dumps(question).encode())
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
        change = _change(Draft(**question["draft"]), before, prefixes, settings)
    else:
        change = patch.read(question["patch"])
    return {
        "patch": patch.write(change, {}),
        "number": newest.number if newest else 0,
        "found": _assess(change, before, settings.store, queries, prefixes),
    }


# -- what was meant -------------------------------------------------------------------------------


def _change(sent: Draft, before: Quads, prefixes: Mapping[str, str], settings: Settings) -> Patch:
    """Return the statements that a draft adds to the graph and removes from it."""
    if sent.extension == patch.EXTENSION:
        added, removed = _patched(sent.additions)
    else:
        added = _read(sent.additions, sent, "additions", prefixes, settings)
        removed = _read(sent.removals, sent, "removals", prefixes, settings)
    if sent.replaces:
        removed |= _filed_in(sent.replaces, before | added) - added
    missing = removed - before
    filing.refuse_by_hand(added | removed)
    _refuse_triple_terms(added)
    if missing:
        one = min(missing, key=str)
        raise InvalidRequest(
            f"{len(missing)} of the statements to be removed are not in the graph, such as "
            f"{one.subject} {one.predicate} {one.object}.",
            hint="A statement is removed from the passage that makes it.",
        )
    change = Patch(_lines(added - before - removed), _lines(removed - added))
    if not change.size:
        raise InvalidRequest("The graph says all of this already.", hint="Nothing would change.")
    return change


def _refuse_triple_terms(quads: Quads) -> None:
    for quad in quads:
        if isinstance(quad.object, Triple):
            raise InvalidRequest(
                f"The object of {quad.subject} {quad.predicate} is a triple.",
                hint="This graph is RDF 1.1; a named graph says who states a triple.",
            )


def _patched(text: str) -> tuple[set[Quad], set[Quad]]:
    """Read an RDF Patch; what follows from the passages is left out."""
    found: dict[str, set[Quad]] = {"A": set(), "D": set()}
    for number, letter, statement in patch.rows(text, uploads.BODY):
        try:
            quads = filing.statements([statement])
        except SyntaxError as error:
            raise SourceSyntaxError(
                (error.msg or "").partition(": ")[2], file=uploads.BODY, line=number,
                column=(error.offset or 1) + 2, hint="A row holds a statement of N-Quads.",
            ) from error  # fmt: skip
        found["D" if letter == "A" else "A"] -= quads
        found[letter] |= {quad for quad in quads if quad.graph_name not in filing.FOLLOWING}
    return found["A"], found["D"]


def _read(
    text: str, sent: Draft, name: str, prefixes: Mapping[str, str], settings: Settings
) -> set[Quad]:
    """Read RDF as a file of data/ is read; our prefixes need not be declared."""
    row = formats.by_extension(sent.extension)
    if row is None or not isinstance(row.engine, RdfFormat):
        raise InvalidRequest(f"There is no format {sent.extension[:40]!r}.", hint="Send trig.")
    has_head = sent.extension in _PREFIXED
    head = "".join(f"@prefix {prefix}: <{space}> . " for prefix, space in prefixes.items())
    whole = (f"{head}\n" if has_head else "") + text
    try:
        quads = uploads.read(whole.encode(), row.engine, BASE, settings.write_bytes)
    except SourceSyntaxError as error:
        line = error.line - has_head if error.line else None
        raise SourceSyntaxError(
            error.detail, file=name, line=line, column=error.column, hint=error.hint
        ) from error
    graph = THEMES_GRAPH if sent.replaces == filing.THEMES else SOURCE_GRAPH
    return {
        Quad(quad.subject, quad.predicate, quad.object, graph)
        if quad.graph_name == DefaultGraph()
        else quad
        for quad in quads
    }


def _filed_in(name: str, quads: Quads) -> set[Quad]:
    """Return the statements of a dataset that belong in a file."""
    kept = {quad for quad in quads if quad.graph_name not in (*filing.FOLLOWING, *filing.BY_HAND)}
    home = filing.homes(kept)
    return {quad for quad in kept if home(quad) == name}


def _lines(quads: Iterable[Quad]) -> frozenset[str]:
    return frozenset(f"{quad} ." for quad in quads)


# -- what it would do -----------------------------------------------------------------------------


def _assess(
    change: Patch,
    before: Quads,
    folder: Path,
    queries: catalogue.Catalogue,
    prefixes: Mapping[str, str],
) -> dict[str, Any]:
    """Return what a change would do, as JSON values.

    ``gone`` are statements it removes that are not there, ``new`` and ``known`` findings that it
    would bring or that are there without it, ``created`` things, ``queries`` those that would be
    answered differently, ``labels`` what all of these are called, by IRI and language.
    """
    added, removed = filing.statements(change.added), filing.statements(change.removed)
    after = gate.follow(before, (before - removed) | added)
    new, known = _findings(before, after, gate.known(folder, before))
    created = _created(before, added)
    named = {term.value for quad in added | removed for term in quad if isinstance(term, NamedNode)}
    return {
        "gone": sorted(_lines(removed - before)),
        "new": [asdict(one) for one in new[:_TOLD]],
        "known": [asdict(one) for one in known[:_TOLD]],
        "created": created,
        "queries": list(_different(before, after, queries, prefixes)),
        # What has a name keeps it here, whatever is proposed to call it.
        "labels": _labels(after, named | set(created)) | _labels(before, named),
    }


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
        iri: {language: names[language][1] for language in _LANGUAGES if language in names}
        for iri, names in sorted(found.items())
    }


if __name__ == "__main__":
    main()

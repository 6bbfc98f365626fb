"""What a curator sends as a proposal: which statements come and go, and where each stands.

Called in a limited process: the engine parses here.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import DefaultGraph, Quad, RdfFormat, Triple

from intmk import changes, filing, formats, patch, placing, recovery, uploads
from intmk.changes import Change
from intmk.errors import InvalidRequest, SourceSyntaxError
from intmk.patch import Patch
from intmk.placing import Part
from intmk.report import Finding
from intmk.settings import Settings
from intmk.sources import POSITIONED, Document, Place, materialise, parsed
from intmk.vocab import BASE, SOURCE_GRAPH, THEMES_GRAPH

UPDATE = "ru"
"""The file name extension of a SPARQL update."""
_PREFIXED = ("ttl", "trig")

Quads = AbstractSet[Quad]


class Draft(NamedTuple):
    """A change as a curator sends it.

    ``additions`` and ``removals`` are RDF in the format of ``extension``, laid out as a file of
    data/ is; with the extension ``rdfp`` the additions are an RDF Patch, with ``ru`` a SPARQL
    update. ``replaces`` names a file of data/ whose statements the additions replace, all together.
    ``names`` are what messages call additions and removals.
    """

    additions: str = ""
    removals: str = ""
    extension: str = "trig"
    replaces: str = ""
    names: tuple[str, str] = ("additions", "removals")


class Understood(NamedTuple):
    """The statements that a draft adds to a graph and removes from it, and where they stand."""

    change: Patch
    parts: list[Part]

    def place(self, finding: Finding, spelling: Iterable[Finding] = ()) -> Finding:
        """Return a finding with the place in the draft of what it is about, where it has one.

        ``spelling`` are those of :meth:`spelling`, which know better than the statement.
        """
        found = placing.place(finding, self.parts, spelling)
        return found or placing.at(finding, Place(""))

    def spelling(self, after: Quads) -> list[Finding]:
        """Return what is wrong with how the draft is written, at its places; ``after`` is the
        graph with it.
        """
        return placing.spelling(self.parts, after)


def understand(
    sent: Draft, before: Quads, prefixes: Mapping[str, str], settings: Settings
) -> Understood:
    """Return what a draft means for a graph, whose ``prefixes`` need no declaration.

    Raises SourceSyntaxError with every error that was found, InvalidRequest for what is not to be
    proposed or changes nothing, and for an update what ``changes.apply`` raises.
    """
    added, removed, parts = _read(sent, before, prefixes, settings.write_bytes)
    if sent.replaces:
        files = filing.names(settings.root)
        removed |= _filed_in(sent.replaces, before | added, files) - added
    filing.refuse_by_hand(added | removed)
    _refuse_triple_terms(added)
    _refuse_missing(removed - before)
    change = Patch(lines(added - before - removed), lines(removed - added))
    if not change.size:
        raise InvalidRequest("The graph says all of this already.", hint="Nothing would change.")
    return Understood(change, parts)


def lines(quads: Iterable[Quad]) -> frozenset[str]:
    """Return quads as statements of a patch."""
    return frozenset(f"{quad} ." for quad in quads)


def _read(
    sent: Draft, before: Quads, prefixes: Mapping[str, str], max_bytes: int
) -> tuple[set[Quad], set[Quad], list[Part]]:
    if sent.extension == UPDATE:
        return *_updated(sent, before, prefixes, max_bytes), _stated(sent, prefixes)
    if sent.extension == patch.EXTENSION:
        parts = [Part(one) for one in _patched(sent)]
    else:
        texts = zip(sent.names, (sent.additions, sent.removals), strict=True)
        parts = [_part(text, name, sent.extension, prefixes, max_bytes) for name, text in texts]
    home = THEMES_GRAPH if sent.replaces == filing.THEMES else SOURCE_GRAPH
    added, removed = (_placed(part.document.quads, home) for part in parts)
    return added, removed, parts


def _placed(quads: Iterable[Quad], home: object) -> set[Quad]:
    """Return quads as they stand in the store: those of no graph in ``home``."""
    return {
        Quad(one.subject, one.predicate, one.object, home)  # type: ignore[arg-type]
        if one.graph_name == DefaultGraph()
        else one
        for one in quads
    }


def _part(
    text: str, name: str, extension: str, prefixes: Mapping[str, str], max_bytes: int
) -> Part:
    """Read RDF as a file of data/ is read, past its errors, to tell all of them."""
    row = formats.by_extension(extension)
    if row is None or not isinstance(row.engine, RdfFormat):
        raise InvalidRequest(f"There is no format {extension[:40]!r}.", hint="Send trig.")
    form, path = row.engine, Path(name)
    if form not in POSITIONED:
        quads = list(uploads.read(text.encode(), form, BASE, max_bytes)) if text.strip() else []
        return Part(Document(name, path, text, form, quads, []))
    shift = int(extension in _PREFIXED)
    whole = f"{_head(prefixes)}\n{text}" if shift else text
    try:
        recovered = recovery.read(whole, form, name, path, prefixes)
    except SourceSyntaxError as error:
        line = error.line - shift if error.line else None
        raise SourceSyntaxError(
            error.detail, file=name, line=line, column=error.column, hint=error.hint
        ) from error
    if recovered.findings:
        raise _refused(recovered.findings, name, shift)
    return Part(recovered.document, shift)


def _head(prefixes: Mapping[str, str]) -> str:
    """Return a line that declares what need not be declared."""
    declared = "".join(f"@prefix {one}: <{space}> . " for one, space in prefixes.items())
    return f"@base <{BASE}> . {declared}"


def _refused(findings: list[Finding], name: str, shift: int) -> SourceSyntaxError:
    """Return the error that tells of the first finding, and has all of them."""
    told = [
        asdict(placing.at(one, one, shift))
        for one in sorted(findings, key=lambda one: (one.line or 0, one.column or 0))
    ]
    first = told[0]
    return SourceSyntaxError(
        first["message_en"], file=name, line=first["line"], column=first["column"], findings=told
    )


def _patched(sent: Draft) -> list[Document]:
    """Read an RDF Patch as two documents, each with the rows of one letter where they stand."""
    rows = list(patch.rows(sent.additions, sent.names[0]))
    found: dict[str, str] = {}
    for number, letter, statement in rows:
        found.pop(statement, None)
        found[statement] = f"{letter} {number}"
    return [_rows(sent, letter, set(found.values())) for letter in "AD"]


def _rows(sent: Draft, letter: str, wanted: set[str]) -> Document:
    """Return the wanted rows of a letter as N-Quads, without what follows by itself."""
    texts = sent.additions.split("\n")
    kept = [
        line.replace(letter, " ", 1) if f"{letter} {number}" in wanted else ""
        for number, line in enumerate(texts, 1)
    ]
    form, name = RdfFormat.N_QUADS, sent.names[0]
    try:
        document = parsed("\n".join(kept), form, name, Path(name))
    except SourceSyntaxError as error:
        raise SourceSyntaxError(
            error.detail, file=name, line=error.line, column=error.column,
            hint="A row holds a statement of N-Quads.",
        ) from error  # fmt: skip
    quads = [one for one in document.quads if one.graph_name not in filing.FOLLOWING]
    return replace(document, quads=quads)


def _updated(
    sent: Draft, before: Quads, prefixes: Mapping[str, str], max_bytes: int
) -> tuple[set[Quad], set[Quad]]:
    """Return what an update adds and removes; raises InvalidRequest where it cannot be filed."""
    change = Change("update", sent.additions.encode())
    after = changes.apply(before, change, prefixes, BASE, max_bytes).quads
    _refuse_unsaid(before, after)
    added, removed = (
        {one for one in quads if one.graph_name != DefaultGraph()}
        for quads in (after - before, before - after)
    )
    return added, removed


def _stated(sent: Draft, prefixes: Mapping[str, str]) -> list[Part]:
    """Return what an update states itself (INSERT DATA), where it stands; the rest has no place."""
    text, name = sent.additions, sent.names[0]
    if len(text) > placing.MAX_CHARACTERS:
        return []
    whole = f"{_head(prefixes)}\n{placing.inserted(text)}"
    try:
        return [Part(parsed(whole, RdfFormat.TRIG, name, Path(name)), 1)]
    except (SourceSyntaxError, ValueError):
        # The engine has read it otherwise; then there are no places.
        return []


def _refuse_unsaid(before: Quads, after: Quads) -> None:
    """Raise InvalidRequest when an update writes itself what follows from the passages."""
    was, now = ({q for q in quads if q.graph_name == DefaultGraph()} for quads in (before, after))
    right = materialise(after)
    if wrong := ((now - was) - right) | ((was - now) & right):
        one = min(wrong, key=str)
        raise InvalidRequest(
            f"The update changes {len(wrong)} statements of the default graph, such as "
            f"{one.subject} {one.predicate} {one.object}.",
            hint="The default graph follows from the passages: write GRAPH <passage> { … }.",
        )


def _filed_in(name: str, quads: Quads, files: list[str]) -> set[Quad]:
    """Return the statements of a dataset that belong in a file."""
    kept = {quad for quad in quads if quad.graph_name not in (*filing.FOLLOWING, *filing.BY_HAND)}
    home = filing.homes(kept, files)
    return {quad for quad in kept if home(quad) == name}


def _refuse_triple_terms(quads: Quads) -> None:
    for quad in quads:
        if isinstance(quad.object, Triple):
            raise InvalidRequest(
                f"The object of {quad.subject} {quad.predicate} is a triple.",
                hint="This graph is RDF 1.1; a named graph says who states a triple.",
            )


def _refuse_missing(missing: Quads) -> None:
    if missing:
        one = min(missing, key=str)
        raise InvalidRequest(
            f"{len(missing)} of the statements to be removed are not in the graph, such as "
            f"{one.subject} {one.predicate} {one.object}.",
            hint="A statement is removed from the passage that makes it.",
        )

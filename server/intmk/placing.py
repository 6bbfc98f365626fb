"""Where in what a client sent a finding stands.

Called in a limited process, once something was found: the engine parses here.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import Quad, RdfFormat, Store

from intmk import checks, formats, sparql, turtle, uploads
from intmk.changes import Change
from intmk.errors import SourceSyntaxError
from intmk.judged import Judged
from intmk.report import Finding
from intmk.sources import POSITIONED, Document, Place, Places, parsed
from intmk.sparql import Token
from intmk.vocab import SOURCE_GRAPH

# To read a text with positions takes a second for so many characters.
MAX_CHARACTERS = 1_000_000
_ENDS = (".", "}", "{")
# How many tokens a declaration has.
_DECLARING = {"PREFIX": 3, "BASE": 2}


class Part(NamedTuple):
    """Text that was sent, read; its lines are ``shift`` less than those of the document."""

    document: Document
    shift: int = 0


def place(finding: Finding, parts: Iterable[Part], spelling: Iterable[Finding]) -> Finding | None:
    """Return a finding with the place of what it is about, None where no part speaks of that.

    ``spelling`` are the findings of :func:`spelling`, which know better than the statement.
    """
    for one in spelling:
        if (one.rule, one.focus) == (finding.rule, finding.focus) and (
            one.message_en in finding.message_en
        ):
            return at(finding, one)
    focus, path = (f"<{iri}>" if iri else None for iri in (finding.focus, finding.path))
    for part in parts:
        found = Places([part.document]).nearest(focus, path, finding.value or None)
        if found.line:
            return at(finding, found, part.shift)
    return None


def spelling(parts: Iterable[Part], after: AbstractSet[Quad]) -> list[Finding]:
    """Return what is wrong with how something is written, at its places; ``after`` is the graph
    with it.
    """
    known = Store()
    known.bulk_extend(after)
    return [
        at(fault.finding, fault.finding, part.shift)
        for part in parts
        for fault in checks.check(Judged([(SOURCE_GRAPH, part.document)], known=known))
    ]


def at(finding: Finding, found: Finding | Place, shift: int = 0) -> Finding:
    """Return a finding at another place, so many lines further up."""
    return replace(
        finding, file=found.file, column=found.column, end_column=found.end_column,
        line=found.line - shift if found.line else None,
        end_line=found.end_line - shift if found.end_line else None,
    )  # fmt: skip


def placed(
    findings: Iterable[Finding], change: Change, after: AbstractSet[Quad],
    prefixes: Mapping[str, str], base: str,
) -> list[Finding]:  # fmt: skip
    """Return findings with their places in the body of a change, those that have one first.

    A body has places when it is RDF in a syntax with positions, or an update that states data
    itself (INSERT DATA).
    """
    parts = list(_parts(change, prefixes, base))
    spelt = spelling(parts, after) if parts else []
    found = [place(one, parts, spelt) or one for one in findings]
    return sorted(found, key=lambda one: (not one.line, one.line or 0, one.column or 0))


def _parts(change: Change, prefixes: Mapping[str, str], base: str) -> Iterator[Part]:
    row = formats.by_extension(change.extension)
    form = RdfFormat.TRIG if change.kind == "update" else row.engine if row else None
    if (
        not isinstance(form, RdfFormat)
        or form not in POSITIONED
        or len(change.body) > MAX_CHARACTERS
    ):
        return
    text, head = turtle.decode(change.body, uploads.BODY), f"@base <{change.graph or base}> . "
    if change.kind == "update":
        text = inserted(text)
        head += "".join(f"@prefix {name}: <{space}> . " for name, space in prefixes.items())
    has_head = form in (RdfFormat.TURTLE, RdfFormat.TRIG)
    whole = f"{head}\n{text}" if has_head else text
    try:
        yield Part(parsed(whole, form, uploads.BODY, Path(uploads.BODY)), int(has_head))
    except (SourceSyntaxError, ValueError):
        # The engine has read it otherwise; then there are no places.
        return


def inserted(text: str) -> str:
    """Return an update as TriG: its prefixes and what it inserts as data, all else blanked out.

    What remains keeps its line and column.
    """
    found = list(sparql.tokens(text))
    kept = [one if one in "\r\n" else " " for one in text]

    def keep(token: Token) -> None:
        kept[token.start : token.start + len(token.text)] = token.text

    for number, token in enumerate(found):
        length = _DECLARING.get(token.text.upper(), 0)
        for one in found[number : number + length]:
            keep(one)
    for block in _data(found):
        for before, token, is_inside in block:
            # SPARQL needs no full stop before GRAPH and }, and allows one behind a graph's }.
            is_ended = before.text.endswith(_ENDS)
            if is_inside and not (token.text == "." and before.text == "}"):
                keep(token)
            if not is_inside and not is_ended:
                kept[token.start] = "."
            elif token.text.upper() == "GRAPH" and not is_ended:
                kept[token.start - 1] = "."
    return "".join(kept)


def _data(found: list[Token]) -> Iterator[list[tuple[Token, Token, bool]]]:
    """Yield the tokens of each INSERT DATA behind its {, each with the one before it.

    The last one is its }, the only one that is not inside.
    """
    words = [token.text.upper() for token in found]
    for number in range(2, len(found)):
        if words[number - 2 : number + 1] == ["INSERT", "DATA", "{"]:
            depth, block = 1, []
            for before, token in pairwise(found[number:]):
                depth += {"{": 1, "}": -1}.get(token.text, 0)
                block.append((before, token, depth > 0))
                if not depth:
                    break
            yield block

"""Reading a file that is not quite RDF: every error is told, and the rest is read all the same.

The engine stops at the first error. Here the statement it stands in is blanked out and the text
read again, so that a curator learns of all of them at once.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import RdfFormat

from intmk import turtle
from intmk.errors import SourceSyntaxError
from intmk.report import Finding
from intmk.rules import finding
from intmk.sources import POSITIONED, Document, Place, parsed

# So many errors are told of one file, and longer files are not searched for a second one.
MAX_ERRORS = 20
MAX_CHARACTERS = 1_000_000

_NO_DOT = "A dot is expected at the end of statements|expected at the end of a graph block"
# What the engine says, and what a curator can do about it.
_SAYINGS = (
    (
        _NO_DOT,
        "Am Ende dieser Aussage fehlt der Punkt.",
        "The full stop at the end of this statement is missing.",
    ),
    (
        r"Unexpected end of file",
        "Hier beginnt ein Text oder eine Klammer ohne Ende; prüfe Anführungszeichen und Klammern.",
        "A text or a bracket begins here and does not end; check quotation marks and brackets.",
    ),
    (
        r"Invalid IRI code point '(.)'",
        "Ein IRI darf das Zeichen „{0}“ nicht enthalten; ein Leerzeichen schreibt man dort %20.",
        "An IRI must not contain the character “{0}”; a space is written %20 there.",
    ),
    (
        r"No scheme found in an absolute IRI|Invalid IRI",
        "Das ist kein vollständiger IRI; ein richtiger beginnt mit https://.",
        "This is not a whole IRI; a right one begins with https://.",
    ),
)
_PREFIX = re.compile(r"The prefix ([^:]*): has not been declared")


class Recovered(NamedTuple):
    """What could be read of a file, what could not, and the findings that say so."""

    document: Document
    findings: list[Finding]
    lost: str


def read(
    text: str, form: RdfFormat, name: str, path: Path, prefixes: Mapping[str, str]
) -> Recovered:
    """Read ``text`` past its errors; ``prefixes`` are those that may have been meant.

    Raises the first SourceSyntaxError when there is one that has no place to go on from.
    """
    first: SourceSyntaxError | None = None
    findings: dict[str, Finding] = {}
    lost: list[str] = []
    mended = text
    while True:
        try:
            document = parsed(mended, form, name, path)
            break
        except SourceSyntaxError as error:
            first = first or error
            if not _can_go_on(error, form, text, len(lost)):
                raise first from None
            start, end = _region(mended, error)
            found = _finding(error, mended, start, prefixes)
            findings.setdefault(found.message_en, found)
            lost.append(mended[start:end])
            mended = mended[:start] + re.sub(r"[^\r\n]", " ", mended[start:end]) + mended[end:]
    return Recovered(document, list(findings.values()), "\n".join(lost))


def _can_go_on(error: SourceSyntaxError, form: RdfFormat, text: str, so_far: int) -> bool:
    is_short = len(text) <= MAX_CHARACTERS and so_far < MAX_ERRORS
    return form in POSITIONED and error.line is not None and is_short


def _offset(text: str, error: SourceSyntaxError) -> int:
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]
    return min(starts[(error.line or 1) - 1] + (error.column or 1) - 1, len(text))


def _region(text: str, error: SourceSyntaxError) -> tuple[int, int]:
    """Return where the statement with the error begins and ends."""
    at = _offset(text, error)
    start = 0
    for mark, begin, end in _marks(text, 0):
        if begin >= at:
            break
        if mark in ".{}":
            start = end
    start += len(text[start:at]) - len(text[start:at].lstrip())
    if re.search(_NO_DOT, error.detail) and at > start:
        return start, at
    for mark, begin, end in _marks(text, at):
        if mark == "}":
            return start, max(begin, start + 1)
        if mark == ".":
            return start, end
    return start, len(text)


def _marks(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Yield the full stops and braces of a text; what is no token ends with its line."""
    while position < len(text):
        match = turtle.token(text, position)
        if match is None:
            line = re.compile(r"[^\r\n]*").match(text, position)
            end = line.end() if line else len(text)
            if text[position:end].rstrip().endswith("."):
                yield ".", position, end
            position = max(end, position + 1)
            continue
        if match.group() in (".", "{", "}"):
            yield match.group(), match.start(), match.end()
        position = match.end()


def _finding(
    error: SourceSyntaxError, text: str, start: int, prefixes: Mapping[str, str]
) -> Finding:
    at = _offset(text, error)
    if match := _PREFIX.search(error.detail):
        return _unknown_prefix(match[1], text, at, error.file, prefixes)
    if re.search(_NO_DOT, error.detail):
        at = start + len(text[start:at].rstrip())
    place = Place(error.file, *turtle.Lines(text)(at))
    german, english = _said(error.detail)
    return finding("syntax", place, de=german, en=english)


def _said(detail: str) -> tuple[str, str]:
    for pattern, german, english in _SAYINGS:
        if match := re.search(pattern, detail):
            return german.format(*match.groups()), english.format(*match.groups())
    return detail, detail


def _unknown_prefix(
    prefix: str, text: str, at: int, file: str, prefixes: Mapping[str, str]
) -> Finding:
    """Tell a prefix that is not declared: one the graph knows, or one much like it."""
    found = re.compile(re.escape(f"{prefix}:")).search(text, at)
    begin = found.start() if found else at
    lines = turtle.Lines(text)
    place = Place(file, *lines(begin), *lines(begin + len(prefix) + 1))
    declared = {name for name, _, _ in turtle.prefixes(text)} | set(prefixes)
    if prefix in prefixes:
        line = f"@prefix {prefix}: <{prefixes[prefix]}> ."
        return finding("unknown-prefix", place, prefix=prefix,
                       fix_de=f" Ergänze am Anfang der Datei: {line}",
                       fix_en=f" Add to the top of the file: {line}")  # fmt: skip
    close = get_close_matches(prefix, sorted(declared), n=1)
    return finding("unknown-prefix", place, prefix=prefix, fix=f"{close[0]}:" if close else "")

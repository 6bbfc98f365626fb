"""RDF Patch (https://afs.github.io/rdf-patch/): what a change takes away and what it adds, as text.

A statement is a line of N-Quads, ``<s> <p> <o> <g> .``, written as the engine writes it, so that
equal statements are equal lines. A blank node's name is the one RDFC-1.0 gives it in its version.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from intmk.errors import SourceSyntaxError

MEDIA_TYPE, EXTENSION = "application/rdf-patch", "rdfp"
_SILENT = ("H", "TX", "TC", "#")
_IRI, _TEXT = r"<[^<>]*>", r'"(?:[^"\\]|\\.)*"'
_STATEMENT = re.compile(
    rf"(?P<subject>{_IRI}|_:\S+) (?P<predicate>{_IRI}) "
    rf"(?P<object>{_IRI}|_:\S+|{_TEXT}(?:@[A-Za-z0-9-]+|\^\^{_IRI})?)"
    rf"(?: (?P<graph>{_IRI}|_:\S+))? \."
)


class Patch(NamedTuple):
    """The statements that a change adds and those it removes; no statement is in both."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()

    @property
    def inverse(self) -> "Patch":
        """The change that takes this one back."""
        return Patch(self.removed, self.added)

    @property
    def size(self) -> int:
        """The number of statements that come or go."""
        return len(self.added) + len(self.removed)


def net(patches: Iterable[Patch]) -> Patch:
    """Return several changes, one after the other, as one."""
    added: set[str] = set()
    removed: set[str] = set()
    for one in patches:
        _take(one.removed, added, removed)
        _take(one.added, removed, added)
    return Patch(frozenset(added), frozenset(removed))


def _take(statements: Iterable[str], out_of: set[str], into: set[str]) -> None:
    """Move statements: what had gone the other way is as it was, all others are news."""
    for one in statements:
        if one in out_of:
            out_of.remove(one)
        else:
            into.add(one)


def difference(before: Iterable[bytes], after: Iterable[bytes]) -> Patch:
    """Return what leads from one canonical dump to another, both given as sorted lines."""
    added, removed = [], []
    olds, news = iter(before), iter(after)
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if old == new:
            old, new = next(olds, None), next(news, None)
        elif new is None or (old is not None and old < new):
            removed.append(old or b"")
            old = next(olds, None)
        else:
            added.append(new)
            new = next(news, None)
    return Patch(_statements(added), _statements(removed))


def _statements(lines: Iterable[bytes]) -> frozenset[str]:
    return frozenset(line.decode().rstrip("\n") for line in lines)


class Parts(NamedTuple):
    """The terms of a statement in N-Triples, ``graph`` being "" for the default graph."""

    subject: str
    predicate: str
    object: str
    graph: str


def parts(statement: str) -> Parts:
    """Return the terms of a statement; raises ValueError when it is not written as here."""
    match = _STATEMENT.fullmatch(statement)
    if match is None:
        raise ValueError(f"{statement[:200]!r} is not a statement")
    return Parts(match["subject"], match["predicate"], match["object"], match["graph"] or "")


def write(patch: Patch, header: Mapping[str, str]) -> str:
    """Return a patch as one transaction; ``header`` has its keys and values, N-Triples terms."""
    lines = [f"H {key} {value} .\n" for key, value in header.items()]
    lines += ["TX .\n"]
    lines += [f"D {statement}\n" for statement in sorted(patch.removed)]
    lines += [f"A {statement}\n" for statement in sorted(patch.added)]
    return "".join([*lines, "TC .\n"])


def header(text: str) -> dict[str, str]:
    """Return keys and values of a patch's header."""
    found = {}
    for line in text.split("\n"):
        if not line.startswith("H "):
            break
        _, key, value = line.removesuffix(" .").split(" ", 2)
        found[key] = value
    return found


def read(text: str, name: str = "patch") -> Patch:
    """Return the net change of a patch; its statements are not looked into.

    Raises SourceSyntaxError, naming ``name`` and the line, for what is not a row of a patch.
    """
    added: set[str] = set()
    removed: set[str] = set()
    for _, letter, statement in rows(text, name):
        to, other = (added, removed) if letter == "A" else (removed, added)
        other.discard(statement)
        to.add(statement)
    return Patch(frozenset(added), frozenset(removed))


def rows(text: str, name: str = "patch") -> Iterator[tuple[int, str, str]]:
    """Yield line number, ``A`` or ``D``, and statement of each row that changes something."""
    for number, line in enumerate(text.split("\n"), 1):
        verb, _, statement = line.strip().partition(" ")
        if verb in ("A", "D"):
            yield number, verb, statement.strip()
        elif verb and not verb.startswith(_SILENT):
            raise SourceSyntaxError(
                f"{line[:60]!r} is not a row of a patch.",
                file=name, line=number, column=1,
                hint="A row is A or D with a statement of N-Quads, its IRIs in full.",
            )  # fmt: skip

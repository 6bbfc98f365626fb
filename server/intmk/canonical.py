"""The one layout of our data files: one statement per line, sorted, so that a diff is a change.

A file opens with its comment, then the prefixes it uses, then its default graph, then its named
graphs (TriG section 2). Statements are sorted by subject, ``a`` first, then predicate and object;
numbers inside IRIs count as numbers, so line 9 comes before line 10.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, parse

from intmk import turtle
from intmk.errors import SourceSyntaxError
from intmk.vocab import TYPE, XSD, shrink

_INTEGER = re.compile(r"[+-]?[0-9]+")

GraphName = NamedNode | BlankNode | DefaultGraph
SortKey = tuple[str | int, ...]


def canonical(text: str, name: str = "-", prefixes: Mapping[str, str] | None = None) -> str:
    """Return ``text`` (Turtle or TriG) in the canonical layout, with the same quads.

    ``prefixes`` are used beside the file's own. Raises SourceSyntaxError, naming the file ``name``,
    when the text is not TriG or holds what the layout would lose: a blank node, which has no name
    to be sorted by, or a comment below the first statement.
    """
    parser = parse(text, RdfFormat.TRIG)
    try:
        quads = set(parser)
    except SyntaxError as error:
        message = error.msg.partition(": ")[2]
        raise SourceSyntaxError(
            message, file=name, line=error.lineno, column=error.offset
        ) from error
    _refuse_blank_nodes(text, name, quads)
    names = _Names({**(prefixes or {}), **parser.prefixes})
    blocks = list(_blocks(quads, names))
    return "\n".join(part for part in (_comment(text, name), names.header(), *blocks) if part)


def format_file(path: Path, check: bool = False, prefixes: Mapping[str, str] | None = None) -> bool:
    """Bring a file into the canonical layout and return whether it was not in it before.

    With ``check`` the file is left as it is. Raises as :func:`canonical`, and OSError.
    """
    before = turtle.decode(path.read_bytes(), str(path))
    after = canonical(before, str(path), prefixes)
    if before == after:
        return False
    if not check:
        path.write_bytes(after.encode())
    return True


class _Names:
    """Shortens IRIs and remembers which prefixes it used."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.prefixes = prefixes
        self.used: set[str] = set()

    def __call__(self, iri: str) -> str:
        short = shrink(iri, self.prefixes)
        if not short.startswith("<"):
            self.used.add(short.partition(":")[0])
        return short

    def header(self) -> str:
        return "".join(f"@prefix {name}: <{self.prefixes[name]}> .\n" for name in sorted(self.used))


def _refuse_blank_nodes(text: str, name: str, quads: Iterable[Quad]) -> None:
    if not any(isinstance(term, BlankNode) for quad in quads for term in tuple(quad)):
        return
    for statement in turtle.statements(text, name):
        for term in tuple(statement.quad):
            if isinstance(term, BlankNode):
                span = statement.subject if term == statement.quad.subject else statement.object
                raise _misplaced(text, name, span.start, "a blank node", "Give it an IRI.")


def _comment(text: str, name: str) -> str:
    """Return the comment lines that open the text; refuse any other."""
    begin, comments = turtle.comments(text)
    for span in comments:
        if span.start > begin:
            raise _misplaced(text, name, span.start, "a comment here", "Move it to the top.")
    return "".join(f"{text[span.start : span.end].rstrip()}\n" for span in comments)


def _misplaced(text: str, name: str, offset: int, what: str, hint: str) -> SourceSyntaxError:
    line, column = turtle.Lines(text)(offset)
    detail = f"the canonical layout has no place for {what}."
    return SourceSyntaxError(detail, file=name, line=line, column=column, hint=hint)


def _blocks(quads: Iterable[Quad], names: _Names) -> Iterator[str]:
    graphs: dict[GraphName, list[Quad]] = {}
    for quad in sorted(quads, key=_order):
        graphs.setdefault(quad.graph_name, []).append(quad)
    for graph, members in graphs.items():
        lines = [" ".join(_terms(quad, names)) + " .\n" for quad in members]
        if isinstance(graph, DefaultGraph):
            yield "".join(lines)
        else:
            body = "".join(f"  {line}" for line in lines)
            yield f"GRAPH {_term(graph, names)} {{\n{body}}}\n"


def _terms(quad: Quad, names: _Names) -> Iterator[str]:
    yield _term(quad.subject, names)
    yield "a" if quad.predicate == TYPE else _term(quad.predicate, names)
    yield _term(quad.object, names)


def _term(term: object, names: _Names) -> str:
    if isinstance(term, NamedNode):
        return names(term.value)
    if not isinstance(term, Literal) or term.language or term.datatype.value == f"{XSD}string":
        return str(term)
    kind = term.datatype.value
    if kind == f"{XSD}integer" and _INTEGER.fullmatch(term.value):
        return term.value
    if kind == f"{XSD}boolean" and term.value in ("true", "false"):
        return term.value
    return f"{Literal(term.value)}^^{names(kind)}"


def _order(quad: Quad) -> tuple[SortKey, SortKey, SortKey, SortKey, str]:
    graph, verb = quad.graph_name, quad.predicate
    return (
        () if isinstance(graph, DefaultGraph) else natural(str(graph)),
        natural(str(quad.subject)),
        () if verb == TYPE else natural(str(verb)),
        natural(str(quad.object)),
        str(quad),
    )


def natural(text: str) -> SortKey:
    """Return a sort key in which runs of ASCII digits compare as numbers."""
    parts = re.split(r"([0-9]+)", text)
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))

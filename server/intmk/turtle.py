"""Turtle, TriG, N-Triples and N-Quads with positions: where in the text each statement stands.

Implements the grammars of Turtle 1.1 (section 6.5) and TriG 1.1 (section 4.5). The engine's own
parser decides what is well-formed and gives the quads; this reader only says where they are, which
the engine never does.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urljoin

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad

from intmk.errors import SourceSyntaxError
from intmk.vocab import RDF, TYPE, XSD

FIRST, REST, NIL = (NamedNode(f"{RDF}{name}") for name in ("first", "rest", "nil"))

# Python's stack is the limit of a recursive reader; nobody nests brackets a hundred deep by hand.
MAX_DEPTH = 100

_BASE = (
    r"A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C\u200D"
    r"\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\U00010000-\U000EFFFF"
)
_CHARS = rf"-{_BASE}_0-9\u00B7\u0300-\u036F\u203F\u2040"
_LOCAL = rf"(?:[{_CHARS}:]|%[0-9A-Fa-f]{{2}}|\\.|\.+(?=[{_CHARS}:%\\]))*"
# Possessive quantifiers keep the matcher from remembering every letter of a long text.
_TOKEN = re.compile(
    rf"""
      (?P<space>(?:[ \t\r\n]++|\#[^\r\n]*+)++)
    | (?P<iri><[^<>"{{}}|^`\x00-\x20]*>)
    | (?P<string>\"\"\"(?:\"{{0,2}}(?:[^"\\]++|\\.))*+\"\"\"
        |\'\'\'(?:'{{0,2}}(?:[^'\\]++|\\.))*+\'\'\'
        |"(?:[^"\\\r\n]++|\\.)*+"|'(?:[^'\\\r\n]++|\\.)*+')
    | (?P<at>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    | (?P<number>[+-]?(?:[0-9]+\.[0-9]*[eE][+-]?[0-9]+|\.?[0-9]+[eE][+-]?[0-9]+
        |[0-9]*\.[0-9]+|[0-9]+))
    | (?P<blank>_:[{_BASE}_0-9](?:[{_CHARS}.]*[{_CHARS}])?)
    | (?P<name>(?:[{_BASE}](?:[{_CHARS}.]*[{_CHARS}])?)?:{_LOCAL})
    | (?P<word>[A-Za-z]+)
    | (?P<mark>\^\^|[.;,\[\](){{}}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LONG = ('"""', "'''")
_CONTROLS = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}

Subject = NamedNode | BlankNode
Term = NamedNode | BlankNode | Literal
GraphName = NamedNode | BlankNode | DefaultGraph


class Span(NamedTuple):
    """A half-open slice of the text, in characters: ``text[start:end]`` is the term as written."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One quad and the three spans at which its terms are written."""

    quad: Quad
    subject: Span
    predicate: Span
    object: Span


class Lines:
    """Turns an offset into a text into its line and column, both counted from 1."""

    def __init__(self, text: str) -> None:
        """Index the line ends of ``text``."""
        self._starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]

    def __call__(self, offset: int) -> tuple[int, int]:
        """Return ``(line, column)`` of the character at ``offset``."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def statements(text: str, file: str = "-") -> Iterator[Statement]:
    """Yield every statement of ``text`` in order, with its spans.

    ``text`` must already have passed the engine's parser; what that accepts and RDF 1.1 does not
    (triple terms, annotations) raises SourceSyntaxError with ``file``, line and column.
    """
    return _Reader(text, file).document()


def comments(text: str) -> tuple[int, list[Span]]:
    """Return the offset of the first term of ``text`` and the spans of its comments."""
    begin, found = len(text), []
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            begin = min(begin, match.start())
            continue
        for comment in re.finditer(r"#[^\r\n]*", match.group()):
            found.append(Span(match.start() + comment.start(), match.start() + comment.end()))
    return begin, found


def token(text: str, position: int) -> re.Match[str] | None:
    """Return the token, or the space, that begins at ``position``, or None when none does."""
    return _TOKEN.match(text, position)


def prefixes(text: str) -> Iterator[tuple[str, str, Span]]:
    """Yield each prefix that ``text`` declares: its name, its namespace, the span of the latter."""
    found = [match for match in _TOKEN.finditer(text) if match.lastgroup != "space"]
    for word, name, iri in zip(found, found[1:], found[2:], strict=False):
        if word.group().lower() in ("@prefix", "prefix") and iri.lastgroup == "iri":
            yield name.group()[:-1], unescape(iri.group()[1:-1]), Span(*iri.span())


def decode(data: bytes, file: str) -> str:
    """Return the text of a file. Raises SourceSyntaxError, with its place, at what is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = Lines(before)(len(before))
        raise SourceSyntaxError(
            "the file is not UTF-8.", file=file, line=line, column=column
        ) from error


class _Token(NamedTuple):
    kind: str
    text: str
    span: Span


class _Reader:
    """A recursive-descent reader; each method is named for the grammar rule it reads."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.tokens = self._tokens()
        self.token = next(self.tokens)
        self.prefixes: dict[str, str] = {}
        self.base = ""
        self.graph: GraphName = DefaultGraph()
        self.found: list[Statement] = []
        self.end = self.blanks = self.depth = 0

    def _tokens(self) -> Iterator[_Token]:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self._error(position, self._unexpected(position))
            position = match.end()
            if match.lastgroup and match.lastgroup != "space":
                yield _Token(match.lastgroup, match.group(), Span(*match.span()))
        while True:
            yield _Token("end", "", Span(position, position))

    def _unexpected(self, position: int) -> str:
        if self.text.startswith("<<", position):
            return "a statement is a triple; this graph is RDF 1.1, where a named graph states it"
        return f"unexpected character {self.text[position]!r}"

    def _error(self, position: int, message: str) -> SourceSyntaxError:
        line, column = Lines(self.text)(position)
        return SourceSyntaxError(message, file=self.file, line=line, column=column)

    def take(self, expected: str = "") -> _Token:
        """Return the current token and move on; with ``expected``, insist on that mark."""
        token = self.token
        if expected and token.text != expected:
            raise self._error(token.span.start, f"expected {expected!r}, found {token.text!r}")
        self.token, self.end = next(self.tokens), token.span.end
        return token

    def takes(self, mark: str) -> bool:
        """Move over ``mark`` if it comes next, and say whether it did."""
        if self.token.text != mark:
            return False
        self.take()
        return True

    def document(self) -> Iterator[Statement]:
        while self.token.kind != "end":
            if not self.directive():
                self.block()
            yield from self.found
            self.found.clear()

    def directive(self) -> bool:
        word = self.token.text.lower().lstrip("@")
        if self.token.kind not in ("at", "word") or word not in ("prefix", "base"):
            return False
        full_stop = self.take().kind == "at"
        name = self.take().text[:-1] if word == "prefix" else ""
        iri = self.iri(self.take())
        if word == "prefix":
            self.prefixes[name] = iri.value
        else:
            self.base = iri.value
        if full_stop:
            self.take(".")
        return True

    def block(self) -> None:
        if self.token.kind == "word" and self.token.text.upper() == "GRAPH":
            self.take()
            self.wrapped_graph(self.node(self.take()))
        elif self.token.text == "{":
            self.wrapped_graph(DefaultGraph())
        else:
            self.triples_or_graph()

    def triples_or_graph(self) -> None:
        bare = self.token.text == "["
        subject, span = self.subject()
        if self.token.text == "{":
            self.wrapped_graph(subject)
            return
        if not (bare and self.token.text == "."):
            self.predicate_objects(subject, span)
        self.take(".")

    def wrapped_graph(self, graph: GraphName) -> None:
        self.graph = graph
        self.take("{")
        while not self.takes("}"):
            subject, span = self.subject()
            if self.token.text not in (".", "}"):
                self.predicate_objects(subject, span)
            if not self.takes("."):
                self.take("}")
                break
        self.graph = DefaultGraph()

    def subject(self) -> tuple[Subject, Span]:
        term, span = self.object()
        if isinstance(term, Literal):
            raise self._error(span.start, "a literal cannot be a subject")
        return term, span

    def predicate_objects(self, subject: Subject, span: Span) -> None:
        while self.token.text not in (".", "]", "}"):
            verb = self.take()
            predicate = TYPE if verb.text == "a" else self.iri(verb)
            self.objects(subject, span, predicate, verb.span)
            while self.takes(";"):
                pass

    def objects(self, subject: Subject, span: Span, predicate: NamedNode, verb: Span) -> None:
        while True:
            term, where = self.object()
            graph = self.graph
            if self.token.kind in ("iri", "blank") and self.graph == DefaultGraph():
                graph = self.node(self.take())  # the fourth term of N-Quads
            quad = Quad(subject, predicate, term, graph)
            self.found.append(Statement(quad, span, verb, where))
            if not self.takes(","):
                return

    def object(self) -> tuple[Term, Span]:
        token = self.take()
        if token.text == "[":
            return self.nested(self.property_list, token)
        if token.text == "(":
            return self.nested(self.collection, token)
        if token.kind in ("iri", "name", "blank"):
            return self.node(token), token.span
        return self.literal(token)

    def nested(self, rule: Callable[[], Subject], token: _Token) -> tuple[Subject, Span]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(token.span.start, f"brackets nested deeper than {MAX_DEPTH}")
        node = rule()
        self.depth -= 1
        return node, Span(token.span.start, self.end)

    def property_list(self) -> Subject:
        node = self.fresh()
        here = Span(self.end - 1, self.end)
        self.predicate_objects(node, here)
        self.take("]")
        return node

    def collection(self) -> Subject:
        head: Subject = NIL
        cell = None
        while self.token.text != ")":
            term, span = self.object()
            fresh = self.fresh()
            if cell is None:
                head = fresh
            else:
                self.add(cell, REST, fresh, span)
            cell = fresh
            self.add(cell, FIRST, term, span)
        self.take(")")
        if cell is not None:
            self.add(cell, REST, NIL, Span(self.end - 1, self.end))
        return head

    def add(self, subject: Subject, predicate: NamedNode, term: Term, span: Span) -> None:
        quad = Quad(subject, predicate, term, self.graph)
        self.found.append(Statement(quad, span, span, span))

    def fresh(self) -> BlankNode:
        self.blanks += 1
        return BlankNode(f"at-{self.blanks}")

    def node(self, token: _Token) -> Subject:
        if token.kind == "blank":
            return BlankNode(token.text[2:])
        return self.iri(token)

    def iri(self, token: _Token) -> NamedNode:
        if token.kind == "iri":
            return NamedNode(self.resolved(unescape(token.text[1:-1])))
        name, _, local = token.text.partition(":")
        if token.kind != "name" or name not in self.prefixes:
            raise self._error(token.span.start, f"expected an IRI, found {token.text!r}")
        return NamedNode(self.prefixes[name] + re.sub(r"\\(.)", r"\1", local))

    def resolved(self, iri: str) -> str:
        if not self.base or _SCHEME.match(iri):
            return iri
        # The standard library drops an empty fragment.
        empty = "#" if iri.endswith("#") else ""
        return urljoin(self.base, iri).rstrip("#") + empty

    def literal(self, token: _Token) -> tuple[Literal, Span]:
        if token.kind != "string":
            return self.shorthand(token), token.span
        value = unescape(token.text[3:-3] if token.text[:3] in _LONG else token.text[1:-1])
        literal = Literal(value)
        if self.token.kind == "at":
            literal = Literal(value, language=self.take().text[1:])
        elif self.takes("^^"):
            literal = Literal(value, datatype=self.iri(self.take()))
        return literal, Span(token.span.start, self.end)

    def shorthand(self, token: _Token) -> Literal:
        if token.kind == "number":
            exponent, point = "e" in token.text.lower(), "." in token.text
            kind = "double" if exponent else "decimal" if point else "integer"
        elif token.text in ("true", "false"):
            kind = "boolean"
        else:
            raise self._error(token.span.start, f"unexpected {token.text!r}")
        return Literal(token.text, datatype=NamedNode(f"{XSD}{kind}"))


def unescape(text: str) -> str:
    """Return ``text`` with its string and numeric escapes resolved (Turtle section 6.4)."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _CONTROLS.get(match[3], match[3])

"""What can be told from the text of a query without evaluating it, and where its errors are.

The tokens are those of SPARQL 1.1 section 19.8, read so that strings, IRIs and comments never
look like keywords.
"""

import bisect
import difflib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from intmk.errors import GraphError, NetworkForbidden, QuerySyntaxError, UpdateForbidden

_TOKEN = re.compile(
    r"""
      (?P<space>\s+ | \#[^\n\r]*)
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    | (?P<string>'{3}(?:\\.|'{0,2}[^'\\])*'{3} | "{3}(?:\\.|"{0,2}[^"\\])*"{3}
        | '(?:\\.|[^'\\\n\r])*' | "(?:\\.|[^"\\\n\r])*")
    | (?P<variable>[?$]\w+)
    | (?P<pname>(?:[^\W\d_](?:[\w\-]|\.(?=[\w\-.:]))*)?:(?:[\w:%\-]|\\.|\.(?=[\w:%\\\-.]))*)
    | (?P<blank>_:\w(?:[\w\-]|\.(?=[\w\-.]))*)
    | (?P<language>@[A-Za-z]+(?:-\w+)*)
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d]\w*)
    | (?P<mark>\^\^|<=|>=|!=|&&|\|\||<<|>>|\{\||\|\}|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_UPDATE_VERBS = frozenset(
    ("INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH")
)
_READ_ONLY = "This address answers SELECT, ASK, CONSTRUCT and DESCRIBE."
_UNENDED = "The string that begins here does not end."
_BROKEN = {"'": _UNENDED, '"': _UNENDED, "<": "The IRI that begins here is not valid."}
_PLACE = re.compile(r"error at (\d+):(\d+)")
# What Oxigraph says in words, between the tokens it lists as expected.
_PHRASE = re.compile(r"[A-Z][a-z]+(?: [A-Za-z]+)* [a-z]+(?: [A-Za-z]+)*")
# Oxigraph looks for a keyword by reading as many characters as the keyword has, and reports where
# it stopped. Tokens moved this far apart keep it from running into the next one.
_GAP = " " * 32
_EXPLAINED_CHARACTERS = 100_000


class Token(NamedTuple):
    """A piece of a query: its class, its text and where it starts (from 0, in characters)."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a query without white space and comments."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "space":
            yield Token(kind, match[0], match.start())


def refuse_service(text: str) -> None:
    """Raise NetworkForbidden, with its place, when a query asks another server (SERVICE)."""
    hint = "Ask the other server directly and join the answers on your side."
    _refuse_word(text, "SERVICE", "The query uses SERVICE.", hint)


def refuse_load(text: str) -> None:
    """Raise NetworkForbidden, with its place, when an update fetches a document (LOAD)."""
    hint = "Fetch the document and send it to /graphs, or its triples with INSERT DATA."
    _refuse_word(text, "LOAD", "The update uses LOAD.", hint)


def _refuse_word(text: str, word: str, detail: str, hint: str) -> None:
    if word.lower() not in text.lower():
        return
    for token in tokens(text):
        if token.kind == "word" and token.text.upper() == word:
            line, column = position(text, token.start)
            raise NetworkForbidden(detail, hint=hint, line=line, column=column)


def explain(
    text: str,
    prefixes: Mapping[str, str],
    parse: Callable[[str], object],
    error: SyntaxError,
    is_update: bool = False,
) -> GraphError:
    """Return what is wrong with a query that ``parse`` refused with ``error``, and where.

    ``parse`` takes a query text and raises SyntaxError as Oxigraph does. The answer is a
    QuerySyntaxError, or an UpdateForbidden for an update where only queries are taken.
    """
    if len(text) > _EXPLAINED_CHARACTERS:
        return _at(text, _reported(error, text), "The parser stopped here.")
    found = list(tokens(text))
    verb = next((one for one in found if one.kind == "word" and not is_prologue(one)), None)
    if verb and verb.text.upper() in _UPDATE_VERBS and not is_update:
        return UpdateForbidden(f"The query begins with {verb.text.upper()}.", hint=_READ_ONLY)
    wrong, refusal = _first_wrong(found, parse, error)
    phrase = _PHRASE.search(str(refusal))
    broken = _broken(found, wrong, "IRI parsing failed" in str(refusal))
    if broken:
        return _at(text, broken.start, _BROKEN[broken.text[0]])
    if wrong is None:
        return _at_end(text, verb, phrase)
    if wrong.kind == "pname" and not _is_declared(wrong, found, prefixes):
        return _unknown_prefix(text, wrong, prefixes)
    return _at(text, wrong.start, f"{wrong.text[:40]!r} cannot stand here.")


def _is_declared(name: Token, found: list[Token], prefixes: Mapping[str, str]) -> bool:
    prefix = name.text.partition(":")[0]
    pairs = itertools.pairwise(found)
    own = {b.text.rstrip(":") for a, b in pairs if a.text.upper() == "PREFIX"}
    return prefix in own or prefix in prefixes


def is_prologue(token: Token) -> bool:
    """Tell whether a word begins a declaration (SPARQL 1.1 section 4.1.1)."""
    return token.text.upper() in ("PREFIX", "BASE")


def _first_wrong(
    found: list[Token], parse: Callable[[str], object], error: SyntaxError
) -> tuple[Token | None, SyntaxError]:
    """Return the token at which parsing stops (None for the end), and what the parser says."""
    spread, starts = _spread(found)
    try:
        parse(spread)
    except SyntaxError as refusal:
        stop = _reported(refusal, spread)
        at = bisect.bisect_right(starts, stop) - 1
        return (found[at] if found and stop < len(spread) else None), refusal
    return None, error


def _spread(found: list[Token]) -> tuple[str, list[int]]:
    """Return the tokens with gaps between them on one line, and where each starts."""
    text, starts = "", []
    for token in found:
        # A language tag or datatype belongs to the string before it.
        is_joined = token.kind == "language" or token.text == "^^" or text.endswith("^^")
        text += "" if is_joined else _GAP
        starts.append(len(text))
        text += token.text
    return text + _GAP, starts


def _reported(error: SyntaxError, text: str) -> int:
    """Return the offset in ``text`` that Oxigraph's message names (``error at 1:10: …``)."""
    match = _PLACE.search(str(error))
    if not match:
        return len(text)
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: int(match[1]) - 1]) + int(match[2]) - 1


def _at_end(text: str, verb: Token | None, phrase: re.Match[str] | None) -> QuerySyntaxError:
    if phrase:
        return _at(text, verb.start if verb else 0, f"{phrase[0]}.")
    if not text.strip():
        return QuerySyntaxError("The query is empty.", hint="Try SELECT * { ?s ?p ?o } LIMIT 10")
    return _at(text, len(text.rstrip()), "The query ends too early.", "Is a bracket left open?")


def _broken(found: list[Token], wrong: Token | None, is_iri: bool) -> Token | None:
    """Return the quote or bracket that opens a string or IRI and is never closed, if that is it."""
    before = [one for one in found if wrong is None or one.start <= wrong.start]
    quote = next((one for one in before if one.text in ("'", '"')), None)
    iri = next((one for one in reversed(before) if one.text == "<" or one.kind == "iri"), None)
    return quote or (iri if is_iri else None)


def _unknown_prefix(text: str, token: Token, prefixes: Mapping[str, str]) -> QuerySyntaxError:
    name = token.text.split(":")[0]
    near = difflib.get_close_matches(name, prefixes, n=1)
    hint = f"Did you mean {near[0]}:?" if near else f"Add PREFIX {name}: <…> before the query."
    return _at(text, token.start, f"The prefix {name}: is not declared.", hint)


def _at(text: str, offset: int, detail: str, hint: str = "") -> QuerySyntaxError:
    line, column = position(text, offset)
    return QuerySyntaxError(detail, hint=hint, line=line, column=column)


def position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column (from 1, in characters) of an offset."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

"""What must be known of a query before it is sent to another server, which knows none of our rules.

It is read from the tokens of SPARQL 1.1 section 19.8 in one pass, in time with its length whatever
it holds: a string that does not end is one token up to where it would have to.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal, NamedTuple

from intmk import sparql
from intmk.errors import NetworkForbidden, QuerySyntaxError, UpdateForbidden

_TOKEN = re.compile(
    r"""
      (?P<space>\s++ | \#[^\n\r]*+)
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*+>)
    | (?P<string>'{3}(?:\\.|'{0,2}+[^'\\])*+(?:'{3}|\Z) | "{3}(?:\\.|"{0,2}+[^"\\])*+(?:"{3}|\Z)
        | '(?:\\.|[^'\\\n\r])*+'? | "(?:\\.|[^"\\\n\r])*+"?)
    | (?P<name>[?$@]\w++ | _:\w++)
    | (?P<prefixed>(?:[^\W\d][\w.-]{0,99}+)?:(?:[\w:%.-]|\\.)*+)
    | (?P<word>\w++)
    | (?P<mark>[{}().;,|/^=!*+&>-]++ | <+(?=<) | .)
    """,
    re.VERBOSE | re.DOTALL,
)
_READ = ("iri", "name", "prefixed", "word")
_ABSOLUTE = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*+:")
# Replaced before anything else is read (section 19.2), so it could hide what this module looks for.
_HIDDEN = re.compile(r"\\(?:u00|U000000)[0-7][0-9A-Fa-f]")
_KINDS: dict[str, Literal["results", "graph"]] = {
    "SELECT": "results",
    "ASK": "results",
    "CONSTRUCT": "graph",
    "DESCRIBE": "graph",
}
_PROLOGUE = ("PREFIX", "BASE")
_UPDATES = frozenset(
    ("INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH")
)
_READ_ONLY = "This address answers SELECT, ASK, CONSTRUCT and DESCRIBE."


class Outgoing(NamedTuple):
    """A query that may be sent as it is: its form (``ASK``), the kind of answer that this has, and
    the IRIs of its GRAPH clauses, if none of these leaves open which graph it means."""

    text: str
    form: str
    kind: Literal["results", "graph"]
    graphs: tuple[str, ...] = ()


def prepared(text: str, prefixes: Mapping[str, str], base: str) -> Outgoing:
    """Return a query with those of ``prefixes`` declared that it uses and does not declare itself.

    The declarations stand on the first line, so that lines keep their numbers. Raises
    UpdateForbidden, NetworkForbidden for SERVICE, and QuerySyntaxError where the text begins with
    none of the four query forms or hides a character.
    """
    _refuse_hidden(text)
    found = [one for one in _TOKEN.finditer(text) if one.lastgroup in _READ]
    form = _form(text, found)
    head = "".join(f"PREFIX {name}: <{prefixes[name]}> " for name in _missing(found, prefixes))
    if any(one.lastgroup == "iri" and not _ABSOLUTE.match(one[0]) for one in found):
        head = f"BASE <{base}> {head}"
    return Outgoing(head + text, form, _KINDS[form], _graphs(found))


def _refuse_hidden(text: str) -> None:
    hidden = _HIDDEN.search(text)
    if hidden:
        raise _at(
            text, hidden.start(), f"{hidden[0]} stands for a plain character.", "Write that one."
        )


def _form(text: str, found: Iterable[re.Match[str]]) -> str:
    """Return SELECT, ASK, CONSTRUCT or DESCRIBE, with which the query begins after its prologue."""
    words = [one for one in found if one.lastgroup == "word"]
    first = next((one for one in words if one[0].upper() not in _PROLOGUE), None)
    form = first[0].upper() if first else ""
    if first is None or form not in _KINDS:
        if form in _UPDATES:
            raise UpdateForbidden(f"The query begins with {form}.", hint=_READ_ONLY)
        raise _at(text, first.start() if first else len(text.rstrip()), "No query begins here.")
    for word in words:
        if word[0].upper() == "SERVICE":
            line, column = sparql.position(text, word.start())
            hint = "Ask the other server directly and join the answers on your side."
            raise NetworkForbidden("The query uses SERVICE.", hint=hint, line=line, column=column)
    return form


def _graphs(found: list[re.Match[str]]) -> tuple[str, ...]:
    named = [name for word, name in pairwise(found) if _is(word, "GRAPH")]
    is_closed = all(one.lastgroup == "iri" and _ABSOLUTE.match(one[0]) for one in named)
    return tuple(sorted({one[0][1:-1] for one in named})) if is_closed else ()


def _is(token: re.Match[str], word: str) -> bool:
    return token.lastgroup == "word" and token[0].upper() == word


def _missing(found: list[re.Match[str]], prefixes: Mapping[str, str]) -> list[str]:
    used = {one[0].partition(":")[0] for one in found if one.lastgroup == "prefixed"}
    declared = {name[0].partition(":")[0] for word, name in pairwise(found) if _is(word, "PREFIX")}
    return sorted((used - declared) & prefixes.keys())


def _at(text: str, offset: int, detail: str, hint: str = _READ_ONLY) -> QuerySyntaxError:
    line, column = sparql.position(text, offset)
    return QuerySyntaxError(detail, hint=hint, line=line, column=column)

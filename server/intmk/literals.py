"""Which literals are values of their datatype: XML Schema through the engine, EDTF through edtf."""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache

from edtf import EDTFParseException, parse_edtf
from pyoxigraph import Literal, Store

from intmk.vocab import EDTF, XSD

# One right value of each datatype that is checked, shown in messages. The engine casts to all of
# them (SPARQL 1.1 section 17.1 and XML Schema 1.1 part 2); other datatypes are taken as they come.
EXAMPLES = {
    f"{XSD}boolean": "true",
    f"{XSD}date": "2024-09-30",
    f"{XSD}dateTime": "2024-09-30T12:00:00Z",
    f"{XSD}time": "12:00:00",
    f"{XSD}duration": "P1Y",
    f"{XSD}dayTimeDuration": "P1D",
    f"{XSD}yearMonthDuration": "P1Y",
    f"{XSD}gYear": "2024",
    f"{XSD}gYearMonth": "2024-09",
    f"{XSD}integer": "18",
    f"{XSD}decimal": "1.5",
    f"{XSD}double": "1.5e0",
    f"{XSD}float": "1.5e0",
    EDTF.value: "2024-09~",
}
_PLAIN_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
# XML Schema 1.1 part 2, section 3.4.13 onwards.
_INTEGERS = {
    f"{XSD}nonNegativeInteger": range(0, 2**63),
    f"{XSD}positiveInteger": range(1, 2**63),
    f"{XSD}int": range(-(2**31), 2**31),
    f"{XSD}long": range(-(2**63), 2**63),
}


def ill_typed(literals: Iterable[Literal]) -> dict[Literal, str]:
    """Return those literals that are not values of their datatype, each with a right example."""
    return {
        literal: example
        for literal in set(literals)
        if not literal.language and (example := _complaint(literal.value, literal.datatype.value))
    }


def _complaint(text: str, datatype: str) -> str:
    """Return an example of a right value when ``text`` is not one, else ""."""
    if datatype == EDTF.value:
        right = is_edtf(text)
    elif datatype in _INTEGERS:
        right = _casts(text, f"{XSD}integer") and int(text) in _INTEGERS[datatype]
        return "" if right else str(max(1, _INTEGERS[datatype].start))
    else:
        right = datatype not in EXAMPLES or _casts(text, datatype)
    return "" if right else EXAMPLES[datatype]


def is_edtf(text: str) -> bool:
    """Whether ``text`` is an Extended Date/Time Format expression of level 0, 1 or 2."""
    # The parser takes 5 ms for each text, and most are plain dates or intervals of them.
    return all(map(_is_plain_date, text.split("/", 1))) or _parses(text)


def _is_plain_date(text: str) -> bool:
    """Whether ``text`` is a year, a month or a day of the calendar, with nothing about it."""
    if not _PLAIN_DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text + "-01-01"[len(text) - 4 :])
    except ValueError:
        return False
    return True


def _parses(text: str) -> bool:
    try:
        parse_edtf(text)
    except EDTFParseException:
        return False
    return True


@cache
def _casts(text: str, datatype: str) -> bool:
    """Whether the engine can cast the string to the datatype without error."""
    return bool(
        Store().query(f"ASK {{ BIND(<{datatype}>({Literal(text)}) AS ?v) FILTER(BOUND(?v)) }}")
    )

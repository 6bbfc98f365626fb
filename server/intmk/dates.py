"""Dates in words, as precise as they are stated: days, and EDTF (ISO 8601-2, levels 0 to 2)."""

import re

_MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
}
_SIMPLE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>0[1-9]|1[0-2])(-(?P<day>\d\d))?)?(?P<doubt>[~?%]?)"
)
_DOUBTS = {
    "de": {"~": "etwa {}", "?": "vermutlich {}", "%": "vermutlich etwa {}"},
    "en": {"~": "about {}", "?": "probably {}", "%": "probably about {}"},
}
# What an interval (A/B) and a choice between (one of [A..B]) says, with both ends, the first only
# and the last only.
_PHRASES = {
    "de": {
        "/": ("{} bis {}", "seit {}", "bis {}"),
        "..": ("zwischen {} und {}", "frühestens {}", "spätestens {}"),
    },
    "en": {
        "/": ("{} to {}", "since {}", "until {}"),
        "..": ("between {} and {}", "{} or later", "{} or earlier"),
    },
}


def day(year: int, month: int, number: int, language: str) -> str:
    """Return a day in words: 26. April 2023 or 26 April 2023; without a year when that is 0."""
    dot = "." if language == "de" else ""
    return f"{number}{dot} {_month(month, language)}" + (f" {year}" if year else "")


def _month(month: int, language: str) -> str:
    return _MONTHS[language].split()[month - 1]


def words(edtf: str, language: str) -> str | None:
    """Return an EDTF expression in words, or None for the rarer forms, best shown as they are."""
    if edtf.startswith("[") and edtf.endswith("]"):
        return _span(edtf[1:-1], "..", language)
    if "/" in edtf:
        return _span(edtf, "/", language)
    return _simple(edtf, language)


def _span(text: str, sign: str, language: str) -> str | None:
    first, _, last = text.partition(sign)
    both, since, until = _PHRASES[language][sign]
    # An open end is ".." in an interval and nothing in a choice.
    if last in ("", ".."):
        start = _simple(first, language)
        return start and since.format(start)
    if first in ("", ".."):
        end = _simple(last, language)
        return end and until.format(end)
    start, end = _simple(first, language), _simple(last, language)
    return both.format(start, end) if start and end else None


def _simple(text: str, language: str) -> str | None:
    match = _SIMPLE.fullmatch(text)
    if not match:
        return None
    said = match["year"]
    if match["day"]:
        said = day(int(match["year"]), int(match["month"]), int(match["day"]), language)
    elif match["month"]:
        said = f"{_month(int(match['month']), language)} {match['year']}"
    return _DOUBTS[language].get(match["doubt"], "{}").format(said)

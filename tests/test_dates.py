"""Dates in words say no more and no less than the source."""

import pytest

from intmk import dates

WORDS = [
    ("2023-04-26", "26. April 2023", "26 April 2023"),
    ("2025-09", "September 2025", "September 2025"),
    ("2007", "2007", "2007"),
    ("2025-09~", "etwa September 2025", "about September 2025"),
    ("2006?", "vermutlich 2006", "probably 2006"),
    ("2006%", "vermutlich etwa 2006", "probably about 2006"),
    (
        "2023-04-26/2023-04-27",
        "26. April 2023 bis 27. April 2023",
        "26 April 2023 to 27 April 2023",
    ),
    ("2020-07-01/..", "seit 1. Juli 2020", "since 1 July 2020"),
    ("../2019-09-30", "bis 30. September 2019", "until 30 September 2019"),
    ("[2006..2007]", "zwischen 2006 und 2007", "between 2006 and 2007"),
    ("[..2013-12-23]", "spätestens 23. Dezember 2013", "23 December 2013 or earlier"),
    ("[2013-12..]", "frühestens Dezember 2013", "December 2013 or later"),
]


@pytest.mark.parametrize(("edtf", "german", "english"), WORDS)
def test_words(edtf: str, german: str, english: str) -> None:
    """Precision, doubt and open ends are all said, in both languages."""
    assert dates.words(edtf, "de") == german
    assert dates.words(edtf, "en") == english


@pytest.mark.parametrize(
    "edtf",
    ["", "20XX", "2023-21", "2023-13", "[2006,2007]", "[]", "/", "../..", "1985-04-12T23:20"],
)
def test_rarer_forms_are_left_alone(edtf: str) -> None:
    """What has no plain words is not guessed at."""
    assert dates.words(edtf, "de") is None


def test_day_of_every_year() -> None:
    """A day without a year is a day of every year."""
    assert dates.day(0, 7, 1, "de") == "1. Juli"
    assert dates.day(0, 7, 1, "en") == "1 July"

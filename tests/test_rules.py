"""The table of rules: both languages say the same things."""

import re

import pytest

from intmk.rules import RULES, finding, suggestion
from intmk.sources import Place


def gaps(text: str) -> set[str]:
    """Return the words that a text leaves to be filled in, whatever their language."""
    return {re.sub(r"_(de|en)$", "", name) for name in re.findall(r"(?<!\{)\{(\w+)\}", text)}


@pytest.mark.parametrize("rule", RULES)
def test_both_languages_name_the_same(rule):
    """A value that is named in German is named in English too."""
    _, german, english = RULES[rule]
    assert gaps(german) - {"de"} == gaps(english) - {"en"}
    assert german != english


def test_a_correction_is_a_sentence_or_nothing():
    """What may be meant is said in both languages; without it the sentence is missing."""
    assert suggestion("a:b") == {
        "fix_de": " Gemeint ist vielleicht a:b.", "fix_en": " Did you mean a:b?"
    }  # fmt: skip
    assert set(suggestion("").values()) == {""}
    words = {"thing": "x:y"}
    with_fix = finding("unknown-thing", Place("f", 1, 2, 1, 5), fix="x:z", **words)
    assert "Did you mean x:z?" in with_fix.message_en
    assert (with_fix.fix, with_fix.end_column) == ("x:z", 5)
    assert "Did you mean" not in finding("unknown-thing", Place("f"), **words).message_en

"""Files that are not quite RDF: every error with its place, and the rest read all the same."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import RdfFormat

from intmk import recovery
from intmk.errors import SourceSyntaxError

HEAD = "@prefix x: <http://x/> .\n"
PREFIXES = {"conference": "https://w3id.org/intmk/id/conference/", "x": "http://x/"}


def read(text: str, form: RdfFormat = RdfFormat.TRIG) -> recovery.Recovered:
    """Read a text past its errors."""
    return recovery.read(text, form, "f", Path("f"), PREFIXES)


def told(text: str) -> list[tuple[int, int, str]]:
    """Return line, column and rule of each error."""
    return [(one.line, one.column, one.rule) for one in read(text).findings]


# The text after HEAD, and the line, the column and a word of the message.
ERRORS = [
    ("x:a x:b 1\nx:c x:d 2 .", 2, 10, "full stop"),
    ("GRAPH x:g {\n  x:a x:b 1\n  x:c x:d 2 .\n}", 3, 12, "full stop"),
    ('x:a x:b "abc .\nx:c x:d 2 .', 2, 9, "quotation marks"),
    ("x:a x:b <http://a b> .\nx:c x:d 2 .", 2, 9, "%20"),
    ("x:a x:b <kein-iri> .\nx:c x:d 2 .", 2, 9, "begins with https"),
    ("x:a confrence:b 1 .\nx:c x:d 2 .", 2, 5, "Did you mean conference:?"),
    ("x:a conference:b 1 .\nx:c x:d 2 .", 2, 5, "Add to the top of the file: @prefix conference"),
    ("GRAPH x:g {\n  x:a x:b ] .\n  x:c x:d 2 .\n}", 3, 11, "not RDF"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "word"), ERRORS)
def test_one_error_is_told_and_the_rest_is_read(text, line, column, word):
    """Each error has its place and says what to do; the statement after it is read."""
    recovered = read(HEAD + text)
    (found,) = recovered.findings
    assert (found.line, found.column) == (line, column)
    assert word in found.message_en
    assert [quad.subject.value for quad in recovered.document.quads] == ["http://x/c"]
    assert "x:a" in recovered.lost


def test_several_errors_are_told_at_once():
    """A curator need not check again after each correction."""
    text = HEAD + 'x:a x:b 1\nx:b x:b 2 .\nx:c x:b "x .\nx:d y:b 3 .\nx:e x:b 4 .'
    assert told(text) == [(2, 10, "syntax"), (4, 9, "syntax"), (5, 5, "unknown-prefix")]
    subjects = [quad.subject.value for quad in read(text).document.quads]
    assert subjects == ["http://x/b", "http://x/e"]


def test_a_prefix_is_told_once():
    """A prefix that is missing everywhere is one mistake."""
    assert told("y:a y:b 1 .\ny:c y:d 2 .") == [(1, 1, "unknown-prefix")]


def test_places_stay_true():
    """What is blanked out keeps its place, so that later statements have theirs."""
    recovered = read(HEAD + 'x:a x:b """zwei\nZeilen "" ] .\nx:c x:d 2 .')
    assert recovered.findings[0].line == 2
    text = HEAD + 'x:a x:b ] .\nx:c x:d """zwei\nZeilen""" .\nx:e x:f 1 .'
    places = [recovered_place(text, one.subject) for one in read(text).document.statements]
    assert places == [(3, 1), (5, 1)]


def recovered_place(text: str, span) -> tuple[int, int]:
    """Return line and column of a span, counted plainly."""
    before = text[: span.start]
    return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1


def test_formats_without_positions_are_refused_whole():
    """There is no place to go on from in broken XML."""
    with pytest.raises(SourceSyntaxError):
        read("<rdf:RDF", RdfFormat.RDF_XML)


def test_a_file_full_of_errors_is_given_up():
    """After so many errors the next one ends the reading."""
    text = HEAD + "x:a x:b ] .\n" * (recovery.MAX_ERRORS + 1)
    with pytest.raises(SourceSyntaxError):
        read(text)


@given(st.text(st.sampled_from("x:ab <>\"'.;,[](){}@^_\n\\"), max_size=40))
def test_any_text_is_read_or_refused(text):
    """Whatever is given, reading ends, and what is told stands in the text."""
    try:
        recovered = read(HEAD + text)
    except SourceSyntaxError:
        return
    lines = re.split(r"\r\n|\n|\r", HEAD + text)
    for one in recovered.findings:
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1]) + 1

"""The canonical layout: stable, lossless, and clear about what it cannot hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import RdfFormat, parse, serialize

from intmk.canonical import canonical, format_file, natural
from intmk.errors import SourceSyntaxError
from rdf_strategies import quads

PREFIXES = {"x": "http://x/", "xsd": "http://www.w3.org/2001/XMLSchema#"}

MESSY = """# What this file is.
# Second line.
@prefix x: <http://x/> . @prefix unused: <http://unused/> .
x:b x:p "ä", 2 ; a x:C . x:a x:p true, "2024-01-01"^^<http://www.w3.org/2001/XMLSchema#date> .
<http://x/s#line=9,10> { x:a x:p x:b } GRAPH <http://x/s#line=10,11> { x:a x:p x:c }
"""
NEAT = """# What this file is.
# Second line.

@prefix x: <http://x/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

x:a x:p "2024-01-01"^^xsd:date .
x:a x:p true .
x:b a x:C .
x:b x:p 2 .
x:b x:p "ä" .

GRAPH <http://x/s#line=9,10> {
  x:a x:p x:b .
}

GRAPH <http://x/s#line=10,11> {
  x:a x:p x:c .
}
"""


def test_layout():
    """Comment, used prefixes, default graph, named graphs; one sorted statement per line."""
    assert canonical(MESSY, prefixes=PREFIXES) == NEAT


@given(st.lists(quads, max_size=8))
def test_same_quads_and_idempotent(given_quads):
    """Formatting keeps every quad, and formatting twice changes nothing."""
    text = (serialize(given_quads, format=RdfFormat.N_QUADS) or b"").decode()
    trig = (serialize(parse(text, RdfFormat.N_QUADS), format=RdfFormat.TRIG) or b"").decode()
    once = canonical(trig, prefixes=PREFIXES)
    assert set(parse(once, RdfFormat.TRIG)) == set(given_quads)
    assert canonical(once, prefixes=PREFIXES) == once


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("<a:s> <a:p>\n  [ <a:q> 1 ] .", (2, 3), "no place for a blank node"),
        ("<a:s> <a:p> 1 .\n# later", (2, 1), "no place for a comment"),
        ("<a:s> <a:p> .", (1, 13), "not a valid RDF object"),
    ],
)
def test_what_would_be_lost_is_refused(text, position, message):
    """A blank node, a comment inside the file and a syntax error are refused where they stand."""
    with pytest.raises(SourceSyntaxError, match=message) as caught:
        canonical(text, "f.trig")
    assert (caught.value.line, caught.value.column) == position


def test_format_file_writes_only_what_changes(tmp_path):
    """A messy file is rewritten once; with check nothing is written."""
    path = tmp_path / "a.trig"
    path.write_text(MESSY)
    assert format_file(path, check=True, prefixes=PREFIXES)
    assert path.read_text() == MESSY
    assert format_file(path, prefixes=PREFIXES)
    assert path.read_text() == NEAT
    assert not format_file(path, prefixes=PREFIXES)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    """The place of the first wrong byte is told, and the file is left alone."""
    path = tmp_path / "latin.trig"
    path.write_bytes(b"<a:s> <a:p>\n '\xe4' .")
    with pytest.raises(SourceSyntaxError, match=r":2:3: the file is not UTF-8"):
        format_file(path)


def test_numbers_sort_as_numbers():
    """Line 9 comes before line 10, and equal prefixes before longer names."""
    assert sorted(["line=10,11", "line=9,10", "line"], key=natural) == [
        "line",
        "line=9,10",
        "line=10,11",
    ]

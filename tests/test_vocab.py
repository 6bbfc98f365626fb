"""Prefixes and CURIEs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Quad, RdfFormat, Store, parse

from intmk import vocab

ROOT = Path(__file__).resolve().parents[1]
PREFIXES = {"a": "http://a/", "ab": "http://a/b/", "empty": "http://e#"}


def test_prefixes_are_read_from_the_root():
    """Each declaration of the project's own file becomes one prefix."""
    found = vocab.prefixes(ROOT)
    text = (ROOT / vocab.PREFIXES_FILE).read_text()
    assert len(found) == text.count("sh:namespace ") > 30
    assert found["intmk"] == vocab.INTMK
    assert found["sh"] == vocab.SH


@pytest.mark.parametrize(
    ("iri", "expected"),
    [
        ("http://a/x", "a:x"),
        ("http://a/b/x", "ab:x"),
        ("http://e#x.y", "empty:x.y"),
        ("http://e#x.", "<http://e#x.>"),
        ("http://a/b/x#y", "<http://a/b/x#y>"),
        ("http://a/", "<http://a/>"),
        ("http://a/ä", "<http://a/ä>"),
        ("http://other/x", "<http://other/x>"),
    ],
)
def test_shrink(iri, expected):
    """The longest namespace wins; what a CURIE cannot hold stays in full."""
    assert vocab.shrink(iri, PREFIXES) == expected


@given(st.text("abx_.-/0ä", max_size=8))
def test_a_curie_means_its_iri(tail):
    """Turtle reads every shortened IRI back as what it was."""
    iri = f"http://a/{tail}"
    header = "".join(f"@prefix {name}: <{space}> ." for name, space in PREFIXES.items())
    text = f"{header} <a:s> <a:p> {vocab.shrink(iri, PREFIXES)} ."
    (quad,) = parse(text, RdfFormat.TURTLE)
    assert isinstance(quad, Quad)
    assert quad.object.value == iri


def test_header_makes_a_query_stand_alone():
    """A query that uses any prefix is valid SPARQL behind the header."""
    prefixes = vocab.prefixes(ROOT)
    body = "ASK { VALUES ?x { " + " ".join(f"{name}:x" for name in prefixes) + " } }"
    assert bool(Store().query(vocab.sparql_header(prefixes) + body))

"""Positions of statements in Turtle and TriG, tested by slicing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import (
    CanonicalizationAlgorithm,
    Dataset,
    RdfFormat,
    parse,
)

from intmk import turtle
from intmk.errors import SourceSyntaxError
from rdf_strategies import quads

ROOT = Path(__file__).resolve().parents[1]

EVERYTHING = """@base <http://base/> .
PREFIX x: <http://x/>
@prefix h: <http://hash/#> .
<b#> h:p <#> , <c#d> , <urn:e#> .
@prefix : <http://empty/> .
# a comment with "quotes" and <brackets
<a> a x:A, x:b\\,c ;; x:p [ x:q ( 1 -2.0 3e0 true "a"@de ) ; x:r \"\"\"x "" y\\n\"\"\"^^x:t ] .
[] x:p () . [ x:p 'ä' ] . :s:t x:é.f%20g '''two
lines''' .
GRAPH <g> { <a> x:p "\\u00e4\\U0001F600" , 1.5 } x:g { _:b.c x:p "a" . } { x:a x:b x:c. }
[] { x:a x:b x:d }
"""


def isomorphic(text: str, form: RdfFormat) -> bool:
    """Whether reader and engine find the same dataset in ``text``."""
    ours = Dataset(statement.quad for statement in turtle.statements(text))
    theirs = Dataset(parse(text, form))
    ours.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    theirs.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    return ours == theirs


def test_reader_finds_the_same_quads_as_the_engine():
    """Every construct of TriG is read as the engine reads it."""
    assert isomorphic(EVERYTHING, RdfFormat.TRIG)


def test_reader_takes_n_quads():
    """A fourth term is the graph, as in N-Quads section 2."""
    assert isomorphic('<a:s> <a:p> "o" <a:g> .\n<a:s> <a:p> _:o _:g .\n', RdfFormat.N_QUADS)


FILES = sorted(
    path for name in ("ontology", "shapes", "data") for path in ROOT.glob(f"{name}/*.t*")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_reader_takes_the_files_of_the_project(path):
    """Our own files are read as the engine reads them."""
    assert isomorphic(path.read_text(), RdfFormat.TRIG)


def test_spans_are_the_terms_as_written():
    """Each span cuts out exactly the subject, the predicate and the object."""
    text = "@prefix x: <http://x/> .\nx:s x:p 'ä'@de ,\n  [ x:q 1 ] ."
    first, inner, outer = sorted(
        turtle.statements(text), key=lambda statement: statement.object.start
    )[0:3]
    assert [text[slice(*span)] for span in (first.subject, first.predicate, first.object)] == [
        "x:s",
        "x:p",
        "'ä'@de",
    ]
    spans = {text[slice(*statement.object)] for statement in (inner, outer)}
    assert spans == {"[ x:q 1 ]", "1"}


@given(st.lists(quads, max_size=8))
def test_any_statement_is_cut_out_by_its_spans(given_quads):
    """Slices of any text, parsed alone, are the terms of its statements."""
    text = "".join(
        f"{q.subject}\n{q.predicate} {q.object} .\n"
        if str(q.graph_name) == "DEFAULT"
        else f"{q.graph_name} {{ {q.subject} {q.predicate}\t{q.object} }}\n"
        for q in given_quads
    )
    found = list(turtle.statements(text))
    assert [statement.quad for statement in found] == given_quads
    for statement in found:
        terms = (text[slice(*span)] for span in (statement.subject, statement.predicate))
        value = text[slice(*statement.object)]
        line = " ".join([*terms, value, "."])
        assert next(iter(parse(line, RdfFormat.TURTLE))).triple == statement.quad.triple


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_and_columns_count_from_one(newline):
    """Any line end ends a line; columns count characters, not bytes."""
    text = f"ä{newline}{newline}😀b"
    lines = turtle.Lines(text)
    assert lines(0) == (1, 1)
    assert lines(text.index("b")) == (3, 2)


@given(st.integers(0, 5), st.text("ab\n", max_size=30))
def test_a_position_leads_back_to_its_character(start, text):
    """Cutting the text at a line and column gives the character at that offset."""
    text += "x" * 6
    line, column = turtle.Lines(text)(start)
    assert text.split("\n")[line - 1][column - 1 :][:1] in (text[start], "")


def test_what_is_not_rdf_1_1_has_a_position():
    """A triple term, which the engine reads, is refused where it begins."""
    with pytest.raises(SourceSyntaxError) as caught:
        list(turtle.statements("<a:s> <a:p>\n <<( <a:s> <a:p> <a:o> )>> .", "f.ttl"))
    assert (caught.value.file, caught.value.line, caught.value.column) == ("f.ttl", 2, 2)


def test_nesting_is_limited():
    """Brackets nested beyond the limit are an error with a position, not a crash."""
    deep = "<a:s> <a:p> " + "( " * 5000 + ") " * 5000 + "."
    with pytest.raises(SourceSyntaxError, match="nested deeper than 100"):
        list(turtle.statements(deep))

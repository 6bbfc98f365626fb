"""pySHACL, cured and translated."""

import pytest
from pyoxigraph import Literal, NamedNode, RdfFormat, parse

from intmk import shacl
from intmk.errors import CannotCheck

SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix x: <http://x/> .
<http://x/prefixes> sh:declare [ sh:prefix "x" ; sh:namespace "http://x/" ] .
x:Shape a sh:NodeShape ; sh:targetClass x:C ;
  sh:property [ sh:path x:p ; sh:maxCount 1 ; sh:message "nur eins"@de, "only one"@en ] ;
  sh:property [ sh:path x:q ; sh:hasValue 1 ; sh:severity sh:Info ] ;
  sh:sparql x:same .
x:same a sh:SPARQLConstraint ; sh:severity sh:Warning ; sh:prefixes <http://x/prefixes> ;
  sh:message "{?value} ist {$this}"@de, "{?value} is {$this}"@en ;
  sh:select "SELECT $this ?value WHERE { $this x:same ?value }" .
"""


def run(data: str, shapes: str = SHAPES) -> list[shacl.Result]:
    """Validate Turtle with the prefix x against the shapes."""
    quads = parse(f"@prefix x: <http://x/> . {data}", RdfFormat.TURTLE)
    return list(shacl.results(quads, [shapes]))


def test_upstream_still_needs_the_cure():
    """When this fails, pySHACL has a cheap truth test of its own: delete ours from shacl.py."""
    assert not shacl.UPSTREAM_HAS_BOOL


def test_nothing_wrong_gives_no_result():
    """A conforming graph has no results."""
    assert run("x:a a x:C ; x:p 1 ; x:q 1 .") == []


def test_result_of_a_property_shape():
    """Focus, path, severity and both languages; an unnamed shape goes by the one that holds it."""
    (result,) = run("x:a a x:C ; x:p 1, 2 ; x:q 1 .")
    assert result == shacl.Result(
        severity="error",
        focus=NamedNode("http://x/a"),
        path=NamedNode("http://x/p"),
        value=None,
        shape="http://x/Shape",
        component="http://www.w3.org/ns/shacl#MaxCountConstraintComponent",
        messages={"de": "nur eins", "en": "only one"},
    )


def test_result_of_a_sparql_constraint_keeps_its_languages():
    """A message with variables is filled and keeps its language, and the constraint its name."""
    (result,) = run('x:a a x:C ; x:q 1 ; x:same "b"@de .')
    assert result.value == Literal("b", language="de")
    assert result.shape == "http://x/same"
    assert result.messages == {"de": "b ist http://x/a", "en": "b is http://x/a"}


def test_severity_info():
    """sh:Info is told apart."""
    (result,) = run("x:a a x:C .")
    assert result.severity == "info"


def test_ill_typed_literals_do_not_disturb(caplog):
    """A wrong date in the data is neither a warning nor a log line here."""
    data = '"2024-02-30"^^<http://www.w3.org/2001/XMLSchema#date>'
    wrong = '"ja"^^<http://www.w3.org/2001/XMLSchema#boolean>'
    assert run(f"x:a a x:C ; x:q 1 ; x:r {data}, {wrong} .") == []
    assert not caplog.records


@pytest.mark.parametrize(
    "broken",
    [
        "<a:s> a <http://www.w3.org/ns/shacl#PropertyShape> .",
        "<a:s> a <http://www.w3.org/ns/shacl#NodeShape> ; <http://www.w3.org/ns/shacl#and> 5 .",
    ],
)
def test_shapes_that_are_no_shapes_cannot_be_used(broken):
    """Shapes that break SHACL's own rules are told, not a stack trace."""
    with pytest.raises(CannotCheck, match="shapes cannot be used"):
        run("<a:s> a x:C .", SHAPES + broken + "<a:s> a x:C .")

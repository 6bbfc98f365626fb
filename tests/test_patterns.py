"""What shapes read: targets as queries, and a use for each triple that a path goes through."""

from rdflib import Graph, URIRef

from intmk.patterns import Reader, Unit

SHAPE = """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix x: <http://x/> .
x:S a sh:NodeShape ; sh:targetClass x:C ; sh:targetObjectsOf x:t ; sh:property x:P ;
  sh:property [ sh:path ( x:q [ sh:inversePath x:r ] ) ; sh:minCount 1 ] .
x:P sh:path x:p ; sh:minCount 1 .
"""
S = URIRef("http://x/S")


def reader() -> Reader:
    """Return a reader of the shape."""
    return Reader(Graph().parse(data=SHAPE, format="turtle"))


def test_targets_are_united():
    """All that a shape is for, as one pattern."""
    one, other = reader().target(S).split(" UNION ")
    assert "http://x/C" in one
    assert "<http://x/t> ?this" in other


def test_a_use_for_each_step():
    """Of the shape as a whole, and of the property shape that has a name."""
    uses = list(reader().uses(S))
    whole, part = Unit("http://x/S", "http://x/S"), Unit("http://x/S", "http://x/P")
    assert (whole.is_part, part.is_part) == (False, True)
    assert {use.predicate for use in uses if use.unit == part} == {"http://x/p"}
    read = {use.predicate.rpartition("/")[2] for use in uses if use.unit == whole}
    assert {"q", "r", "t"} <= read
    assert "p" not in read


def test_the_way_leads_back_over_the_other_steps():
    """A step behind the first is reached over that, backwards where the path goes so."""
    (use,) = [one for one in reader().uses(S) if one.predicate == "http://x/r"]
    assert "?this <http://x/q> " in use.group.text()
    subject, _, value = use.step
    assert f"?this <http://x/q> {value.n3()} ." in use.group.text()
    assert subject != value

"""What is said, held against what is known: in the small root and against files beside it."""

import pytest

from intmk import sources
from intmk.facts import check, ranges
from intmk.judged import Judged
from intmk.shacl import ANY_CLASS

PRESS = "data/press.trig"
FUNCTIONAL = {"https://w3id.org/intmk/ontology#ordinal": {ANY_CLASS}}
SECOND = "<https://w3id.org/intmk/source/press#line=9,10>"


def judged(root) -> Judged:
    """Return a root to be judged as a whole."""
    collection = sources.collect(root)
    return Judged([(graph, doc) for graph, docs in collection.graphs.items() for doc in docs])


def findings(root) -> list:
    """Return what these rules find in a root."""
    one = judged(root)
    found = [fault.finding for fault in check(one, FUNCTIONAL, ())]
    return found + list(ranges(one, (), ()))


def marked(root, found) -> str:
    """Return the text that a finding marks."""
    line = (root / found.file).read_text().splitlines()[found.line - 1]
    return line[found.column - 1 : found.end_column - 1]


@pytest.fixture
def explained(change):
    """Let the small ontology say what its properties relate."""
    change("ontology/intmk.ttl", "intmk:body a owl:ObjectProperty .",
           "intmk:body a owl:ObjectProperty ; rdfs:domain intmk:Conference ; "
           'rdfs:range intmk:ConferenceBody ; rdfs:label "Gremium"@de , "body"@en .')  # fmt: skip
    change("ontology/intmk.ttl", "intmk:ordinal a owl:DatatypeProperty .",
           "intmk:ordinal a owl:DatatypeProperty ; rdfs:range "
           "<http://www.w3.org/2001/XMLSchema#integer> .")  # fmt: skip


def test_the_small_root_conforms(root, explained):
    """Nothing is found where nothing is wrong."""
    assert findings(root) == []


def test_a_thing_that_nothing_describes(root, change):
    """A thing that is only referred to is told once, with the known one nearest to it."""
    change(PRESS, "intmk:body body:intmk .", "intmk:body body:intmmk , body:unknown .")
    change(PRESS, "intmk:ordinal 17", "intmk:body body:intmmk")
    near, unknown = findings(root)
    assert (near.rule, near.fix, marked(root, near)) == (
        "unknown-thing",
        "body:intmk",
        "body:intmmk",
    )
    assert (unknown.fix, marked(root, unknown)) == ("", "body:unknown")


def test_two_things_of_one_name(root, change):
    """The later of two things with one label and class is told, with the name of the other."""
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .", "  conference:intmk-19 a "
           'intmk:MainConference .\n  conference:intmk-19 rdfs:label "18. IntMK"@de .')  # fmt: skip
    (found,) = findings(root)
    assert (found.rule, marked(root, found)) == ("duplicate", '"18. IntMK"@de')
    assert found.focus.endswith("intmk-19")
    assert "conference:intmk-18, of the same class intmk:MainConference" in found.message_en


def test_a_namesake_of_another_class_is_none(root, change):
    """A body may be called like a conference."""
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .",
           '  body:intmk rdfs:label "18. IntMK"@de .')  # fmt: skip
    assert findings(root) == []


def test_two_accepted_passages_that_contradict_each_other(root, change):
    """Where a property has one value, the second is told with the first, its passage and place."""
    change(PRESS, f"{SECOND} intmk:status kind:disputed", f"{SECOND} intmk:status kind:accepted")
    (found,) = findings(root)
    assert (found.rule, marked(root, found)) == ("contradiction", "17")
    assert "here it is 17, but the passage <https://w3id.org/intmk/source/press#line=3,5> " in (
        found.message_en
    )
    assert "(data/press.trig:27) says 18." in found.message_en


def test_the_same_number_spelt_otherwise_is_no_contradiction(root, change):
    """007 and 7 are one value."""
    change(PRESS, f"{SECOND} intmk:status kind:disputed", f"{SECOND} intmk:status kind:accepted")
    change(PRESS, "intmk:ordinal 17", "intmk:ordinal 018")
    assert findings(root) == []


def test_a_property_of_other_things(root, change, explained):
    """A property used on a thing of another class is told with the classes it belongs to."""
    change(PRESS, "conference:intmk-18 intmk:body body:intmk", "body:intmk intmk:body body:intmk")
    (found,) = findings(root)
    assert (found.rule, marked(root, found)) == ("domain", "intmk:body")
    assert found.message_en == (
        "intmk:body (body) does not fit intmk:ConferenceBody. It belongs to: intmk:Conference."
    )


def test_a_value_of_another_kind(root, change, explained):
    """A value outside the range is told, be it a thing or a literal."""
    change(PRESS, "intmk:body body:intmk .", "intmk:body conference:intmk-18 .")
    change(PRESS, "intmk:ordinal 18", 'intmk:ordinal "18"')
    thing, literal = findings(root)
    assert (thing.rule, marked(root, thing)) == ("range", "conference:intmk-18")
    assert (literal.rule, marked(root, literal)) == ("range", '"18"')
    assert "Expected is: xsd:integer." in literal.message_en


def test_what_the_shapes_told_is_not_told_again(root, change, explained):
    """A value that a shape has found wrong already is left to it."""
    change(PRESS, "intmk:ordinal 18", 'intmk:ordinal "18"')
    (found,) = ranges(judged(root), (), ())
    assert list(ranges(judged(root), (), {(found.focus, found.path, found.value)})) == []

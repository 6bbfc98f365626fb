"""The judge: consequences of a mistake are not told again, and changes are told from what was."""

from pathlib import Path

import pytest
from pyoxigraph import RdfFormat

from intmk import sources
from intmk.judge import Judge
from intmk.judged import Judged
from intmk.validation import judge_document, shape_texts, validate

HEAD = """@prefix body: <https://w3id.org/intmk/id/body/> .
@prefix conference: <https://w3id.org/intmk/id/conference/> .
@prefix intmk: <https://w3id.org/intmk/ontology#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
NINETEEN = """conference:intmk-19 a intmk:Conference ;
  rdfs:label "19. IntMK"@de ;
  intmk:ordinal 19 ;
  intmk:body body:intmk .
"""


def told(root: Path, text: str) -> list[tuple[str, int]]:
    """Return rule and line of each finding on a file beside the small root."""
    path = root.parent / "given.ttl"
    path.write_text(HEAD + text)
    report = validate(sources.collect(root), [path])
    return [(one.short_rule, one.line - HEAD.count("\n")) for one in report.findings]


def test_what_is_right_is_not_told(root):
    """The thing that the others are made from is in order."""
    assert told(root, NINETEEN) == []


# What is changed in NINETEEN, and all that is told of it.
CONSEQUENCES = [
    ("intmk:ordinal 19", "intmk:ordnal 19", [("unknown-term", 3)]),
    ("intmk:ordinal 19", 'intmk:ordinal "x"^^xsd:integer', [("ill-typed-literal", 3)]),
    ("a intmk:Conference", "a intmk:Conferenc", [("unknown-term", 1)]),
    ("a intmk:Conference", "a intmk:Versammlung", [("unknown-term", 1)]),
    ("body:intmk .", "body:intmkk .", [("unknown-thing", 4)]),
    ("conference:intmk-19 a", "conference:IntMK_19 a", [("iri-policy", 1)]),
    ("intmk:ordinal 19 ;", "intmk:ordinal 19 19 ;", [("syntax", 3)]),
]


@pytest.mark.parametrize(("old", "new", "findings"), CONSEQUENCES)
def test_a_mistake_is_told_once(root, old, new, findings):
    """No shape misses what was misspelt, left out, or in a statement that could not be read."""
    assert NINETEEN.count(old) == 1
    assert told(root, NINETEEN.replace(old, new)) == findings


def test_a_result_names_the_thing_and_the_value(root, change):
    """A shape's message begins with the label, and ends with the value where it lacks it."""
    change("shapes/conferences.ttl", "sh:path intmk:ordinal ;", "sh:path intmk:ordinal ; "
           "sh:maxInclusive 18 ;")  # fmt: skip
    path = root.parent / "given.ttl"
    path.write_text(HEAD + NINETEEN)
    (found,) = validate(sources.collect(root), [path]).findings
    assert found.message_en.startswith("“19. IntMK” (conference:intmk-19): ")
    assert found.message_en.endswith(" Given is: 19.")
    assert found.label == "19. IntMK"


@pytest.mark.parametrize("is_quick", [False, True])
def test_what_was_so_before_is_known(root, change, is_quick):
    """A finding that was there at a thing the change speaks of is marked, or not looked for."""
    change("data/press.trig", "  conference:intmk-18 intmk:ordinal 18 .\n", "")
    collection = sources.collect(root)
    judge = Judge(shape_texts(collection.documents))
    if is_quick:
        judge.hasten()
    whole = validate(collection).findings
    assert [one.short_rule for one in whole] == ["Conference-ordinal"]
    text = HEAD + 'conference:intmk-18 rdfs:label "18th IntMK"@en .'
    given = sources.parsed(text, RdfFormat.TURTLE, "given.ttl", Path("given.ttl"))
    graph = judged_store(collection)
    before = set(graph)
    found = [(one.short_rule, one.is_known) for one in judge_document(judge, graph, given)]
    # A label is none of the business of the shape of the number.
    assert found == ([] if is_quick else [("Conference-ordinal", True)])
    assert before <= set(graph)


def judged_store(collection):
    """Return the graph of a root as a server would hold it."""
    members = [(graph, one) for graph, some in collection.graphs.items() for one in some]
    return Judged(members).store

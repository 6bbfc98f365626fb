"""What is judged: lookups in the graph as it would stand."""

import pytest
from pyoxigraph import Literal, NamedNode

from intmk import sources
from intmk.judged import Judged, default_graph
from intmk.vocab import INTMK, XSD

CONFERENCE = NamedNode("https://w3id.org/intmk/id/conference/intmk-18")
PASSAGE = NamedNode("https://w3id.org/intmk/source/press#line=3,5")


@pytest.fixture
def judged(root) -> Judged:
    """Return the small root, to be judged as a whole."""
    collection = sources.collect(root)
    return Judged([(graph, one) for graph, some in collection.graphs.items() for one in some])


def test_the_default_graph_is_what_is_accepted(judged):
    """Accepted passages and the ontology are in it, disputed ones are not."""
    held = {quad.triple for quad in judged.find(CONFERENCE, None, None) if not _named(quad)}
    values = {triple.object for triple in held if triple.predicate.value == f"{INTMK}ordinal"}
    assert values == {Literal("18", datatype=NamedNode(f"{XSD}integer"))}
    assert {quad.triple for quad in default_graph(judged.quads)} >= held


def _named(quad) -> bool:
    return isinstance(quad.graph_name, NamedNode)


def test_kinds_follow_the_class_hierarchy(judged):
    """A thing is of its class and of those above it."""
    kinds = {kind.value.removeprefix(INTMK) for kind in judged.kinds(CONFERENCE)}
    assert kinds == {"MainConference", "Conference"}


def test_names_and_terms_are_as_a_file_writes_them(judged):
    """IRIs by prefix, integers bare, other literals with their short datatype."""
    assert judged.name(CONFERENCE) == "conference:intmk-18"
    assert judged.term(Literal("18", datatype=NamedNode(f"{XSD}integer"))) == "18"
    assert judged.term(Literal("x", datatype=NamedNode(f"{XSD}date"))) == '"x"^^xsd:date'
    assert judged.term(Literal("x", language="de")) == '"x"@de'


def test_labels_prefer_the_language(judged):
    """Another language is better than none."""
    assert judged.label(CONFERENCE, "en") == "18. IntMK"
    assert judged.label(PASSAGE, "en") == ""


def test_passages_are_told_from_others(judged):
    """Only what the register describes as one is a passage."""
    assert judged.is_passage(PASSAGE)
    assert not judged.is_passage(CONFERENCE)

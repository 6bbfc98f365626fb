"""How a finding is told."""

from pathlib import Path

from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from intmk import telling
from intmk.judged import Judged
from intmk.report import Finding
from intmk.shacl import Result
from intmk.sources import parsed
from intmk.vocab import ONTOLOGY_GRAPH, SOURCE_GRAPH

TEXT = """@prefix y: <http://x/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
y:a rdfs:label "Ding"@de, "thing"@en ; y:p 5 .
"""
DECLARED = """<http://x/> <http://www.w3.org/ns/shacl#declare> [
  <http://www.w3.org/ns/shacl#prefix> "x" ; <http://www.w3.org/ns/shacl#namespace> "http://x/" ] .
"""


def judged() -> Judged:
    """Return a file that calls a namespace y: which the ontology calls x:."""
    document = parsed(TEXT, RdfFormat.TURTLE, "a.ttl", Path("a.ttl"))
    store = Store()
    store.bulk_extend(document.quads)
    store.bulk_extend(
        Quad(q.subject, q.predicate, q.object, ONTOLOGY_GRAPH)
        for q in parse(DECLARED, RdfFormat.TURTLE)
    )
    return Judged([(SOURCE_GRAPH, document)], [document], store)


def found(message: str = "Wrong.", fix: str = "") -> Finding:
    """Return a finding on the thing."""
    return Finding("a.ttl", 3, 1, "error", "r", message, message, "http://x/a", fix=fix)


def test_a_thing_is_told_by_its_label() -> None:
    """In the language of the message, with the name that a file would have."""
    one = telling.named(found(), judged())
    assert one.message_de == "„Ding“ (x:a): Wrong."
    assert one.message_en == "“thing” (x:a): Wrong."
    assert one.label == "Ding"
    assert telling.named(found("x:a: is wrong."), judged()).message_en.startswith("“thing” (x:a): ")


def test_a_correction_is_spelt_with_the_prefixes_of_the_file() -> None:
    """So that it can stand there."""
    assert telling.spelt(found(fix="x:b"), judged()).fix == "y:b"
    assert telling.spelt(found(fix="2024"), judged()).fix == "2024"


def test_a_result_names_the_value_and_its_place() -> None:
    """Unless the message of the shape does so itself; IRIs in it are shortened."""
    (value,) = [q.object for q in judged().quads if q.predicate == NamedNode("http://x/p")]
    result = Result("error", NamedNode("http://x/a"), NamedNode("http://x/p"), value, "http://x/S",
                    "", {"en": "See http://x/b"})  # fmt: skip
    one = telling.of_shape(result, True, judged())
    assert (one.file, one.line, one.column, one.is_known) == ("a.ttl", 3, 44, True)
    assert one.message_en == "See x:b Given is: 5."

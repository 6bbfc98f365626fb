"""What a change reaches: as much as a full run would find, and no more than it must.

``INTMK_CHANGES=1000`` compares as many random changes with full runs; by default only a few.
"""

import os
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, Store, parse

from intmk import reach, shacl, sources
from intmk.errors import CannotCheck
from intmk.judge import Judge, apply, identity
from intmk.judged import default_graph
from intmk.patterns import Unit
from intmk.validation import shape_texts
from intmk.vocab import SHAPE, TYPE
from random_changes import change

ROOT = Path(__file__).parent.parent
CHANGES = int(os.environ.get("INTMK_CHANGES", "6"))

PREFIXES = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix x: <http://x/> . "
DECLARED = (
    '<http://x/prefixes> sh:declare [ sh:prefix "x" ; '
    'sh:namespace "http://x/"^^<http://www.w3.org/2001/XMLSchema#anyURI> ] . '
)


def x(name: str) -> NamedNode:
    """Return a short IRI."""
    return NamedNode(f"http://x/{name}")


def focus(shape: str, data: str, triple: str) -> set[str]:
    """Return the nodes that one triple of a graph reaches through a shape, by their local names."""
    shapes = shacl.Shapes([f"{PREFIXES}{DECLARED}x:S a sh:NodeShape ; {shape}"])
    store = Store()
    store.bulk_extend(parse(PREFIXES + data, RdfFormat.TURTLE))
    (changed,) = parse(f"{PREFIXES}{triple} .", RdfFormat.TURTLE)
    found = reach.derive(shapes.graph, shapes.targeted).focus(store, [changed])
    return {node.rpartition("/")[2] for nodes in found.values() for node in nodes}


DATA = """x:a a x:C ; x:p x:b . x:b x:q x:c , x:d ; a x:D .
x:e a x:C ; x:p x:f ; x:n 5 . x:f x:q x:g .
x:D <http://www.w3.org/2000/01/rdf-schema#subClassOf> x:B . x:a x:n 3 . x:h a x:C ; x:n 3 ."""
WHOLE = Unit("http://x/S", "http://x/S")
TARGET = "sh:targetClass x:C ; "
QUERY = 'a sh:SPARQLConstraint ; sh:prefixes <http://x/prefixes> ; sh:select "SELECT $this WHERE { '

# A shape, a triple of DATA, and whom it reaches.
CASES = [
    ("sh:targetClass x:C .", "x:a a x:C", {"a"}),
    ("sh:targetSubjectsOf x:q .", "x:b x:q x:c", {"b"}),
    ("sh:targetObjectsOf x:q .", "x:b x:q x:c", {"c"}),
    ("sh:targetClass x:B .", "x:D <http://www.w3.org/2000/01/rdf-schema#subClassOf> x:B", {"b"}),
    (TARGET + "sh:property [ sh:path x:p ; sh:minCount 1 ] .", "x:a x:p x:b", {"a"}),
    (TARGET + "sh:property [ sh:path x:other ; sh:minCount 1 ] .", "x:a x:p x:b", set()),
    (TARGET + "sh:property [ sh:path ( x:p x:q ) ; sh:minCount 1 ] .", "x:b x:q x:c", {"a"}),
    (TARGET + "sh:property [ sh:path [ sh:inversePath x:p ] ; sh:maxCount 1 ] .", "x:a x:p x:b",
     {"b"}),
    (TARGET + "sh:property [ sh:path [ sh:alternativePath ( x:p x:n ) ] ; sh:maxCount 1 ] .",
     "x:a x:n 3", {"a"}),
    (TARGET + "sh:property [ sh:path [ sh:zeroOrMorePath x:p ] ; sh:nodeKind sh:IRI ] .",
     "x:a x:p x:b", {"a"}),
    (TARGET + "sh:property [ sh:path x:p ; sh:class x:D ] .", "x:b a x:D", {"a"}),
    (TARGET + "sh:property [ sh:path x:p ; sh:node [ sh:property [ sh:path x:q ; sh:minCount 1 ] ] "
     "] .", "x:b x:q x:d", {"a"}),
    (TARGET + "sh:or ( [ sh:property [ sh:path x:n ; sh:minCount 1 ] ] ) .", "x:e x:n 5", {"e"}),
    (TARGET + "sh:property [ sh:path x:p ; sh:equals x:n ] .", "x:e x:n 5", {"e"}),
    (TARGET + f'sh:sparql [ {QUERY} $this x:n ?n . ?other x:n ?n . FILTER(?other != $this) }}" ] .',
     "x:h x:n 3", {"a", "h"}),
    (TARGET + f'sh:sparql [ {QUERY} $this x:n ?n FILTER NOT EXISTS {{ ?o x:n ?m FILTER(?m = ?n + 2)'
     ' } }" ] .', "x:e x:n 5", {"a", "e", "h"}),
    (TARGET + f'sh:sparql [ {QUERY} $this x:p ?v OPTIONAL {{ $this x:n ?n }} '
     'FILTER(COALESCE(?n, 0) != 5) }" ] .', "x:e x:n 5", {"e"}),
    (TARGET + f'sh:sparql [ {QUERY} $this x:p/x:q ?v }}" ] .', "x:f x:q x:g", {"e"}),
    (TARGET + f'sh:sparql [ {QUERY} $this x:n ?n OPTIONAL {{ $this x:p ?v . ?v x:q ?w }} }}" ] .',
     "x:f x:q x:g", {"e"}),
    (TARGET + f'sh:sparql [ {QUERY} {{ $this x:n 3 }} UNION {{ ?v x:p $this }} }}" ] .',
     "x:a x:n 3", {"a"}),
    (TARGET + f'sh:sparql [ {QUERY} ?one x:p ?v }}" ] .', "x:a x:p x:b", {"a", "e", "h"}),
    (TARGET + f'sh:sparql [ {QUERY} $this ?p ?v FILTER(?v = 5) }}" ] .', "x:e x:n 5", {"e"}),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "triple", "reached"), CASES)
def test_a_triple_reaches_who_reads_it(shape, triple, reached):
    """Targets, paths, classes of values, nested shapes and queries lead back to focus nodes."""
    assert focus(shape, DATA, triple) == reached


def test_targets_are_told_from_others():
    """Of the nodes reached only those that the shape is for are judged."""
    shapes = shacl.Shapes([f"{PREFIXES} x:S a sh:NodeShape ; {TARGET} sh:nodeKind sh:IRI ."])
    store = Store()
    store.bulk_extend(parse(PREFIXES + DATA, RdfFormat.TURTLE))
    found = reach.derive(shapes.graph, shapes.targeted).targets(
        store, {WHOLE: {"http://x/a", "http://x/b", "http://x/nobody"}}
    )
    assert found == {WHOLE: {"http://x/a"}}


def test_a_property_shape_is_judged_by_itself():
    """What only one property shape reads does not have the others judged, a new class does."""
    text = f"{PREFIXES} x:S a sh:NodeShape ; {TARGET} sh:property x:P, x:Q . x:P sh:path x:p ; "
    shapes = shacl.Shapes([text + "sh:minCount 1 . x:Q sh:path x:q ; sh:maxCount 1 ."])
    store = Store()
    store.bulk_extend(parse(PREFIXES + DATA, RdfFormat.TURTLE))
    one = reach.derive(shapes.graph, shapes.targeted)
    part = Unit("http://x/S", "http://x/P")
    read = one.focus(store, [Quad(x("a"), x("p"), x("b"))])
    assert one.targets(store, read) == {part: {"http://x/a"}}
    typed = one.focus(store, [Quad(x("a"), TYPE, x("C")), Quad(x("a"), x("p"), x("b"))])
    assert one.targets(store, typed) == {WHOLE: {"http://x/a"}}


def test_a_blank_node_hides_nobody():
    """A triple whose object has no name reaches its subject all the same."""
    shape = f"{TARGET} sh:property [ sh:path x:p ; sh:class x:D ] ."
    shapes = shacl.Shapes([f"{PREFIXES}x:S a sh:NodeShape ; {shape}"])
    store = Store()
    store.bulk_extend(parse(PREFIXES + DATA + " x:h x:p _:b . _:b a x:D .", RdfFormat.TURTLE))
    (changed,) = store.quads_for_pattern(x("h"), x("p"), None)
    found = reach.derive(shapes.graph, shapes.targeted).focus(store, [changed])
    assert {node for nodes in found.values() for node in nodes} == {"http://x/h"}


def test_a_path_that_shacl_does_not_know_is_told():
    """A shape that cannot be read is an error, not a shape that reaches nothing."""
    with pytest.raises(CannotCheck, match="path"):
        focus(TARGET + "sh:property [ sh:path [ x:r x:p ] ] .", DATA, "x:a x:p x:b")


@pytest.fixture(scope="module")
def graph() -> tuple[Judge, Store, set]:
    """Return the judge of the project's shapes, its accepted graph, and what is wrong with that."""
    collection = sources.collect(ROOT)
    judge = Judge(shape_texts(collection.documents))
    judge.hasten()
    store = Store()
    store.bulk_extend(default_graph(collection.quads()))
    return judge, store, {identity(one) for one in judge.shapes.results(store)}


@pytest.mark.parametrize("seed", range(CHANGES))
def test_a_change_is_judged_as_by_a_full_run(graph, seed):
    """What a random change breaks is found by its reach, no more and no less."""
    judge, store, before = graph
    some = change(set(store), seed, size=1 + seed % 40)
    apply(store, some)
    try:
        found = judge.results(store, some)
        after = {identity(one) for one in judge.shapes.results(store)}
    finally:
        apply(store, type(some)(some.removed, some.added))
    assert {identity(one) for one, is_known in found if not is_known} == after - before
    assert {identity(one) for one, is_known in found if is_known} <= after & before


def test_a_small_change_reaches_little(graph):
    """One statement on one conference has a part of the nodes judged that a full run has."""
    judge, store, _ = graph
    triple = Quad(
        NamedNode("https://w3id.org/intmk/id/conference/intmk-18"),
        NamedNode("https://w3id.org/intmk/ontology#motto"),
        Literal("Vielfalt", language="de"),
    )
    reached = reach.derive(judge.shapes.graph, judge.shapes.targeted).focus(store, [triple])
    assert reached
    assert all(unit.part.startswith(SHAPE) for unit in reached)
    assert {node for nodes in reached.values() for node in nodes} == {triple.subject.value}

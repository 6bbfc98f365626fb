"""The page on the ontology names what exists, and its examples are facts of the graph."""

import re

import pytest
from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from intmk import quality, sources, vocab
from server_fixtures import ROOT

TEXT = (ROOT / "docs" / "ontology.md").read_text("utf-8")
PREFIXES = vocab.prefixes(ROOT)
HEADER = "".join(f"@prefix {name}: <{space}> .\n" for name, space in PREFIXES.items())
QUERIES = re.findall(r"```sparql\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = re.findall(r"```trig\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def graph() -> set[Quad]:
    """Every quad of the project's files."""
    return set(sources.collect(ROOT).quads())


def placed(text: str) -> set[Quad]:
    """Return the quads of an example, those outside a named graph where a build puts them."""
    quads = parse(HEADER + text, format=RdfFormat.TRIG)
    return {
        quad
        if isinstance(quad.graph_name, NamedNode)
        else Quad(quad.subject, quad.predicate, quad.object, vocab.SOURCE_GRAPH)
        for quad in quads
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_are_facts(example: str, graph: set[Quad]) -> None:
    """Each example is TriG, and each of its statements is in the data."""
    quads = placed(example)
    assert quads
    assert quads - graph == set()


def test_one_example_is_of_a_dispute() -> None:
    """A disputed passage is shown, with its reason."""
    assert len(EXAMPLES) >= 7
    assert sum("kind:disputed" in one and "intmk:reason" in one for one in EXAMPLES) == 1


@pytest.mark.parametrize("query", QUERIES)
def test_queries_have_answers(query: str, graph: set[Quad]) -> None:
    """Each query of the page finds something in the graph that a build makes."""
    quads = quality.measured(graph)
    store = Store()
    store.bulk_extend(quads | sources.materialise(quads))
    assert list(store.query(query, prefixes=PREFIXES))


def test_every_term_named_is_declared(graph: set[Quad]) -> None:
    """Every intmk: term in the text, and every box and arrow of the picture, exists."""
    declared = {quad.subject.value for quad in graph if quad.graph_name == vocab.ONTOLOGY_GRAPH}
    picture = TEXT.split("```mermaid")[1].split("```")[0]
    arrows = re.findall(r"(\w+) -- ([\w:]+) --> (\w+)", picture)
    assert len(arrows) >= 20
    named = set(re.findall(r"\bintmk:(\w+)", TEXT))
    named |= {name for arrow in arrows for name in arrow if ":" not in name}
    assert len(named) > 40
    assert {name for name in named if vocab.INTMK + name not in declared} == set()


def test_every_arrow_is_drawn_from_the_data(graph: set[Quad]) -> None:
    """Each arrow of the picture joins two classes that the graph joins by that property."""
    classes: dict[NamedNode, set[str]] = {}
    for quad in graph:
        if quad.predicate == vocab.TYPE:
            classes.setdefault(quad.subject, set()).add(quad.object.value)
    joined = {
        (one, quad.predicate.value, other)
        for quad in graph
        for one in classes.get(quad.subject, ())
        for other in classes.get(quad.object, ())
        if isinstance(quad.object, NamedNode)
    }
    for start, name, end in re.findall(r"(\w+) -- ([\w:]+) --> (\w+)", TEXT):
        prefix, _, local = name.rpartition(":")
        predicate = PREFIXES[prefix or "intmk"] + local
        assert (vocab.INTMK + start, predicate, vocab.INTMK + end) in joined, (start, name, end)

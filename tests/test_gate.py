"""The gate: the default graph follows the passages, and what breaks a rule does not get in."""

from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, parse

from intmk import changes, gate, sources, store, vocab
from intmk.changes import Change

CONFERENCE = "https://w3id.org/intmk/id/conference/intmk-18"
PASSAGE = "https://w3id.org/intmk/source/press#line=3,5"


@pytest.fixture
def quads(root: Path) -> set[Quad]:
    """The small root as it stands in a store."""
    return store.dataset(sources.collect(root))


@pytest.fixture
def judged(root: Path, quads: set[Quad]):
    """Return a function that applies an update and tells which rules the result breaks."""

    def judged(text: str) -> list[str]:
        prefixes = vocab.prefixes(root)
        change = Change("update", text.encode())
        after = gate.follow(quads, changes.apply(quads, change, prefixes, vocab.BASE, 10**6).quads)
        report = gate.strict(quads, after)
        return sorted({one.short_rule for one in report.findings if one.severity == "error"})

    return judged


def test_what_was_built_conforms(judged) -> None:
    """A write that changes nothing is let through."""
    assert judged("") == []


def held(quads: set[Quad]) -> set[Quad]:
    """Return the default graph."""
    return {quad for quad in quads if quad.graph_name == DefaultGraph()}


def test_the_default_graph_follows_the_passages(quads: set[Quad]) -> None:
    """A triple comes and goes with the last accepted passage that says it."""
    triple = (NamedNode("http://e/s"), NamedNode("http://e/p"), Literal("x"))
    said, default = Quad(*triple, NamedNode(PASSAGE)), Quad(*triple)
    with_it = gate.follow(quads, quads | {said})
    assert default in with_it
    assert gate.follow(with_it, with_it - {said}) == quads
    elsewhere = Quad(*triple, NamedNode("http://e/undescribed"))
    assert default not in gate.follow(quads, quads | {elsewhere})


def test_a_passage_that_is_disputed_leaves_the_default_graph(quads: set[Quad]) -> None:
    """Its triples stay in its own graph, unless another passage says them too."""
    status = next(
        quad for quad in quads
        if quad.predicate == vocab.STATUS and quad.subject == NamedNode(PASSAGE)
        and quad.graph_name == vocab.SOURCE_GRAPH
    )  # fmt: skip
    changed = Quad(status.subject, status.predicate, vocab.DISPUTED, vocab.SOURCE_GRAPH)
    after = gate.follow(quads, (quads - {status}) | {changed})
    assert held(after) < held(quads) | held({Quad(*tuple(changed)[:3])})
    assert held(after) == sources.materialise(after)


BROKEN = [
    ("INSERT DATA { conference:intmk-18 <a:p> 1 }", ["unbacked"]),
    ("DELETE WHERE { ?s intmk:ordinal 18 }", ["still-said"]),
    ("DELETE WHERE { GRAPH ?g { ?s intmk:ordinal 18 } }", ["Conference-ordinal"]),
    ("INSERT DATA { GRAPH <a:g> { conference:intmk-18 <a:p> 1 } }", ["passage-undescribed"]),
    (
        f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ conference:intmk-18 intmk:nothing 1 }} }}",
        ["unknown-term"],
    ),
    (f"INSERT DATA {{ GRAPH <{PASSAGE}> {{ conference:intmk-18 <a:p> [] }} }}", ["blank-node"]),
    (
        f'INSERT DATA {{ GRAPH <{PASSAGE}> {{ conference:intmk-18 <a:p> "x"^^xsd:date }} }}',
        ["ill-typed-literal"],
    ),
    (f"DELETE WHERE {{ GRAPH <{vocab.SHAPES_GRAPH.value}> {{ ?s ?p ?o }} }}", ["shapes-fixed"]),
    (
        f"DELETE WHERE {{ GRAPH ?g {{ <{PASSAGE}> intmk:status ?status }} }}",
        ["passage-status"],
    ),
]


@pytest.mark.parametrize(("text", "rules"), BROKEN)
def test_what_breaks_a_rule_is_named(judged, text: str, rules: list[str]) -> None:
    """Our own rules, those of the build, and the shapes."""
    assert judged(text) == rules


def test_a_finding_names_the_graph_it_stands_in(quads: set[Quad]) -> None:
    """Where there is no file, the passage is the place."""
    wrong = Quad(
        NamedNode(CONFERENCE),
        NamedNode("a:p"),
        Literal("1"),
        NamedNode("a:g"),
    )
    report = gate.strict(quads, quads | {wrong})
    assert [one.file for one in report.findings] == ["a:g"]


def test_an_open_gate_lets_everything_through(quads: set[Quad]) -> None:
    """The operator's choice."""
    nonsense = set(parse("<a:s> <a:p> <a:o> .", RdfFormat.TURTLE))
    assert gate.open_(quads, nonsense).findings == []

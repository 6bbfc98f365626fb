"""The gate: the default graph follows the passages, and what breaks a rule does not get in.

``INTMK_CHANGES=1000`` compares as many random changes with judging everything.
"""

import os
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, parse

import random_changes
from intmk import changes, gate, sources, standing, store, vocab
from intmk.changes import Change
from intmk.report import Report
from intmk.validation import validate

CHANGES = int(os.environ.get("INTMK_CHANGES", "40"))

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


@pytest.fixture
def built(quads: set[Quad], tmp_path: Path) -> tuple[set[Quad], gate.Known]:
    """Return the small root as it comes out of a store, and what is known of it."""
    dump = store.canonical_dump(quads)
    kept = set(parse(dump.data, RdfFormat.N_QUADS))
    return kept, gate.Known(gate.strict(kept, kept), tmp_path)


@pytest.mark.parametrize("seed", range(CHANGES))
def test_what_a_write_touches_tells_all(built, seed: int) -> None:
    """Where the report before is known, the findings are those of judging everything."""
    before, known = built
    change = random_changes.of_passages(before, seed, size=1 + seed % 12)
    after = gate.follow(before, (before - change.removed) | change.added)
    quick, full = gate.strict(before, after, known), gate.strict(before, after)
    assert set(quick.findings) == set(full.findings)


def test_what_was_there_before_is_known(built) -> None:
    """A warning that a write brings is new in its report, and known in the next one."""
    before, known = built
    empty = _described(NamedNode("https://w3id.org/intmk/source/press#line=6,7"), 7)
    with_warning = gate.follow(before, before | empty)
    first = gate.strict(before, with_warning, known)
    assert [(one.short_rule, one.is_known) for one in first.findings] == [("passage-empty", False)]
    label = Quad(NamedNode(CONFERENCE), vocab.LABEL, Literal("x", language="en"),
                 NamedNode(PASSAGE))  # fmt: skip
    after = gate.follow(with_warning, with_warning | {label})
    second = gate.strict(with_warning, after, gate.Known(first, known.folder))
    assert [(one.short_rule, one.is_known) for one in second.findings] == [("passage-empty", True)]
    filled = gate.follow(after, after | {Quad(*tuple(label)[:3], next(iter(empty)).subject)})  # type: ignore[arg-type]
    third = gate.strict(after, filled, gate.Known(second, known.folder))
    assert third.findings == []


def _described(passage: NamedNode, line: int) -> set[Quad]:
    """Return the description of an accepted passage of one line."""
    return {
        Quad(passage, predicate, value, vocab.SOURCE_GRAPH)
        for predicate, value in (
            (vocab.TYPE, vocab.TEXT_PASSAGE),
            (vocab.STATUS, vocab.ACCEPTED),
            (vocab.IS_PART_OF, NamedNode("https://w3id.org/intmk/source/press")),
            (vocab.FIRST_LINE, Literal(line)),
            (vocab.LAST_LINE, Literal(line)),
        )
    }


def test_errors_before_have_all_judged_again(built) -> None:
    """What an error has hidden is told when the error goes."""
    before, known = built
    wrong = Quad(NamedNode(CONFERENCE), NamedNode("a:p"), BlankNode("b"), NamedNode(PASSAGE))
    spoilt = gate.follow(before, before | {wrong})
    report = gate.strict(before, spoilt, known)
    assert not report.conforms
    mended = gate.strict(spoilt, before, gate.Known(report, known.folder))
    assert mended.findings == gate.strict(before, before).findings


def test_the_report_on_the_current_version_is_kept(root: Path, tmp_path: Path) -> None:
    """It is made by a build, or when it is first asked for."""
    folder = tmp_path / "store"
    version = store.build(root, folder, validate)
    assert standing.read(version.path) == Report()
    (version.path / "report.json").unlink()
    before = store.load_current(folder)
    assert gate.known(folder, before).report == Report()
    assert standing.read(version.path) == Report()

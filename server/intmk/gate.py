"""The gate: what a write must leave true, judged before it is published.

The default graph follows the passages (docs/ontology.md): a write changes named graphs, and what
that means for the default graph is worked out here. ``strict`` applies the rules of ``validation``
and those below to the graph that a write leads to; where the report on the graph before is known,
only to what the write touches.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, Triple, serialize

from intmk import standing, store, touched
from intmk.quality import measured
from intmk.report import Finding, Report
from intmk.sources import Document, materialise
from intmk.vocab import (
    DISPUTED,
    ONTOLOGY_GRAPH,
    SH,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    STATUS,
    THEMES_GRAPH,
)

Quads = AbstractSet[Quad]

REACH = "reach"

_OWN = (ONTOLOGY_GRAPH, THEMES_GRAPH, SHAPES_GRAPH, SOURCE_GRAPH)
# By these all else is judged.
RULES = (ONTOLOGY_GRAPH, SHAPES_GRAPH)
# Of more statements, and a larger part of the graph, all is judged at once.
_FEW, _SMALL = 100, 0.1


class Known(NamedTuple):
    """What is known of a graph before a write: the report on it, and where the reach is kept."""

    report: Report
    folder: Path


def known(folder: Path, before: Quads) -> Known:
    """Return what is known of the current version of a store, whose quads are ``before``.

    Where no report on it was kept it is judged, and the report kept.
    """
    version = store.current_path(folder)
    report = standing.read(version)
    if report is None:
        report = strict(before, before)
        standing.write(version, report)
    return Known(report, folder / REACH)


def follow(before: Quads, after: Quads) -> set[Quad]:
    """Return ``after`` with its default graph brought up to date.

    The quality is measured anew.
    What accepted passages have come to say since ``before`` is added, what none of them says any
    more is taken away; what the write itself did to the default graph stays for the gate to see.
    """
    after = measured(after)
    said_before, said_now = materialise(before), materialise(after)
    return (set(after) - (said_before - said_now)) | (said_now - said_before)


def strict(before: Quads, after: Quads, was: Known | None = None) -> Report:
    """Judge a graph by the rules of a build, and by who says what its default graph holds.

    With ``was``, what is known of the graph ``before``, only what the write touches is judged;
    the report is the same, and says which findings were there before.
    """
    said = materialise(after)
    findings = [*_default_graph(after, said), *_shapes(before, after)]
    if was and _can_revise(before, after, was.report):
        findings += _revised(before, after, said, was)
    else:
        findings += _judged(after)
    return standing.compared(findings, was.report if was else Report())


def _judged(quads: Quads) -> list[Finding]:
    """Return all that is wrong with a graph."""
    # pySHACL takes half a second to import; an open gate need not wait for it.
    from intmk.judge import Judge
    from intmk.judged import Judged

    return Judge(rules(quads)).findings(Judged(_members(quads)))


def _can_revise(before: Quads, after: Quads, report: Report) -> bool:
    """Whether what was wrong before and what a write touches tell all that is wrong after it.

    Errors hide what follows from them, so with errors before all has to be looked at again.
    """
    changed = before ^ after
    is_small = len(changed) <= max(_FEW, _SMALL * len(after))
    is_by_same_rules = not any(quad.graph_name in RULES for quad in changed)
    return is_small and is_by_same_rules and all(
        one.severity != "error" and one.focus for one in report.findings
    )  # fmt: skip


def _revised(before: Quads, after: Quads, said: Quads, was: Known) -> list[Finding]:
    """Return what is wrong after a write, judging what it touches."""
    from intmk.judge import Change, Judge
    from intmk.judged import Judged

    ruling = {quad for quad in before if quad.graph_name in RULES}
    judge = Judge(rules(ruling))
    judge.hasten(was.folder, key(ruling))
    # The shapes rely on the class hierarchy, whoever says it.
    terms = {Quad(*tuple(quad)[:3]) for quad in ruling if quad.graph_name == ONTOLOGY_GRAPH}
    held = {quad for quad in before if quad.graph_name == DefaultGraph()} | terms
    now = terms | said
    graph = Store()
    graph.bulk_extend([*(quad for quad in after if quad.graph_name != DefaultGraph()), *now])
    things = touched.things(graph, before ^ after)
    members = _members({quad for thing in things for quad in _said_of(graph, thing)})
    found = judge.revised(
        was.report.findings, Judged(members, known=graph), Change(now - held, held - now),
        {thing.value for thing in things},
    )  # fmt: skip
    return [_placed(graph, one) for one in found]


def _said_of(graph: Store, thing: NamedNode) -> Iterator[Quad]:
    """Yield the quads of the named graphs about a thing."""
    for quad in graph.quads_for_pattern(thing, None, None):
        if quad.graph_name != DefaultGraph():
            yield quad


def _placed(graph: Store, finding: Finding) -> Finding:
    """Let a finding on a thing that was only reached name the graph in which it stands."""
    if finding.file or not finding.focus:
        return finding
    focus, path = NamedNode(finding.focus), NamedNode(finding.path) if finding.path else None
    said = [quad for quad in _said_of(graph, focus) if not _is_disputed(graph, quad.graph_name)]
    near = [quad for quad in said if quad.predicate == path]
    nearest = [quad for quad in near if str(quad.object) == finding.value]
    graphs = [quad.graph_name for quad in nearest or near or said]
    return dataclasses.replace(finding, file=_name(min(graphs, key=_order))) if graphs else finding


def _is_disputed(graph: Store, passage: object) -> bool:
    return Quad(passage, STATUS, DISPUTED, SOURCE_GRAPH) in graph  # type: ignore[arg-type]


def _default_graph(after: Quads, said: Quads) -> Iterator[Finding]:
    """Yield each triple that only the default graph has, or that it lacks."""
    held = {quad for quad in after if quad.graph_name == DefaultGraph()}
    for quad in held - said:
        yield _about(
            quad,
            "unbacked",
            "Kein angenommener Beleg sagt das. Schreibe es in den Graphen eines Belegs.",
            "No accepted passage says this. Write it into the graph of a passage.",
        )
    for quad in said - held:
        yield _about(
            quad,
            "still-said",
            "Ein angenommener Beleg sagt das noch. Lösche es in seinem Graphen.",
            "An accepted passage still says this. Delete it in the graph of that passage.",
        )


def _about(quad: Quad, rule: str, german: str, english: str) -> Finding:
    triple = f"{quad.subject} {quad.predicate} {quad.object}"
    subject = quad.subject.value if isinstance(quad.subject, NamedNode) else ""
    return Finding(
        "", None, None, "error", rule, f"{german} {triple}", f"{english} {triple}",
        subject, quad.predicate.value, str(quad.object),
    )  # fmt: skip


def _shapes(before: Quads, after: Quads) -> Iterator[Finding]:
    """Refuse to judge by rules that the write itself brought along."""
    rules = [{q for q in quads if q.graph_name == SHAPES_GRAPH} for quads in (before, after)]
    if rules[0] != rules[1]:
        yield Finding(
            SHAPES_GRAPH.value, None, None, "error", "shapes-fixed",
            "Die Regeln ändern sich nur mit den Dateien in shapes/.",
            "The rules change with the files in shapes/ only.",
        )  # fmt: skip


def _members(quads: Iterable[Quad]) -> list[tuple[NamedNode, Document]]:
    """Return a graph as the files it could have been read from; their names are those of graphs.

    Everything is in an order that does not change with the rest of the graph.
    """
    graphs: dict[object, list[Quad]] = {}
    for quad in quads:
        graphs.setdefault(quad.graph_name, []).append(quad)
    graphs.pop(DefaultGraph(), None)
    return [
        (name if name in _OWN else SOURCE_GRAPH, _document(name, graphs[name]))  # type: ignore[misc]
        for name in sorted(graphs, key=_order)
    ]


def _order(graph: object) -> tuple[int, str]:
    return _OWN.index(graph) if graph in _OWN else len(_OWN), str(graph)


def _name(graph: object) -> str:
    return graph.value if isinstance(graph, NamedNode) else str(graph)


def _document(graph: object, quads: list[Quad]) -> Document:
    """Return one graph as a document without places."""
    quads.sort(key=str)
    if graph in _OWN:
        quads = [Quad(quad.subject, quad.predicate, quad.object) for quad in quads]
    return Document(_name(graph), Path("graph"), "", RdfFormat.JSON_LD, quads, [])


def key(quads: Iterable[Quad]) -> list[str]:
    """Return what tells the shapes of a version from those of others.

    ``quads`` are those of ``RULES``, their blank nodes named as in its dump.
    """
    return sorted(map(str, quads))


def rules(quads: Iterable[Quad]) -> list[str]:
    """Return the shapes of a graph, and the prefixes that their queries use, as Turtle."""
    triples = [
        Triple(*tuple(quad)[:3])
        for quad in quads
        if quad.graph_name == SHAPES_GRAPH
        or (quad.graph_name == ONTOLOGY_GRAPH and quad.predicate.value.startswith(SH))
    ]
    return [(serialize(triples, format=RdfFormat.TURTLE) or b"").decode()]

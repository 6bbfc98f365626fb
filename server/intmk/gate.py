"""The gate: what a write must leave true, judged on the whole graph before it is published.

The default graph follows the passages (docs/ontology.md): a write changes named graphs, and what
that means for the default graph is worked out here. A gate is a function from the graph before and
after a write to a report; ``strict`` applies the rules of ``validation`` and those below, ``open_``
none.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Triple, serialize

from intmk.quality import measured
from intmk.report import Finding, Report, sorted_report
from intmk.sources import Collection, Document, materialise
from intmk.vocab import (
    ONTOLOGY_GRAPH,
    PREFIXES_FILE,
    SH,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    THEMES_GRAPH,
)

Quads = AbstractSet[Quad]
Gate = Callable[[Quads, Quads], Report]

_OWN = (ONTOLOGY_GRAPH, THEMES_GRAPH, SHAPES_GRAPH, SOURCE_GRAPH)


def follow(before: Quads, after: Quads) -> set[Quad]:
    """Return ``after`` with its default graph brought up to date.

    The quality is measured anew.
    What accepted passages have come to say since ``before`` is added, what none of them says any
    more is taken away; what the write itself did to the default graph stays for the gate to see.
    """
    after = measured(after)
    said_before, said_now = materialise(before), materialise(after)
    return (set(after) - (said_before - said_now)) | (said_now - said_before)


def open_(_before: Quads, _after: Quads) -> Report:
    """Let everything pass."""
    return Report()


def strict(before: Quads, after: Quads) -> Report:
    """Judge a graph by the rules of a build, and by who says what its default graph holds."""
    # pySHACL takes half a second to import; an open gate need not wait for it.
    from intmk.validation import validate

    findings = [*_default_graph(after), *_shapes(before, after)]
    return sorted_report([*findings, *validate(_collection(after)).findings])


def _default_graph(after: Quads) -> Iterator[Finding]:
    """Yield each triple that only the default graph has, or that it lacks."""
    said = materialise(after)
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


def _collection(quads: Quads) -> Collection:
    """Return a graph as the files it could have been read from; their names are those of graphs."""
    members: dict[object, list[Quad]] = {}
    for quad in quads:
        members.setdefault(quad.graph_name, []).append(quad)
    members.pop(DefaultGraph(), None)
    graphs = {name: [_document(name, members.pop(name, ()))] for name in _OWN}
    graphs[SOURCE_GRAPH] += [_document(name, some) for name, some in members.items()]
    return Collection(Path(), graphs, [])


def _document(name: object, quads: Iterable[Quad]) -> Document:
    """Return one graph as a document without places; what is shapes or prefixes has a text too."""
    own, quads = name in _OWN, list(quads)
    text = ""
    if name in (SHAPES_GRAPH, ONTOLOGY_GRAPH):
        triples = [
            Triple(*tuple(quad)[:3])
            for quad in quads
            if name == SHAPES_GRAPH or quad.predicate.value.startswith(SH)
        ]
        text = (serialize(triples, format=RdfFormat.TURTLE) or b"").decode()
    if own:
        quads = [Quad(quad.subject, quad.predicate, quad.object) for quad in quads]
    path = PREFIXES_FILE if name == ONTOLOGY_GRAPH else Path("graph")
    shown = name.value if isinstance(name, NamedNode) else str(name)
    return Document(shown, path, text, RdfFormat.JSON_LD, quads, [])

"""What a change touches for the rules that need no shapes: whose statements to look at again.

The rules of ``checks``, ``facts`` and ``passages`` look at a statement together with others: what
its subject and its value are, who has the same name, how its passage is described. So beside what
is said otherwise than before, whatever refers to it is touched as well.
"""

from collections.abc import Iterable

from pyoxigraph import NamedNode, Quad, Store

from intmk.vocab import LABEL, LINE_COUNT, TYPE

# What is said with these of a thing matters to the statements that mention it.
_TELLING = (TYPE, LINE_COUNT)


def things(store: Store, changed: Iterable[Quad]) -> set[NamedNode]:
    """Return the things that the rules may judge otherwise than before.

    ``changed`` are the quads that came or went, ``store`` is the graph after it. The rules judge
    these things as they would among all others, if they see all that is said of them.
    """
    changed = list(changed)
    found = {quad.subject for quad in changed} | {quad.graph_name for quad in changed}
    for thing in {quad.subject for quad in changed if quad.predicate in _TELLING}:
        found |= {quad.subject for quad in store.quads_for_pattern(None, None, thing)}
        found |= {quad.subject for quad in store.quads_for_pattern(None, None, None, thing)}
    labels = {quad.object for quad in changed if quad.predicate == LABEL}
    return {one for one in _with_namesakes(store, found, labels) if isinstance(one, NamedNode)}


def _with_namesakes(store: Store, found: set[object], labels: set[object]) -> set[object]:
    """Return things with those that have one of their names, or one of ``labels``, and theirs."""
    told: set[object] = set()
    new = set(found)
    while new or labels:
        labels |= {
            quad.object
            for thing in new
            if isinstance(thing, NamedNode)
            for quad in store.quads_for_pattern(thing, LABEL, None)
        }
        same = {
            quad.subject
            for label in labels - told
            for quad in store.quads_for_pattern(None, LABEL, label)
        }
        told, labels, new = told | labels, set(), same - found
        found |= new
    return found

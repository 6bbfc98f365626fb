"""What a change touches for the rules that need no shapes: whose statements to look at again.

The rules of ``checks``, ``facts`` and ``passages`` look at a statement together with others: what
its subject and its value are, who has the same name, how its passage is described. So beside what
is said otherwise than before, whatever refers to it is touched as well.
"""

from collections.abc import Iterable
from typing import Any

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
    found = _nodes(term for quad in changed for term in (quad.subject, quad.graph_name))
    for thing in _nodes(quad.subject for quad in changed if quad.predicate in _TELLING):
        found |= _nodes(quad.subject for quad in store.quads_for_pattern(None, None, thing))
        found |= _nodes(quad.subject for quad in store.quads_for_pattern(None, None, None, thing))
    labels = {quad.object for quad in changed if quad.predicate == LABEL}
    return _with_namesakes(store, found, labels)


def _nodes(terms: Iterable[object]) -> set[NamedNode]:
    return {term for term in terms if isinstance(term, NamedNode)}


def _with_namesakes(store: Store, found: set[NamedNode], labels: set[Any]) -> set[NamedNode]:
    """Return things with those that have one of their names, or one of ``labels``, and theirs."""
    told: set[Any] = set()
    new = found
    while new or labels - told:
        for thing in new:
            labels |= {quad.object for quad in store.quads_for_pattern(thing, LABEL, None)}
        quads = (q for label in labels - told for q in store.quads_for_pattern(None, LABEL, label))
        same = _nodes(quad.subject for quad in quads)
        told |= labels
        new = same - found
        found = found | new
    return found

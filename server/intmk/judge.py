"""The judge: rules and shapes applied to what is given, each mistake told once.

Rules that need no shapes come first (checks, passages, facts), then SHACL over the default graph,
then domains and ranges that no shape speaks of. What is found wrong is left out of what comes next.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pyoxigraph import BlankNode, NamedNode, Quad, Store

from intmk import checks, facts, passages, reach, telling, vocab
from intmk.checks import Fault
from intmk.judged import Judged, iri
from intmk.patterns import Unit
from intmk.reach import Reach, Units
from intmk.report import Finding
from intmk.shacl import Result, Shapes
from intmk.vocab import shrink


class Change(NamedTuple):
    """What the default graph gains and loses."""

    added: set[Quad]
    removed: set[Quad]


Judging = Callable[[Change], list[tuple[Result, bool]]]
"""What judges a graph that was mended so, each result with whether it was there before."""


class Judge:
    """Shapes read once, with which any number of graphs and changes are judged."""

    def __init__(self, shapes: Iterable[str]) -> None:
        """Read the shapes, texts in Turtle. Raises CannotCheck when they cannot be used."""
        self.shapes = Shapes(shapes)
        self._reach: Reach | None = None

    def hasten(self, kept: Path | None = None, key: Iterable[str] = ()) -> None:
        """Work out what each shape reads, so that changes are judged by what they reach.

        It takes some seconds, so it may be ``kept`` in a folder, under a name that follows from
        ``key``, texts that tell these shapes from others.
        """
        graph, targeted = self.shapes.graph, self.shapes.targeted
        self._reach = (
            reach.kept(kept, key, graph, targeted) if kept else reach.derive(graph, targeted)
        )

    def findings(
        self, judged: Judged, change: Change | None = None, lost: str = ""
    ) -> list[Finding]:
        """Return what is wrong with the members of ``judged``.

        With ``change``, by which the default graph came about, what is wrong because of it, and
        what was wrong before at the things it reaches (``is_known``). ``lost`` is text that could
        not be read: what the shapes miss of the things in it is not told.
        """

        def results(mended: Change) -> list[tuple[Result, bool]]:
            return self.results(judged.store, change and _with(change, mended))

        return self._findings(judged, lost, results)

    def revised(
        self, was: Iterable[Finding], judged: Judged, change: Change, touched: AbstractSet[str]
    ) -> list[Finding]:
        """Return what is wrong with a whole graph, when ``was`` is what was before a change.

        The members of ``judged`` say all that the graph says of the things ``touched``, to which
        the rules that need no shapes may apply otherwise than before; nothing but warnings was
        wrong. Needs ``hasten``.
        """
        was, reached = list(was), set(touched)

        def results(mended: Change) -> list[tuple[Result, bool]]:
            units = self._focus(judged.store, _with(change, mended)) or {}
            reached.update(*units.values())
            found = self.shapes.results(judged.store, units)
            again = self._whole(judged.store, reached & {one.focus for one in was})
            found += self.shapes.results(judged.store, again)
            return [(result, False) for result in found]

        found = self._findings(judged, "", results)
        return [one for one in was if one.focus not in reached] + found

    def _whole(self, store: Store, nodes: set[str]) -> Units:
        """Return those of the nodes that are targets, to be judged by all shapes."""
        units = {Unit(str(shape), str(shape)): nodes for shape in self.shapes.targeted}
        return self._reach.targets(store, units) if self._reach else {}

    def _findings(self, judged: Judged, lost: str, judge: Judging) -> list[Finding]:
        faults = list(checks.check(judged))
        without = {quad for fault in faults for quad in fault.wrong}
        misnamed = {one.finding.focus for one in faults if one.finding.rule in checks.NAMING}
        faults += facts.check(judged, self.shapes.functional, without, misnamed)
        without |= {quad for fault in faults for quad in fault.wrong}
        unbacked = list(passages.check(judged))
        told = _Told(self, judged, faults, unbacked, lost)
        found = [fault.finding for fault in faults] + unbacked
        with _mended(judged.store, faults) as mended:
            results = judge(mended)
            by_shapes = [telling.of_shape(*one, judged) for one in results if told.is_news(one[0])]
        places = {(one.focus, one.path, one.value) for one in by_shapes}
        found += [*by_shapes, *facts.ranges(judged, without, places)]
        return [telling.spelt(telling.named(one, judged), judged) for one in found]

    def results(self, store: Store, change: Change | None) -> list[tuple[Result, bool]]:
        """Return the results of the shapes, each with whether it was there before the change."""
        if change is None:
            return [(result, False) for result in self.shapes.results(store)]
        focus = self._focus(store, change)
        results = self.shapes.results(store, focus)
        if not results:
            return []
        with _undone(store, change):
            if focus is not None and self._reach:
                wrong = {iri(one.focus) for one in results}
                focus = {unit: nodes & wrong for unit, nodes in focus.items()}
                focus = self._reach.targets(store, focus)
            before = {identity(result) for result in self.shapes.results(store, focus)}
        return [(result, identity(result) in before) for result in results]

    def _focus(self, store: Store, change: Change) -> Units | None:
        """Return the nodes to be judged by each shape, or None for all."""
        if self._reach is None:
            return None
        focus = self._reach.focus(store, change.added)
        if change.removed:
            with _undone(store, change):
                for unit, nodes in self._reach.focus(store, change.removed).items():
                    focus.setdefault(unit, set()).update(nodes)
        return self._reach.targets(store, focus)


def identity(result: Result) -> tuple[object, ...]:
    """Return what makes two results the same."""
    return (
        result.shape,
        result.focus,
        result.path,
        result.value,
        tuple(sorted(result.messages.items())),
    )


@contextmanager
def _undone(store: Store, change: Change) -> Iterator[None]:
    """Take a change back for a while."""
    apply(store, Change(change.removed, change.added))
    try:
        yield
    finally:
        apply(store, change)


def apply(store: Store, change: Change) -> None:
    """Make a change in the default graph of a store."""
    for quad in change.removed:
        store.remove(quad)
    store.extend(change.added)


@contextmanager
def _mended(store: Store, faults: list[Fault]) -> Iterator[Change]:
    """Let the default graph say for a while what was meant; yields how it differs then."""
    wrong = {_triple(quad) for fault in faults for quad in fault.wrong}
    right = {_triple(quad) for fault in faults for quad in fault.right if any(
        _triple(one) in store for one in fault.wrong)}  # fmt: skip
    change = Change(
        {quad for quad in right if quad not in store},
        {quad for quad in wrong - right if quad in store},
    )
    apply(store, change)
    try:
        yield change
    finally:
        apply(store, Change(change.removed, change.added))


def _with(change: Change, mended: Change) -> Change:
    """Return two changes, one after the other, as one."""
    added = (change.added - mended.removed) | (mended.added - change.removed)
    removed = (change.removed - mended.added) | (mended.removed - change.added)
    return Change(added, removed)


def _triple(quad: Quad) -> Quad:
    return Quad(quad.subject, quad.predicate, quad.object)


class _Told:
    """What has been told already, and what of the shapes' results follows from it."""

    def __init__(
        self, judge: "Judge", judged: Judged, faults: list[Fault], about: list[Finding], lost: str
    ) -> None:
        self._shapes, self._judged, self._lost = judge.shapes, judged, lost
        self._values: dict[tuple[str, str], set[object]] = {}
        self._left_out: dict[object, set[str]] = {}
        for fault in faults:
            for quad in (*fault.wrong, *fault.right):
                key = iri(quad.subject), quad.predicate.value
                self._values.setdefault(key, set()).add(quad.object)
            for quad in fault.wrong if not fault.right else ():
                name = judged.name(quad.predicate)
                self._left_out.setdefault(quad.subject, set()).add(name)
        self._nameless = {NamedNode(one.focus) for one in about if one.severity == "error"} | {
            term
            for fault in faults
            for quad in fault.wrong
            for term in (quad.subject, quad.object)
            if not fault.right
            and (quad.predicate == vocab.TYPE or fault.finding.rule == "unknown-thing")
        }

    def is_news(self, result: Result) -> bool:
        """Whether a result is not a consequence of what has been told."""
        about = [term for term in (result.focus, result.value) if term is not None]
        if any(isinstance(term, BlankNode) or term in self._nameless for term in about):
            return False
        values = self._values.get((iri(result.focus), iri(result.path)))
        if values is not None and (result.value is None or result.value in values):
            return False
        return not (self._misses(result) or any(self._is_lost(iri(term)) for term in about))

    def _misses(self, result: Result) -> bool:
        """Whether the shape asks for a property of which a wrong value was left out."""
        query = self._shapes.query(result.shape)
        return any(name in query for name in self._left_out.get(result.focus, ()))

    def _is_lost(self, name: str) -> bool:
        if not self._lost or not name:
            return False
        return name in self._lost or shrink(name, self._judged.prefixes) in self._lost

"""What a client wants changed, and what a dataset is like after it.

SPARQL 1.1 Update (with the dataset of SPARQL 1.1 Protocol section 2.2.3) and the operations of the
SPARQL 1.1 Graph Store HTTP Protocol. Called in a limited process: the engine parses here.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, Triple, parse

from intmk import formats, patch, sparql, uploads
from intmk.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    QueryFailed,
    QuerySyntaxError,
)

Quads = AbstractSet[Quad]
Graph = NamedNode | DefaultGraph


class Change(NamedTuple):
    """One change.

    ``body`` is the text of an ``update``, or the RDF of a ``put`` or ``post`` in the format of
    ``extension``. ``graph`` is an IRI, or None for the default graph. ``using`` and ``using_named``
    are the dataset of an update, None where the request names none. ``versions`` are those that the
    change may start from (If-Match), None for any; ``is_creation`` demands that the graph is not
    there yet (If-None-Match: *), ``is_replacement`` that it is (If-Match: *). ``by`` is the name of
    the token; ``author`` to ``comment`` are for the journal. A ``patch`` has an RDF Patch as body.
    """

    kind: Literal["update", "put", "post", "delete", "patch"]
    body: bytes = b""
    extension: str = ""
    graph: str | None = None
    using: tuple[str, ...] | None = None
    using_named: tuple[str, ...] | None = None
    versions: tuple[str, ...] | None = None
    is_creation: bool = False
    is_replacement: bool = False
    by: str | None = None
    author: str | None = None
    reason: str | None = None
    proposal: int | None = None
    comment: str | None = None

    @property
    def why(self) -> dict[str, object]:
        """The fields of the journal that say whose change it is, and why."""
        names = ("author", "reason", "proposal", "comment")
        return {name: getattr(self, name) for name in names}


class Changed(NamedTuple):
    """The dataset after a change, and whether the change made the graph it names."""

    quads: set[Quad]
    has_created: bool = False


def apply(
    quads: Quads, change: Change, prefixes: Mapping[str, str], base: str, max_bytes: int
) -> Changed:
    """Return a dataset as a change leaves it.

    Raises QuerySyntaxError or SourceSyntaxError with line and column, NetworkForbidden for LOAD and
    SERVICE, NotFound for the deletion of a graph that is not there, PreconditionFailed, TooLarge,
    Conflict for a patch that removes what is not there, and InvalidRequest for what is not RDF 1.1.
    """
    changed = _applied(quads, change, prefixes, base, max_bytes)
    for quad in changed.quads - quads:
        # The engine reads RDF 1.2 and cannot write it in every format.
        if isinstance(quad.object, Triple):
            raise InvalidRequest(
                f"The object of {quad.subject} {quad.predicate} is a triple.",
                hint="This graph is RDF 1.1; a named graph says who states a triple.",
            )
    return changed


def _applied(
    quads: Quads, change: Change, prefixes: Mapping[str, str], base: str, max_bytes: int
) -> Changed:
    if change.kind == "update":
        return Changed(_updated(quads, change, prefixes, base))
    if change.kind == "patch":
        return Changed(_patched(quads, change))
    graph = _graph(change.graph)
    before = {quad for quad in quads if quad.graph_name == graph}
    exists = bool(before) or change.graph is None
    _check(change, exists)
    if change.kind == "delete":
        return Changed(set(quads - before))
    added = _sent(change, graph, base, max_bytes)
    rest = quads - before if change.kind == "put" else quads
    return Changed(set(rest | added), not exists and bool(added))


def _patched(quads: Quads, change: Change) -> set[Quad]:
    wanted = patch.read(change.body.decode("utf-8"))
    added, removed = _statements(wanted.added), _statements(wanted.removed)
    if gone := removed.keys() - quads:
        raise Conflict(
            f"{len(gone)} of the statements to be removed are not there any more.",
            statements=sorted(removed[quad] for quad in gone),
        )
    return (set(quads) - removed.keys()) | added.keys()


def _statements(lines: Iterable[str]) -> dict[Quad, str]:
    """Return quads with the statements that they were read from."""
    return {quad: line for line in lines for quad in parse(line, RdfFormat.N_QUADS)}


def _check(change: Change, exists: bool) -> None:
    name = f"the graph {change.graph}" if change.graph else "the default graph"
    if change.is_creation and exists:
        raise PreconditionFailed(f"There is {name} already.", hint="Leave out If-None-Match.")
    if change.is_replacement and not exists:
        raise PreconditionFailed(f"There is no graph {change.graph}.", hint="Leave out If-Match.")
    if change.kind == "delete" and not exists:
        raise NotFound(f"There is no graph {change.graph}.")


def _sent(change: Change, graph: Graph, base: str, max_bytes: int) -> set[Quad]:
    """Return the triples of the request's body, in the graph they are meant for."""
    form = formats.by_extension(change.extension)
    assert form  # noqa: S101 - chosen from the same table by whoever made the change
    sent = uploads.read_graph(change.body, form.engine, change.graph or base, max_bytes)  # type: ignore[arg-type]
    return {Quad(quad.subject, quad.predicate, quad.object, graph) for quad in sent}


def _graph(iri: str | None) -> Graph:
    return DefaultGraph() if iri is None else _named(iri)


def _named(iri: str) -> NamedNode:
    try:
        return NamedNode(iri)
    except ValueError as error:
        raise InvalidRequest(
            f"The graph {iri[:200]!r} is not an absolute IRI: {error}.",
            hint="Name it with an IRI such as https://example.org/g",
        ) from error


def _updated(quads: Quads, change: Change, prefixes: Mapping[str, str], base: str) -> set[Quad]:
    text = _text(change.body)
    sparql.refuse_load(text)
    sparql.refuse_service(text)
    store = Store()

    def run(text: str) -> None:
        store.update(text, base_iri=base, prefixes=dict(prefixes))

    def parse(text: str) -> None:
        Store().update(text, base_iri=base, prefixes=dict(prefixes))

    try:
        if change.using is not None or change.using_named is not None:
            parse(text)
            text = with_dataset(text, change.using or (), change.using_named or ())
        store.bulk_extend(quads)
        held = set(store)
        run(text)
    except SyntaxError as error:
        raise sparql.explain(text, prefixes, parse, error, is_update=True) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise QueryFailed(f"The engine says: {str(error)[:300]}.") from error
    return _as_written(quads, held, set(store))


def _as_written(quads: Quads, held: Quads, after: Quads) -> set[Quad]:
    """Return what an update leaves, with what it did not touch as it was written.

    The engine keeps numbers and dates by their value: "44.0" becomes "44", and a
    xsd:nonNegativeInteger a xsd:integer. ``held`` is what it made of ``quads`` before the update.
    """
    gone = held - after
    untouched = {quad for quad in quads - held if _held(quad) not in gone}
    return (set(quads) & after) | untouched | (after - held)


def _held(quad: Quad) -> Quad:
    """Return a quad as the engine keeps it."""
    store = Store()
    store.add(quad)
    held: Quad = next(iter(store))
    return held


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise QuerySyntaxError(f"The update is not UTF-8: {error}.") from error


def with_dataset(text: str, default_graphs: tuple[str, ...], named_graphs: tuple[str, ...]) -> str:
    """Return a well-formed update whose operations match against the given dataset.

    Each WHERE of an operation gets USING clauses (SPARQL 1.1 Protocol section 2.2.3). Raises
    InvalidRequest when the update itself has USING or WITH, as that section demands.
    """
    clauses = [f"USING {_named(iri)} " for iri in default_graphs]
    clauses += [f"USING NAMED {_named(iri)} " for iri in named_graphs]
    parts, done = [], 0
    for where, pattern in _operations(text):
        parts += [text[done:where], pattern, " ", *clauses]
        done = where
    return "".join([*parts, text[done:]])


def _operations(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each operation's WHERE begins, with what DELETE WHERE leaves out before it."""
    found = list(sparql.tokens(text))
    depth = 0
    for number, token in enumerate(found):
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        if depth or token.kind != "word":
            continue
        word = token.text.upper()
        if word in ("USING", "WITH"):
            line, column = sparql.position(text, token.start)
            raise InvalidRequest(
                f"The update has {word}, and the request names a dataset as well.",
                hint="Leave out using-graph-uri and using-named-graph-uri, or the clause.",
                line=line,
                column=column,
            )
        if word == "WHERE":
            is_short = number > 0 and found[number - 1].text.upper() == "DELETE"
            yield token.start, _group(text, found[number + 1 :]) if is_short else ""


def _group(text: str, found: list[sparql.Token]) -> str:
    """Return the text of the group in braces with which the tokens begin."""
    depth = 0
    for token in found:
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        if depth == 0:
            return text[found[0].start : token.start + 1]
    return ""

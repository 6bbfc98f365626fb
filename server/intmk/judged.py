"""What is judged: the statements looked at, and the graph as it would stand with them."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from intmk import vocab
from intmk.shacl import ANY_CLASS
from intmk.sources import Document, Place, Places, materialise, place_in
from intmk.vocab import (
    DECLARATION,
    DERIVATION,
    DISPUTED,
    LABELS,
    ONTOLOGY_GRAPH,
    PAGE_PASSAGE,
    SOURCE_GRAPH,
    STATUS,
    SUBCLASS,
    TEXT_PASSAGE,
    TYPE,
    shrink,
)

PASSAGE_KINDS = {TEXT_PASSAGE, PAGE_PASSAGE, DERIVATION, DECLARATION}

Said = dict[NamedNode, list[object]]
_DEFAULT = DefaultGraph()


@dataclass(frozen=True)
class Judged:
    """The documents that are judged together, by the graph they are read into.

    Of several places for one finding the earlier document's is reported. ``outside`` lists those
    members that do not belong to the root: what they say counts as accepted, unless they dispute it
    themselves. ``known`` is the graph as it would stand when there is more to it than the members,
    ``background`` the documents that say the rest, for their places.
    """

    members: list[tuple[NamedNode, Document]]
    outside: list[Document] = field(default_factory=list)
    known: Store | None = None
    background: list[Document] = field(default_factory=list)

    @cached_property
    def quads(self) -> list[Quad]:
        """The members' quads as they would stand in the store, without the default graph."""
        return [quad for graph, document in self.members for quad in place_in(graph, document)]

    @cached_property
    def store(self) -> Store:
        """The graph as it would stand: named graphs, and in the default graph what is accepted."""
        if self.known is not None:
            return self.known
        store = Store()
        store.bulk_extend(chain(self.quads, default_graph(self.quads, self.outside)))
        return store

    @cached_property
    def places(self) -> Places:
        """Where each statement of the members stands."""
        return Places(self._all)

    @cached_property
    def given(self) -> set[Quad]:
        """The members' quads, to ask whether one is among them."""
        return set(self.quads) | {Quad(q.subject, q.predicate, q.object) for q in self.quads}

    @cached_property
    def subjects(self) -> dict[object, int]:
        """The things that the members speak of, numbered as they first come."""
        found: dict[object, int] = {}
        for quad in self.quads:
            found.setdefault(quad.subject, len(found))
        return found

    @cached_property
    def disputed(self) -> set[object]:
        """The passages whose claims are not accepted."""
        return {quad.subject for quad in self.find(None, STATUS, DISPUTED, SOURCE_GRAPH)}

    @cached_property
    def accepted_places(self) -> Places:
        """Where each statement of the members stands that can be in the default graph."""
        return Places(self._all, self.disputed)

    @cached_property
    def prefixes(self) -> dict[str, str]:
        """The prefixes that the ontology declares."""
        return vocab.declared(self.find(None, None, None, ONTOLOGY_GRAPH))

    @cached_property
    def ontology(self) -> dict[str, Said]:
        """What the ontology says of each of its terms."""
        found: dict[str, Said] = {}
        for quad in self.find(None, None, None, ONTOLOGY_GRAPH):
            if isinstance(quad.subject, NamedNode):
                said = found.setdefault(quad.subject.value, {})
                said.setdefault(quad.predicate, []).append(quad.object)
        return found

    @property
    def _all(self) -> list[Document]:
        return [*(document for _, document in self.members), *self.background]

    @property
    def data(self) -> Iterator[Document]:
        """The documents that hold data, as opposed to ontology and shapes."""
        return (document for graph, document in self.members if graph == SOURCE_GRAPH)

    def find(
        self, subject: object, predicate: object, value: object, graph: object = None
    ) -> Iterator[Quad]:
        """Yield the quads of the graph that match; None matches anything."""
        return self.store.quads_for_pattern(subject, predicate, value, graph)  # type: ignore[arg-type]

    def register(self, node: object) -> Said:
        """Return what the source graph says of a passage or a source."""
        said: Said = {}
        if isinstance(node, NamedNode):
            # Sorted, because of several values the rules look at the first.
            for quad in sorted(self.find(node, None, None, SOURCE_GRAPH), key=str):
                said.setdefault(quad.predicate, []).append(quad.object)
        return said

    def is_passage(self, node: object) -> bool:
        """Whether the register describes a node as a passage."""
        return any(kind in PASSAGE_KINDS for kind in self.register(node).get(TYPE, []))

    def is_described(self, node: NamedNode) -> bool:
        """Whether any graph says what a thing is."""
        return any(self.find(node, TYPE, None)) or node.value in self.ontology

    def classes(self, node: object) -> set[object]:
        """Return the classes of a thing that are stated, in whatever graph."""
        return {quad.object for quad in self.find(node, TYPE, None)}

    def kinds(self, node: object) -> set[object]:
        """Return the classes of a thing, stated or following from the class hierarchy."""
        return {above for stated in self.classes(node) for above in self.ancestors(stated)}

    def ancestors(self, kind: object) -> set[object]:
        """Return a class and all classes above it."""
        found, new = {kind}, [kind]
        while new:
            for parent in self.ontology.get(iri(new.pop()), {}).get(SUBCLASS, []):
                if parent not in found:
                    found.add(parent)
                    new.append(parent)
        return found

    def is_functional(self, quad: Quad, functional: Mapping[str, Container[object]]) -> bool:
        """Whether a property has one value at most for the subject's class."""
        classes = functional.get(quad.predicate.value, ())
        return ANY_CLASS in classes or any(kind in classes for kind in self.kinds(quad.subject))

    def label(self, node: object, language: str) -> str:
        """Return what a thing is called, in this language if possible, else ""."""
        for predicate in LABELS:
            objects = (quad.object for quad in self.find(node, predicate, None))
            texts = [text for text in objects if isinstance(text, Literal)]
            if texts:
                return min(texts, key=lambda t: (t.language != language, t.value)).value
        return ""

    def name(self, node: object) -> str:
        """Return a node as a curator would write it."""
        return shrink(node.value, self.prefixes) if isinstance(node, NamedNode) else str(node)

    def term(self, term: object) -> str:
        """Return any term as a curator would write it; a literal with its short datatype."""
        if not isinstance(term, Literal) or term.language or term.datatype.value == XSD_STRING:
            return self.name(term)
        if term.datatype.value == f"{vocab.XSD}integer":
            return term.value
        return f"{Literal(term.value)}^^{self.name(term.datatype)}"

    def nearest(self, subject: object, predicate: object = None, value: object = None) -> Place:
        """Return the place of a statement of the members; "" when it is none of theirs."""
        return self.places.nearest(subject, predicate, value)


XSD_STRING = f"{vocab.XSD}string"


def default_graph(quads: Iterable[Quad], outside: Iterable[Document] = ()) -> set[Quad]:
    """Return the default graph, with the ontology, whose class hierarchy the shapes rely on.

    What a document outside the root says counts as accepted, unless it is disputed.
    """
    quads = list(quads)
    disputed = {
        quad.subject
        for quad in quads
        if quad.predicate == STATUS and quad.object == DISPUTED and quad.graph_name == SOURCE_GRAPH
    }
    ontology = (quad for quad in quads if quad.graph_name == ONTOLOGY_GRAPH)
    given = (quad for document in outside for quad in document.quads)
    said = (quad for quad in chain(ontology, given) if quad.graph_name not in disputed)
    return materialise(quads) | {Quad(q.subject, q.predicate, q.object) for q in said}


def iri(term: object) -> str:
    """Return the IRI of a named node, "" for any other term."""
    return term.value if isinstance(term, NamedNode) else ""

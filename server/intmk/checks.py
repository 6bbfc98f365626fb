"""How statements are written: declared terms and prefixes, typed literals, IRIs by policy."""

import re
from collections.abc import Callable, Container, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from pyoxigraph import BlankNode, Literal, NamedNode, Quad
from rdflib.namespace import DCAT, DCTERMS, FOAF, ORG, OWL, PROV, RDF, RDFS, SDO, SKOS, XSD

from intmk import literals, turtle
from intmk.judged import Judged, iri
from intmk.report import Finding
from intmk.rules import finding, suggestion
from intmk.sources import POSITIONED, Document, Place
from intmk.vocab import BASE, EDTF, ID, INTMK, ONTOLOGY_GRAPH, SHAPES_GRAPH, SOURCE_GRAPH

# Vocabularies whose terms are known in full, through rdflib, beside our own.
_VOCABULARIES = {
    str(space): frozenset(str(term).removeprefix(str(space)) for term in dir(space))
    for space in (DCAT, DCTERMS, FOAF, ORG, OWL, PROV, RDF, RDFS, SDO, SKOS, XSD)
} | {EDTF.value.removesuffix("EDTF"): frozenset({"EDTF"})}
_DATATYPES = (str(XSD), EDTF.value.removesuffix("EDTF"))
# The rules about the IRIs of things.
NAMING = ("iri-policy", "iri-kind", "foreign-subject")

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SOURCE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:#line=\d+,\d+|#page(?:-[a-z0-9]+)*)?")
_ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


Meant = tuple[tuple[Quad, ...], tuple[Quad, ...]]
"""Statements that are wrong, and the same as they were meant."""


class Fault(NamedTuple):
    """A finding, the statements it is about, and how they are meant where that can be told.

    ``wrong`` is left out of what the shapes judge, ``right`` put in its place: one mistake is told
    once, and not again by what follows from it.
    """

    finding: Finding
    wrong: tuple[Quad, ...] = ()
    right: tuple[Quad, ...] = ()


def check(judged: Judged) -> Iterator[Fault]:
    """Yield what is wrong with the way the members' statements are written."""
    misnamed = list(prefixes(judged))
    yield from misnamed
    yield from unknown_terms(judged, {quad for fault in misnamed for quad in fault.wrong})
    yield from ill_typed_literals(judged)
    yield from blank_nodes(judged)
    yield from iris(judged)


def prefixes(judged: Judged) -> Iterator[Fault]:
    """Yield each prefix that a document declares for something else than the graph does."""
    for document in judged.data:
        if document.format not in POSITIONED:
            continue
        for name, space, span in turtle.prefixes(document.text):
            right = judged.prefixes.get(name)
            if right not in (None, space):
                words = {"prefix": name, "given": f"<{space}>", "right": f"<{right}>"}
                found = finding("prefix-namespace", document.place(span), fix=f"<{right}>", **words)
                yield Fault(found, *_respelt(document, space, right or ""))


def _respelt(document: Document, space: str, right: str) -> Meant:
    """Return the statements with a term in one namespace, and the same with it in the other."""

    def change(iri: str) -> str:
        return right + iri.removeprefix(space) if iri.startswith(space) else iri

    pairs = [(quad, _mapped(quad, change)) for quad in document.quads]
    changed = [(old, new) for old, new in pairs if old != new]
    return tuple(old for old, _ in changed), tuple(new for _, new in changed)


def _mapped(quad: Quad, change: Callable[[str], str]) -> Quad:
    """Return a quad with ``change`` applied to the IRIs of its terms, datatypes included."""

    def term(node: Any) -> Any:
        if isinstance(node, NamedNode):
            return NamedNode(change(node.value))
        if isinstance(node, Literal) and not node.language:
            return Literal(node.value, datatype=NamedNode(change(node.datatype.value)))
        return node

    subject, predicate, value = (term(part) for part in tuple(quad)[:3])
    return Quad(subject, predicate, value, quad.graph_name)


def unknown_terms(judged: Judged, without: Container[Quad] = ()) -> Iterator[Fault]:
    """Yield each term of our or a standard vocabulary that this does not declare.

    A term is told once in each document, where it is first used.
    """
    for graph, document in judged.members:
        ours_only = graph in (ONTOLOGY_GRAPH, SHAPES_GRAPH)
        uses: dict[str, dict[Quad, None]] = {}
        places: dict[str, Place] = {}
        for quad, term, place in document.terms():
            name = term.datatype.value if isinstance(term, Literal) else iri(term)
            if _is_unknown(judged, name, ours_only) and quad not in without:
                if name not in uses:
                    places[name] = place()
                uses.setdefault(name, {})[quad] = None
        for name, quads in uses.items():
            yield _unknown_term(judged, name, tuple(quads), places[name])


def _is_unknown(judged: Judged, name: str, ours_only: bool) -> bool:
    if name.startswith(INTMK):
        return name != INTMK and name not in judged.ontology
    space, local = _split(name)
    vocabulary = None if ours_only else _VOCABULARIES.get(space)
    return vocabulary is not None and local != "" and local not in vocabulary


def _split(name: str) -> tuple[str, str]:
    cut = max(name.rfind("#"), name.rfind("/")) + 1
    return name[:cut], name[cut:]


def _unknown_term(judged: Judged, name: str, uses: tuple[Quad, ...], place: Place) -> Fault:
    space, local = _split(name)
    known, vocabulary = _VOCABULARIES.get(space), (f"<{space}>", f"<{space}>")
    if known is None:
        known = frozenset(_split(term)[1] for term in judged.ontology if term.startswith(INTMK))
        vocabulary = "der Ontologie", "the ontology"
    close = get_close_matches(local, sorted(known), n=1)
    meant = space + close[0] if close else ""
    written = judged.name(NamedNode(meant)) if meant else ""
    words = suggestion(written) | {"term": judged.name(NamedNode(name))}
    words |= {"vocabulary_de": vocabulary[0], "vocabulary_en": vocabulary[1]}
    # The place of a datatype is that of the whole literal.
    fix = "" if space in _DATATYPES else written
    found = finding("unknown-term", place, iri(uses[0].subject), fix=fix, **words)

    def respelt(one: str) -> str:
        return meant if one == name else one

    return Fault(found, uses, tuple(_mapped(quad, respelt) for quad in uses) if meant else ())


def ill_typed_literals(judged: Judged) -> Iterator[Fault]:
    """Yield each literal that is not a value of its datatype."""
    wrong = literals.ill_typed(q.object for q in judged.quads if isinstance(q.object, Literal))
    for _, document in judged.members:
        for quad, term, place in document.terms():
            if isinstance(term, Literal) and term in wrong:
                found = finding(
                    "ill-typed-literal",
                    place(),
                    iri(quad.subject),
                    quad.predicate.value,
                    str(term),
                    text=term.value,
                    datatype=judged.name(term.datatype),
                    example=wrong[term],
                )
                yield Fault(found, (quad,))


def blank_nodes(judged: Judged) -> Iterator[Fault]:
    """Yield the first mention of each blank node in the data."""
    for document in judged.data:
        found: dict[BlankNode, Finding] = {}
        uses: dict[BlankNode, list[Quad]] = {}
        for quad, term, place in document.terms():
            if isinstance(term, BlankNode):
                uses.setdefault(term, []).append(quad)
                if term not in found:
                    found[term] = finding("blank-node", place())
        for node, one in found.items():
            yield Fault(one, tuple(dict.fromkeys(uses[node])))


def iris(judged: Judged) -> Iterator[Fault]:
    """Yield each subject in the data whose IRI is not one that this graph would give."""
    for document in judged.data:
        seen: set[str] = set()
        for quad, places in document.facts():
            name = iri(quad.subject)
            if name and name not in seen:
                seen.add(name)
                if (named := _policy(judged, name, places[0]())) is not None:
                    found, right = named
                    yield Fault(found, *_renamed(document, name, right))


def _renamed(document: Document, name: str, right: str) -> Meant:
    """Return the statements that name a thing, and the same with its right name if there is one."""

    def change(one: str) -> str:
        return right if one == name else one

    pairs = [(quad, _mapped(quad, change)) for quad in document.quads]
    changed = [(old, new) for old, new in pairs if old != new]
    return tuple(old for old, _ in changed), tuple(new for _, new in changed)


def _policy(judged: Judged, name: str, place: Place) -> tuple[Finding, str] | None:
    """Return what is wrong with an IRI by docs/ontology.md, and the right one or ""."""
    if name.startswith(ID):
        return _thing_policy(judged, name, place)
    if not name.startswith(BASE):
        example = judged.name(NamedNode(f"{ID}conference/intmk-18"))
        return finding("foreign-subject", place, name, given=name, example=example), name
    space = f"{SOURCE_GRAPH.value}/"
    if not name.startswith(space) or _SOURCE.fullmatch(name.removeprefix(space)):
        return None
    example = f"<{space}hik-integrationskompass#line=9,10>"
    return finding("iri-policy", place, name, given=name, example=example), name


def _thing_policy(judged: Judged, name: str, place: Place) -> tuple[Finding, str] | None:
    kind, _, slug = name.removeprefix(ID).partition("/")
    spaces = [space for space in judged.prefixes.values() if space.startswith(ID)]
    kinds = [space.removeprefix(ID).rstrip("/") for space in spaces]
    if kind not in kinds:
        close = get_close_matches(kind, kinds, 1, 0.7)
        right = f"{ID}{close[0]}/{slug}" if close else ""
        fix = judged.name(NamedNode(right)) if right else ""
        known = ", ".join(sorted(kinds))
        return finding(
            "iri-kind", place, name, fix=fix, given=name, kind=kind, kinds=known
        ), right or name
    if _SLUG.fullmatch(slug):
        return None
    right = f"{ID}{kind}/{_slug(slug)}"
    fix = judged.name(NamedNode(right))
    return finding("iri-policy", place, name, fix=fix, given=name, example=fix), right


def _slug(text: str) -> str:
    """Return what a name would be as a slug."""
    plain = text.lower().translate(_ASCII)
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "name"

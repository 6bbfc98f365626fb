"""What is said, held against what is known: things, duplicates, contradictions, domains, ranges."""

from collections.abc import Container, Iterator, Mapping
from difflib import get_close_matches

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from intmk.checks import Fault
from intmk.judged import Judged, iri
from intmk.report import Finding
from intmk.rules import finding
from intmk.sources import Document, Place, Where
from intmk.vocab import DOMAINS, ID, INTMK, LABEL, RANGES, TYPE

Quads = Container[Quad]
Wheres = tuple[Where, Where, Where]
Functional = Mapping[str, Container[object]]
"""The classes for which a property has at most one value, by the property's IRI."""

_DEFAULT = DefaultGraph()


def check(
    judged: Judged, functional: Functional, without: Quads = (), misnamed: Container[str] = ()
) -> Iterator[Fault]:
    """Yield what the members' statements, but those ``without``, say wrongly of known things.

    ``misnamed`` are IRIs of which has been told that they are none of ours.
    """
    for fault in unknown_things(judged, without):
        if fault.finding.focus not in misnamed:
            yield fault
    yield from contradictions(judged, functional, without)
    yield from domains(judged, without)
    yield from duplicates(judged, without)


def _facts(judged: Judged, without: Quads) -> Iterator[tuple[Document, Quad, Wheres]]:
    """Yield each statement of the data with ways to the places of its terms."""
    for document in judged.data:
        for quad, places in document.facts():
            if quad not in without:
                yield document, quad, places


def unknown_things(judged: Judged, without: Quads) -> Iterator[Fault]:
    """Yield the first mention of each thing of ours in a document that nothing describes."""
    mentions: dict[tuple[str, str], list[Quad]] = {}
    places: dict[tuple[str, str], Place] = {}
    for document, quad, at in _facts(judged, without):
        for node, place in ((quad.subject, at[0]), (quad.object, at[2])):
            if isinstance(node, NamedNode) and _is_unknown(judged, node):
                key = document.name, iri(node)
                if key not in mentions:
                    places[key] = place()
                mentions.setdefault(key, []).append(quad)
    for key, quads in mentions.items():
        yield _unknown_thing(judged, NamedNode(key[1]), quads, places[key])


def _is_unknown(judged: Judged, node: NamedNode) -> bool:
    return node.value.startswith(ID) and not judged.is_described(node)


def _unknown_thing(judged: Judged, node: NamedNode, quads: list[Quad], place: Place) -> Fault:
    space = node.value[: node.value.rfind("/") + 1]
    close = get_close_matches(node.value.removeprefix(space), _slugs(judged, space), 1, 0.75)
    meant = NamedNode(space + close[0]) if close else None
    first = quads[0]
    found = finding(
        "unknown-thing", place, iri(first.subject),
        first.predicate.value if node == first.object else "",
        str(node) if node == first.object else "",
        fix=judged.name(meant) if meant else "", thing=judged.name(node),
    )  # fmt: skip
    right = tuple(_with(quad, node, meant) for quad in quads) if meant else ()
    return Fault(found, tuple(quads), right)


def _slugs(judged: Judged, space: str) -> list[str]:
    """Return the slugs of the known things of one kind."""
    known = {iri(quad.subject) for quad in judged.find(None, TYPE, None)} | set(judged.ontology)
    return sorted(one.removeprefix(space) for one in known if one.startswith(space))


def _with(quad: Quad, old: NamedNode, new: NamedNode) -> Quad:
    subject, value = (new if term == old else term for term in (quad.subject, quad.object))
    return Quad(subject, quad.predicate, value, quad.graph_name)  # type: ignore[arg-type]


def duplicates(judged: Judged, without: Quads) -> Iterator[Fault]:
    """Yield each thing whose label another thing of its class has already."""
    told: set[tuple[object, object]] = set()
    for _, quad, at in _facts(judged, without):
        if quad.predicate == LABEL and iri(quad.subject).startswith(ID):
            for same in _namesakes(judged, quad):
                pair = quad.subject, same.subject
                if pair not in told and _is_later(judged, quad, same):
                    told.add(pair)
                    yield _duplicate(judged, quad, same, at[2]())


def _duplicate(judged: Judged, quad: Quad, same: Quad, place: Place) -> Fault:
    kind = min(judged.classes(quad.subject) & judged.classes(same.subject), key=str)
    name, other = getattr(quad.object, "value", ""), judged.name(same.subject)
    about = iri(quad.subject), LABEL.value, str(quad.object)
    return Fault(
        finding("duplicate", place, *about, name=name, other=other, kind=judged.name(kind))
    )


def _namesakes(judged: Judged, quad: Quad) -> Iterator[Quad]:
    for same in judged.find(None, LABEL, quad.object):
        shared = judged.classes(quad.subject) & judged.classes(same.subject)
        if shared and same.subject != quad.subject and isinstance(same.subject, NamedNode):
            yield same


def _is_later(judged: Judged, quad: Quad, same: Quad) -> bool:
    """Whether of two labels the first is newer: the other is known already, or comes before it."""
    if same not in judged.given:
        return True
    return judged.subjects[same.subject] < judged.subjects[quad.subject]


def contradictions(judged: Judged, functional: Functional, without: Quads) -> Iterator[Fault]:
    """Yield each value of a property with at most one that another passage gives another value."""
    facts = [
        (quad, stored, at[2])
        for _, quad, at in _facts(judged, without)
        if quad.predicate.value in functional and (stored := _stored(judged, quad)) is not None
    ]
    given: dict[tuple[object, object], set[object]] = {}
    for quad, stored, _ in facts:
        given.setdefault((quad.subject, quad.predicate), set()).add(stored)
    before: dict[tuple[object, object], set[object]] = {}
    for quad, stored, place in facts:
        key = quad.subject, quad.predicate
        known = before.setdefault(key, set())
        for other in (
            _others(judged, quad, stored) if judged.is_functional(quad, functional) else ()
        ):
            if other.object in known or other.object not in given[key]:
                yield _contradiction(judged, quad, other, place())
                break
        known.add(stored)


def _stored(judged: Judged, quad: Quad) -> object | None:
    """Return the accepted object of a statement as the store spells it: 007 is 7 there."""
    found = judged.find(quad.subject, quad.predicate, quad.object, _DEFAULT)
    return next((one.object for one in found), None)


def _others(judged: Judged, quad: Quad, stored: object) -> Iterator[Quad]:
    """Yield other accepted values of the same property, from other passages."""
    for other in sorted(judged.find(quad.subject, quad.predicate, None, _DEFAULT), key=str):
        if other.object != stored:
            for said in sorted(judged.find(*tuple(other)[:3]), key=str):
                if said.graph_name not in (_DEFAULT, quad.graph_name):
                    yield said


def _contradiction(judged: Judged, quad: Quad, other: Quad, place: Place) -> Fault:
    passage = judged.name(other.graph_name)
    where = judged.nearest(other.subject, other.predicate, other.object)
    at = f" ({where.file}:{where.line})" if where.line else ""
    words = {"term": judged.name(quad.predicate), "given": judged.term(quad.object),
             "other": judged.term(other.object)}  # fmt: skip
    found = finding(
        "contradiction", place, iri(quad.subject), quad.predicate.value, str(quad.object),
        passage_de=f"der Beleg {passage}{at}", passage_en=f"the passage {passage}{at}", **words,
    )  # fmt: skip
    return Fault(found, (quad,))


def domains(judged: Judged, without: Quads) -> Iterator[Fault]:
    """Yield each statement whose subject is of no class that its property belongs to."""
    for _, quad, at in _facts(judged, without):
        right = _ends(judged, quad.predicate, DOMAINS)
        stated = judged.classes(quad.subject)
        if right and stated and not judged.kinds(quad.subject) & right:
            words = _words(judged, quad.predicate, right)
            words |= {f"classes_{one}": _list(judged, stated, one) for one in ("de", "en")}
            found = finding(
                "domain",
                at[1](),
                iri(quad.subject),
                quad.predicate.value,
                **words,
            )
            yield Fault(found, (quad,))


def ranges(
    judged: Judged, without: Quads, told: Container[tuple[str, str, str]]
) -> Iterator[Finding]:
    """Yield each value that is of no class or datatype that its property leads to.

    ``told`` are focus, path and value of what the shapes have found already.
    """
    for _, quad, at in _facts(judged, without):
        right = _ends(judged, quad.predicate, RANGES)
        about = iri(quad.subject), quad.predicate.value, str(quad.object)
        if right and about not in told and not _is_in(judged, quad.object, right):
            words = _words(judged, quad.predicate, right)
            value = judged.term(quad.object)
            yield finding("range", at[2](), *about, given=value, **words)


def _is_in(judged: Judged, value: object, right: set[object]) -> bool:
    if isinstance(value, Literal):
        return value.datatype in right
    kinds = judged.kinds(value)
    # What nothing is said of may be anything: a page on the web, say.
    return (not judged.classes(value) and not iri(value).startswith(ID)) or bool(kinds & right)


def _ends(judged: Judged, predicate: NamedNode, ends: tuple[NamedNode, ...]) -> set[object]:
    if not predicate.value.startswith(INTMK):
        return set()
    said = judged.ontology.get(predicate.value, {})
    return {kind for end in ends for kind in said.get(end, [])}


def _words(judged: Judged, predicate: NamedNode, right: set[object]) -> dict[str, str]:
    words = {"term": judged.name(predicate)}
    for language in ("de", "en"):
        words[f"label_{language}"] = judged.label(predicate, language)
        words[f"right_{language}"] = _list(judged, right, language)
    return words


def _list(judged: Judged, kinds: set[object], language: str) -> str:
    names = sorted((judged.name(kind), judged.label(kind, language)) for kind in kinds)
    return ", ".join(f"{name} ({label})" if label else name for name, label in names)

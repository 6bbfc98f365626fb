"""The changes as others follow them: PROV, a Linked Data Event Stream, and Atom.

PROV-O describes each change; the stream is LDES (https://w3id.org/ldes/specification) in pages of
TREE (https://w3id.org/tree/specification), the oldest first, of which only the last still grows;
the feed is Atom (RFC 4287).
"""

from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from pyoxigraph import Literal, NamedNode, Triple

from intmk import filing, patch, reporting
from intmk.journal import Record
from intmk.patch import Patch
from intmk.report import Finding, Report
from intmk.vocab import BASE, DCTERMS, PROV, RDF, RDFS, SH, XSD

PAGE = 100
# What is never changed may be kept for as long as a cache can.
FOREVER = "public, max-age=31536000, immutable"
LDES, TREE = "https://w3id.org/ldes#", "https://w3id.org/tree#"
PREFIXES = {
    "dcterms": DCTERMS,
    "ldes": LDES,
    "prov": PROV,
    "rdfs": RDFS,
    "sh": SH,
    "tree": TREE,
    "xsd": XSD,
}
_ATOM = "http://www.w3.org/2005/Atom"
_KINDS = {
    "build": "Built from the files",
    "update": "Updated",
    "graphs": "Graphs written",
    "restore": "Restored from a backup",
    "replica": "Copied from another server",
    "proposal": "Proposal accepted",
    "rollback": "Taken back",
}


def pages(count: int) -> int:
    """Return how many pages so many changes take; the last one may be empty."""
    return count // PAGE + 1


def is_closed(page: int, count: int) -> bool:
    """Whether a page, counted from 1, is full and stays as it is."""
    return page < pages(count)


def change(one: Record, url: str) -> Iterator[Triple]:
    """Describe a change (PROV-O): when, by whom, why, from what to what.

    ``url`` is the address of the server without a slash at the end.
    """
    node = f"{url}/changes/{one.number}"
    yield _is(node, f"{RDF}type", f"{PROV}Activity")
    yield _says(node, f"{DCTERMS}identifier", str(one.number))
    yield _says(node, f"{PROV}endedAtTime", one.time, "dateTime")
    yield _says(node, f"{RDFS}label", f"{_KINDS.get(one.kind, one.kind)}, change {one.number}")
    yield _is(node, f"{PROV}generated", f"{BASE}version/{one.number}")
    if one.number > 1:
        yield _is(node, f"{PROV}used", f"{BASE}version/{one.number - 1}")
    yield _is(node, f"{RDFS}seeAlso", f"{node}.rdfp")
    if one.reason:
        yield _says(node, f"{RDFS}comment", one.reason)
    if one.proposal is not None:
        yield _is(node, f"{PROV}wasInformedBy", f"{url}/proposals/{one.proposal}")
    for role, name in (("author", one.author), ("reviewer", one.by)):
        if name:
            yield _is(node, f"{PROV}wasAssociatedWith", f"{node}#{role}")
            yield _is(f"{node}#{role}", f"{RDF}type", f"{PROV}Agent")
            yield _says(f"{node}#{role}", f"{RDFS}label", name)


def judged(one: Record, findings: list[Finding], url: str) -> Iterator[Triple]:
    """Describe a change together with what was doubtful in it, as a SHACL report (section 3.6)."""
    yield from change(one, url)
    if findings:
        node = f"{url}/changes/{one.number}#report"
        yield _is(f"{url}/changes/{one.number}", f"{PROV}generated", node)
        yield from reporting.triples(Report(findings), NamedNode(node))


def root(url: str) -> Iterator[Triple]:
    """Describe the stream, and where its first page is."""
    stream = f"{url}/changes"
    yield _is(stream, f"{RDF}type", f"{LDES}EventStream")
    yield _is(stream, f"{LDES}timestampPath", f"{PROV}endedAtTime")
    yield _is(stream, f"{TREE}view", f"{stream}?page=1")


def fragment(records: list[Record], page: int, url: str) -> Iterator[Triple]:
    """Describe a page of the stream with its changes; ``records`` are all, the oldest first."""
    stream = f"{url}/changes"
    node = f"{stream}?page={page}"
    yield from root(url)
    yield _is(node, f"{RDF}type", f"{TREE}Node")
    members = records[(page - 1) * PAGE : page * PAGE]
    for one in members:
        yield _is(stream, f"{TREE}member", f"{stream}/{one.number}")
        yield from change(one, url)
    if is_closed(page, len(records)):
        relation = f"{node}#next"
        yield _is(node, f"{TREE}relation", relation)
        yield _is(relation, f"{RDF}type", f"{TREE}GreaterThanOrEqualToRelation")
        yield _is(relation, f"{TREE}node", f"{stream}?page={page + 1}")
        yield _is(relation, f"{TREE}path", f"{PROV}endedAtTime")
        yield _says(relation, f"{TREE}value", members[-1].time, "dateTime")


def _is(subject: str, predicate: str, value: str) -> Triple:
    return Triple(NamedNode(subject), NamedNode(predicate), NamedNode(value))


def _says(subject: str, predicate: str, value: str, datatype: str = "string") -> Triple:
    literal = Literal(value, datatype=NamedNode(XSD + datatype))
    return Triple(NamedNode(subject), NamedNode(predicate), literal)


def atom(records: Iterable[Record], url: str) -> bytes:
    """Return changes as an Atom feed, in the order given, the newest first."""
    records = list(records)
    feed = ElementTree.Element("feed", xmlns=_ATOM)
    _add(feed, "id", f"{url}/changes")
    _add(feed, "title", "IntMK Graph: changes")
    _add(feed, "updated", records[0].time if records else "1970-01-01T00:00:00Z")
    ElementTree.SubElement(
        feed, "link", rel="self", href=f"{url}/changes.atom", type="application/atom+xml"
    )
    ElementTree.SubElement(feed, "link", rel="alternate", href=f"{url}/changes")
    for one in records:
        _entry(ElementTree.SubElement(feed, "entry"), one, f"{url}/changes/{one.number}")
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def _entry(entry: ElementTree.Element, one: Record, address: str) -> None:
    _add(entry, "id", address)
    _add(entry, "title", f"{_KINDS.get(one.kind, one.kind)}, change {one.number}")
    _add(entry, "updated", one.time)
    _add(ElementTree.SubElement(entry, "author"), "name", one.author or one.by or "operator")
    ElementTree.SubElement(entry, "link", rel="alternate", href=address)
    ElementTree.SubElement(
        entry, "link", rel="related", href=f"{address}.rdfp", type="application/rdf-patch"
    )
    _add(entry, "summary", one.reason or f"Version {one.id}.")


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    # XML 1.0 has no place for the control characters and non-characters that JSON has.
    ElementTree.SubElement(parent, name).text = "".join(
        one for one in text if one in "\t\n" or (one >= " " and one not in "\ufffe\uffff")
    )


def rows(change: Patch, limit: int = 500) -> tuple[list[tuple[str, Any]], int]:
    """Return the statements of a change in the order of their passages and things, and how many
    more there are.

    Each is its sign and its quad. Those of the default graph, which follow from the others, are
    left out.
    """
    found = [
        (parts.graph, parts.subject, parts.predicate, sign, one)
        for sign, lines in (("-", change.removed), ("+", change.added))
        for one in lines
        if (parts := patch.parts(one)).graph
    ]
    found.sort(key=lambda row: (*row[:3], row[3] == "+", row[4]))
    shown = [(sign, quad) for *_, sign, one in found[:limit] for quad in filing.statements([one])]
    return shown, len(found[limit:])

"""The changes as a stream: pages that close, PROV, Atom."""

from xml.etree import ElementTree

from pyoxigraph import Literal, NamedNode, Triple

from intmk import stream
from intmk.journal import Record
from intmk.patch import Patch
from intmk.vocab import PROV

URL = "http://e"
ATOM = "{http://www.w3.org/2005/Atom}"


def records(count: int) -> list[Record]:
    """Return so many changes."""
    return [
        Record(number, f"{number:016x}", f"2026-01-01T00:00:{number % 60:02}Z", None, 1, 2,
               "proposal", "rev", "Ada <&\x01\uffff>", "because", number)
        for number in range(1, count + 1)
    ]  # fmt: skip


def objects(triples: set[Triple], subject: str, predicate: str) -> list[str]:
    """Return the values of a property."""
    return sorted(
        one.object.value
        for one in triples
        if one.subject == NamedNode(subject) and one.predicate == NamedNode(predicate)
        and isinstance(one.object, NamedNode | Literal)
    )  # fmt: skip


def test_a_stream_is_followed_from_page_to_page() -> None:
    """Every change is a member of one page; the last page leads nowhere yet."""
    found, page, members = records(2 * stream.PAGE + 1), f"{URL}/changes?page=1", []
    numbers = []
    while page:
        number = int(page.rpartition("=")[2])
        triples = set(stream.fragment(found, number, URL))
        numbers.append(number)
        members += objects(triples, f"{URL}/changes", f"{stream.TREE}member")
        relations = objects(triples, page, f"{stream.TREE}relation")
        page = "".join(
            objects(triples, "".join(relations), f"{stream.TREE}node") if relations else ""
        )
    assert numbers == [1, 2, 3]
    assert sorted(members) == sorted(f"{URL}/changes/{one.number}" for one in found)


def test_a_full_page_stays_as_it_is() -> None:
    """Whatever comes after it."""
    full, more = records(stream.PAGE), records(stream.PAGE + 50)
    assert stream.is_closed(1, len(full))
    assert not stream.is_closed(2, len(more))
    assert set(stream.fragment(full, 1, URL)) == set(stream.fragment(more, 1, URL))


def test_a_change_says_who_when_and_why() -> None:
    """As PROV: author and reviewer, the proposal, the versions before and after."""
    found = set(stream.change(records(2)[1], URL))
    node = f"{URL}/changes/2"
    assert objects(found, node, f"{PROV}endedAtTime") == ["2026-01-01T00:00:02Z"]
    assert objects(found, node, f"{PROV}wasInformedBy") == [f"{URL}/proposals/2"]
    agents = objects(found, node, f"{PROV}wasAssociatedWith")
    label = "http://www.w3.org/2000/01/rdf-schema#label"
    assert [objects(found, one, label) for one in agents] == [["Ada <&\x01\uffff>"], ["rev"]]
    used = objects(found, node, f"{PROV}used") + objects(found, node, f"{PROV}generated")
    assert [one.rpartition("/")[2] for one in used] == ["1", "2"]


def test_atom_is_well_formed_whatever_is_in_it() -> None:
    """With the elements RFC 4287 demands of a feed and of each entry."""
    feed = ElementTree.fromstring(stream.atom(records(2)[::-1], URL))
    assert [feed.findtext(f"{ATOM}{name}") for name in ("id", "updated")] == [
        f"{URL}/changes", "2026-01-01T00:00:02Z",
    ]  # fmt: skip
    entries = feed.findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}id") for one in entries] == [f"{URL}/changes/{n}" for n in (2, 1)]
    assert entries[0].findtext(f"{ATOM}author/{ATOM}name") == "Ada <&>"
    assert all(one.findtext(f"{ATOM}{name}") for one in entries for name in ("title", "updated"))
    assert ElementTree.fromstring(stream.atom([], URL)).findtext(f"{ATOM}updated")


def test_rows_are_those_of_passages_and_limited() -> None:
    """What goes stands before what comes; the default graph follows and is left out."""
    lines = frozenset({"<a:s> <a:p> <a:o> .", "<a:s> <a:p> <a:o> <a:g> ."})
    change = Patch(lines, frozenset({'<a:s> <a:p> "z" <a:g> .'}))
    shown, more = stream.rows(change)
    assert [sign for sign, _ in shown] == ["-", "+"]
    assert more == 0
    assert [len(stream.rows(change, 1)[0]), stream.rows(change, 1)[1]] == [1, 1]

"""A description says exactly what the graph says, and by whom; compared with the built dump."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, parse

from graph_fixtures import EXTRA, build, copy, served
from intmk import description, formats, vocab
from intmk.errors import NotFound
from intmk.statements import NewVersion, Reading, labels
from server_fixtures import running

ID = f"{vocab.BASE}id/"
# How many things of a kind are looked at.
SAMPLE = 15
CONFERENCE = f"{ID}conference/intmk-18"
ACCEPTED = f"{ID}kind/accepted"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reading, Store]]:
    """The project's graph with the extra passages: how to ask it, and its dump."""
    with served(tmp_path_factory.mktemp("graph")) as (engine, _, dump):
        yield Reading(engine), dump


@pytest.fixture(scope="module")
def ask(graph: tuple[Reading, Store]) -> Reading:
    """How to ask the graph."""
    return graph[0]


@pytest.fixture(scope="module")
def dump(graph: tuple[Reading, Store]) -> Store:
    """The same graph as the build wrote it."""
    return graph[1]


def things(dump: Store) -> list[str]:
    """Return the IRIs of some things of each kind that any passage mentions as a subject."""
    kinds = defaultdict(list)
    for iri in sorted({q.subject.value for q in dump if q.subject.value.startswith(ID)}):
        kinds[iri.rpartition("/")[0]].append(iri)
    return [iri for several in kinds.values() for iri in several[:SAMPLE]]


def stated(dump: Store, iri: str) -> dict[tuple[object, object], set[str]]:
    """Return what the passages say of a thing: (property, value) to the passages' IRIs."""
    found = defaultdict(set)
    for quad in dump.quads_for_pattern(NamedNode(iri), None, None):
        if quad.graph_name not in (DefaultGraph(), vocab.SHAPES_GRAPH):
            found[quad.predicate, quad.object].add(quad.graph_name.value)
    return dict(found)


def test_every_thing_is_described_exactly(ask: Reading, dump: Store) -> None:
    """Each statement of things of each kind is there with each of its passages, and no other."""
    every = things(dump)
    assert len(every) > 200
    for iri in every:
        outgoing = description.describe(iri, ask, "de").outgoing
        said = {(one.predicate, one.object): {p.iri for p in one.passages} for one in outgoing}
        assert said == stated(dump, iri), iri


def test_incoming_is_paged_and_whole(
    ask: Reading, dump: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of what refers to a thing add up to all of it, and the total is told on each."""
    monkeypatch.setattr(description, "PAGE_ROWS", 70)
    first = description.describe(ACCEPTED, ask, "de")
    seen = []
    for number in range(1, first.pages + 1):
        page = description.describe(ACCEPTED, ask, "de", number)
        assert page.incoming_total == first.incoming_total
        seen += [(one.subject, one.predicate) for one in page.incoming]
    referring = {
        (quad.subject, quad.predicate)
        for quad in dump.quads_for_pattern(None, None, NamedNode(ACCEPTED), DefaultGraph())
    }
    assert len(seen) == len(set(seen)) == first.incoming_total > 50
    assert set(seen) == referring


def test_no_page_after_the_last(ask: Reading) -> None:
    """A page beyond what refers to a thing does not exist."""
    last = description.describe(ACCEPTED, ask, "de").pages
    assert last > 1
    assert description.describe(ACCEPTED, ask, "de", last).incoming
    with pytest.raises(NotFound):
        description.describe(ACCEPTED, ask, "de", last + 1)


def test_disputed_statement(ask: Reading) -> None:
    """A statement that only a disputed passage makes is marked, and others are not."""
    outgoing = description.describe(CONFERENCE, ask, "de").outgoing
    disputed = [one for one in outgoing if one.is_disputed]
    assert [one.object for one in disputed] == [NamedNode(f"{ID}place/only-disputed")]
    assert [one.iri for one in disputed[0].passages] == [f"{EXTRA}#line=0,1"]


def test_lines_of_a_passage(ask: Reading) -> None:
    """Passages come with source and lines, counted from 1 and included."""
    (one,) = description.describe(f"{ID}person/hostile", ask, "de").outgoing[0].passages
    assert (one.source, one.first, one.last, one.is_disputed) == (EXTRA, 2, 3, False)


def test_derivation_says_what_it_supports(ask: Reading, dump: Store) -> None:
    """A derivation is described with the statements of its own graph."""
    derivations = dump.quads_for_pattern(None, vocab.TYPE, vocab.DERIVATION, DefaultGraph())
    for quad in sorted(derivations, key=str)[::20]:
        found = description.describe(quad.subject.value, ask, "de").supports
        said = {(one.subject, one.predicate, one.object) for one in found}
        graph = dump.quads_for_pattern(None, None, None, quad.subject)
        assert said == {tuple(one.triple) for one in graph}
        assert said


def test_labels_by_language(ask: Reading) -> None:
    """A label is in the wanted language, else German; a disputed name is better than none."""
    land, place = f"{ID}land/bayern", f"{ID}place/only-disputed"
    english = labels([land, place, f"{ID}person/hostile", f"{ID}none/such"], ask, "en")
    assert english[land].value == "Bavaria"
    assert english[place].value == "Nur strittig"
    assert english[f"{ID}person/hostile"].language == "de"
    assert f"{ID}none/such" not in english
    assert labels([land], ask, "de")[land].value == "Bayern"


@pytest.mark.parametrize("row", formats.GRAPHS, ids=lambda row: row.extension)
def test_rdf_of_every_thing(ask: Reading, dump: Store, row: formats.Format) -> None:
    """The RDF of a thing is its default-graph statements, in datasets its passages' too."""
    form = row.engine
    assert isinstance(form, RdfFormat)
    for iri in things(dump):
        found = set(parse(description.rdf(iri, ask, form, {}), format=form))
        said = set(dump.quads_for_pattern(NamedNode(iri), None, None, None))
        if form not in (RdfFormat.TRIG, RdfFormat.N_QUADS):
            said = {quad for quad in said if quad.graph_name == DefaultGraph()}
        assert found == said, iri


def test_rdf_of_a_source(ask: Reading, dump: Store) -> None:
    """A source's dataset holds its register entry, its passages and all that they state."""
    body = description.source(EXTRA, ask, RdfFormat.TRIG, {})
    quads = set(parse(body, format=RdfFormat.TRIG))
    graphs = {NamedNode(f"{EXTRA}#line=0,1"), NamedNode(f"{EXTRA}#line=1,3")}
    for graph in graphs:
        assert set(dump.quads_for_pattern(None, None, None, graph)) <= quads
        assert Quad(graph, vocab.IS_PART_OF, NamedNode(EXTRA), DefaultGraph()) in quads
    assert {quad.graph_name for quad in quads} == graphs | {DefaultGraph()}


def test_rdf_declares_the_prefixes_it_uses() -> None:
    """Turtle is written with the prefixes that occur in it, and with no other."""
    quad = Quad(NamedNode("https://e.example/a"), vocab.TYPE, vocab.DERIVATION)
    spaces = {"e": "https://e.example/", "intmk": vocab.INTMK, "x": "https://x.example/"}
    text = description.write([quad], RdfFormat.TURTLE, spaces).decode()
    assert "@prefix e: <https://e.example/> ." in text
    assert "e:a" in text
    assert "intmk:Derivation" in text
    assert "x.example" not in text


@pytest.mark.parametrize(
    "read",
    [
        lambda iri, ask: description.describe(iri, ask, "de"),
        lambda iri, ask: description.rdf(iri, ask, RdfFormat.TURTLE, {}),
        lambda iri, ask: description.source(iri, ask, RdfFormat.TURTLE, {}),
        description.require,
    ],
    ids=["describe", "rdf", "source", "require"],
)
def test_unknown_thing(ask: Reading, read: Callable[[str, Reading], object]) -> None:
    """What no passage mentions is not found, and the message names it."""
    with pytest.raises(NotFound, match="person/nobody"):
        read(f"{ID}person/nobody", ask)


def test_two_versions_are_not_mixed(tmp_path: Path) -> None:
    """A reading that began with one version refuses to go on with the next."""
    root = copy(tmp_path)
    store = build(root)
    with running(store, root=root) as (engine, _):
        reading = Reading(engine)
        reading("SELECT * WHERE { ?s ?p ?o } LIMIT 1")
        (root / "data" / "extra.trig").unlink()
        build(root)
        with pytest.raises(NewVersion):
            ask_often(reading)


def ask_often(reading: Reading) -> None:
    """Ask until the next version answers: within a second, at a tenth of a millisecond each."""
    for _ in range(100_000):
        reading("SELECT * WHERE { ?s ?p ?o } LIMIT 1")

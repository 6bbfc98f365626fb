"""What was sent as a proposal: the statements it means, and where each stands."""

import dataclasses
from pathlib import Path

import pytest
from pyoxigraph import Quad

from intmk import drafts, vocab
from intmk.drafts import Draft
from intmk.errors import InvalidRequest, SourceSyntaxError
from intmk.report import Finding
from intmk.settings import Settings, read
from intmk.sources import collect, place_in
from write_fixtures import PASSAGE

THING, LABEL = f"{vocab.ID}body/intmk", vocab.LABEL.value
FINDING = Finding("graph", 1, 1, "error", "rule", "de", "en", THING, LABEL, '"x"')
NQUAD = f'<{THING}> <{LABEL}> "x" <{PASSAGE}> .'
TRIG = f'GRAPH <{PASSAGE}> {{\n\n body:intmk rdfs:label "x" }}'


@pytest.fixture
def settings(root: Path) -> Settings:
    """Settings with the small root."""
    return read({"root": root, "store": root.parent / "var"}, {})


@pytest.fixture
def graph(root: Path) -> set[Quad]:
    """The named graphs of the small root."""
    collection = collect(root)
    return {
        quad
        for name, documents in collection.graphs.items()
        for document in documents
        for quad in place_in(name, document)
    }


@pytest.fixture
def understand(settings: Settings, graph: set[Quad]):
    """Return a function that reads a draft for that graph."""
    prefixes = vocab.prefixes(settings.root)
    return lambda draft: drafts.understand(draft, graph, prefixes, settings)


@pytest.mark.parametrize(
    ("text", "extension", "place"),
    [
        (TRIG, "trig", (3, 24, 3, 27)),
        (NQUAD, "nq", (1, 85, 1, 88)),
        (f"INSERT DATA {{\n {TRIG} }}", "ru", (4, 24, 4, 27)),
        (f"TX .\nA {NQUAD}\nTC .", "rdfp", (2, 87, 2, 90)),
    ],
)
def test_a_finding_is_placed_in_what_was_sent(understand, text, extension, place):
    """Whichever the syntax, the prefixes before it do not count."""
    read = understand(Draft(text, extension=extension, names=("mine", "less")))
    assert read.change.added == {NQUAD}
    found = read.place(FINDING)
    assert found.file == "mine"
    assert (found.line, found.column, found.end_line, found.end_column) == place
    lines = text.split("\n")
    assert lines[place[0] - 1][place[1] - 1 : place[3] - 1] == '"x"'


def test_a_finding_about_something_else_has_no_place(understand):
    """It stands in the graph, not in what was sent."""
    other = dataclasses.replace(FINDING, focus="https://e.org/", path="", value="")
    assert understand(Draft(TRIG)).place(other).position == ""


def test_what_is_missing_stands_where_it_was_removed(understand):
    """The place of a removal, when the additions do not speak of the thing."""
    text = f"GRAPH <{PASSAGE}> {{ conference:intmk-18 intmk:ordinal 18 }}"
    focus = f"{vocab.ID}conference/intmk-18"
    missing = dataclasses.replace(FINDING, focus=focus, path=f"{vocab.ONTOLOGY}ordinal", value="")
    found = understand(Draft("", text)).place(missing)
    assert (found.file, found.line) == ("removals", 1)


def test_relative_names_are_ours(understand):
    """As in a query, the base is that of the graph."""
    text = TRIG.replace("https://w3id.org/intmk/", "")
    assert understand(Draft(text)).change.added == {NQUAD}


def test_every_error_is_told(understand):
    """The first in the error, all of them with it."""
    with pytest.raises(SourceSyntaxError) as caught:
        understand(Draft("a:b c .\n" + TRIG + "\nnot rdf ."))
    lines = [one["line"] for one in caught.value.extra["findings"]]
    assert lines == [1, 5]
    assert caught.value.line == 1


def test_an_update_is_what_it_changes(understand, graph):
    """In the passages; what follows from them is not part of it."""
    update = f"""WITH <{PASSAGE}> DELETE {{ ?c intmk:ordinal ?n }} INSERT {{ ?c intmk:ordinal 19 }}
    WHERE {{ ?c intmk:ordinal ?n }}"""
    change = understand(Draft(update, extension="ru")).change
    assert ["19" in one for one in change.added] == [True]
    assert ["18" in one for one in change.removed] == [True]


def test_an_update_leaves_the_default_graph_alone(understand):
    """It follows from the passages."""
    with pytest.raises(InvalidRequest, match="default graph"):
        understand(Draft("INSERT DATA { body:intmk rdfs:label 1 }", extension="ru"))


def test_a_page_is_replaced_in_its_own_file(understand, settings, graph):
    """Files in a folder of data/ are known by their names too."""
    folder = settings.root / "data" / "pages"
    folder.mkdir()
    (settings.root / "data" / "press.trig").rename(folder / "press.trig")
    text = (folder / "press.trig").read_text().replace("18. IntMK", "new")
    change = understand(Draft(text, replaces="data/pages/press.trig")).change
    assert ["new" in one for one in change.added] == [True]
    assert [one for one in change.removed if "18. IntMK" in one]

"""Reading files: quads, places, failures and the default graph."""

from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat

from intmk import sources
from intmk.errors import CannotCheck, SourceSyntaxError
from intmk.vocab import INTMK, ONTOLOGY_GRAPH, SHAPES_GRAPH, SOURCE_GRAPH, THEMES_GRAPH

INTMK_18 = NamedNode("https://w3id.org/intmk/id/conference/intmk-18")
ORDINAL = NamedNode(f"{INTMK}ordinal")
ACCEPTED = NamedNode("https://w3id.org/intmk/source/press#line=3,5")
DISPUTED = NamedNode("https://w3id.org/intmk/source/press#line=9,10")
INTEGER = NamedNode("http://www.w3.org/2001/XMLSchema#integer")


def write(folder: Path, name: str, content: bytes) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "position"),
    [
        ("a.ttl", b"<a:s> <a:p>\n  foo .", (2, 3)),
        ("a.trig", "<a:ä> <a:ö> <a:ü> .\n<a:s> .".encode(), (2, 7)),
        ("a.nt", b"<a:s> <a:p> <a:o> .\n<a:s> <a:p> .\n", (2, 13)),
        ("notes.txt", b"Once upon a time", (1, 1)),
        ("a.ttl", b"<a:s> <a:p> '\xe4' .", (1, 14)),
        ("a.ttl", b"<a:s> <a:p>\n <<( <a:s> <a:p> <a:o> )>> .", (2, 2)),
    ],
)
def test_what_is_not_rdf_has_a_line_and_a_column(tmp_path, name, content, position):
    """Broken RDF, prose, Latin-1 and RDF 1.2 are refused where they go wrong."""
    with pytest.raises(SourceSyntaxError) as caught:
        sources.read(write(tmp_path, name, content), "the file")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("the file", *position)


def test_a_missing_file_cannot_be_checked(tmp_path):
    """A file that is not there is told by its name."""
    with pytest.raises(CannotCheck) as caught:
        sources.read(tmp_path / "none.ttl", "none.ttl")
    assert caught.value.extra == {"file": "none.ttl"}


def test_a_byte_order_mark_is_no_content(tmp_path):
    """Files from Windows editors are read, and columns still count from the first letter."""
    document = sources.read(write(tmp_path, "a.ttl", b"\xef\xbb\xbf<a:s> <a:p> 1 ."))
    assert document.place(document.statements[0].subject)[1:] == (1, 1)


def test_formats_without_positions_are_read(tmp_path):
    """RDF/XML gives quads, and the file alone as the place of each."""
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="a:s"><p xmlns="a:">x</p></rdf:Description></rdf:RDF>'
    )
    document = sources.read(write(tmp_path, "a.rdf", rdf.encode()), "a.rdf")
    assert document.format == RdfFormat.RDF_XML
    ((_, _, subject), (_, _, predicate), (_, value, _)) = document.terms()
    assert (subject(), predicate()) == (sources.Place("a.rdf"), sources.Place("a.rdf"))
    assert value == Literal("x")


def test_places_are_found_by_value_then_property_then_subject(collection):
    """The nearest statement is told: its object, its predicate, or its subject."""
    places = sources.Places(collection.documents)
    text = next(d.text for d in collection.documents if d.name == "data/press.trig").splitlines()

    def cut(place: sources.Place) -> str:
        assert place.file == "data/press.trig"
        return text[place.line - 1][place.column - 1 :]

    eighteen = Literal("18", datatype=INTEGER)
    assert cut(places.nearest(INTMK_18, ORDINAL, eighteen)) == "18 ."
    assert cut(places.nearest(INTMK_18, ORDINAL, Literal("x"))) == "intmk:ordinal 18 ."
    assert cut(places.nearest(INTMK_18, NamedNode("a:none"))).startswith("conference:intmk-18 a ")
    assert places.nearest(NamedNode("a:nobody")) == sources.Place("")


def test_files_go_to_their_graphs(collection):
    """Ontology and prefixes, themes, shapes and data each have their graph."""
    names = {graph: [d.name for d in members] for graph, members in collection.graphs.items()}
    assert names == {
        ONTOLOGY_GRAPH: ["ontology/intmk.ttl", "ontology/prefixes.ttl"],
        THEMES_GRAPH: ["ontology/themes.ttl"],
        SHAPES_GRAPH: ["shapes/conferences.ttl"],
        SOURCE_GRAPH: ["data/press.trig", "data/sources.ttl"],
    }
    graphs = {quad.graph_name for quad in collection.quads()}
    assert graphs == {*names, ACCEPTED, DISPUTED}


def test_default_graph_is_the_union_of_the_accepted_passages(collection):
    """A disputed claim and the shapes stay out; everything that is in has an accepted passage."""
    quads = list(collection.quads())
    default = sources.materialise(quads)
    accepted = sources.accepted(quads)
    assert accepted == {ACCEPTED, ONTOLOGY_GRAPH, SOURCE_GRAPH, THEMES_GRAPH}
    assert {quad.graph_name for quad in default} == {DefaultGraph()}
    assert {quad.triple for quad in default} == {
        quad.triple for quad in quads if quad.graph_name in accepted
    }
    claim = Quad(INTMK_18, ORDINAL, Literal("17", datatype=INTEGER), DISPUTED)
    assert claim in quads
    assert Quad(INTMK_18, ORDINAL, claim.object) not in default


def test_a_passage_cannot_accept_itself(root, change):
    """Only the register decides: a status inside a passage's own graph has no effect."""
    change("data/press.trig", "  conference:intmk-18 intmk:ordinal 17 .", "  "
        "<https://w3id.org/intmk/source/press#line=9,10> intmk:status kind:accepted .")  # fmt: skip
    assert DISPUTED not in sources.accepted(sources.collect(root).quads())


def test_a_broken_file_is_a_failure_and_the_others_are_read(root):
    """Reading a root goes on after a syntax error."""
    (root / "data" / "broken.trig").write_text("<a:s> <a:p>")
    found = sources.collect(root)
    assert [failure.extra["file"] for failure in found.failures] == ["data/broken.trig"]
    assert len(found.documents) == 6


def test_a_folder_that_is_no_root_is_refused(tmp_path):
    """A wrong --root is told instead of building an empty graph."""
    (tmp_path / "ontology").mkdir()
    with pytest.raises(CannotCheck, match="no folder shapes or data"):
        sources.collect(tmp_path)

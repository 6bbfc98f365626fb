"""RDF from clients: every format, every error with its place, and documents made to do harm."""

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat

from intmk import errors, uploads

BASE = "https://example.org/"
LIMIT = 1_000_000
HEAD = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'
BODY = '<rdf:Description rdf:about="a"><e:p>{}</e:p></rdf:Description></rdf:RDF>'
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
DEEP = f"{HEAD}<e:C>{'<e:p><e:C>' * 100_000}{'</e:C></e:p>' * 100_000}</e:C></rdf:RDF>"


def read(text: str | bytes, form: RdfFormat = RdfFormat.TURTLE) -> set[Quad]:
    """Read a document with the usual base and limit."""
    data = text if isinstance(text, bytes) else text.encode()
    return uploads.read(data, form, BASE, LIMIT)


FORMS = [
    (RdfFormat.TURTLE, '<a> <http://e/p> "Größe 😀" .'),
    (RdfFormat.N_TRIPLES, '<https://example.org/a> <http://e/p> "Größe 😀" .'),
    (RdfFormat.RDF_XML, HEAD + BODY.format("Größe 😀")),
    (RdfFormat.JSON_LD, '{"@id": "a", "http://e/p": "Größe 😀"}'),
    (RdfFormat.TRIG, '<a> <http://e/p> "Größe 😀" .'),
    (RdfFormat.N_QUADS, '<https://example.org/a> <http://e/p> "Größe 😀" .'),
]


@pytest.mark.parametrize(("form", "text"), FORMS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_format_is_read(form: RdfFormat, text: str, mark: str) -> None:
    """Relative IRIs are resolved, all characters survive, a byte order mark does no harm."""
    triple = Quad(NamedNode(f"{BASE}a"), NamedNode("http://e/p"), Literal("Größe 😀"))
    assert read(mark + text, form) == {triple}


def test_blank_nodes_of_two_documents_are_not_the_same() -> None:
    """Equal labels in different documents name different things."""
    first, second = (read("_:b <http://e/p> 1 .") for _ in range(2))
    assert first != second


WRONG = [
    (RdfFormat.TURTLE, "<a> <b>\n foo .", 2, 2),
    (RdfFormat.TURTLE, "<a> <b>\n <c>", 2, 5),
    (RdfFormat.TURTLE, "<a> <b> 'ö\xe4".encode("latin-1"), 1, 10),
    (RdfFormat.N_TRIPLES, "<http://a> <http://b> foo .", 1, 23),
    (RdfFormat.RDF_XML, f"{HEAD}\n<e:C>", 2, 6),
    (RdfFormat.RDF_XML, f"{HEAD}\n{BODY.format('&nope;')}", 2, 37),
    (RdfFormat.JSON_LD, '{"@id": ', 1, 9),
    (RdfFormat.N_QUADS, "<http://a>\n", 2, 1),
]


@pytest.mark.parametrize(("form", "text", "line", "column"), WRONG)
def test_an_error_has_its_place(form: RdfFormat, text: str | bytes, line: int, column: int) -> None:
    """Line and column count from 1."""
    with pytest.raises(errors.SourceSyntaxError) as caught:
        read(text, form)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)


HARMFUL = [
    ("billion laughs", f'<!DOCTYPE r [<!ENTITY a0 "lol">{LAUGHS}]>{HEAD}{BODY.format("&a9;")}'),
    (
        "quadratic blow-up",
        f'<!DOCTYPE r [<!ENTITY a "{"x" * 100_000}">]>{HEAD}{BODY.format("&a;" * 100_000)}',
    ),
    (
        "in attributes",
        f'<!DOCTYPE r [<!ENTITY a "{"x" * 100_000}">]>{HEAD}'
        f'<rdf:Description rdf:about="{"&a;" * 1000}"/></rdf:RDF>',
    ),
]


@pytest.mark.parametrize(("name", "text"), HARMFUL)
def test_entities_expand_within_a_limit(name: str, text: str) -> None:
    """What would fill the memory is too large, before it does."""
    with pytest.raises(errors.TooLarge, match=str(LIMIT)):
        read(text, RdfFormat.RDF_XML)


def test_an_entity_may_stand_for_a_namespace() -> None:
    """As ontology editors write it."""
    text = f'<!DOCTYPE r [<!ENTITY o "http://o/"> <!ENTITY p "&o;p">]>{HEAD}{BODY.format("&p;")}'
    assert [quad.object for quad in read(text, RdfFormat.RDF_XML)] == [Literal("http://o/p")]


@pytest.mark.parametrize(
    "declaration",
    ['<!ENTITY x SYSTEM "file:///etc/passwd">', '<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;'],
)
def test_external_entities_are_refused(declaration: str) -> None:
    """Neither a file nor another server is read."""
    with pytest.raises(errors.SourceSyntaxError, match="not fetched"):
        read(f"<!DOCTYPE r [{declaration}]>{HEAD}{BODY.format('&x;')}", RdfFormat.RDF_XML)


def test_xml_a_hundred_thousand_levels_deep_is_refused_at_once() -> None:
    """The engine alone would take minutes; the error says where it became too much."""
    with pytest.raises(errors.SourceSyntaxError, match="1000 deep") as caught:
        read(DEEP, RdfFormat.RDF_XML)
    assert caught.value.column


@pytest.mark.parametrize(
    "context", ['"http://127.0.0.1:9/c"', '{"@import": "http://127.0.0.1:9/c"}']
)
def test_a_remote_context_is_refused(context: str) -> None:
    """The hint says what to do instead."""
    with pytest.raises(errors.NetworkForbidden, match="into the document itself"):
        read(f'{{"@context": {context}, "@id": "a", "p": 1}}', RdfFormat.JSON_LD)


def test_one_graph_has_no_named_graphs() -> None:
    """A dataset is not a graph."""
    trig = b"GRAPH <g> { <a> <p> 1 }"
    with pytest.raises(errors.InvalidRequest, match=r"https://example\.org/g"):
        uploads.read_graph(trig, RdfFormat.TRIG, BASE, LIMIT)
    assert len(uploads.read_graph(b"<a> <p> 1 .", RdfFormat.TRIG, BASE, LIMIT)) == 1

"""Media types and content negotiation, one row for each rule of RFC 9110 section 12.5.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intmk import formats
from intmk.errors import InvalidRequest, NotAcceptable

JSON = "application/sparql-results+json"
XML = "application/sparql-results+xml"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

RESULTS = [
    # Accept, what a SELECT is sent as
    (None, JSON),
    ("", JSON),
    ("  ", JSON),
    ("*/*", JSON),
    ("*", JSON),
    ("text/html, image/gif, *; q=.2, */*; q=.2", JSON),
    ("application/*", JSON),
    ("text/*", "text/csv"),
    ("text/csv", "text/csv"),
    ("TEXT/CSV", "text/csv"),
    (" text/csv ; q=0.3 ", "text/csv"),
    ("text/csv;charset=utf-8", "text/csv"),
    ('text/csv;charset="UTF-8"', "text/csv"),
    ("text/csv;charset=iso-8859-1", None),
    ("text/csv;charset=iso-8859-1, text/csv;q=0.1", "text/csv"),
    ("application/json", "application/json"),
    ("application/xml", "application/xml"),
    ("text/csv;q=0.5, application/sparql-results+xml", XML),
    ("text/csv, application/sparql-results+xml;q=0.999", "text/csv"),
    ("text/csv;q=0, */*", JSON),
    ("text/csv;q=0", None),
    ("text/csv;q=0.000", None),
    ("*/*;q=0", None),
    ("application/sparql-results+json;q=0, */*;q=0.1", XML),
    ("application/*;q=0, text/csv;q=0, */*", "text/tab-separated-values"),
    ("text/*;q=0.3, text/csv;q=0.7, */*;q=0.5", "text/csv"),
    ("text/*;q=0.9, text/csv;q=0.1, */*;q=0.5", "text/tab-separated-values"),
    ("*/*, text/tab-separated-values", "text/tab-separated-values"),
    ("text/csv, */*;q=0.1", "text/csv"),
    ("text/tab-separated-values, text/csv", "text/csv"),
    ("image/png, text/csv;q=0.1", "text/csv"),
    ("text/csv;level=1;q=0.9, text/csv;q=0.2, application/json;q=0.5", "application/json"),
    ("text/csv;header=present", "text/csv"),
    ('text/plain;x="a,b", text/csv', "text/csv"),
    ("text/csv;q=2", None),
    ("text/csv;q=x, application/json", "application/json"),
    ("text/csv;q=.5", "text/csv"),
    ("text/csv;q=1.000", "text/csv"),
    ("/, ,;q=1,text/csv", "text/csv"),
    ("text", None),
    ("*/csv", None),
    ("image/png", None),
    ("text/html", None),
    (BROWSER, "application/xml"),
]

GRAPHS = [
    # Accept, what a CONSTRUCT is sent as
    (None, "text/turtle"),
    ("*/*", "text/turtle"),
    ("application/*", "application/n-triples"),
    ("text/*", "text/turtle"),
    ("application/ld+json", "application/ld+json"),
    ('application/ld+json;profile="http://www.w3.org/ns/json-ld#expanded"', "application/ld+json"),
    ("application/json", "application/json"),
    ("text/plain", "text/plain"),
    ("application/n-triples;q=0.8, application/trig;q=0.9", "application/trig"),
    ("application/n-quads", "application/n-quads"),
    ("application/rdf+xml, text/turtle;q=0.9", "application/rdf+xml"),
    ("text/csv", None),
]


def _chosen(accept: str | None, offered: tuple[formats.Format, ...]) -> str | None:
    ranked = formats.rank(accept, offered)
    return ranked[0].media_type if ranked else None


@pytest.mark.parametrize(("accept", "expected"), RESULTS)
def test_query_results_are_sent_as_the_client_likes_best(
    accept: str | None, expected: str | None
) -> None:
    """The best acceptable media type of the query result formats, or none."""
    assert _chosen(accept, formats.RESULTS) == expected


@pytest.mark.parametrize(("accept", "expected"), GRAPHS)
def test_graphs_are_sent_as_the_client_likes_best(accept: str | None, expected: str | None) -> None:
    """The best acceptable media type of the RDF formats, or none."""
    assert _chosen(accept, formats.GRAPHS) == expected


@given(st.text(alphabet=st.sampled_from('ab/*;=q01., "-'), max_size=40) | st.text(max_size=40))
def test_any_header_is_read_without_failing(accept: str) -> None:
    """Whatever a client sends, the weights stay between 0 and 1."""
    assert all(0 <= one.quality <= 1 for one in formats.ranges(accept))


def test_nothing_acceptable_is_an_error_that_lists_what_is_offered() -> None:
    """A 406 tells the client what it could have asked for."""
    with pytest.raises(NotAcceptable) as caught:
        formats.choose("image/png", formats.RESULTS)
    assert "image/png" in caught.value.detail
    assert caught.value.extra["offered"] == [row.media_types[0] for row in formats.RESULTS]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("json", {JSON, "application/ld+json"}),
        ("XML", {XML, "application/rdf+xml"}),
        ("csv", {"text/csv"}),
        ("ttl", {"text/turtle"}),
        ("turtle", {"text/turtle"}),
        ("application/n-triples", {"application/n-triples"}),
        ("application/json", {"application/json"}),
    ],
)
def test_a_format_is_asked_for_by_name_or_media_type(name: str, expected: set[str]) -> None:
    """`?format=` knows short names, extensions and media types."""
    assert {offer.media_type for offer in formats.named(name)} == expected


def test_an_unknown_format_name_lists_the_known_ones() -> None:
    """A name nobody knows is a 400 with the names there are."""
    with pytest.raises(InvalidRequest) as caught:
        formats.named("pdf")
    assert "ttl" in caught.value.hint


def test_a_name_means_at_most_one_format_of_each_kind() -> None:
    """No name or media type is ambiguous for one kind of query."""
    for row in formats.FORMATS:
        for name in (*row.names, *row.media_types):
            kinds = [offer.format.kind for offer in formats.named(name)]
            assert len(kinds) == len(set(kinds)), name


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/html;q=0.5, text/turtle;q=0.4", True),
        ("text/html;q=0.5, text/turtle", False),
        ("text/html, text/turtle", False),
        ("*/*", False),
        ("text/*", False),
        ("text/html;q=0, */*", False),
        ("", False),
        (None, False),
    ],
)
def test_html_is_preferred_only_when_nothing_else_is_as_welcome(
    accept: str | None, expected: bool
) -> None:
    """A browser gets a page; a client that names a data format as well gets data."""
    assert formats.prefers_html(accept) is expected


def test_text_says_that_it_is_utf_8() -> None:
    """Only text types carry a charset."""
    csv, turtle = formats.named("csv")[0], formats.named("ttl")[0]
    assert csv.content_type == "text/csv; charset=utf-8"
    assert turtle.content_type == "text/turtle; charset=utf-8"
    assert formats.named("nt")[0].content_type == "application/n-triples"


def test_an_extension_names_one_rdf_format() -> None:
    """Files of things end in the extension of their format."""
    for row in formats.GRAPHS:
        assert formats.by_extension(row.extension) == row
    assert formats.by_extension("csv") is None

"""Reading query files and putting values into them."""

import shutil
from pathlib import Path
from typing import cast

import pytest
from pyoxigraph import QuerySolutions, Store

from intmk import catalogue
from intmk.errors import InvalidRequest, NotFound

ROOT = Path(__file__).parent.parent
FILE = """#+ title_de: Titel
#+ title_en: Title
#+ description_de: Beschreibung
#+ description_en: Description
#+ keywords: one, two
#+ param: day xsd:date | Der Tag | The day
#+ param: land iri:land | Das Land | The Land
#+ param: name xsd:string | Der Name | The name
#+ param: count xsd:integer | Die Zahl | The number
#+ param: thing iri | Worüber | About what

SELECT ?day ?land ?name ?count ?thing
WHERE {
  VALUES ?day { "2023-04-26"^^xsd:date }
  { SELECT ?land WHERE { VALUES ?land { land:hessen } } }
  values ?name { "a \\"b\\"" } VALUES ?count { 2 } VALUES ?thing { <https://example.org/x> }
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root with one query, ``queries/topic/ask-all.rq``."""
    (tmp_path / "ontology").mkdir()
    shutil.copy(ROOT / "ontology" / "prefixes.ttl", tmp_path / "ontology")
    (tmp_path / "queries" / "topic").mkdir(parents=True)
    (tmp_path / "queries" / "topic" / "ask-all.rq").write_text(FILE, "utf-8")
    return tmp_path


def row(text: str) -> list[str]:
    """Run a query that needs no data and return its one row."""
    (solution,) = cast(QuerySolutions, Store().query(text))
    return [str(value) for value in solution]


DEFAULTS = [
    '"2023-04-26"^^<http://www.w3.org/2001/XMLSchema#date>',
    "<https://w3id.org/intmk/id/land/hessen>",
    '"a \\"b\\""',
    '"2"^^<http://www.w3.org/2001/XMLSchema#integer>',
    "<https://example.org/x>",
]


def test_query_knows_what_its_file_says(root: Path) -> None:
    """Title, description, keywords and parameters come from the header, defaults from VALUES."""
    query = catalogue.load(root)["ask-all"]
    assert query.iri == "https://w3id.org/intmk/query/ask-all"
    assert (query.topic, query.path.as_posix()) == ("topic", "queries/topic/ask-all.rq")
    assert (query.title["de"], query.description["en"]) == ("Titel", "Description")
    assert query.keywords == ("one", "two")
    assert [(param.name, param.type, param.default) for param in query.params] == [
        ("day", "xsd:date", "2023-04-26"),
        ("land", "iri:land", "land:hessen"),
        ("name", "xsd:string", 'a "b"'),
        ("count", "xsd:integer", "2"),
        ("thing", "iri", "https://example.org/x"),
    ]
    assert query.params[0].label == {"de": "Der Tag", "en": "The day"}


def test_full_text_runs_anywhere(root: Path) -> None:
    """The full text declares the prefixes it uses, only those, and then is the file itself."""
    query = catalogue.load(root)["ask-all"]
    prologue, text = query.full_text.split("#+", 1)
    assert prologue == (
        "PREFIX land: <https://w3id.org/intmk/id/land/>\n"
        "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>\n"
    )
    assert f"#+{text}" == FILE
    assert row(query.full_text) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "term"),
    [
        ("day", "2020-02-29", '"2020-02-29"^^<http://www.w3.org/2001/XMLSchema#date>'),
        ("land", "bremen", "<https://w3id.org/intmk/id/land/bremen>"),
        ("land", "intmk", "<https://w3id.org/intmk/id/land/intmk>"),
        ("land", "land:bremen", "<https://w3id.org/intmk/id/land/bremen>"),
        (
            "land",
            "https://w3id.org/intmk/id/land/bremen",
            "<https://w3id.org/intmk/id/land/bremen>",
        ),
        ("thing", "body:hik", "<https://w3id.org/intmk/id/body/hik>"),
        (
            "thing",
            "https://w3id.org/intmk/source/x#line=3,5",
            "<https://w3id.org/intmk/source/x#line=3,5>",
        ),
        ("thing", "urn:isbn:1", "<urn:isbn:1>"),
        ("count", "-7", '"-7"^^<http://www.w3.org/2001/XMLSchema#integer>'),
        ("name", "Müller 😀", '"Müller 😀"'),
        ("name", '"} } # \\', '"\\"} } # \\\\"'),
        ("name", "two\nlines", '"two\\nlines"'),
        ("name", "", '""'),
        ("name", "nul \x00", '"nul \\u0000"'),
    ],
)
def test_bind_puts_the_value_in(root: Path, name: str, value: str, term: str) -> None:
    """A value reaches the query as one term of the parameter's type; the others keep theirs."""
    query = catalogue.load(root)["ask-all"]
    at = [param.name for param in query.params].index(name)
    found = row(catalogue.bind(query, {name: value}))
    assert found == [*DEFAULTS[:at], term, *DEFAULTS[at + 1 :]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("day", "26.04.2023"),
        ("day", "2023-02-30"),
        ("day", "20230426"),
        ("day", "2023-04-26Z"),
        ("day", "\uff12\uff10\uff12\uff13-04-26"),
        ("count", "two"),
        ("count", "1_000"),
        ("count", "9" * 19),
        ("land", "conference:intmk-18"),
        ("land", "https://example.org/bremen"),
        ("land", "bre men"),
        ("land", "bremen> } #"),
        ("thing", "intmk-18"),
        ("thing", "https://example.org/<x>"),
        ("thing", "javascript:alert(1)"),
        ("thing", ""),
    ],
)
def test_bind_refuses_a_wrong_value(root: Path, name: str, value: str) -> None:
    """The error names the parameter and the value and shows a right one."""
    query = catalogue.load(root)["ask-all"]
    with pytest.raises(InvalidRequest) as caught:
        catalogue.bind(query, {name: value})
    default = next(param.default for param in query.params if param.name == name)
    assert f"parameter {name} " in caught.value.detail
    assert repr(value) in caught.value.detail
    assert caught.value.hint == f"A right value is {default}."


def test_bind_refuses_a_parameter_the_query_lacks(root: Path) -> None:
    """The error names the parameters that there are."""
    with pytest.raises(InvalidRequest) as caught:
        catalogue.bind(catalogue.load(root)["ask-all"], {"year": "2023"})
    assert caught.value.hint == "It has: day, land, name, count, thing."


def test_unknown_stem_names_the_nearest(root: Path) -> None:
    """A slip of the finger gets a suggestion; membership can be asked without an error."""
    queries = catalogue.load(root)
    with pytest.raises(NotFound) as caught:
        queries["ask-al"]
    assert caught.value.hint == "Did you mean ask-all?"
    assert "ask-al" not in queries
    assert "ask-all" in queries


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("#+ title_de: Titel\n", "", "ask-all.rq:1: the header lacks '#+ title_de: …'"),
        ("#+ keywords: one", "#+ keyword: one", "ask-all.rq:5: '#+ keyword: one, two' is not"),
        ("title_en: Title", "title_de: Title", "ask-all.rq:2: title_de is given twice"),
        ("day xsd:date | Der Tag", "day xsd:dat | Der Tag", "ask-all.rq:6: a parameter is given"),
        ("iri:land | Das", "iri:lnd | Das", "ask-all.rq:7: there is no kind of thing named 'lnd'"),
        ("VALUES ?count", "VALUES ?number", "ask-all.rq:9: the query has no 'VALUES ?count { … }'"),
        ("?count { 2 }", "?count { }", "ask-all.rq:9: the query has no 'VALUES ?count { … }'"),
    ],
)
def test_broken_file_is_told_with_its_line(root: Path, old: str, new: str, message: str) -> None:
    """A mistake in a query file says file and line, as a compiler does."""
    path = root / "queries" / "topic" / "ask-all.rq"
    path.write_text(FILE.replace(old, new, 1), "utf-8")
    with pytest.raises(catalogue.QueryFileError) as caught:
        catalogue.load(root)
    assert str(caught.value).startswith(f"queries/topic/{message}")


def test_stem_is_unique_across_topics(root: Path) -> None:
    """Two files of one name would share an address, so the second is refused."""
    (root / "queries" / "zoo").mkdir()
    (root / "queries" / "zoo" / "ask-all.rq").write_text(FILE, "utf-8")
    with pytest.raises(catalogue.QueryFileError, match="the topic topic has a query of this name"):
        catalogue.load(root)

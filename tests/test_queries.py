"""The catalogue against the graph: every query of ``queries/`` gives its expected answer."""

import csv
import io
import os
import random
import re
from pathlib import Path

import pytest
from pyoxigraph import (
    Quad,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    Store,
)
from rdflib.plugins.sparql import prepareQuery

from intmk import catalogue, sources, vocab

ROOT = Path(__file__).parent.parent
QUERIES = catalogue.load(ROOT)
PREFIXES = vocab.prefixes(ROOT)
ID = f"{vocab.BASE}id/"
COOKBOOK = ROOT / "docs" / "cookbook.md"
IS_APPROVING = bool(os.environ.get("INTMK_APPROVE")) and not os.environ.get("CI")


@pytest.fixture(scope="session")
def quads() -> list[Quad]:
    """Return the whole graph as the store holds it, default graph included."""
    collection = sources.collect(ROOT)
    assert not collection.failures
    quads = list(collection.quads())
    return [*quads, *sources.materialise(quads)]


@pytest.fixture(scope="session")
def graph(quads: list[Quad]) -> Store:
    """Hold the whole graph."""
    store = Store()
    store.bulk_extend(quads)
    return store


@pytest.fixture(scope="session")
def shuffled(quads: list[Quad]) -> Store:
    """Hold the same graph, loaded in another order."""
    store = Store()
    store.bulk_extend(random.Random(3).sample(quads, len(quads)))
    return store


def table(results: QuerySolutions) -> str:
    """Return the rows as CSV.

    The engine's own writer (pyoxigraph 0.5.13) leaves an IRI with a comma unquoted, which tears
    every ``#line=3,5`` in two.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(variable.value for variable in results.variables)
    for row in results:
        writer.writerow("" if term is None else getattr(term, "value", "") for term in row)
    return text.getvalue()


def answer(graph: Store, text: str) -> str:
    """Return the answer to a query as it stands in the expected file."""
    results = graph.query(text)
    if isinstance(results, QuerySolutions):
        return table(results)
    assert isinstance(results, QueryTriples)
    return "".join(sorted(f"{triple} .\n" for triple in results))


def expected_file(query: catalogue.Query) -> Path:
    """Return the file beside the query that holds its approved answer."""
    suffix = ".expected.csv" if "\nSELECT " in query.text else ".expected.nt"
    return (ROOT / query.path).with_suffix(suffix)


@pytest.mark.parametrize("stem", QUERIES)
def test_query_gives_its_expected_answer(stem: str, graph: Store) -> None:
    """A query with its defaults returns exactly the rows that were read and approved."""
    query = QUERIES[stem]
    found = answer(graph, catalogue.bind(query, {}))
    if IS_APPROVING:
        expected_file(query).write_text(found, "utf-8")
    assert found == expected_file(query).read_text("utf-8")


@pytest.mark.parametrize("stem", QUERIES)
def test_rows_have_one_order(stem: str, graph: Store, shuffled: Store) -> None:
    """The order of the rows, and of what they join, does not hang on the order of loading."""
    assert answer(shuffled, QUERIES[stem].full_text) == answer(graph, QUERIES[stem].full_text)


@pytest.mark.parametrize("stem", QUERIES)
def test_query_finds_something(stem: str, graph: Store) -> None:
    """No query of the catalogue comes back empty."""
    lines = answer(graph, QUERIES[stem].full_text).splitlines()
    assert len(lines) > (1 if "\nSELECT " in QUERIES[stem].text else 0)


@pytest.mark.parametrize("stem", QUERIES)
def test_select_names_its_columns_and_its_order(stem: str) -> None:
    """A SELECT says which columns it gives and in which order the rows come."""
    text = QUERIES[stem].text
    if "\nSELECT " in text:
        assert "SELECT *" not in text
        assert "\nORDER BY " in text


@pytest.mark.parametrize(
    ("stem", "param"), [(query.stem, p.name) for query in QUERIES.values() for p in query.params]
)
def test_default_is_a_value_a_user_may_give(stem: str, param: str, graph: Store) -> None:
    """Giving a parameter its default value by hand changes nothing."""
    query = QUERIES[stem]
    default = next(p.default for p in query.params if p.name == param)
    bound = catalogue.bind(query, {param: default})
    assert answer(graph, bound) == answer(graph, query.full_text)


@pytest.mark.parametrize(
    ("stem", "values", "column", "cells"),
    [
        ("find-chair-of-year", {"year": "2008"}, "landLabel", ["Niedersachsen"]),
        ("find-chair-of-year", {"year": "2020"}, "landLabel", ["Brandenburg", "Bremen"]),
        (
            "find-chair-of-year",
            {"year": "2026"},
            "landLabel",
            ["Nordrhein-Westfalen", "Rheinland-Pfalz"],
        ),
        ("find-chair-of-year", {"year": "2026"}, "isAttested", ["true", "false"]),
        ("find-chair-of-year", {"year": "2031"}, "start", ["2030-07-01", "2031-07-01"]),
        ("find-chair-of-year", {"year": "2032"}, "landLabel", ["Thüringen", "Baden-Württemberg"]),
        (
            "find-chair-of-year",
            {"year": "2041"},
            "landLabel",
            ["Niedersachsen", "Nordrhein-Westfalen"],
        ),
        ("find-chair-of-year", {"year": "2000"}, "landLabel", []),
        ("find-chair-on-day", {"day": "2007-04-27"}, "landLabel", []),
        ("find-chair-on-day", {"day": "2009-06-26"}, "isCertain", {"false"}),
        ("find-chair-on-day", {"day": "2009-06-26"}, "personLabel", {"Uwe Schünemann"}),
        ("find-chair-on-day", {"day": "2010-09-30"}, "isCertain", {"false"}),
        ("find-chair-on-day", {"day": "2020-06-30"}, "landLabel", {"Brandenburg"}),
        ("find-chair-on-day", {"day": "2020-07-01"}, "landLabel", {"Bremen"}),
        ("find-chair-on-day", {"day": "2022-06-30"}, "personLabel", {"Dr. Melanie Leonhard"}),
        ("find-chair-on-day", {"day": "2022-07-01"}, "personLabel", {"Kai Klose"}),
        ("list-events-of-year", {"year": "2006"}, "certain", ["false", "true"]),
        ("list-events-of-year", {"year": "1999"}, "event", []),
        ("list-constitutions", {"body": "intmk"}, "edtf", ["[2006-01-01..2009-06-26]"]),
        ("list-resolutions", {"conference": "intmk-15"}, "modeLabel", ["im Umlaufverfahren"] * 3),
        (
            "list-gaps",
            {"class": "intmk:ChairTerm", "property": "schema:startDate"},
            "thing",
            [f"{ID}chair-term/intmk-niedersachsen"],
        ),
        (
            "find-by-name",
            {"text": "KLOSTER EBERBACH"},
            "thing",
            [f"{ID}place/kloster-eberbach"],
        ),
        ("find-by-name", {"text": "no such name"}, "thing", []),
    ],
)
def test_query_with_another_value(
    stem: str, values: dict[str, str], column: str, cells: list[str] | set[str], graph: Store
) -> None:
    """The answer follows the parameter, at the ends of intervals and of the alphabet as well."""
    rows = csv.DictReader(answer(graph, catalogue.bind(QUERIES[stem], values)).splitlines())
    assert type(cells)(row[column] for row in rows) == cells


@pytest.mark.parametrize("stem", QUERIES)
def test_query_is_plain_sparql(stem: str) -> None:
    """Another reader of SPARQL 1.1 accepts the full text, so it can be asked elsewhere."""
    prepareQuery(QUERIES[stem].full_text)


def test_every_expected_answer_belongs_to_a_query() -> None:
    """No approved answer is left over from a query that is gone."""
    files = set((ROOT / "queries").glob("*/*.expected.*"))
    assert files == {expected_file(query) for query in QUERIES.values()}


def catalogue_section() -> str:
    """Return the cookbook's list of all queries, one table for each topic."""
    tables = []
    for topic, queries in QUERIES.topics().items():
        rows = "".join(
            f"| [{query.stem}](../{query.path}) | {query.title['en']} | {query.title['de']} |\n"
            for query in queries
        )
        tables.append(
            f"\n### {topic.capitalize()}\n\n| query | question | Frage |\n|---|---|---|\n{rows}"
        )
    return "\n## The catalogue\n" + "".join(tables)


def test_cookbook_lists_every_query() -> None:
    """The last section of the cookbook is the catalogue, no more and no less."""
    prose = COOKBOOK.read_text("utf-8").partition("\n## The catalogue\n")[0]
    if IS_APPROVING:
        COOKBOOK.write_text(prose + catalogue_section(), "utf-8")
    assert COOKBOOK.read_text("utf-8") == prose + catalogue_section()


EXAMPLES = re.findall(r"--data-urlencode 'query=\n([^']+)'\n```", COOKBOOK.read_text("utf-8"))


def test_cookbook_has_five_examples() -> None:
    """Every block of shell in the cookbook is an example that the next test runs."""
    assert len(EXAMPLES) == COOKBOOK.read_text("utf-8").count("```sh") == 5


@pytest.mark.parametrize("text", EXAMPLES)
def test_cookbook_example_runs_as_printed(text: str, graph: Store) -> None:
    """An example finds something, with the prefixes that the endpoint knows."""
    results = graph.query(text, prefixes=PREFIXES)
    assert not isinstance(results, QueryBoolean)
    assert any(results)

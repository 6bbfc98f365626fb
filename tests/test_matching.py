"""What matches together: texts of groups, and expressions of queries written back."""

import pytest
from pyoxigraph import Store
from rdflib import URIRef, Variable
from rdflib.plugins.sparql import prepareQuery

from intmk.matching import Condition, Group, groups

P = URIRef("http://x/p")
THIS, VALUE, OTHER = Variable("this"), Variable("value"), Variable("other")

# Expressions of SPARQL that a constraint may use.
EXPRESSIONS = [
    "?value > 1 && ?value <= 3 || !(?value = 2)",
    "?value IN (1, 2) || ?value NOT IN (3)",
    "STRLEN(SUBSTR(STR(?value), 2)) + 1 - 2 * 3 > -1",
    'REGEX(STR(?value), "^[a-z]+$", "i")',
    'COALESCE(?value < 1, false) || IF(BOUND(?value), true, false) || LANG(?value) = "de"',
    "xsd:integer(?value) = 1",
    'CONCAT("a", STR(?value), REPLACE("b", "b", "c")) != "ac"',
    "DATATYPE(?value) = xsd:integer && ISIRI(?this)",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_are_written_back(text):
    """A filter read by one parser and written is accepted by the other, and means the same."""
    prefixes = "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> "
    query = f"{prefixes} SELECT ?this WHERE {{ ?this <http://x/p> ?value FILTER({text}) }}"
    (group,) = groups(prepareQuery(query).algebra)
    assert len(group.conditions) == 1
    written = f"SELECT ?this WHERE {{ {group.text()} }}"
    assert "FILTER" in written
    store = Store()
    store.update(
        "INSERT DATA { <a:1> <http://x/p> 1, 2, 3 . <a:2> <http://x/p> 'x'@de, '' . "
        "<a:3> <http://x/p> <a:1>, true, 2.5 }"
    )
    found = [sorted(str(row["this"]) for row in store.query(one)) for one in (query, written)]
    assert found[0] == found[1]


def test_conditions_on_the_unknown_are_left_out():
    """A filter on what the patterns do not bind would rule out too much."""
    known = Condition("?value > 1", frozenset({"value"}))
    unknown = Condition("?other > 1", frozenset({"other"}))
    text = Group(((THIS, P, VALUE),), (known, unknown)).text()
    assert text == "?this <http://x/p> ?value . FILTER(?value > 1)"


def test_what_is_bound_twice_is_compared():
    """A BIND for a variable that a pattern binds becomes a comparison that cannot fail."""
    bind = Condition("?value + 1", frozenset({"value"}), "other")
    free = Group(((THIS, P, VALUE),), (bind,)).text()
    assert free.endswith("BIND(?value + 1 AS ?other)")
    both = Group(((THIS, P, VALUE), (THIS, P, OTHER)), (bind,)).text()
    assert both.endswith("FILTER(COALESCE(?other = (?value + 1), true))")

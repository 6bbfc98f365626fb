"""What a change touches: whose statements the rules must look at again."""

import pytest
from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from intmk import touched
from intmk.vocab import RDFS, XSD

PREFIXES = f"@prefix x: <http://x/> . @prefix rdfs: <{RDFS}> . @prefix xsd: <{XSD}> . "
DATA = """
GRAPH x:g { x:a a x:C ; rdfs:label "one" . x:b x:p x:a . x:c rdfs:label "one", "two" . }
GRAPH x:h { x:d rdfs:label "two" . x:e x:p x:b . }
x:g a x:Passage . x:g x:of x:s .
"""

# A quad that came or went, and whom it touches.
CASES = [
    ("x:e x:p x:b", {"e"}),
    ("GRAPH x:g { x:e x:p x:b }", {"e", "g"}),
    ("x:a a x:D", {"a", "b", "c", "d"}),
    ("x:g a x:Other", {"g", "a", "b", "c", "d"}),
    ('x:z rdfs:label "two"', {"z", "a", "c", "d"}),
    ("x:s <https://w3id.org/intmk/ontology#lineCount> 5", {"s", "g"}),
    ("_:blank x:p x:a", set()),
]


def quads(text: str) -> list[Quad]:
    """Return TriG as quads."""
    return list(parse(PREFIXES + text, RdfFormat.TRIG))


@pytest.mark.parametrize(("changed", "found"), CASES)
def test_what_refers_to_a_change_is_touched(changed, found):
    """Its subject, its graph, who mentions what changed its class, and who has the same name."""
    store = Store()
    store.bulk_extend(quads(DATA))
    (quad,) = quads(changed if changed.endswith("}") else f"{changed} .")
    assert touched.things(store, [quad]) == {NamedNode(f"http://x/{name}") for name in found}

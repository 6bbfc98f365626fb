"""The rules that need no shapes: each valid in the small root, each broken by one change."""

import pytest

from intmk import sources
from intmk.checks import RULES, Judged, check

PASSAGE = "<https://w3id.org/intmk/source/press#line=3,5>"
PRESS = "data/press.trig"


def findings(root, file: str = "") -> list:
    """Return what the rules find in a root, and check that it stands in ``file``."""
    collection = sources.collect(root)
    members = [(graph, doc) for graph, docs in collection.graphs.items() for doc in docs]
    found = list(check(Judged(members)))
    assert {one.file for one in found} <= {file}
    return found


def test_the_small_root_conforms(root):
    """Nothing is found where nothing is wrong."""
    assert findings(root) == []


# Rule, old text, new text, and the text at which the finding points.
CHANGES = [
    ("unknown-term", "a intmk:MainConference", "a intmk:MainConferenz", "intmk:MainConferenz ."),
    ("unknown-term", "intmk:ordinal 18", "intmk:ordinals 18", "intmk:ordinals 18 ."),
    ("ill-typed-literal", '"2023-04-26"', '"26.4.2023"', '"26.4.2023"^^xsd:date .'),
    ("blank-node", "body:intmk a intmk", "[] a intmk", "[] a intmk:ConferenceBody ."),
    ("passage-undescribed", "GRAPH <https://w3id.org/intmk/source/press#line=9,10>",
     "GRAPH <https://w3id.org/intmk/source/press#line=9,11>", "conference:intmk-18 intmk:ordinal"),
    ("passage-status", f"{PASSAGE} intmk:status kind:accepted .\n", "", f"{PASSAGE} a intmk"),
    ("passage-status", f"{PASSAGE} intmk:status kind:accepted", f"{PASSAGE} intmk:status kind:ok",
     "intmk:status kind:ok ."),
    ("passage-source", f"{PASSAGE} dcterms:isPartOf source:press",
     f"{PASSAGE} dcterms:isPartOf source:presse", "dcterms:isPartOf source:presse ."),
    ("passage-lines", f"{PASSAGE} intmk:firstLine 4 .", f"{PASSAGE} intmk:firstLine 6 .",
     "intmk:firstLine 6 ."),
    ("passage-lines", f"{PASSAGE} intmk:lastLine 5 .", f"{PASSAGE} intmk:lastLine 21 .",
     "intmk:firstLine 4 ."),
    ("passage-lines", f"{PASSAGE} intmk:lastLine 5 .\n", "", "intmk:firstLine 4 ."),
    ("passage-lines", f"{PASSAGE} intmk:firstLine 4 .", f"{PASSAGE} intmk:firstLine 0 .",
     "intmk:firstLine 0 ."),
    ("passage-iri", f"{PASSAGE} intmk:firstLine 4 .", f"{PASSAGE} intmk:firstLine 5 .",
     "intmk:firstLine 5 ."),
    ("derivation-source", f"{PASSAGE} a intmk:TextPassage", f"{PASSAGE} a intmk:Derivation",
     f"{PASSAGE} a intmk"),
    ("passage-empty", "  conference:intmk-18 intmk:ordinal 17 .\n", "",
     "a intmk:TextPassage ."),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "old", "new", "pointed"), CHANGES)
def test_one_change_breaks_one_rule(root, change, rule, old, new, pointed):
    """The finding has the rule broken and points at the text that is wrong."""
    change(PRESS, old, new)
    found = [
        one for one in findings(root, PRESS) if one.rule != "passage-empty" or rule == one.rule
    ]
    assert [one.rule for one in found] == [rule]
    line = (root / PRESS).read_text().splitlines()[found[0].line - 1]
    assert line[found[0].column - 1 :].startswith(pointed)


def test_every_rule_is_tested():
    """Each rule of the table is broken by a change here; the first two are about whole files."""
    assert {rule for rule, *_ in CHANGES} == set(RULES) - {"syntax", "unreadable"}


def test_a_near_miss_is_suggested(root, change):
    """A misspelt term is told with the declared one nearest to it."""
    change(PRESS, "a intmk:MainConference", "a intmk:MainConferense")
    (found,) = findings(root, PRESS)
    assert found.message_en.endswith("Did you mean intmk:MainConference?")
    assert found.message_de.endswith("Gemeint ist vielleicht intmk:MainConference.")


def test_a_literal_is_told_with_a_right_one(root, change):
    """A wrong date names the statement it stands in and a date that would do."""
    change(PRESS, '"2023-04-26"', '"2023-02-29"')
    (found,) = findings(root, PRESS)
    assert found.focus == "https://w3id.org/intmk/id/conference/intmk-18"
    assert found.value == '"2023-02-29"^^<http://www.w3.org/2001/XMLSchema#date>'
    assert '"2023-02-29" is not a value of type xsd:date' in found.message_en


def test_a_blank_node_is_told_once(root, change):
    """Several statements about one blank node make one finding, two nodes make two."""
    change(PRESS, "  body:intmk a intmk:ConferenceBody .", "  _:a a intmk:ConferenceBody . "
           "_:a intmk:ordinal 1 . _:b intmk:ordinal 2 .")  # fmt: skip
    assert [one.rule for one in findings(root, PRESS)] == ["blank-node", "blank-node"]


def test_a_term_misspelt_in_a_shape_is_found(root, change):
    """Shapes are checked too: a shape on an undeclared property would never fail."""
    change("shapes/conferences.ttl", "sh:path intmk:ordinal ;", "sh:path intmk:ordnal ;")
    (found,) = findings(root, "shapes/conferences.ttl")
    assert found.rule == "unknown-term"


def test_a_derivation_from_a_passage_conforms(root, change):
    """A derivation needs no lines and no source of its own."""
    change(PRESS, f"{PASSAGE} a intmk:TextPassage", f"{PASSAGE} a intmk:Derivation . {PASSAGE} "
           "<http://www.w3.org/ns/prov#wasDerivedFrom> "
           "<https://w3id.org/intmk/source/press#line=9,10>")  # fmt: skip
    assert findings(root) == []

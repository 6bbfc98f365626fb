"""How statements are written: each valid in the small root, each broken by one change."""

import pytest

from intmk import sources
from intmk.checks import check
from intmk.judged import Judged

PRESS = "data/press.trig"


def faults(root, file: str = "") -> list:
    """Return what these rules find in a root, and check that it stands in ``file``."""
    collection = sources.collect(root)
    members = [(graph, doc) for graph, docs in collection.graphs.items() for doc in docs]
    found = list(check(Judged(members)))
    assert {one.finding.file for one in found} <= {file}
    return found


def findings(root, file: str = "") -> list:
    """Return the findings alone."""
    return [one.finding for one in faults(root, file)]


def test_the_small_root_conforms(root):
    """Nothing is found where nothing is wrong."""
    assert findings(root) == []


# Rule, old text, new text, and the text that the finding marks.
CHANGES = [
    ("unknown-term", "a intmk:MainConference", "a intmk:MainConferenz", "intmk:MainConferenz"),
    ("unknown-term", "intmk:ordinal 18", "intmk:ordinals 18", "intmk:ordinals"),
    ("unknown-term", "18 rdfs:label", "18 rdfs:lable", "rdfs:lable"),
    ("unknown-term", '04-26"^^xsd:date', '04-26"^^xsd:dat', '"2023-04-26"^^xsd:dat'),
    ("ill-typed-literal", '"2023-04-26"', '"26.4.2023"', '"26.4.2023"^^xsd:date'),
    ("blank-node", "body:intmk a intmk", "[] a intmk", "[]"),
    ("prefix-namespace", "<http://purl.org/dc/terms/>", "<http://purl.org/dc/elements/1.1/>",
     "<http://purl.org/dc/elements/1.1/>"),
    ("iri-policy", "conference:intmk-18 intmk:body", "conference:IntMK_18 intmk:body",
     "conference:IntMK_18"),
    ("iri-kind", "conference:intmk-18 intmk:body",
     "<https://w3id.org/intmk/id/konferenz/intmk-18> intmk:body",
     "<https://w3id.org/intmk/id/konferenz/intmk-18>"),
    ("foreign-subject", "conference:intmk-18 intmk:body", "<https://example.org/18> intmk:body",
     "<https://example.org/18>"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "old", "new", "marked"), CHANGES)
def test_one_change_breaks_one_rule(root, change, rule, old, new, marked):
    """The finding has the rule broken and marks the text that is wrong, from first to last."""
    change(PRESS, old, new)
    (found,) = findings(root, PRESS)
    assert found.rule == rule
    line = (root / PRESS).read_text().splitlines()[found.line - 1]
    assert found.end_line == found.line
    assert line[found.column - 1 : found.end_column - 1] == marked


def test_a_near_miss_is_suggested(root, change):
    """A misspelt term is told with the declared one nearest to it, ready to be put there."""
    change(PRESS, "a intmk:MainConference", "a intmk:MainConferense")
    (found,) = findings(root, PRESS)
    assert found.message_en.endswith("Did you mean intmk:MainConference?")
    assert found.message_de.endswith("Gemeint ist vielleicht intmk:MainConference.")
    assert found.fix == "intmk:MainConference"


def test_a_term_misspelt_twice_is_told_once(root, change):
    """A term is told where it is first used, and every use is read as what was meant."""
    change(PRESS, "intmk:ordinal 18", "intmk:ordinals 18 , 19")
    (fault,) = faults(root, PRESS)
    assert len(fault.wrong) == len(fault.right) == 2
    assert {quad.predicate.value[-7:] for quad in fault.right} == {"ordinal"}


def test_a_prefix_for_another_namespace_is_one_mistake(root, change):
    """The terms it makes unknown are not told as well, and are read as they were meant."""
    change(PRESS, "<http://purl.org/dc/terms/>", "<http://purl.org/dc/term/>")
    (fault,) = faults(root, PRESS)
    assert fault.finding.rule == "prefix-namespace"
    assert fault.finding.fix == "<http://purl.org/dc/terms/>"
    assert len(fault.right) == 2


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


def test_a_slug_is_made_from_a_name(root, change):
    """An IRI with capitals or umlauts is told with the one that our policy would give."""
    change(PRESS, "body:intmk a intmk", "body:Größe_der_IntMK a intmk")
    assert [one.fix for one in findings(root, PRESS)] == ["body:groesse-der-intmk"]


def test_a_term_misspelt_in_a_shape_is_found(root, change):
    """Shapes are checked too: a shape on an undeclared property would never fail."""
    change("shapes/conferences.ttl", "sh:path intmk:ordinal ;", "sh:path intmk:ordnal ;")
    (found,) = findings(root, "shapes/conferences.ttl")
    assert found.rule == "unknown-term"

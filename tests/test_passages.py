"""Who says it: each rule valid in the small root, each broken by one change."""

import pytest

from intmk import sources
from intmk.judged import Judged
from intmk.passages import check

PASSAGE = "<https://w3id.org/intmk/source/press#line=3,5>"
OTHER = "<https://w3id.org/intmk/source/press#line=9,10>"
PRESS = "data/press.trig"


def findings(root, file: str = "") -> list:
    """Return what these rules find in a root, and check that it stands in ``file``."""
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
    ("no-passage", f"GRAPH {PASSAGE}", f"conference:intmk-18 intmk:ordinal 18 .\nGRAPH {PASSAGE}",
     "conference:intmk-18 intmk:ordinal"),
    ("passage-undescribed", f"GRAPH {OTHER}",
     "GRAPH <https://w3id.org/intmk/source/press#line=9,11>", "conference:intmk-18 intmk:ordinal"),
    ("passage-status", f"{PASSAGE} intmk:status kind:accepted .\n", "", f"{PASSAGE} a intmk"),
    ("passage-status", f"{PASSAGE} intmk:status kind:accepted", f"{PASSAGE} intmk:status kind:ok",
     "intmk:status kind:ok ."),
    ("passage-source", f"{PASSAGE} dcterms:isPartOf source:press",
     f"{PASSAGE} dcterms:isPartOf source:presse", "source:presse ."),
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


def test_near_misses_are_suggested(root, change):
    """A source or a passage that is not known is told with the one that may be meant."""
    change(PRESS, f"{PASSAGE} dcterms:isPartOf source:press", f"{PASSAGE} dcterms:isPartOf "
           "source:presse")  # fmt: skip
    change(PRESS, f"GRAPH {OTHER}", "GRAPH <https://w3id.org/intmk/source/press#line=9,11>")
    found = findings(root, PRESS)
    assert [one.fix for one in found if one.fix] == ["source:press"]
    assert [one.rule for one in found if f"Did you mean {OTHER}?" in one.message_en] == [
        "passage-undescribed"
    ]


def test_a_derivation_from_a_passage_conforms(root, change):
    """A derivation needs no lines and no source of its own."""
    change(PRESS, f"{PASSAGE} a intmk:TextPassage", f"{PASSAGE} a intmk:Derivation . {PASSAGE} "
           f"<http://www.w3.org/ns/prov#wasDerivedFrom> {OTHER}")  # fmt: skip
    assert findings(root) == []


def test_turtle_names_no_passages(root):
    """A file in a format without named graphs is not asked for passages."""
    text = "<https://w3id.org/intmk/id/conference/intmk-18> <a:b> 1 ."
    (root / "data" / "more.ttl").write_text(text)
    assert findings(root) == []
    (root / "data" / "more.ttl").rename(root / "data" / "more.trig")
    assert [one.rule for one in findings(root, "data/more.trig")] == ["no-passage"]

"""Validation as a whole: files with the graph they belong to, shapes, places."""

import shutil
from pathlib import Path

import pytest

from intmk import sources
from intmk.errors import CannotCheck
from intmk.validation import validate

PRESS = "data/press.trig"

THREE_MISTAKES = """@prefix conference: <https://w3id.org/intmk/id/conference/> .
@prefix intmk: <https://w3id.org/intmk/ontology#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

conference:intmk-19 a intmk:Conference ;
  rdfs:label "19. IntMK"@de ;
  intmk:earlyest 1 ;
  intmk:earliest "2024-13-01"^^xsd:date ;
  intmk:body <https://w3id.org/intmk/id/body/intmk> .
"""

HARMLESS = """<https://w3id.org/intmk/source/press>
  <http://www.w3.org/2000/01/rdf-schema#label> "Pressemitteilung"@de ."""


def check(root: Path, *files: Path):
    """Return the report on a root, or on files together with it."""
    return validate(sources.collect(root), files)


def rules(report) -> list[tuple[str, str, int | None]]:
    """Return rule, file and line of each finding, as short as a test can read."""
    return [(one.short_rule, Path(one.file).name, one.line) for one in report.findings]


@pytest.fixture
def loose(tmp_path):
    """Return a function that writes a file outside the root."""

    def write(text: str, name: str = "loose.ttl") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_small_root_conforms(root):
    """A root in order has an empty report and exit code 0."""
    report = check(root)
    assert (report.findings, report.exit_code) == ([], 0)


def test_three_mistakes_are_three_findings(root, loose):
    """A name, a literal and a shape that are wrong are all told, each in its line."""
    report = check(root, loose(THREE_MISTAKES))
    assert rules(report) == [
        ("Conference-ordinal", "loose.ttl", 6),
        ("unknown-term", "loose.ttl", 8),
        ("ill-typed-literal", "loose.ttl", 9),
    ]
    assert report.exit_code == 1


def test_a_file_that_is_not_rdf_cannot_be_checked(root, loose):
    """Exit code 2 with line and column; the other file is checked all the same."""
    report = check(root, loose("<a:s> <a:p>", "x.ttl"), loose(THREE_MISTAKES))
    assert ("syntax", "x.ttl", 1) in rules(report)
    assert report.findings[-1].column == 12
    assert len(report.findings) == 4
    assert report.exit_code == 2


def test_a_warning_conforms(root, loose):
    """A warning is told, and the file conforms."""
    report = check(root, loose(THREE_MISTAKES.replace(
        '  rdfs:label "19. IntMK"@de ;\n  intmk:earlyest 1', "  intmk:ordinal 19"
    ).replace("-13-", "-12-")))  # fmt: skip
    assert rules(report) == [("Conference-label", "loose.ttl", 6)]
    assert (report.conforms, report.exit_code) == (True, 0)


def test_a_file_is_told_what_it_breaks_elsewhere(root, loose):
    """A number given twice is told at both places, though one of them is not in the file."""
    text = THREE_MISTAKES.replace("earlyest 1", "ordinal 18").replace("-13-", "-12-")
    assert rules(check(root, loose(text))) == [
        ("Conference-ordinal-unique", "loose.ttl", 8),
        ("Conference-ordinal-unique", "press.trig", 27),
    ]


def test_a_file_is_not_told_what_was_wrong_before(root, change, loose):
    """Findings that stand elsewhere and are there without the file are not its business."""
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .\n", "")
    assert rules(check(root)) == [("Conference-ordinal", "press.trig", 23)]
    assert rules(check(root, loose(HARMLESS))) == []


def test_a_root_that_cannot_be_read_is_told(root, loose):
    """Without the whole graph no file can be judged: exit code 2 and the file to mend."""
    (root / "data" / "broken.trig").write_text("<a:s>")
    report = check(root, loose(HARMLESS))
    assert rules(report) == [("syntax", "broken.trig", 1)]
    given = check(root, root / "data" / "broken.trig")
    assert [one.file for one in given.findings] == [str(root / "data" / "broken.trig")]
    assert (report.exit_code, given.exit_code) == (2, 2)


def test_a_file_of_the_root_is_checked_where_it_stands(root, change):
    """A data file is not counted twice, and goes by the name it was given."""
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .\n", "")
    (found,) = check(root, root / PRESS).findings
    assert found.file == str(root / PRESS)


def test_a_proposal_with_its_own_passage(root, loose):
    """A TriG file brings its passage along; what it disputes is not judged by shapes."""
    text = (root / PRESS).read_text().replace("3,5", "5,6").replace("intmk-18", "intmk-19")
    text = text.replace("firstLine 4", "firstLine 6").replace("lastLine 5", "lastLine 6")
    text = text.replace("9,10", "11,12").replace("Line 10", "Line 12").replace("l 18", "l 19")
    text = text.replace("18. IntMK", "19. IntMK")
    assert rules(check(root, loose(text, "p.trig"))) == []
    assert rules(check(root, loose(text.replace("kind:accepted", "kind:disputed"), "p.trig"))) == []
    without = text.replace("  conference:intmk-19 intmk:ordinal 19 .\n", "")
    assert rules(check(root, loose(without, "p.trig"))) == [("Conference-ordinal", "p.trig", 23)]


def test_formats_without_positions_are_judged(root, loose):
    """RDF/XML is checked like the rest; its findings have the file as their place."""
    text = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
      <rdf:Description rdf:about="https://w3id.org/intmk/id/conference/intmk-19">
        <rdf:type rdf:resource="https://w3id.org/intmk/ontology#Konferenz"/>
      </rdf:Description></rdf:RDF>"""
    assert rules(check(root, loose(text, "a.rdf"))) == [
        ("Conference-label", "a.rdf", None),
        ("Conference-ordinal", "a.rdf", None),
        ("unknown-term", "a.rdf", None),
    ]


def test_subclasses_are_judged_by_the_shapes_of_their_parents(root, change):
    """The class hierarchy of the ontology counts even when the ontology is not accepted."""
    change("data/sources.ttl", "<https://w3id.org/intmk/ontology> a intmk:Declaration .\n"
           "<https://w3id.org/intmk/ontology> intmk:status kind:accepted .\n", "")  # fmt: skip
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .\n", "")
    assert rules(check(root)) == [("Conference-ordinal", "press.trig", 23)]


def test_shapes_that_cannot_be_used_are_told(root, change):
    """A broken shape is an error of ours and no finding on the data."""
    change("shapes/conferences.ttl", "  sh:path intmk:ordinal ;\n", "")
    with pytest.raises(CannotCheck, match="shapes cannot be used"):
        check(root)


def test_findings_are_told_in_the_order_of_the_file(root, loose):
    """A reader can follow the report from top to bottom."""
    places = [
        (one.file, one.line, one.column) for one in check(root, loose(THREE_MISTAKES)).findings
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("intmk:ordinal 18", "intmk:ordnal 18"),
        ("  conference:intmk-18 intmk:ordinal 18 .\n", ""),
        ('"2023-04-26"', '"2023-02-29"'),
        ("body:intmk a intmk:ConferenceBody", "body:intmk a intmk:Konferenz"),
        ("intmk:body body:intmk", "intmk:body body:intmkk"),
        ("GRAPH <https://w3id.org/intmk/source/press#line=9,10>",
         "GRAPH <https://w3id.org/intmk/source/press#line=9,11>"),
    ],
)  # fmt: skip
def test_a_file_by_itself_is_told_what_a_full_run_tells_of_it(root, change, old, new):
    """Judged with all files or as a change to the others, a file has the same findings."""
    change(PRESS, old, new)
    whole = [one for one in rules(check(root)) if one[1] == "press.trig"]
    assert whole
    assert rules(check(root, root / PRESS)) == whole


def test_a_correction_can_stand_in_the_file(root, loose):
    """With a prefix that the file has, else in full; put in its place it mends the file."""
    for name, text in (
        ("a.ttl", THREE_MISTAKES),
        ("b.nt", '<https://w3id.org/intmk/id/conference/intmk-18> '
         '<https://w3id.org/intmk/ontology#ordnal> "x" .\n'),
    ):  # fmt: skip
        path = loose(text, name)
        (found,) = [one for one in check(root, path).findings if one.fix]
        lines = text.splitlines(keepends=True)
        line = lines[found.line - 1]
        lines[found.line - 1] = line[: found.column - 1] + found.fix + line[found.end_column - 1 :]
        path.write_text("".join(lines))
        assert found.rule not in [rule for rule, *_ in rules(check(root, path))]


def test_validation_leaves_the_files_alone(root, loose):
    """Nothing is written: neither in the root nor beside the file."""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    check(root, loose(THREE_MISTAKES))
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    shutil.rmtree(root)

"""How findings are told."""

import json

import pytest
from pyoxigraph import Literal, NamedNode, RdfFormat, Store

from intmk.report import RENDERERS, Finding, Report, render, sorted_report
from intmk.vocab import SH, SHAPE

LATER = Finding(
    "data/b.trig", 12, 3, "error", f"{SHAPE}Conference-ordinal", "Nummer fehlt.", "No number.",
    "https://w3id.org/intmk/id/conference/intmk-18", f"{SHAPE}path", '"18"@de',
)  # fmt: skip
EARLIER = Finding("data/b.trig", 2, 30, "warning", "passage-empty", "Leer.", "Empty.")
NOWHERE = Finding("", None, None, "info", "syntax", "Was „das“?", 'What "that"?')


@pytest.fixture
def report():
    """Return a report of three findings."""
    return sorted_report([LATER, NOWHERE, EARLIER, LATER])


def test_report_is_sorted_and_says_things_once(report):
    """Findings come in the order of the file, equal ones once."""
    assert report.findings == [NOWHERE, EARLIER, LATER]


def test_text(report):
    """One line for each finding, as compilers write it."""
    assert render(report) == (
        '-: info: What "that"? [syntax]\n'
        "data/b.trig:2:30: warning: Empty. [passage-empty]\n"
        "data/b.trig:12:3: error: No number. [Conference-ordinal]\n"
    )
    assert "data/b.trig:12:3: error: Nummer fehlt." in render(report, "text", "de")


def test_json(report):
    """All parts of a finding, both messages, and the message in the language asked for."""
    body = json.loads(render(report, "json", "de"))
    assert body["conforms"] is False
    assert body["findings"][2] == {
        "file": "data/b.trig",
        "line": 12,
        "column": 3,
        "severity": "error",
        "rule": f"{SHAPE}Conference-ordinal",
        "message_de": "Nummer fehlt.",
        "message_en": "No number.",
        "message": "Nummer fehlt.",
        "focus": "https://w3id.org/intmk/id/conference/intmk-18",
        "path": f"{SHAPE}path",
        "value": '"18"@de',
    }


def test_turtle_is_a_validation_report(report):
    """The SHACL vocabulary carries severity, both messages, rule and the value as a term."""
    store = Store()
    store.load(render(report, "turtle"), RdfFormat.TURTLE)
    rows = store.query(
        """SELECT ?severity ?value ?shape ?message WHERE {
             ?report a sh:ValidationReport ; sh:conforms false ; sh:result ?r .
             ?r a sh:ValidationResult ; sh:resultSeverity ?severity ; sh:value ?value ;
                sh:sourceShape ?shape ; sh:resultMessage ?message
             FILTER(LANG(?message) = 'de') }""",
        prefixes={"sh": SH},
    )
    ((severity, value, shape, message),) = rows
    assert severity == NamedNode(f"{SH}Violation")
    assert value == Literal("18", language="de")
    assert shape == NamedNode(f"{SHAPE}Conference-ordinal")
    assert message == Literal("Nummer fehlt.", language="de")
    assert len(list(store.quads_for_pattern(None, NamedNode(f"{SH}result"), None))) == 3


def test_sarif(report):
    """SARIF 2.1.0: each result names a declared rule, a level of SARIF and its region."""
    body = json.loads(render(report, "sarif"))
    (run,) = body["runs"]
    assert body["version"] == "2.1.0"
    declared = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [result["ruleId"] for result in run["results"]] == [
        "syntax",
        "passage-empty",
        "Conference-ordinal",
    ]
    assert set(declared) == {result["ruleId"] for result in run["results"]}
    assert [result["level"] for result in run["results"]] == ["note", "warning", "error"]
    (place,) = run["results"][2]["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "data/b.trig"},
        "region": {"startLine": 12, "startColumn": 3},
    }
    assert "locations" not in run["results"][0]


@pytest.mark.parametrize("form", RENDERERS)
def test_an_empty_report_can_be_rendered(form):
    """A report without findings is as well-formed as any."""
    text = render(Report(), form)
    if form in ("json", "sarif"):
        json.loads(text)
    assert ("sh:conforms true" in text) == (form == "turtle")


@pytest.mark.parametrize(
    ("findings", "code"), [([], 0), ([EARLIER], 0), ([EARLIER, LATER], 1), ([LATER, NOWHERE], 2)]
)
def test_exit_code(findings, code):
    """0 conforms, warnings allowed; 1 does not; 2 when a file could not be checked."""
    assert Report(findings).exit_code == code

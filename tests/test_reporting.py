"""How findings are told: for people, for programs, and as the standards want it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyoxigraph import Literal, NamedNode, RdfFormat, Store

from intmk.report import Finding, Report, sorted_report
from intmk.reporting import JSON_SCHEMA, RENDERERS, render, render_text, summary
from intmk.vocab import SH, SHAPE

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "server/intmk/static/report.schema.json").read_text()
)
RDF = {
    "turtle": RdfFormat.TURTLE,
    "nt": RdfFormat.N_TRIPLES,
    "jsonld": RdfFormat.JSON_LD,
    "rdf": RdfFormat.RDF_XML,
    "trig": RdfFormat.TRIG,
    "nq": RdfFormat.N_QUADS,
}

LATER = Finding(
    "data/b.trig", 12, 3, "error", f"{SHAPE}Conference-ordinal", "Nummer fehlt.", "No number.",
    "https://w3id.org/intmk/id/conference/intmk-18", f"{SHAPE}path", '"18"@de',
)  # fmt: skip
EARLIER = Finding("data/b.trig", 2, 30, "warning", "passage-empty", "Leer.", "Empty.")
NOWHERE = Finding("", None, None, "info", "syntax", "Was „das“?", 'What "that"?')


FIXED = Finding(
    "data/ä b.trig", 3, 5, "error", "unknown-term", "<b>", "<b>", fix="intmk:body",
    end_line=3, end_column=15, is_known=True,
)  # fmt: skip


@pytest.fixture
def report() -> Report:
    """Return a report of three findings."""
    return sorted_report([LATER, NOWHERE, EARLIER])


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
    assert (body["$schema"], body["conforms"]) == (JSON_SCHEMA, False)
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
        "label": "",
        "fix": "",
        "is_known": False,
        "end_line": None,
        "end_column": None,
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


def obj(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    properties = {**required, **optional}
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


# The parts of the SARIF 2.1.0 schema (sarif-schema-2.1.0.json) that a report of ours can use.
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1}
MESSAGE = obj({"text": TEXT})
LEVEL = {"enum": ["none", "note", "warning", "error"]}
ARTIFACT = obj({"uri": {"type": "string", "pattern": "^[!-~]+$"}})
REGION = obj({"startLine": COUNT, "startColumn": COUNT}, endLine=COUNT, endColumn=COUNT)
REPLACEMENT = obj({"deletedRegion": REGION, "insertedContent": obj({"text": TEXT})})
CHANGE = obj(
    {
        "artifactLocation": ARTIFACT,
        "replacements": {"type": "array", "minItems": 1, "items": REPLACEMENT},
    }
)
RULE = obj(
    {
        "id": TEXT,
        "shortDescription": MESSAGE,
        "helpUri": {"type": "string", "pattern": "^https://"},
        "defaultConfiguration": obj({"level": LEVEL}),
    }
)
PLACE = obj({"physicalLocation": obj({"artifactLocation": ARTIFACT}, region=REGION)})
RESULT = obj(
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": MESSAGE,
        "baselineState": {"enum": ["new", "unchanged", "updated", "absent"]},
    },
    locations={"type": "array", "minItems": 1, "items": PLACE},
    fixes={
        "type": "array",
        "items": obj(
            {
                "description": MESSAGE,
                "artifactChanges": {"type": "array", "minItems": 1, "items": CHANGE},
            }
        ),
    },
)
DRIVER = obj(
    {
        "name": TEXT,
        "informationUri": TEXT,
        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
    }
)
RUN = obj(
    {
        "tool": obj({"driver": DRIVER}),
        "language": {"type": "string", "pattern": "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$"},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT},
    }
)
SARIF = obj({
    "$schema": TEXT,
    "version": {"const": "2.1.0"},
    "runs": {"type": "array", "minItems": 1, "items": RUN},
})  # fmt: skip


def test_json_is_as_its_schema_says(report):
    """The published schema describes every report, and forbids what is not in it."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    for one in (report, Report(), Report([FIXED])):
        validator.validate(json.loads(render(one, "json")))
    body = json.loads(render(report, "json"))
    body["findings"][0]["more"] = 1
    assert not validator.is_valid(body)
    assert SCHEMA["$id"] == JSON_SCHEMA
    names = {field.name for field in dataclasses.fields(Finding)} | {"message"}
    assert set(SCHEMA["$defs"]["finding"]["properties"]) == names


def test_sarif(report):
    """Each result names a declared rule by its place, a level of SARIF, and its region."""
    body = json.loads(render(report, "sarif"))
    jsonschema.validate(body, SARIF)
    (run,) = body["runs"]
    declared = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [declared[result["ruleIndex"]] for result in run["results"]] == [
        "syntax",
        "passage-empty",
        "Conference-ordinal",
    ]
    assert [result["level"] for result in run["results"]] == ["note", "warning", "error"]
    (place,) = run["results"][2]["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "data/b.trig"},
        "region": {"startLine": 12, "startColumn": 3},
    }
    assert "locations" not in run["results"][0]


def test_sarif_of_a_correction():
    """What should stand at the place is a fix that an editor can apply; file names are URIs."""
    body = json.loads(render(Report([FIXED]), "sarif"))
    jsonschema.validate(body, SARIF)
    (result,) = body["runs"][0]["results"]
    assert result["baselineState"] == "unchanged"
    ((change,),) = [fix["artifactChanges"] for fix in result["fixes"]]
    assert change["artifactLocation"] == {"uri": "data/%C3%A4%20b.trig"}
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": "intmk:body"}
    assert replacement["deletedRegion"]["endColumn"] == 15


def test_sarif_of_a_file_elsewhere():
    """An absolute path becomes a file URI."""
    body = json.loads(render(Report([dataclasses.replace(EARLIER, file="/tmp/a.ttl")]), "sarif"))
    (place,) = body["runs"][0]["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "file:///tmp/a.ttl"}


@pytest.mark.parametrize("form", RDF)
def test_every_rdf_syntax_says_the_same(report, form):
    """A validation report in any syntax has the same number of statements about the same."""
    store = Store()
    store.load(render(report, form), RDF[form])
    plain = Store()
    plain.load(render(report, "turtle"), RdfFormat.TURTLE)
    assert len(store) == len(plain)
    messages = NamedNode(f"{SH}resultMessage")
    told = [
        {q.object for q in one.quads_for_pattern(None, messages, None)} for one in (store, plain)
    ]
    assert told[0] == told[1]


def test_text_in_colour():
    """On a terminal the place stands out and the severity has its colour."""
    assert render_text(Report([EARLIER]), "en", is_coloured=True) == (
        "\x1b[1mdata/b.trig:2:30\x1b[0m: \x1b[33mwarning\x1b[0m: Empty. "
        "\x1b[2m[passage-empty]\x1b[0m\n"
    )


def test_text_is_one_line_for_each_finding():
    """A label over several lines does not break the line."""
    broken = dataclasses.replace(EARLIER, message_en="one\ntwo")
    assert render_text(Report([broken]), "en").count("\n") == 1


@pytest.mark.parametrize(("language", "word"), [("de", "Fehler: 1"), ("en", "Errors: 1")])
def test_html(language, word):
    """A page in the language asked for, in which nothing of the data is markup."""
    page = render(Report([FIXED, EARLIER]), "html", language)
    assert f'<html lang="{language}">' in page
    assert word in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_summary():
    """One sentence: in order, in order but for warnings, or not in order."""
    assert summary(Report(), "en") == "Everything is in order."
    assert summary(Report([EARLIER]), "de").endswith("Warnungen: 1.")
    assert summary(Report([EARLIER, LATER]), "en").endswith("Errors: 1, warnings: 1.")


@pytest.mark.parametrize("form", RENDERERS)
def test_an_empty_report_can_be_rendered(form):
    """A report without findings is as well-formed as any."""
    text = render(Report(), form)
    if form in ("json", "sarif", "jsonld"):
        json.loads(text)
    assert ("sh:conforms true" in text) == (form in ("turtle", "trig"))

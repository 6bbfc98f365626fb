"""What validation found, and how it is told: as text, JSON, SHACL (Turtle) or SARIF 2.1.0."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal as OneOf

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse, serialize

from intmk.vocab import RDF, RDFS, SH, SHAPE

Severity = OneOf["error", "warning", "info"]
Language = OneOf["de", "en"]

# Findings with these rules mean that a file could not be judged at all (exit code 2).
UNREAD = ("syntax", "unreadable")

_SHACL_SEVERITY = {"error": "Violation", "warning": "Warning", "info": "Info"}
_SARIF_LEVEL = {"error": "error", "warning": "warning", "info": "note"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful, where it stands, and what would be right.

    ``focus`` is an IRI, ``path`` an IRI, ``value`` an N-Triples term; each may be "" when the
    finding is not about one. ``rule`` is the name of a rule of ours, or a shape's IRI. ``line``
    and ``column`` count from 1 and are None when the place is not known.
    """

    file: str
    line: int | None
    column: int | None
    severity: Severity
    rule: str
    message_de: str
    message_en: str
    focus: str = ""
    path: str = ""
    value: str = ""

    def message(self, language: Language) -> str:
        """Return the message in the language asked for."""
        return self.message_de if language == "de" else self.message_en

    @property
    def position(self) -> str:
        """``file:line:column``, as far as known."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    @property
    def short_rule(self) -> str:
        """The rule without the namespace of our shapes."""
        return self.rule.removeprefix(SHAPE)


@dataclass(frozen=True)
class Report:
    """All findings of one validation, in the order of file, line and column."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def conforms(self) -> bool:
        """Whether nothing of severity error was found (SHACL section 3.6.1.1, warnings aside)."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 conforms, 1 does not, 2 could not check a file."""
        if any(finding.rule in UNREAD for finding in self.findings):
            return 2
        return 0 if self.conforms else 1


def sorted_report(findings: Iterable[Finding]) -> Report:
    """Return the report of these findings, each once, in the order of their places."""
    return Report(
        sorted(set(findings), key=lambda f: (f.file, f.line or 0, f.column or 0, f.rule, str(f)))
    )


def render_text(report: Report, language: Language) -> str:
    """Return a line ``file:line:column: severity: message [rule]`` for each finding."""
    return "".join(
        f"{finding.position or '-'}: {finding.severity}: {finding.message(language)} "
        f"[{finding.short_rule}]\n"
        for finding in report.findings
    )


def render_json(report: Report, language: Language) -> str:
    """Return the report as one JSON object; ``message`` is in the language asked for."""
    findings = [
        {**asdict(finding), "message": finding.message(language)} for finding in report.findings
    ]
    body = {"conforms": report.conforms, "findings": findings}
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def render_turtle(report: Report, language: Language) -> str:
    """Return an ``sh:ValidationReport`` (SHACL section 3.6); messages are in both languages.

    A finding by a rule of ours names it as its constraint component; ``rdfs:comment`` holds the
    position.
    """
    triples = list(_report_triples(report))
    spaces = {"sh": SH, "shape": SHAPE, "rdfs": RDFS}
    return (serialize(triples, format=RdfFormat.TURTLE, prefixes=spaces) or b"").decode()


def _report_triples(report: Report) -> Iterator[Triple]:
    head = BlankNode("report")
    yield _triple(head, f"{RDF}type", NamedNode(f"{SH}ValidationReport"))
    yield _triple(head, f"{SH}conforms", Literal(report.conforms))
    for number, finding in enumerate(report.findings, 1):
        node = BlankNode(f"finding{number}")
        yield _triple(head, f"{SH}result", node)
        for predicate, value in _result(finding):
            yield _triple(node, predicate, value)


def _triple(subject: BlankNode, predicate: str, value: NamedNode | BlankNode | Literal) -> Triple:
    return Triple(subject, NamedNode(predicate), value)


def _result(finding: Finding) -> Iterator[tuple[str, NamedNode | Literal]]:
    yield f"{RDF}type", NamedNode(f"{SH}ValidationResult")
    yield f"{SH}resultSeverity", NamedNode(SH + _SHACL_SEVERITY[finding.severity])
    yield f"{SH}resultMessage", Literal(finding.message_de, language="de")
    yield f"{SH}resultMessage", Literal(finding.message_en, language="en")
    if "://" in finding.rule:
        yield f"{SH}sourceShape", NamedNode(finding.rule)
    else:
        yield f"{SH}sourceConstraintComponent", NamedNode(SHAPE + finding.rule)
    if finding.focus:
        yield f"{SH}focusNode", NamedNode(finding.focus)
    if finding.path:
        yield f"{SH}resultPath", NamedNode(finding.path)
    if finding.value:
        yield f"{SH}value", _term(finding.value)
    if finding.position:
        yield f"{RDFS}comment", Literal(finding.position)


def _term(text: str) -> NamedNode | Literal:
    """Read one N-Triples term back."""
    term: NamedNode | Literal = next(parse(f"<a:a> <a:b> {text} .", RdfFormat.N_TRIPLES)).object
    return term


def render_sarif(report: Report, language: Language) -> str:
    """Return the report as SARIF 2.1.0 (OASIS), which code hosts show beside the line."""
    rules = sorted({finding.short_rule for finding in report.findings})
    driver = {"name": "intmk", "rules": [{"id": rule} for rule in rules]}
    results = [_sarif_result(finding, language) for finding in report.findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    body = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _sarif_result(finding: Finding, language: Language) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": finding.short_rule,
        "level": _SARIF_LEVEL[finding.severity],
        "message": {"text": finding.message(language)},
    }
    if finding.file:
        place: dict[str, object] = {"artifactLocation": {"uri": finding.file}}
        if finding.line:
            place["region"] = {"startLine": finding.line, "startColumn": finding.column or 1}
        result["locations"] = [{"physicalLocation": place}]
    return result


RENDERERS: dict[str, Callable[[Report, Language], str]] = {
    "text": render_text,
    "json": render_json,
    "turtle": render_turtle,
    "sarif": render_sarif,
}


def render(report: Report, form: str = "text", language: Language = "en") -> str:
    """Return the report in one of the formats of ``RENDERERS``."""
    return RENDERERS[form](report, language)

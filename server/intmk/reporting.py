"""How a report is told: as text, HTML, JSON, a SHACL report in any RDF syntax, or SARIF 2.1.0."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from html import escape
from pathlib import PurePath
from urllib.parse import quote

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse

from intmk import results
from intmk.report import Finding, Language, Report
from intmk.vocab import BASE, RDF, RDFS, SH, SHAPE

JSON_SCHEMA = f"{BASE}static/report.schema.json"
_SHACL_SEVERITY = {"error": "Violation", "warning": "Warning", "info": "Info"}
_SARIF_LEVEL = {"error": "error", "warning": "warning", "info": "note"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES_PAGE = f"{BASE}shapes"
_COLOURS = {"error": "31", "warning": "33", "info": "36"}
WORDS = {
    "de": {
        "title": "Prüfbericht",
        "conforms": "Alles in Ordnung.",
        "conforms_with": "Die Angaben entsprechen den Regeln; Warnungen: {}.",
        "fails": "Die Angaben entsprechen den Regeln nicht. Fehler: {}, Warnungen: {}.",
        "place": "Stelle",
        "message": "Was ist falsch, und was wäre richtig?",
        "rule": "Regel",
        "error": "Fehler",
        "warning": "Warnung",
        "info": "Hinweis",
        "known": "war schon vorher so",
    },
    "en": {
        "title": "Validation report",
        "conforms": "Everything is in order.",
        "conforms_with": "The statements follow the rules; warnings: {}.",
        "fails": "The statements do not follow the rules. Errors: {}, warnings: {}.",
        "place": "place",
        "message": "What is wrong, and what would be right?",
        "rule": "rule",
        "error": "error",
        "warning": "warning",
        "info": "note",
        "known": "was so before",
    },
}


def render_text(report: Report, language: Language, is_coloured: bool = False) -> str:
    """Return a line ``file:line:column: severity: message [rule]`` for each finding."""
    return "".join(_line(finding, language, is_coloured) for finding in report.findings)


def _line(finding: Finding, language: Language, is_coloured: bool) -> str:
    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if is_coloured else text

    severity = paint(finding.severity, _COLOURS[finding.severity])
    place = paint(finding.position or "-", "1")
    rule = paint(f"[{finding.short_rule}]", "2")
    message = " ".join(finding.message(language).split())
    return f"{place}: {severity}: {message} {rule}\n"


def render_json(report: Report, language: Language) -> str:
    """Return the report as one JSON object, as static/report.schema.json describes it.

    ``message`` is in the language asked for.
    """
    findings = [
        {**asdict(finding), "message": finding.message(language)} for finding in report.findings
    ]
    body = {"$schema": JSON_SCHEMA, "conforms": report.conforms, "findings": findings}
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def render_rdf(report: Report, language: Language, form: RdfFormat = RdfFormat.TURTLE) -> str:
    """Return an ``sh:ValidationReport`` (SHACL section 3.6); messages are in both languages.

    A finding by a rule of ours names it as its constraint component; ``rdfs:comment`` holds the
    position.
    """
    found = list(triples(report, BlankNode("report")))
    spaces = {"sh": SH, "shape": SHAPE, "rdfs": RDFS}
    return results.rdf(found, form, spaces).decode()


def triples(report: Report, head: NamedNode | BlankNode) -> Iterator[Triple]:
    """Yield an ``sh:ValidationReport`` whose node is ``head``."""
    yield _triple(head, f"{RDF}type", NamedNode(f"{SH}ValidationReport"))
    yield _triple(head, f"{SH}conforms", Literal(report.conforms))
    for number, finding in enumerate(report.findings, 1):
        node = BlankNode(f"finding{number}")
        yield _triple(head, f"{SH}result", node)
        for predicate, value in _result(finding):
            yield _triple(node, predicate, value)


def _triple(
    subject: NamedNode | BlankNode, predicate: str, value: NamedNode | BlankNode | Literal
) -> Triple:
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
    rules: dict[str, dict[str, object]] = {}
    for finding in report.findings:
        rules.setdefault(finding.short_rule, _sarif_rule(finding))
    order = {name: number for number, name in enumerate(rules)}
    results = [_sarif_result(finding, language, order) for finding in report.findings]
    driver = {"name": "intmk", "informationUri": BASE, "rules": list(rules.values())}
    run = {
        "tool": {"driver": driver},
        "language": language,
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    body = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _sarif_rule(finding: Finding) -> dict[str, object]:
    words = finding.short_rule.replace("-", " ")
    return {
        "id": finding.short_rule,
        "shortDescription": {"text": f"{words[:1].upper()}{words[1:]}."},
        "helpUri": finding.rule if "://" in finding.rule else _RULES_PAGE,
        "defaultConfiguration": {"level": _SARIF_LEVEL[finding.severity]},
    }


def _sarif_result(finding: Finding, language: Language, order: dict[str, int]) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": finding.short_rule,
        "ruleIndex": order[finding.short_rule],
        "level": _SARIF_LEVEL[finding.severity],
        "message": {"text": finding.message(language)},
        "baselineState": "unchanged" if finding.is_known else "new",
    }
    if finding.file:
        artifact, region = {"uri": _uri(finding.file)}, _region(finding)
        place = {"artifactLocation": artifact} | ({"region": region} if region else {})
        result["locations"] = [{"physicalLocation": place}]
        if finding.fix and region and "endColumn" in region:
            result["fixes"] = [_sarif_fix(finding, artifact, region)]
    return result


def _uri(file: str) -> str:
    """Return a file's name as a URI reference (RFC 3986); a relative one stays relative."""
    if "://" in file:
        return file
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _region(finding: Finding) -> dict[str, int]:
    if not finding.line:
        return {}
    region = {"startLine": finding.line, "startColumn": finding.column or 1}
    if finding.end_line and finding.end_column:
        region |= {"endLine": finding.end_line, "endColumn": finding.end_column}
    return region


def _sarif_fix(
    finding: Finding, artifact: dict[str, str], region: dict[str, int]
) -> dict[str, object]:
    replacement = {"deletedRegion": region, "insertedContent": {"text": finding.fix}}
    return {
        "description": {"text": finding.fix},
        "artifactChanges": [{"artifactLocation": artifact, "replacements": [replacement]}],
    }


def render_html(report: Report, language: Language) -> str:
    """Return the report as an HTML page that stands by itself."""
    words = WORDS[language]
    return (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n'
        f"<title>{words['title']}</title>\n"
        "<style>body{font:1rem/1.5 sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
        "table{border-collapse:collapse}td,th{padding:.3rem .8rem .3rem 0;text-align:left;"
        "vertical-align:top}.error{color:#b00020}.warning{color:#7a5200}</style>\n"
        f"<h1>{words['title']}</h1>\n{render_fragment(report, language)}</html>\n"
    )


def render_fragment(report: Report, language: Language) -> str:
    """Return the summary and the table of findings, to stand in a page."""
    words = WORDS[language]
    said = f"<p>{escape(summary(report, language))}</p>\n"
    if not report.findings:
        return said
    head = "".join(f'<th scope="col">{words[name]}</th>' for name in ("place", "message", "rule"))
    rows = "".join(_row(finding, language) for finding in report.findings)
    return f"{said}<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def summary(report: Report, language: Language) -> str:
    """Return in one sentence what the report comes to."""
    words = WORDS[language]
    counts = [
        sum(finding.severity == severity for finding in report.findings)
        for severity in ("error", "warning")
    ]
    if not report.conforms:
        return words["fails"].format(*counts)
    return words["conforms_with"].format(counts[1]) if counts[1] else words["conforms"]


def _row(finding: Finding, language: Language) -> str:
    words = WORDS[language]
    known = f" ({words['known']})" if finding.is_known else ""
    cells = (
        f"<code>{escape(finding.position or '–')}</code>",  # noqa: RUF001
        f'<strong class="{finding.severity}">{words[finding.severity]}</strong>{known}: '
        f"{escape(finding.message(language))}",
        f"<code>{escape(finding.short_rule)}</code>",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


RENDERERS: dict[str, Callable[[Report, Language], str]] = {
    "text": render_text,
    "json": render_json,
    "sarif": render_sarif,
    "html": render_html,
    "turtle": render_rdf,
    "nt": partial(render_rdf, form=RdfFormat.N_TRIPLES),
    "jsonld": partial(render_rdf, form=RdfFormat.JSON_LD),
    "rdf": partial(render_rdf, form=RdfFormat.RDF_XML),
    "trig": partial(render_rdf, form=RdfFormat.TRIG),
    "nq": partial(render_rdf, form=RdfFormat.N_QUADS),
}


def render(report: Report, form: str = "text", language: Language = "en") -> str:
    """Return the report in one of the formats of ``RENDERERS``."""
    return RENDERERS[form](report, language)

"""The report on a version, kept beside it: what was wrong already when the next change comes.

``<store>/versions/<id>/report.json`` holds the findings without their places, since lines move. It
is trusted only by the program that wrote it: with other rules it would be another report.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from intmk import durable
from intmk.report import Finding, Report, sorted_report

_FILE = "report.json"


def read(version: Path) -> Report | None:
    """Return the report on a version, given its folder; None when there is none to be trusted."""
    try:
        value = json.loads((version / _FILE).read_text(encoding="utf-8"))
        if value["program"] != _program():
            return None
        return sorted_report(Finding(**one) for one in value["findings"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(version: Path, report: Report) -> None:
    """Keep the report on a version; without it the version is judged anew when it is needed."""
    findings = [dataclasses.asdict(_placeless(one)) for one in report.findings]
    value = {"program": _program(), "findings": findings}
    with contextlib.suppress(OSError):
        durable.write(version / _FILE, json.dumps(value, ensure_ascii=False))


def _placeless(finding: Finding) -> Finding:
    return dataclasses.replace(
        finding, file="", line=None, column=None, end_line=None, end_column=None, is_known=False
    )


def key(finding: Finding) -> tuple[str, ...]:
    """Return what makes two findings the same, wherever they stand."""
    return finding.rule, finding.focus, finding.path, finding.value, finding.message_en


def news(report: Report, before: Report | None) -> Report:
    """Return those findings that were not there ``before``."""
    known = {key(one) for one in before.findings} if before else set()
    return Report([one for one in report.findings if key(one) not in known])


def compared(findings: Iterable[Finding], before: Report) -> Report:
    """Return findings as a report that says which of them were there ``before`` (``is_known``)."""
    known = {key(one) for one in before.findings}
    return sorted_report(dataclasses.replace(one, is_known=key(one) in known) for one in findings)


@cache
def _program() -> str:
    """Return a digest of this package, whose rules a report follows from."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

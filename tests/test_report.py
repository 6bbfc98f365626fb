"""What findings come to as a whole."""

import pytest

from intmk.report import Finding, Report, sorted_report
from intmk.vocab import SHAPE

LATER = Finding(
    "data/b.trig", 12, 3, "error", f"{SHAPE}Conference-ordinal", "Nummer fehlt.", "No number.",
    "https://w3id.org/intmk/id/conference/intmk-18", f"{SHAPE}path", '"18"@de',
)  # fmt: skip
EARLIER = Finding("data/b.trig", 2, 30, "warning", "passage-empty", "Leer.", "Empty.")
NOWHERE = Finding("", None, None, "info", "syntax", "Was „das“?", 'What "that"?')


@pytest.fixture
def report() -> Report:
    """Return a report of three findings."""
    return sorted_report([LATER, NOWHERE, EARLIER, LATER])


def test_report_is_sorted_and_says_things_once(report):
    """Findings come in the order of the file, equal ones once."""
    assert report.findings == [NOWHERE, EARLIER, LATER]


@pytest.mark.parametrize(
    ("findings", "code"), [([], 0), ([EARLIER], 0), ([EARLIER, LATER], 1), ([LATER, NOWHERE], 2)]
)
def test_exit_code(findings, code):
    """0 conforms, warnings allowed; 1 does not; 2 when a file could not be checked."""
    assert Report(findings).exit_code == code

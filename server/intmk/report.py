"""What validation found: findings with their places, and what they come to as a whole."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal as OneOf

from intmk.vocab import SHAPE

Severity = OneOf["error", "warning", "info"]
Language = OneOf["de", "en"]

# Findings with these rules mean that a file could not be judged at all (exit code 2).
UNREAD = ("syntax", "unreadable")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful, where it stands, and what would be right.

    ``focus`` is an IRI, ``path`` an IRI, ``value`` an N-Triples term; each may be "" when the
    finding is not about one. ``rule`` is the name of a rule of ours, or a shape's IRI. ``line``
    and ``column`` count from 1 and are None when the place is not known, ``end_line`` and
    ``end_column`` are those of the first character behind it. ``fix`` is what should stand at the
    place instead, as a file would write it, where that can be told. ``label`` is what the thing is
    called; ``is_known`` says that it was as wrong before the change that is judged.
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
    label: str = ""
    fix: str = ""
    is_known: bool = False
    end_line: int | None = None
    end_column: int | None = None

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

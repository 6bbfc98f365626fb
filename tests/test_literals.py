"""Lexical forms of datatypes."""

import pytest
from pyoxigraph import Literal, NamedNode

from intmk import literals
from intmk.vocab import EDTF, XSD


def typed(text: str, datatype: str) -> Literal:
    """Return a literal of an XML Schema datatype, or of EDTF."""
    return Literal(text, datatype=EDTF if datatype == "EDTF" else NamedNode(XSD + datatype))


@pytest.mark.parametrize("datatype", [*literals.EXAMPLES])
def test_every_example_is_right(datatype):
    """What a message recommends is itself accepted."""
    example = Literal(literals.EXAMPLES[datatype], datatype=NamedNode(datatype))
    assert literals.ill_typed([example]) == {}


WRONG = [
    ("2024-02-30", "date"), ("2024-2-9", "date"), ("2024", "date"), ("2024-09-30 ", "date"),
    ("2024-09-30T10:00", "dateTime"), ("ja", "boolean"), ("18.0", "integer"), (" 18", "integer"),
    ("1,5", "decimal"), ("24", "gYear"), ("2024-13", "gYearMonth"), ("1 Jahr", "duration"),
    ("-1", "nonNegativeInteger"), ("0", "positiveInteger"), ("x", "int"),
    ("2024-13", "EDTF"), ("2024-02-30", "EDTF"), ("September 2024", "EDTF"), ("", "EDTF"),
]  # fmt: skip
RIGHT = [
    ("2024-02-29", "date"), ("1", "boolean"), ("+18", "integer"), ("1", "positiveInteger"),
    ("2024-09-30T10:00:00", "dateTime"), ("anything", "string"), ("any thing", "anyURI"),
    ("2024-09", "EDTF"), ("2025-09~", "EDTF"), ("2024-09/..", "EDTF"), ("201X", "EDTF"),
    ("[2023,2024]", "EDTF"), ("2024-21", "EDTF"), ("2023-?04", "EDTF"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "datatype"), WRONG)
def test_wrong_forms_are_told_with_a_right_one(text, datatype):
    """A form outside the datatype is reported, with an example that is inside."""
    found = literals.ill_typed([typed(text, datatype)])
    assert literals.ill_typed([typed(found[typed(text, datatype)], datatype)]) == {}


@pytest.mark.parametrize(("text", "datatype"), RIGHT)
def test_right_forms_pass(text, datatype):
    """EDTF levels 0 to 2 and every valid XML Schema form pass, unknown datatypes too."""
    assert literals.ill_typed([typed(text, datatype)]) == {}


def test_text_with_a_language_is_never_ill_typed():
    """A language-tagged text has no lexical rule."""
    assert literals.ill_typed([Literal("2024-02-30", language="de"), Literal("x")]) == {}

"""What a request to /proposals holds, however it was sent."""

import io

import pytest
from flask import Flask

from intmk import submission
from intmk.drafts import Draft
from intmk.errors import InvalidRequest, SourceSyntaxError

APP = Flask(__name__)


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/x-www-form-urlencoded", b"author=A&additions=x%0D%0Ay", ""),
        ("application/json", b'{"author": "A", "additions": "x\\ny"}', ""),
        ("application/trig", b"x\ny", "author=A"),
    ],
)
def test_the_fields_are_the_same_in_every_form(kind: str, body: bytes, query: str) -> None:
    """Lines end as the document has them, not as a form has."""
    with APP.test_request_context(f"/?{query}"):
        given = submission.given(kind, body)
    assert given["author"] == "A"
    assert submission.draft(given) == Draft("x\ny")


def test_a_file_stands_for_the_text() -> None:
    """Its name says its syntax, when that is one we know."""
    for name, extension in (("a.b.NQ", "nq"), ("a.txt", "trig"), ("x" * 300 + ".ru", "ru")):
        data = {"author": "A", "file": (io.BytesIO(b"x\r\ny"), name)}
        with APP.test_request_context(method="POST", data=data):
            fields = submission.form() | submission.file(submission.MULTIPART)
        draft = submission.draft(fields)
        assert (draft.additions, draft.extension) == ("x\ny", extension)
        assert draft.names[0] == name[-200:]


def test_no_file_is_no_field() -> None:
    """As a browser sends a form in which none was chosen."""
    data = {"additions": "x", "file": (io.BytesIO(b""), "")}
    with APP.test_request_context(method="POST", data=data):
        assert submission.file(submission.MULTIPART) == {}
    assert submission.file("application/json") == {}


def test_a_file_beside_a_text_is_refused() -> None:
    """One of them would be lost."""
    data = {"additions": "x", "file": (io.BytesIO(b"y"), "y.ttl")}
    with (
        APP.test_request_context(method="POST", data=data),
        pytest.raises(InvalidRequest, match="both"),
    ):
        submission.file(submission.MULTIPART)


def test_what_is_not_text_is_told_with_its_place() -> None:
    """In the file and in the body."""
    data = {"file": (io.BytesIO(b"a\nb\xff"), "y.ttl")}
    with (
        APP.test_request_context(method="POST", data=data),
        pytest.raises(SourceSyntaxError, match=r"y\.ttl:2:2"),
    ):
        submission.file(submission.MULTIPART)
    with APP.test_request_context(), pytest.raises(SourceSyntaxError, match=r"additions:1:1"):
        submission.given("text/turtle", b"\xff")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a": 1}', b'{"a": "\\ud800"}', b"[" * 100_000])
def test_what_is_no_object_of_texts_is_refused(body: bytes) -> None:
    """However deep it nests."""
    with pytest.raises(InvalidRequest):
        submission.given("application/json", body)

"""The one shape in which errors are told."""

import json
from pathlib import Path

import pytest

from intmk import errors


def _all_kinds(kind: type[errors.GraphError]) -> list[type[errors.GraphError]]:
    """Return the kinds declared in the module itself, whatever else is imported."""
    children = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return [kind, *(found for child in children for found in _all_kinds(child))]


def _example(kind: type[errors.GraphError]) -> errors.GraphError:
    if issubclass(kind, errors.SourceSyntaxError):
        return kind("bad", file="a.ttl", line=2, column=3)
    if issubclass(kind, errors.BuildRefused):
        return kind("bad", report=None)
    return kind("bad", line=2, column=3)


@pytest.mark.parametrize("kind", _all_kinds(errors.GraphError))
def test_every_error_has_a_problem_document(kind: type[errors.GraphError]) -> None:
    """Type, title, status and detail are always there, and JSON can carry them."""
    body = json.loads(json.dumps(errors.problem(_example(kind))))
    assert body["type"].startswith(errors.PROBLEM_BASE)
    assert body["title"] == kind.title
    assert 400 <= body["status"] <= 599
    assert body["detail"] == "bad"


def test_problem_types_are_distinct() -> None:
    """Two kinds of error never share a type IRI."""
    slugs = [errors.slug(kind) for kind in _all_kinds(errors.GraphError)]
    assert len(slugs) == len(set(slugs))
    assert "query-timeout" in slugs


def test_a_problem_leaves_out_what_is_not_known() -> None:
    """An error without position and hint has no such members."""
    assert set(errors.problem(errors.NotFound("x"))) == {"type", "title", "status", "detail"}


def test_a_problem_carries_position_hint_and_further_members() -> None:
    """Line, column, hint and what the error adds are members of the document."""
    error = errors.NotAcceptable("x", hint="y", line=1, column=2, offered=["text/csv"])
    body = errors.problem(error)
    assert (body["hint"], body["line"], body["column"]) == ("y", 1, 2)
    assert body["offered"] == ["text/csv"]


def test_a_source_error_reads_as_compilers_write_it() -> None:
    """An editor can jump to file:line:column."""
    error = errors.SourceSyntaxError("no dot", file="a.ttl", line=7, column=3)
    assert str(error) == "a.ttl:7:3: no dot"
    assert str(errors.SourceSyntaxError("gone", file="a.ttl", line=None, column=None)) == (
        "a.ttl: gone"
    )


def test_every_problem_type_is_documented_with_its_status() -> None:
    """docs/http.md has one row for each kind of error that can reach a client over HTTP."""
    text = (Path(__file__).parents[1] / "docs/http.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| `")]
    documented = {(row[0].strip("| `"), int(row[1])) for row in rows if row[1].isdigit()}
    told_by_cli = {errors.BuildRefused, errors.CannotCheck}
    told_to_nobody = {errors.ServiceNeeded}
    kinds = set(_all_kinds(errors.GraphError)) - told_by_cli - told_to_nobody
    assert documented == {(errors.slug(kind), kind.status) for kind in kinds}

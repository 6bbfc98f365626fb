"""The judging process: what it finds, and what becomes of documents that would harm it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import FIXTURE_ROOT
from intmk import errors, store
from intmk.judging import Judges, Sent
from intmk.settings import Settings, read
from intmk.validation import validate
from server_fixtures import await_end, descendants

PRESS = (FIXTURE_ROOT / "data" / "press.trig").read_text()
WRONG = (
    "<https://w3id.org/intmk/id/conference/intmk-19> a "
    "<https://w3id.org/intmk/ontology#Conference> "
    ';\n  <http://www.w3.org/2000/01/rdf-schema#label> "19"@de .'
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a server on the small root, with little time and memory."""
    folder = tmp_path_factory.mktemp("store")
    store.build(FIXTURE_ROOT, folder, validate)
    limits = {"write_timeout_s": 20, "write_memory_mb": 300, "write_bytes": 1_000_000}
    return read({"root": FIXTURE_ROOT, "store": folder} | limits, {})


@pytest.fixture(scope="module")
def judges(settings: Settings) -> Iterator[Judges]:
    """Return a running judge."""
    one = Judges(settings)
    one.prepare()
    yield one
    one.close()


def told(judges: Judges, body: str | bytes, extension: str = "ttl") -> list[tuple[str, int | None]]:
    """Return rule and line of each finding on a document."""
    data = body.encode() if isinstance(body, str) else body
    report = judges.judge(Sent(f"a.{extension}", extension, data))
    return [(one.short_rule, one.line) for one in report.findings]


def test_a_document_is_judged_with_the_graph(judges):
    """What is missing and what clashes with the graph is told, with its place."""
    assert told(judges, WRONG) == [("Conference-ordinal", 1)]
    same = WRONG.replace('"19"@de', '"18. IntMK"@de ; <https://w3id.org/intmk/ontology#ordinal> 19')
    assert told(judges, same.replace("ontology#Conference>", "ontology#MainConference>")) == [
        ("duplicate", 2)
    ]


def test_documents_leave_no_trace(judges):
    """Each document is judged by the graph as it is served, not by what others sent."""
    assert told(judges, WRONG) == told(judges, WRONG)
    assert told(judges, PRESS.replace("3,5", "5,6"), "trig") != []
    assert told(judges, "", "trig") == []


def test_every_error_of_a_document_is_told(judges):
    """Syntax errors are findings like others, and what is left is judged."""
    text = f"{WRONG}\n<a:b <a:c> 1 .\n<https://w3id.org/intmk/id/body/intmk> <a:b> .\n"
    assert ("Conference-ordinal", 1) in told(judges, text)
    assert {("syntax", 3), ("syntax", 4)} <= set(told(judges, text))


def test_formats_without_positions(judges):
    """JSON-LD is judged, its findings name the thing."""
    text = (
        '{"@id": "https://w3id.org/intmk/id/conference/intmk-19", '
        '"@type": "https://w3id.org/intmk/ontology#Conference", '
        '"http://www.w3.org/2000/01/rdf-schema#label": {"@value": "19", "@language": "de"}}'
    )
    report = judges.judge(Sent("a.jsonld", "jsonld", text.encode()))
    (found,) = report.findings
    assert (found.position, found.short_rule) == ("a.jsonld", "Conference-ordinal")
    assert "“19” (conference:intmk-19)" in found.message_en


BOMB = (
    b'<!DOCTYPE r [<!ENTITY a0 "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9))
    + b"]><r>&a8;</r>"
)
HOSTILE = [
    ("ttl", b"<a:b> <a:c> " + b"(" * 100_000, "syntax"),
    ("ttl", b"<a:b> <a:c> " + b"[ <a:b> " * 100_000, "syntax"),
    ("trig", b"{" * 100_000, "syntax"),
    ("ttl", b'<a:b> <a:c> "\xff" .', "syntax"),
    ("ttl", b'<a:b> <a:c> "unended' + b"x" * 900_000, "syntax"),
    ("rdf", b"<a>" * 100_000, "syntax"),
    ("rdf", b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>', "syntax"),
    ("rdf", b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>', "syntax"),
    ("jsonld", b'{"a":' * 100_000, "syntax"),
    ("jsonld", b"{", "syntax"),
]  # fmt: skip


@pytest.mark.parametrize(("extension", "body", "rule"), HOSTILE)
def test_hostile_documents_are_told_what_is_wrong(judges, extension, body, rule):
    """Brackets, depth, entities and broken text end in a finding, and the next one is judged."""
    assert rule in [name for name, _ in told(judges, body, extension)]
    assert told(judges, "", "ttl") == []


REFUSED = [
    ("rdf", BOMB, errors.TooLarge),
    ("jsonld", b'{"@context": "http://127.0.0.1:9/c", "@id": "a:b"}', errors.NetworkForbidden),
]


@pytest.mark.parametrize(("extension", "body", "error"), REFUSED)
def test_what_cannot_be_judged_is_refused(judges, extension, body, error):
    """Entities that fill the memory and contexts on other servers are told as what they are."""
    with pytest.raises(error):
        told(judges, body, extension)
    assert told(judges, "", "ttl") == []


def test_long_literals_are_judged(judges):
    """A text of five million letters is one statement like another."""
    text = f'<https://w3id.org/intmk/id/body/intmk> <a:b> "{"x" * 5_000_000}" .'
    assert told(judges, text) == []


def test_the_deadline_ends_a_check(settings):
    """A check that takes too long is stopped by the kernel and told so."""
    hurried = Judges(read(settings.environment() and _explicit(settings, write_timeout_s=0.2), {}))
    text = "\n".join(f"{WRONG.replace('intmk-19', f'c-{n}')}" for n in range(4000))
    with pytest.raises(errors.CheckTimeout, match=r"stopped after 0\.2 s"):
        told(hurried, text)
    assert told(hurried, "") == []
    hurried.close()


def test_the_memory_limit_ends_a_check(settings):
    """A check that needs too much memory is told so."""
    poor = Judges(read(_explicit(settings, write_memory_mb=20), {}))
    text = "\n".join(f'<https://w3id.org/intmk/id/body/intmk> <a:b> "{n}" .' for n in range(60_000))
    with pytest.raises(errors.OutOfMemory):
        told(poor, text)
    assert told(poor, "") == []
    poor.close()


def test_a_new_version_is_followed(settings, tmp_path):
    """What was built since is what documents are judged by."""
    folder = tmp_path / "store"
    store.build(FIXTURE_ROOT, folder, validate)
    one = Judges(read(_explicit(settings, store=folder), {}))
    text = '<https://w3id.org/intmk/id/body/new> <http://x/p> "a" .'
    assert told(one, text) == [("unknown-thing", 1)]
    changed = tmp_path / "root"
    _copy(changed)
    store.build(changed, folder, validate)
    assert told(one, text) == []
    one.close()


def _copy(target: Path) -> None:
    """Copy the small root with one body more."""
    for path in FIXTURE_ROOT.rglob("*"):
        if path.is_file():
            copied = target / path.relative_to(FIXTURE_ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    more = "  body:new a intmk:ConferenceBody .\n}\n\nGRAPH <https://w3id.org/intmk/source/press#line=9"
    path = target / "data" / "press.trig"
    text = path.read_text()
    path.write_text(text.replace("}\n\nGRAPH <https://w3id.org/intmk/source/press#line=9", more))


def _explicit(settings: Settings, **changed: object) -> dict[str, object]:
    names = ("root", "store", "write_timeout_s", "write_memory_mb", "write_bytes")
    return {name: getattr(settings, name) for name in names} | changed


def test_without_a_graph_nothing_is_judged(settings, tmp_path):
    """A store without a version is told, and once there is one documents are judged."""
    one = Judges(read(_explicit(settings, store=tmp_path / "none"), {}))
    with pytest.raises(errors.Unavailable):
        told(one, "")
    store.build(FIXTURE_ROOT, tmp_path / "none", validate)
    assert told(one, "") == []
    one.close()


def test_a_lost_process_is_replaced(judges):
    """When the process is gone the next document is judged by a new one."""
    assert told(judges, "") == []
    pid = judges._process.pid
    judges._process.kill()
    with pytest.raises(errors.Unavailable):
        told(judges, "")
    assert told(judges, "") == []
    await_end([pid])


def test_no_process_outlives_its_owner(settings):
    """When the front goes, so does its judge."""
    one = Judges(settings)
    assert told(one, "") == []
    pids = descendants(one._process.pid)
    del one
    await_end(pids)

"""Curation: from a draft to a version and to the files of a checkout, and back."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyoxigraph import Literal, NamedNode

from conftest import FIXTURE_ROOT
from intmk import (
    assessment,
    canonical,
    curation,
    errors,
    journal,
    patch,
    proposals,
    record,
    store,
    vocab,
    writer,
)  # fmt: skip
from intmk.changes import Change
from intmk.cli import main
from intmk.drafts import Draft
from intmk.report import Report
from intmk.settings import Settings, read
from intmk.validation import validate

PASSAGE = "<https://w3id.org/intmk/source/press#line=3,5>"
LABEL = 'rdfs:label "18. IntMK"@de'


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was built from the small root."""
    folder = tmp_path_factory.mktemp("built") / "var"
    store.build(FIXTURE_ROOT, folder, validate)
    return folder


@pytest.fixture
def settings(root: Path, built: Path, tmp_path: Path) -> Settings:
    """Settings for a copy of the store and of the files it was built from."""
    shutil.copytree(built, tmp_path / "var", symlinks=True)
    return read({"root": root, "store": tmp_path / "var"}, {})


@pytest.fixture
def checkout(settings: Settings) -> Settings:
    """The same on a checkout whose files are as ``intmk format`` leaves them."""
    for path in (settings.root / "data").iterdir():
        canonical.format_file(path, prefixes=vocab.prefixes(settings.root))
    (settings.root / ".git").mkdir()
    store.build(settings.root, settings.store, validate)
    return settings


def within(*statements: str) -> str:
    """Return statements in the accepted passage."""
    return f"GRAPH {PASSAGE} {{ {' '.join(one + ' .' for one in statements)} }}"


def renamed(name: str) -> Draft:
    """Return a draft that gives the conference another name."""
    return Draft(within(f'conference:intmk-18 rdfs:label "{name}"@de'),
                 within(f"conference:intmk-18 {LABEL}"))  # fmt: skip


def propose(settings: Settings, draft: Draft) -> int:
    """Propose a draft, and return its number."""
    return curation.propose(settings, draft, "Ada", "a reason", ("https://e.org/1",), "tok").number


def names(settings: Settings) -> set[str]:
    """Return what the conference is called in the default graph."""
    rows = store.open_current(settings.store).quads_for_pattern(
        NamedNode(f"{vocab.ID}conference/intmk-18"), vocab.LABEL, None
    )
    return {row.object.value for row in rows if isinstance(row.object, Literal)}


def test_a_proposal_is_kept_and_changes_nothing(settings: Settings) -> None:
    """Who, why, from what, and the statements; prefixes of ours need no declaration."""
    number = propose(settings, renamed("x"))
    kept = proposals.get(settings.store, number)
    assert (kept.author, kept.reason, kept.sources, kept.by) == (
        "Ada", "a reason", ("https://e.org/1",), "tok",
    )  # fmt: skip
    change = proposals.change(settings.store, number)
    assert [len(part) for part in change] == [1, 1]
    assert proposals.state(settings.store, number) == "open"
    assert names(settings) == {"18. IntMK"}


def test_an_accepted_proposal_is_a_version(settings: Settings) -> None:
    """With author, reason, reviewer and comment in the journal, and its patch in the record."""
    number = propose(settings, renamed("x"))
    written = curation.accept(settings, number, "rev", "fine")
    assert names(settings) == {"x"}
    newest = journal.last(settings.store)
    assert newest
    assert newest[6:12] == ("proposal", "rev", "Ada", "a reason", number, "fine")
    assert (newest.number, newest.id) == (written.number, written.version)
    assert proposals.state(settings.store, number) == "accepted"
    (event,) = proposals.events(settings.store, number)
    assert (event.kind, event.by, event.comment, event.change) == ("accepted", "rev", "fine", 2)
    assert proposals.change(settings.store, number).added <= record.change(settings.store, 2).added


def test_a_decided_proposal_stays_decided(settings: Settings) -> None:
    """Neither accepted nor rejected a second time."""
    first, second = propose(settings, renamed("x")), propose(settings, renamed("y"))
    curation.accept(settings, first, "rev")
    curation.reject(settings, second, "rev", "no")
    for number, was in ((first, "accepted"), (second, "rejected")):
        with pytest.raises(errors.Conflict, match=f"was {was} already"):
            curation.accept(settings, number, "rev")
        with pytest.raises(errors.Conflict, match=f"was {was} already"):
            curation.reject(settings, number, "rev")
    assert [state for _, state in proposals.every(settings.store)] == ["rejected", "accepted"]


def test_other_statements_may_have_changed(settings: Settings) -> None:
    """A proposal for an older version fits as long as what it touches is as it was."""
    first = propose(settings, renamed("x"))
    day = 'conference:intmk-18 intmk:earliest "2023-04-{}"^^xsd:date'
    other = Draft(within(day.format(27)), within(day.format(26)))
    curation.accept(settings, propose(settings, other), None)
    curation.accept(settings, first, None)
    assert names(settings) == {"x"}


def test_the_same_statement_changed_twice(settings: Settings) -> None:
    """One wins, the other is told by whom, when and into what it was changed."""
    first, second = propose(settings, renamed("x")), propose(settings, renamed("y"))
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(curation.accept, settings, n, "rev") for n in (first, second)]
    lost = [one.exception() for one in done if one.exception()]
    assert len(lost) == 1
    assert isinstance(lost[0], errors.Conflict)
    (winner,) = names(settings)
    assert f'"18. IntMK"@de was replaced by "{winner}"@de in change 2 by Ada (a reason)' in str(
        lost[0]
    )
    states = {proposals.state(settings.store, number) for number in (first, second)}
    assert states == {"accepted", "conflicting"}


def test_both_add_what_only_one_can(settings: Settings) -> None:
    """What the rules refuse because of a later change is told as a conflict too."""
    conference = "https://w3id.org/intmk/id/conference/"
    new = within(f"<{conference}intmk-{{0}}> a intmk:MainConference ; intmk:body body:intmk ; "
                 'rdfs:label "{0}"@de ; intmk:ordinal 19')  # fmt: skip
    first, second = (propose(settings, Draft(new.replace("{0}", one))) for one in ("19", "19-b"))
    curation.accept(settings, first, None)
    with pytest.raises(errors.GraphError) as caught:
        curation.accept(settings, second, None)
    assert isinstance(caught.value, errors.WriteRefused | errors.Conflict)
    assert proposals.state(settings.store, second) in ("open", "conflicting")


@pytest.mark.parametrize(
    ("draft", "kind", "words"),
    [
        (Draft(within(f"conference:intmk-18 {LABEL}")), errors.InvalidRequest, "says all of this"),
        (Draft("<a:s>\n  foo ."), errors.SourceSyntaxError, "additions:2:"),
        (Draft("", "bad"), errors.SourceSyntaxError, "removals:1:"),
        (Draft("", within("<a:s> <a:p> 1")), errors.InvalidRequest, "not in the graph"),
        (Draft("GRAPH intmk: { <a:s> <a:p> 1 }".replace("intmk:", f"<{vocab.ONTOLOGY}>")),
         errors.InvalidRequest, "belongs to"),
        (Draft("A <a:s> <a:p> .", "", "rdfp"), errors.SourceSyntaxError, "additions:1:"),
        (Draft("<a:b> <a:c> " + "<<( <a:b> <a:c> " * 99_999 + "<a:d>" + ")>>" * 99_999),
         errors.SourceSyntaxError, "deeper"),
        (Draft(within("<a:s> <a:p> <<( <a:s> <a:p> 1 )>>")),
         errors.SourceSyntaxError, "is a triple"),
        (Draft("A <a:s> <a:p> <<( <a:s> <a:p> 1 )>> .", "", "rdfp"), errors.SourceSyntaxError,
         "additions:1:"),
        (Draft("x", "", "doc"), errors.InvalidRequest, "no format"),
    ],
)  # fmt: skip
def test_what_cannot_be_proposed(
    settings: Settings, draft: Draft, kind: type[errors.GraphError], words: str
) -> None:
    """Nothing is kept of it, and the line is that of what was sent."""
    with pytest.raises(kind, match=words):
        propose(settings, draft)
    assert proposals.every(settings.store) == []


def test_somebody_proposes_for_a_reason(settings: Settings) -> None:
    """Both are asked for."""
    with pytest.raises(errors.InvalidRequest, match="no author"):
        curation.propose(settings, renamed("x"), " ", "so")
    with pytest.raises(errors.InvalidRequest, match="no reason"):
        curation.propose(settings, renamed("x"), "Ada", "")


def test_what_a_proposal_would_do(settings: Settings) -> None:
    """New findings beside old ones, things created, questions answered differently."""
    body = within(
        'body:hik a intmk:ConferenceBody ; rdfs:label "HIK"@de',
        "conference:hik-1 a intmk:MainConference ; intmk:body body:hik",
    )
    found = curation.look(settings, propose(settings, Draft(body)))
    assert found["created"] == [f"{vocab.ID}body/hik", f"{vocab.ID}conference/hik-1"]
    assert "Conference-ordinal" in " ".join(one["rule"] for one in found["new"])
    (query,) = found["queries"]
    assert (query["stem"], query["added"], query["removed"]) == ("list-bodies", 1, 0)
    assert query["examples"][0] == [[f"<{vocab.ID}body/hik>"]]
    assert found["labels"][f"{vocab.ID}body/hik"] == {"de": "HIK"}


def test_findings_that_were_there_are_not_new(settings: Settings, change) -> None:
    """They are listed apart."""
    change("data/press.trig", '  conference:intmk-18 rdfs:label "18. IntMK"@de .\n', "")
    store.build(settings.root, settings.store, validate)
    found = curation.look(
        settings, propose(settings, Draft(within('body:intmk rdfs:label "x"@de')))
    )
    assert found["new"] == []
    assert [one["rule"].rpartition("#")[2] for one in found["known"]] == ["Conference-label"]
    assert found["known_count"] == 1


def test_what_it_would_do_is_looked_at_again(settings: Settings) -> None:
    """When the graph has moved on, until the proposal is decided."""
    first, second = propose(settings, renamed("x")), propose(settings, renamed("y"))
    assert curation.look(settings, second)["gone"] == []
    curation.accept(settings, first, None)
    assert len(curation.look(settings, second)["gone"]) == 1
    assert curation.look(settings, first)["number"] == 1


def test_a_proposal_that_breaks_a_rule_is_not_made(settings: Settings) -> None:
    """It stays open, with the findings."""
    number = propose(settings, Draft("", within("conference:intmk-18 intmk:ordinal 18")))
    with pytest.raises(errors.WriteRefused, match="needs its number"):
        curation.accept(settings, number, None)
    assert proposals.state(settings.store, number) == "open"


def test_a_whole_file_replaces_what_was_there(settings: Settings) -> None:
    """What it no longer says goes, what it says comes; nothing else is touched."""
    text = (settings.root / "data" / "press.trig").read_text().replace("18. IntMK", "new")
    number = propose(settings, Draft(text, replaces="data/press.trig"))
    change = proposals.change(settings.store, number)
    assert [len(part) for part in change] == [1, 1]
    curation.accept(settings, number, None)
    assert names(settings) == {"new"}


def test_an_rdf_patch_is_a_draft(settings: Settings) -> None:
    """As the record has them: the rows on the default graph follow by themselves."""
    curation.accept(settings, propose(settings, renamed("x")), None)
    back = record.change(settings.store, 2).inverse
    text = assessment.patch.write(back, {})
    curation.accept(settings, propose(settings, Draft(text, extension="rdfp")), None)
    assert names(settings) == {"18. IntMK"}
    assert journal.records(settings.store)[0].id == journal.records(settings.store)[2].id


def test_an_accepted_proposal_is_in_the_files(checkout: Settings) -> None:
    """Only in those it touches, as ``intmk format`` would write them; a build changes nothing."""
    path = checkout.root / "data" / "press.trig"
    path.write_text("# A comment.\n\n" + path.read_text())
    store.build(checkout.root, checkout.store, validate)
    before = {one: one.read_bytes() for one in checkout.root.rglob("*") if one.is_file()}
    written = curation.accept(checkout, propose(checkout, renamed("x")), None)
    after = {one: one.read_bytes() for one in checkout.root.rglob("*") if one.is_file()}
    assert [one for one in after if after[one] != before[one]] == [path]
    assert after[path] == before[path].replace(b"18. IntMK", b"x")
    assert not canonical.format_file(path, check=True, prefixes=vocab.prefixes(checkout.root))
    assert store.is_current(checkout.root, checkout.store)
    assert not store.is_written(checkout.store)
    again = store.build(checkout.root, checkout.store, validate)
    assert (again.id, again.new) == (written.version, False)


def test_what_is_measured_anew_stands_in_no_file(settings: Settings) -> None:
    """A graph that is measured is filed, taken back and proposed as a whole file all the same."""
    with (settings.root / "data" / "sources.ttl").open("a") as register:
        register.write(f"<{vocab.QUALITY_GRAPH.value}> intmk:status kind:accepted .\n")
    (settings.root / ".git").mkdir()
    store.build(settings.root, settings.store, lambda _: Report())
    settings = dataclasses.replace(settings, gate="off")
    path = settings.root / "data" / "press.trig"
    whole = path.read_text().replace("18. IntMK", "new")
    curation.accept(settings, propose(settings, Draft(whole, replaces="data/press.trig")), None)
    curation.accept(
        settings, propose(settings, Draft(within("body:hik a intmk:ConferenceBody"))), None
    )
    measured = record.change(settings.store, journal.records(settings.store)[-1].number)
    assert any("/measurement/" in one for one in measured.added)
    assert "body:hik" in path.read_text()
    curation.rollback(settings, "2", "op")
    assert "18. IntMK" in path.read_text()
    with pytest.raises(errors.InvalidRequest, match="measured anew"):
        propose(settings, Draft(f"GRAPH <{vocab.QUALITY_GRAPH.value}> {{ <a:s> <a:p> 1 }}"))


def test_a_new_passage_goes_into_the_file_of_its_source(checkout: Settings) -> None:
    """A new source makes a new file; the register of sources is one for all."""
    passage = "<https://w3id.org/intmk/source/other#line=0,1>"
    text = (
        f'source:other a intmk:TextDocument ; dcterms:title "x"@de ; intmk:lineCount 1 . {passage}'
        " a intmk:TextPassage ; dcterms:isPartOf source:other ; intmk:firstLine 1 ; "
        "intmk:lastLine 1 ; intmk:status kind:accepted . "
        f'GRAPH {passage} {{ body:intmk rdfs:label "IntMK"@de }}'
    )
    curation.accept(checkout, propose(checkout, Draft(text)), None)
    assert (checkout.root / "data" / "other.trig").read_text().count("body:intmk") == 1
    assert "source:other a" in (checkout.root / "data" / "sources.ttl").read_text()
    assert store.is_current(checkout.root, checkout.store)


def test_what_was_not_filed_is_filed_with_the_next(checkout: Settings) -> None:
    """As after a crash between the version and the files."""
    (checkout.root / ".git").rmdir()
    curation.accept(checkout, propose(checkout, renamed("x")), None)
    path = checkout.root / "data" / "press.trig"
    assert "18. IntMK" in path.read_text()
    (checkout.root / ".git").mkdir()
    curation.accept(
        checkout, propose(checkout, Draft(within('body:intmk rdfs:label "b"@de'))), None
    )
    assert '"x"@de' in path.read_text()
    assert store.is_current(checkout.root, checkout.store)


def test_a_file_that_would_lose_something_refuses_the_change(checkout: Settings) -> None:
    """Before anything is made: a comment inside has no place in the layout."""
    path = checkout.root / "data" / "press.trig"
    path.write_text(path.read_text() + "# the end\n")
    number = propose(checkout, renamed("x"))
    with pytest.raises(errors.SourceSyntaxError, match="comment"):
        curation.accept(checkout, number, None)
    assert proposals.state(checkout.store, number) == "open"
    assert names(checkout) == {"18. IntMK"}


def test_no_name_leads_out_of_the_folder(checkout: Settings) -> None:
    """A source whose name is a path makes no file."""
    passage = "<https://w3id.org/intmk/source/../../x#line=1,2>"
    number = propose(checkout, Draft(f'GRAPH {passage} {{ body:intmk rdfs:label "x"@de }}'))
    with pytest.raises(errors.InvalidRequest, match="no source of ours"):
        curation.accept(checkout, number, None)


def test_rollback_is_a_change_like_others(checkout: Settings) -> None:
    """Nothing is erased; the files follow; it works for versions that are no longer kept."""
    curation.accept(checkout, propose(checkout, renamed("x")), None)
    curation.accept(
        checkout, propose(checkout, Draft(within('body:intmk rdfs:label "b"@de'))), None
    )
    written = curation.rollback(checkout, "1", "op", "was wrong")
    found = journal.records(checkout.store)
    assert (written.number, written.version) == (4, found[0].id)
    assert (found[3].kind, found[3].reason, found[3].by) == ("rollback", "was wrong", "op")
    assert names(checkout) == {"18. IntMK"}
    assert store.is_current(checkout.root, checkout.store)
    with pytest.raises(errors.InvalidRequest, match="says now"):
        curation.rollback(checkout, "1", "op")
    assert curation.difference(checkout, "1", found[2].id).size > 0


KILLED = """
import os, signal
from intmk import filing, writer
filing.file_changes = lambda _: os.kill(os.getpid(), signal.SIGKILL)
writer.main()
"""


def test_a_crash_between_version_and_files_is_made_good(checkout: Settings) -> None:
    """What was accepted is in the graph and stays accepted; the next build or start files it."""
    number = propose(checkout, renamed("x"))
    change = Change(
        "patch", proposals.text(checkout.store, number).encode(), author="Ada", proposal=number
    )
    ended = subprocess.run(
        [sys.executable, "-c", KILLED], input=writer.packed(change), check=False,
        env=os.environ | checkout.environment(),
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert proposals.state(checkout.store, number) == "accepted"
    assert names(checkout) == {"x"}
    path = checkout.root / "data" / "press.trig"
    assert "18. IntMK" in path.read_text()
    built = CliRunner().invoke(
        main, ["build", "--root", str(checkout.root), "--store", str(checkout.store)]
    )
    assert "data/press.trig now has what was accepted" in built.stderr
    assert "is current already" in built.stdout
    assert '"x"@de' in path.read_text()


def test_an_update_is_proposed_again(settings: Settings) -> None:
    """Evaluated on the graph as it is, under the same name; the old proposal says so."""
    update = f"""INSERT {{ GRAPH {PASSAGE} {{ ?b rdfs:label "named"@en }} }}
    WHERE {{ ?b a intmk:ConferenceBody }}"""
    first = propose(settings, Draft(update, extension="ru"))
    body = within('body:hik a intmk:ConferenceBody ; rdfs:label "HIK"@de')
    curation.accept(settings, propose(settings, Draft(body)), None)
    again = curation.rebase(settings, first, "tok")
    assert (again.author, again.reason, again.base) == ("Ada", "a reason", 2)
    assert len(proposals.change(settings.store, first).added) == 1
    assert len(proposals.change(settings.store, again.number).added) == 2
    assert proposals.update(settings.store, again.number) == update
    assert proposals.events(settings.store, first)[-1].comment.endswith(f"proposal {again.number}.")


def test_what_others_have_changed_is_not_proposed_again(settings: Settings) -> None:
    """It is told instead; the draft that is left has no removal of what is gone."""
    first, second = propose(settings, renamed("x")), propose(settings, renamed("y"))
    curation.accept(settings, first, None)
    with pytest.raises(errors.Conflict, match='replaced by "x"@de in change 2 by Ada'):
        curation.rebase(settings, second, None)
    left = patch.read(curation.redraft(settings, second).additions)
    assert [len(part) for part in left] == [1, 0]
    with pytest.raises(errors.Conflict, match="accepted already"):
        curation.rebase(settings, first, None)


def test_a_proposal_that_empties_the_graph(checkout: Settings) -> None:
    """What describes the graph itself stays, or nothing is made; what is accepted comes back."""
    everything = "DELETE {{ GRAPH ?g {{ ?s ?p ?o }} }} WHERE {{ GRAPH ?g {{ ?s ?p ?o }} {} }}"
    with pytest.raises(errors.InvalidRequest, match="belongs to"):
        propose(checkout, Draft(everything.format(""), extension="ru"))
    register = everything.format(f"FILTER(?g = <{vocab.SOURCE_GRAPH.value}>)")
    number = propose(checkout, Draft(register, extension="ru"))
    with pytest.raises(errors.WriteRefused):
        curation.accept(checkout, number, None)
    passages = everything.format('FILTER(CONTAINS(STR(?g), "#line="))')
    number = propose(checkout, Draft(passages, extension="ru"))
    found = curation.look(checkout, number)
    assert {one["rule"] for one in found["new"]} == {"passage-empty"}
    curation.accept(checkout, number, None)
    assert names(checkout) == set()
    curation.rollback(checkout, "1", "op")
    assert names(checkout) == {"18. IntMK"}
    assert store.is_current(checkout.root, checkout.store)

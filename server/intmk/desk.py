"""The commands of curators: propose, review, history, diff, rollback."""

import getpass
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from intmk import curation, drafts, journal, patch, proposals, record, settings, turtle, vocab
from intmk.drafts import Draft
from intmk.errors import GraphError, SourceSyntaxError, WriteRefused
from intmk.options import ROOT, STORE
from intmk.patch import Patch
from intmk.report import Language
from intmk.settings import Settings

_BY = click.option("--as", "by", metavar="NAME", help="Who decides; by default the user's name.")
_LANG = click.option(
    "--lang", type=click.Choice(["de", "en"]), default="en", show_default=True,
    help="Language of the messages.",
)  # fmt: skip


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--author", required=True, help="Whose proposal it is.")
@click.option("--reason", required=True, help="Why the change should be made.")
@click.option("--source", "sources", multiple=True, help="What it rests on; may be repeated.")
@click.option(
    "--removals", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the statements that are to go.",
)  # fmt: skip
@click.option(
    "--replaces", metavar="data/NAME",
    help="FILE holds all that this file is to say. Understood when FILE stands in data/ itself.",
)  # fmt: skip
@click.option("--update", "is_update", is_flag=True, help="FILE is a SPARQL update, as any .ru is.")
@_LANG
@ROOT
@STORE
def propose(
    file: Path, author: str, reason: str, sources: tuple[str, ...], removals: Path | None,
    replaces: str | None, is_update: bool, lang: Language, root: Path | None,
    store_dir: Path | None,
) -> None:  # fmt: skip
    """Propose the statements of FILE for the graph, and tell what they would do to it.

    FILE is laid out as those in data/ are, in any RDF syntax; or it is an RDF Patch (.rdfp) or a
    SPARQL update (.ru). The proposal waits for a review. Exit code 1: it would break a rule. 2: it
    could not be read, and is not kept.

    \b
    Example:
      intmk propose data/press.trig --author "Ada" --reason "The day was wrong"
    """
    chosen = settings.read({"root": root, "store": store_dir})
    draft = Draft(
        turtle.decode(file.read_bytes(), str(file)),
        turtle.decode(removals.read_bytes(), str(removals)) if removals else "",
        drafts.UPDATE if is_update else file.suffix.lstrip(".") or "trig",
        replaces or _own_name(file, chosen.root),
        (str(file), str(removals)),
    )
    try:
        made = curation.propose(chosen, draft, author, reason, sources, getpass.getuser())
    except SourceSyntaxError as error:
        _tell_errors(error, lang)
        raise
    click.echo("\n".join(_shown(chosen, made.number, lang, False)))
    found = curation.look(chosen, made.number)
    sys.exit(int(any(one["severity"] == "error" for one in found["new"])))


def _tell_errors(error: SourceSyntaxError, lang: Language) -> None:
    """Tell all errors of a file but the first, which is told at the end."""
    found: Any = error.extra.get("findings", [])
    for one in found[1:]:
        click.echo(_line(one, lang), err=True)


def _own_name(file: Path, root: Path) -> str:
    """Return the name of a file of the root's data, "" for any other."""
    path = file.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root / "data") else ""


@click.command()
@click.argument("number", type=int, required=False)
@click.option("--accept", "decision", flag_value="accept", help="Make the change.")
@click.option("--reject", "decision", flag_value="reject", help="Decide against it.")
@click.option(
    "--rebase", "decision", flag_value="rebase",
    help="Propose it again on the graph as it is; an update is evaluated anew.",
)  # fmt: skip
@click.option("--comment", default="", help="What to tell the author.")
@click.option("--known", is_flag=True, help="List what was wrong before the proposal, too.")
@_BY
@_LANG
@ROOT
@STORE
def review(
    number: int | None, decision: str | None, comment: str, known: bool, by: str | None,
    lang: Language, root: Path | None, store_dir: Path | None,
) -> None:  # fmt: skip
    """List the proposals, show one, decide it, or propose it again.

    Exit code 1: the proposal breaks a rule and was not made. 2: it fits no more, because others
    have changed the same.

    \b
    Example:
      intmk review 3 --accept --comment "Checked in the press release"
    """
    chosen = settings.read({"root": root, "store": store_dir})
    if number is None:
        if decision:
            raise click.UsageError("Which proposal? Give its number.")
        for one, state in proposals.every(chosen.store):
            click.echo(f"{one.number:>5}  {state:<11}  {one.time}  {one.author}: {one.reason}")
    elif decision == "accept":
        _accept(chosen, number, by or getpass.getuser(), comment, lang)
    elif decision == "reject":
        curation.reject(chosen, number, by or getpass.getuser(), comment)
        click.echo(f"Proposal {number} is rejected.")
    else:
        if decision == "rebase":
            number = curation.rebase(chosen, number, by or getpass.getuser()).number
        click.echo("\n".join(_shown(chosen, number, lang, known)))


def _accept(chosen: Settings, number: int, by: str, comment: str, lang: Language) -> None:
    try:
        made = curation.accept(chosen, number, by, comment)
    except WriteRefused as error:
        findings: Any = error.extra["findings"]
        for one in findings:
            click.echo(_line(one, lang), err=True)
        click.echo(f"intmk: Proposal {number} breaks a rule; nothing was changed.", err=True)
        sys.exit(1)
    click.echo(f"Proposal {number} is accepted: change {made.number}, version {made.version}.")


def _line(finding: dict[str, Any], lang: Language) -> str:
    place = ":".join(str(finding[part]) for part in ("file", "line", "column") if finding[part])
    said = f"{finding['severity']}: {finding[f'message_{lang}']}"
    return f"{place}: {said}" if finding["line"] else said


def _shown(chosen: Settings, number: int, lang: Language, has_known: bool) -> Iterator[str]:
    """Yield the lines that tell all about a proposal."""
    one, found = proposals.get(chosen.store, number), curation.look(chosen, number)
    yield f"Proposal {number}, {proposals.state(chosen.store, number)}, {one.time}"
    yield f"by {one.author}: {one.reason}"
    yield f"for version {one.base}, looked at with version {found['number']}"
    yield from (f"source: {source}" for source in one.sources)
    yield from _rows(proposals.change(chosen.store, number), vocab.prefixes(chosen.root))
    yield from (_line(finding, lang) for finding in found["new"])
    if not found["new"]:
        yield "breaks no rule"
    yield from _already(number, found, lang, has_known)
    yield from (f"creates {iri}" for iri in found["created"])
    for query in found["queries"]:
        yield f"changes {query['stem']}: {query['added']} rows come, {query['removed']} go"
    for event in proposals.events(chosen.store, number):
        said = f": {event.comment}" if event.comment else ""
        yield f"{event.kind} {event.time} by {event.by or 'nobody known'}{said}"


def _already(number: int, found: dict[str, Any], lang: Language, is_wanted: bool) -> Iterator[str]:
    """Yield what is wrong without the proposal, or how to have it listed."""
    count = found.get("known_count", len(found["known"]))
    if count and not is_wanted:
        yield f"{count} findings were there already: intmk review {number} --known"
    elif count:
        yield f"there already: {count}"
        yield from (f"  {_line(finding, lang)}" for finding in found["known"])


def _rows(change: Patch, prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yield the statements that come and go under the passages that make them."""
    rows = [
        (patch.parts(one), sign) for sign, part in zip("+-", change, strict=True) for one in part
    ]
    passage = None
    for parts, sign in sorted(rows, key=lambda row: (row[0].graph, row[0][:2], row[1] == "+")):
        if parts.graph != passage:
            passage = parts.graph
            yield f"in {_short(passage, prefixes)}"
        yield f"  {sign} {' '.join(_short(term, prefixes) for term in parts[:3])}"


def _short(term: str, prefixes: Mapping[str, str]) -> str:
    """Return a term of N-Triples as a file of data/ would have it, its IRIs shortened."""
    text, mark, datatype = term.rpartition("^^") if term.startswith('"') else ("", "", term)
    if datatype.startswith("<"):
        datatype = vocab.shrink(datatype[1:-1], prefixes)
    return text + mark + datatype


@click.command()
@click.argument("number", type=int, required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@_LANG
@ROOT
@STORE
def history(
    number: int | None, limit: int, lang: Language, root: Path | None, store_dir: Path | None
) -> None:  # fmt: skip
    """List the changes, the newest first: number, time, version, size, who and why.

    With NUMBER one change, and the warnings that were let through with it.

    \b
    Example:
      intmk history --limit 5
      intmk history 3
    """
    folder = settings.read({"root": root, "store": store_dir}).store
    found = journal.records(folder)[::-1]
    if number is None:
        click.echo("".join(f"{_entry(folder, one)}\n" for one in found[:limit]), nl=False)
        return
    record.text(folder, number)
    click.echo(
        "".join(f"{_entry(folder, one)}\n" for one in found if one.number == number), nl=False
    )
    for finding in record.findings(folder, number):
        click.echo(f"{finding.severity}: {finding.message(lang)} [{finding.short_rule}]")


def _entry(folder: Path, one: journal.Record) -> str:
    who = one.author or one.by or ""
    why = f"{who}: {one.reason}" if who and one.reason else who or one.reason or ""
    line = f"{one.number:>5}  {one.time}  {one.id}  {_size(folder, one):>13}  {one.kind:<8}"
    warnings = f"({one.findings} warning{'s' if one.findings > 1 else ''})" if one.findings else ""
    return "  ".join(part for part in (line, why, warnings) if part).rstrip()


def _size(folder: Path, one: journal.Record) -> str:
    """Return how many statements came and went."""
    try:
        change = record.change(folder, one.number)
    except GraphError:
        return "not recorded"
    return f"+{len(change.added)} -{len(change.removed)}"


@click.command()
@click.argument("first", metavar="V1")
@click.argument("last", metavar="V2")
@ROOT
@STORE
def diff(first: str, last: str, root: Path | None, store_dir: Path | None) -> None:
    """Write what leads from one version to another as an RDF Patch.

    Versions are given by number or id, and need not be kept any more.

    \b
    Example:
      intmk diff 3 5
    """
    chosen = settings.read({"root": root, "store": store_dir})
    change = curation.difference(chosen, first, last)
    click.echo(patch.write(change, {}), nl=False)


@click.command()
@click.argument("version", metavar="V")
@click.option("--reason", default="", help="Why.")
@_BY
@ROOT
@STORE
def rollback(
    version: str, reason: str, by: str | None, root: Path | None, store_dir: Path | None
) -> None:
    """Make the graph say again what it said in version V (number or id), by a new change.

    Nothing is erased: the versions in between keep their numbers and can be had back the same way.
    On a checkout the files follow.

    \b
    Example:
      intmk rollback 3 --reason "Change 4 rests on a misread line"
    """
    chosen = settings.read({"root": root, "store": store_dir})
    made = curation.rollback(chosen, version, by or getpass.getuser(), reason)
    click.echo(f"Change {made.number}, version {made.version}.")


COMMANDS = (propose, review, history, diff, rollback)

"""The command line: build, validate, query, export, format and serve the graph.

Exit codes: 0 done or conforms, 1 does not conform, 2 could not be done. A user sees one line that
says what was wrong, never a stack trace.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import click
from pyoxigraph import DefaultGraph, QueryBoolean, QuerySolutions, QueryTriples, RdfFormat, Store

from intmk import (
    backups,
    catalogue,
    desk,
    filing,
    gate,
    replica,
    results,
    settings,
    sparql,
    store,
    tokens,
    validation,
    vocab,
)
from intmk.canonical import format_file
from intmk.errors import BuildRefused, GraphError, NotAcceptable, SourceSyntaxError
from intmk.formats import GRAPHS, RESULTS
from intmk.options import ROOT, STORE
from intmk.progress import Bar
from intmk.report import Report
from intmk.reporting import RENDERERS, render, render_text, summary
from intmk.results import Answer
from intmk.sources import collect

EXPORTS = {
    "nq": RdfFormat.N_QUADS,
    "trig": RdfFormat.TRIG,
    "ttl": RdfFormat.TURTLE,
    "nt": RdfFormat.N_TRIPLES,
    "jsonld": RdfFormat.JSON_LD,
    "rdf": RdfFormat.RDF_XML,
}
ANSWERS = [name for row in (*RESULTS, *GRAPHS) for name in row.names]


class Group(click.Group):
    """A group whose commands end in one line on stderr and exit code 2 when they fail."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what this project raises into a message."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has gone: click ends quietly
        except BuildRefused as error:
            report = cast(Report, error.report)
            click.echo(render(report), nl=False, err=True)
            click.echo(f"intmk: {error}", err=True)
            ctx.exit(report.exit_code)
        except (GraphError, settings.SettingError) as error:
            click.echo(f"intmk: {error}", err=True)
            ctx.exit(2)
        except OSError as error:
            said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            click.echo(f"intmk: {said}", err=True)
            ctx.exit(2)
        except UnicodeDecodeError:
            click.echo("intmk: the query is not UTF-8.", err=True)
            ctx.exit(2)
        except SyntaxError as error:  # every other file is read by ``sources``
            click.echo(f"intmk: {vocab.PREFIXES_FILE}: {error.msg}", err=True)
            ctx.exit(2)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="intmk-graph", prog_name="intmk")
def main() -> None:
    """Build, check, query, curate and serve the graph of German integration-policy conferences."""


for command in desk.COMMANDS:
    main.add_command(command)


@main.command()
@click.option(
    "--discard-updates", is_flag=True, help="Build even if the store was written to since."
)
@ROOT
@STORE
def build(discard_updates: bool, root: Path | None, store_dir: Path | None) -> None:
    """Check the files and make a version of the graph from them.

    Files that break a rule are reported with file, line and column, and nothing is built (exit
    code 1). The same files always give the same version. Updates made over HTTP since the last
    build are not in the files: a build that would take them back needs --discard-updates.

    \b
    Example:
      intmk build
    """
    chosen = settings.read({"root": root, "store": store_dir})
    _catch_up(chosen)
    version = _build(chosen, discard_updates)
    state = "is now current" if version.new else "is current already; nothing has changed"
    click.echo(f"Version {version.id} ({version.quads} quads) {state}.")


def _catch_up(chosen: settings.Settings) -> None:
    """Bring what was accepted before a crash into the files; who cannot is told, and goes on."""
    try:
        for name in filing.catch_up(chosen):
            click.echo(f"intmk: {name} now has what was accepted before.", err=True)
    except (GraphError, OSError) as error:
        click.echo(f"intmk: what was accepted cannot be filed: {error}", err=True)


def _build(chosen: settings.Settings, discard_updates: bool = False) -> store.Version:
    with Bar() as bar:
        check = partial(validation.validate, progress=bar)
        return store.build(
            chosen.root,
            chosen.store,
            check,
            bar,
            keep=chosen.keep_versions,
            discard_updates=discard_updates,
        )


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(list(RENDERERS)), default="text", show_default=True
)
@click.option(
    "--lang", type=click.Choice(["de", "en"]), default="en", show_default=True,
    help="Language of the messages.",
)  # fmt: skip
@ROOT
def validate(files: tuple[Path, ...], form: str, lang: Any, root: Path | None) -> None:
    """Check RDF files against the ontology, the shapes and the accepted graph.

    A file in data/ is checked as it stands; any other as if its statements were accepted. A folder
    stands for the Turtle and TriG files below it. Exit code 0: conforms, warnings allowed; 1: does
    not; 2: a file could not be checked.

    \b
    Example:
      intmk validate --lang de --format text proposal.ttl
    """
    chosen = settings.read({"root": root})
    kept = chosen.store / gate.REACH if chosen.store.is_dir() else None
    paths = list(_rdf_files(files))
    if not paths:
        raise click.UsageError("The folder holds no file in Turtle or TriG.")
    report = validation.validate(collect(chosen.root), paths, kept=kept)
    if form == "text":
        is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        click.echo(render_text(report, lang, is_coloured), nl=False, color=is_coloured)
        click.echo(summary(report, lang), err=True)
    else:
        click.echo(render(report, form, lang), nl=False)
    sys.exit(report.exit_code)


@main.command()
@click.argument("source", metavar="NAME|FILE|-")
@click.option(
    "--param", "params", metavar="KEY=VALUE", multiple=True, help="Give a parameter its value."
)
@click.option(
    "--format", "form", type=click.Choice(["table", *ANSWERS]), metavar="FORMAT",
    help="table, csv, tsv, json, xml; for graphs ttl, nt, jsonld, rdf. Default: table or ttl.",
)  # fmt: skip
@ROOT
@STORE
def query(
    source: str,
    params: tuple[str, ...],
    form: str | None,
    root: Path | None,
    store_dir: Path | None,
) -> None:
    """Answer a SPARQL query: one of queries/ by name, a file, or - for standard input.

    A file is told by its name, which ends in .rq. The prefixes of ontology/prefixes.ttl need no
    declaration. Without a built version one is built first.

    \b
    Example:
      echo 'SELECT ?body { ?body a intmk:ConferenceBody }' | intmk query - --format csv
    """
    chosen = settings.read({"root": root, "store": store_dir})
    text = _query_text(source, params, chosen.root)
    if store.current_version(chosen.store) is None:
        _build(chosen)
    answer = _answer(store.open_current(chosen.store), text, vocab.prefixes(chosen.root))
    _write_answer(answer, form, vocab.prefixes(chosen.root))


def _query_text(source: str, params: tuple[str, ...], root: Path) -> str:
    """Return the text of a query; only those of the catalogue have parameters."""
    if source != "-" and Path(source).suffix != ".rq":
        values = dict(_pair(param) for param in params)
        return catalogue.bind(catalogue.load(root)[source], values)
    if params:
        raise click.UsageError("Only queries of the catalogue, given by name, have parameters.")
    return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")


def _pair(param: str) -> tuple[str, str]:
    name, equals, value = param.partition("=")
    if not equals:
        raise click.BadParameter(f"{param!r} is not KEY=VALUE.", param_hint="--param")
    return name, value


def _answer(opened: Store, text: str, prefixes: dict[str, str]) -> Answer:
    def run(text: str) -> Answer:
        return opened.query(text, prefixes=prefixes)

    sparql.refuse_service(text)
    try:
        return run(text)
    except SyntaxError as error:
        raise sparql.explain(text, prefixes, run, error) from error


def _write_answer(answer: Answer, form: str | None, prefixes: dict[str, str]) -> None:
    graph = isinstance(answer, QueryTriples)
    if not isinstance(answer, QueryTriples) and form in (None, "table"):
        click.echo("\n".join(_table(answer, prefixes)))
        return
    offered = GRAPHS if graph else RESULTS
    rows = [row for row in offered if (form or "ttl") in row.names]
    if not rows:
        names = ", ".join(row.extension for row in offered)
        raise NotAcceptable(f"This answer cannot be written as {form}.", hint=f"Try {names}.")
    results.write(answer, rows[0], sys.stdout.buffer)


def _table(answer: QuerySolutions | QueryBoolean, prefixes: dict[str, str]) -> Iterator[str]:
    """Yield the lines of a table; IRIs are shortened, and nothing is cut."""
    if isinstance(answer, QueryBoolean):
        yield "yes" if answer else "no"
        return
    head = [variable.value for variable in answer.variables]
    rows = [head, *([_cell(term, prefixes) for term in solution] for solution in answer)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield "  ".join("─" * width for width in widths)


def _cell(term: Any, prefixes: dict[str, str]) -> str:
    if term is None:
        return ""
    return vocab.shrink(term.value, prefixes) if str(term).startswith("<") else str(term.value)


@main.command()
@click.option(
    "--format", "form", type=click.Choice(list(EXPORTS)), default="nq",
    help="nq or trig: everything with its passages; ttl, nt, jsonld, rdf: the default graph.",
    show_default=True,
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: stdout.")
@ROOT
@STORE
def export(form: str, output: Path | None, root: Path | None, store_dir: Path | None) -> None:
    """Write the whole current version, building one first if there is none.

    \b
    Example:
      intmk export --format trig --output graph.trig
    """
    chosen = settings.read({"root": root, "store": store_dir})
    if store.current_version(chosen.store) is None:
        _build(chosen)
    engine = EXPORTS[form]
    graph = None if engine in (RdfFormat.N_QUADS, RdfFormat.TRIG) else DefaultGraph()
    prefixes = vocab.prefixes(chosen.root)
    opened = store.open_current(chosen.store)
    data = opened.dump(format=engine, from_graph=graph, prefixes=prefixes) or b""
    if output:
        output.write_bytes(data)
    else:
        click.echo(data, nl=False)


@main.command("format")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if something would.")
@ROOT
def format_(paths: tuple[Path, ...], check: bool, root: Path | None) -> None:
    """Bring data files into the canonical layout: one sorted statement per line.

    Without PATHS: data/ and ontology/themes.ttl. A file that would lose something by it (a blank
    node, a comment inside) is reported and left alone.

    \b
    Example:
      intmk format data --check
    """
    chosen = settings.read({"root": root}).root
    prefixes = vocab.prefixes(chosen)
    worst = 0
    for path in _rdf_files(paths or (chosen / "data", chosen / "ontology" / "themes.ttl")):
        try:
            if format_file(path, check, prefixes):
                click.echo(f"{path}: {'is not canonical' if check else 'formatted'}")
                worst = max(worst, int(check))
        except SourceSyntaxError as error:
            click.echo(str(error), err=True)
            worst = 2
    sys.exit(worst)


def _rdf_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix in (".ttl", ".trig"))
        else:
            yield path


@main.command()
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@STORE
def backup(target: Path, store_dir: Path | None) -> None:
    """Write the current version, its history and the tokens' hashes into one file.

    In a directory the file is named after the version. The server may go on.

    \b
    Example:
      intmk backup graph.tar.gz
    """
    chosen = settings.read({"store": store_dir})
    click.echo(f"{backups.backup(chosen.store, target)} holds the current version.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@STORE
def restore(file: Path, store_dir: Path | None) -> None:
    """Make the version in a backup the current one.

    A store without versions gets their history and the tokens as well.

    \b
    Example:
      intmk restore graph.tar.gz
    """
    chosen = settings.read({"store": store_dir})
    version = backups.restore(
        chosen.store, file, keep=chosen.keep_versions, wait_s=chosen.write_wait_s
    )
    state = "is now current" if version.new else "is current already"
    click.echo(f"Version {version.id} ({version.quads} quads) {state}.")


@main.command()
@click.argument("origin", metavar="URL")
@click.option("--watch", is_flag=True, help="Go on, and copy each new version.")
@click.option(
    "--discard-updates", is_flag=True, help="Copy even if the store was written to since."
)
@STORE
def replicate(origin: str, watch: bool, discard_updates: bool, store_dir: Path | None) -> None:
    """Make the current version of another server of this kind the current one here.

    It is fetched only if it is not current already, and published when it is proved to be what its
    id says. A server on the same store follows at once.

    \b
    Example:
      intmk replicate https://graph.example.org/ --store copy
    """
    chosen = settings.read({"store": store_dir, "follow": origin})
    version = replica.replicate(chosen, discard_updates=discard_updates)
    name = version.id if version else store.current_version(chosen.store)
    click.echo(f"Version {name} is {'now current' if version else 'current already'}.")
    if watch:
        replica.follow(chosen)


@main.group()
def token() -> None:
    """Make, list and revoke the tokens with which clients may write.

    \b
    Example:
      intmk token create ada
    """


@token.command("create")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(tokens.SCOPES), default="write", show_default=True,
    help="What the token allows, each including those before it.",
)  # fmt: skip
@click.option("--expires", metavar="DAYS", type=click.FloatRange(min=0), help="Default: never.")
@STORE
def token_create(name: str, scope: str, expires: float | None, store_dir: Path | None) -> None:
    """Make a token and print it; it is shown this once and stored nowhere."""
    click.echo(tokens.create(settings.read({"store": store_dir}).store, name, scope, expires))


@token.command("list")
@STORE
def token_list(store_dir: Path | None) -> None:
    """List the tokens: name, scope, and since and until when."""
    for one in tokens.tokens(settings.read({"store": store_dir}).store):
        until = f"until {one.expires}" if one.expires else "without end"
        state = " (over)" if one.has_expired else ""
        click.echo(f"{one.name}  {one.scope}  from {one.created} {until}{state}")


@token.command("revoke")
@click.argument("name")
@STORE
def token_revoke(name: str, store_dir: Path | None) -> None:
    """Revoke a token at once."""
    tokens.revoke(settings.read({"store": store_dir}).store, name)
    click.echo(f"The token {name} is revoked.")


@main.command()
@click.option("--host", help="Address to listen on (INTMK_HOST; default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (INTMK_PORT; default 8000).")
@ROOT
@click.option(
    "--store", "place", metavar="DIR|URL", envvar="INTMK_STORE",
    help="Folder of the built versions, or a SPARQL 1.1 endpoint to ask instead (INTMK_STORE).",
)  # fmt: skip
@click.option("--follow", metavar="URL", help="Serve a copy of another server (INTMK_FOLLOW).")
def serve(
    host: str | None, port: int | None, root: Path | None, place: str | None, follow: str | None
) -> None:
    """Serve the graph over HTTP, building it first if its files have changed.

    A graph that was written to since it was built is served as it is: nothing takes that back but
    intmk build --discard-updates.

    \b
    Example:
      intmk serve --port 8080
      intmk serve --store https://example.org/sparql
    """
    from intmk import serving  # the only command that needs the HTTP side

    name = "remote" if settings.is_address(place) else "store"
    environ = {key: value for key, value in os.environ.items() if key != "INTMK_STORE"}
    chosen = settings.read(
        {"host": host, "port": port, "root": root, "follow": follow, name: place}, environ
    )
    if chosen.remote and chosen.follow:
        raise click.UsageError("--follow keeps a store, which an address as --store replaces.")
    if chosen.remote:
        click.echo(f"Asking {settings.shown(chosen.remote)}, at {chosen.public_url}")
    else:
        (replica.prepare if chosen.follow else _prepare)(chosen)
        click.echo(f"Version {store.current_version(chosen.store)} at {chosen.public_url}")
    serving.serve(chosen)


def _prepare(chosen: settings.Settings) -> None:
    """Build what is to be served, unless that would take something back."""
    _catch_up(chosen)
    if store.is_written(chosen.store):
        if not store.is_built_from(chosen.root, chosen.store):
            click.echo(f"intmk: the graph holds updates; changes in {chosen.root} wait.", err=True)
    elif not store.is_current(chosen.root, chosen.store):
        _build(chosen)

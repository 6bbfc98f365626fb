"""The commands: what they print, how they end, and that they are documented."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from pyoxigraph import NamedNode, Quad, RdfFormat, parse
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from intmk import journal, store, tokens
from intmk.cli import main
from intmk.rules import RULES

DOCS = (Path(__file__).resolve().parents[1] / "docs" / "cli.md").read_text()
PRESS = "data/press.trig"
WRONG = "<https://w3id.org/intmk/id/conference/b> <https://w3id.org/intmk/ontology#{}> 1 .\n"


@pytest.fixture
def run(root, tmp_path, monkeypatch):
    """Return a function that runs a command on the small root."""
    monkeypatch.setenv("INTMK_ROOT", str(root))
    monkeypatch.setenv("INTMK_STORE", str(tmp_path / "var"))

    def run(*arguments: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, [str(one) for one in arguments], stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    return run


def test_build_says_what_it_made(run):
    """The version and its size; the second time, that nothing has changed."""
    first = run("build")
    assert first.exit_code == 0
    assert re.fullmatch(r"Version [0-9a-f]{16} \(\d+ quads\) is now current\.\n", first.stdout)
    assert "nothing has changed" in run("build").stdout


def test_build_refuses_with_the_report(run, change):
    """The findings and one line on stderr, exit code 1."""
    change(PRESS, "  conference:intmk-18 intmk:ordinal 18 .\n", "")
    result = run("build")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert (
        "data/press.trig:23:3: error: “18. IntMK” (conference:intmk-18): A conference"
        in result.stderr
    )
    assert result.stderr.splitlines()[-1].startswith("intmk: The graph was not built: 1 ")


def test_build_refuses_what_is_no_root(run, tmp_path):
    """A folder without the files of a graph is told, exit code 2."""
    result = run("build", "--root", tmp_path)
    assert result.exit_code == 2
    assert "no folder ontology or shapes or data" in result.stderr


def test_validate_three_mistakes(run, tmp_path):
    """Three different mistakes are three lines, exit code 1."""
    path = tmp_path / "three.ttl"
    path.write_text(
        WRONG.format("wrongTerm")
        + WRONG.format("earliest").replace(
            " 1 .", ' "1"^^<http://www.w3.org/2001/XMLSchema#date> .'
        )
        + "<https://w3id.org/intmk/id/conference/b> a <https://w3id.org/intmk/ontology#Conference> "
        + ';\n  <http://www.w3.org/2000/01/rdf-schema#label> "b"@de .\n'
    )
    result = run("validate", path)
    assert result.exit_code == 1
    found = [line.removeprefix(f"{path}:") for line in result.stdout.splitlines()]
    assert [(line.split(":")[0], line.rpartition("[")[2]) for line in found] == [
        ("1", "Conference-ordinal]"),
        ("1", "unknown-term]"),
        ("2", "ill-typed-literal]"),
    ]


def test_validate_what_is_not_rdf(run, tmp_path):
    """Exit code 2, with line and column."""
    path = tmp_path / "prose.ttl"
    path.write_text("<a:s> <a:p>\n  foo .")
    result = run("validate", path)
    assert result.exit_code == 2
    assert result.stdout.startswith(f"{path}:2:3: error: This is not RDF: ")


def test_validate_a_missing_file(run):
    """Exit code 2 and the name of the file."""
    result = run("validate", "none.ttl")
    assert result.exit_code == 2
    assert result.stdout.startswith("none.ttl: error: Cannot be checked: ")


def test_validate_a_folder(run, root, tmp_path):
    """All files below it; one without files is an error, and not the whole root."""
    below = root / "data" / "below"
    below.mkdir()
    (below / "wrong.trig").write_text("oops")
    result = run("validate", root / "data")
    assert result.exit_code == 2
    assert "below/wrong.trig:1:1: error: " in result.stdout
    (tmp_path / "empty").mkdir()
    assert "holds no file" in run("validate", tmp_path / "empty").stderr


def test_validate_what_conforms(run, root):
    """Exit code 0, nothing on stdout, and a word on stderr."""
    result = run("validate", root / PRESS, root / "ontology" / "intmk.ttl")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Everything is in order.\n")


@pytest.mark.parametrize(
    ("form", "opening"), [("json", "{"), ("turtle", "@prefix"), ("sarif", "{"), ("text", "/")]
)
def test_validate_formats(run, tmp_path, form, opening):
    """Each format is printed alone on stdout, with the same exit code."""
    path = tmp_path / "one.ttl"
    path.write_text(WRONG.format("wrongTerm"))
    result = run("validate", "--format", form, "--lang", "de", path)
    assert result.exit_code == 1
    assert result.stdout.startswith(opening)
    assert "nicht erklärt" in result.stdout
    assert ("Fehler: 1" in result.stderr) == (form == "text")


def test_query_from_stdin_builds_first(run):
    """A table with short names; the common prefixes need no declaration."""
    result = run("query", "-", stdin="SELECT ?c ?n { ?c intmk:ordinal ?n }")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["c", "n"],
        ["───────────────────", "──"],
        ["conference:intmk-18", "18"],
    ]


def test_query_by_name_and_parameter(run):
    """A query of the catalogue is found by its name and takes its parameters."""
    by_default = run("query", "list-bodies", "--format", "csv")
    assert by_default.stdout.splitlines() == ["body", "https://w3id.org/intmk/id/body/intmk"]
    other = run("query", "list-bodies", "--param", "kind=intmk:TextDocument", "--format", "csv")
    assert other.stdout.splitlines() == ["body", "https://w3id.org/intmk/source/press"]


def test_query_from_a_file(run, tmp_path):
    """A file is told by its ending; an unbound variable is an empty cell."""
    path = tmp_path / "mine.rq"
    path.write_text("SELECT ?b ?nothing { ?b a intmk:ConferenceBody }")
    assert run("query", path).stdout.splitlines()[2] == "body:intmk"


@pytest.mark.parametrize(
    ("query", "form", "expected"),
    [
        ("ASK {}", "table", "yes\n"),
        ("ASK { FILTER(false) }", "table", "no\n"),
        ("ASK {}", "json", '{"head":{},"boolean":true}'),
        ("SELECT (1 AS ?one) {}", "tsv", "?one\n1\n"),
        ("CONSTRUCT { body:intmk a kind:x } {}", "nt", "<https://w3id.org/intmk/id/body/intmk> "),
    ],
)
def test_query_formats(run, query, form, expected):
    """Rows, truth values and graphs in the format asked for."""
    result = run("query", "-", "--format", form, stdin=query)
    assert result.exit_code == 0
    assert result.stdout.startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["-"], "SELECT ?s {\n ?s nope:x ?o }", "intmk: line 2, column 5: "),
        (["-"], "INSERT DATA { <a:s> <a:p> 1 }", "intmk: Updates are not offered"),
        (["-"], "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", "other servers"),
        (["none"], "", "intmk: Not found: There is no query named 'none'"),
        (["none.rq"], "", "intmk: none.rq: No such file or directory"),
        (["-", "--format", "table"], "CONSTRUCT { <a:s> a <a:o> } {}", "intmk: No acceptable"),
        (["-", "--format", "csv"], "CONSTRUCT { <a:s> a <a:o> } {}", "intmk: No acceptable"),
        (["list-bodies", "--param", "kind"], "", "'kind' is not KEY=VALUE."),
        (["list-bodies", "--param", "x=1"], "", "has no parameter 'x'"),
        (["-", "--param", "x=1"], "", "Only queries of the catalogue"),
    ],
)
def test_query_errors(run, arguments, stdin, message):
    """Each mistake is one clear message, exit code 2."""
    result = run("query", *arguments, stdin=stdin)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("form", ["nq", "trig", "ttl", "nt", "jsonld", "rdf"])
def test_export(run, tmp_path, form):
    """Dataset formats hold the passages, graph formats what is accepted; file or stdout."""
    path = tmp_path / f"out.{form}"
    assert run("export", "--format", form, "--output", path).stdout == ""
    text = run("export", "--format", form).stdout
    exported = list(parse(text, RdfFormat.from_extension(form)))
    assert len(exported) == len(list(parse(path=path)))
    claims = [q for q in exported if q.predicate.value.endswith("#ordinal")]
    values = sorted({quad.object.value for quad in claims})
    assert values == (["17", "18"] if form in ("nq", "trig") else ["18"])


def test_format_and_check(run, root):
    """With check a changed file is told and left; without, it is brought into order."""
    path = root / PRESS
    neat = path.read_text()
    assert run("format").exit_code == 0
    path.write_text(neat + "\n\n")
    checked = run("format", "--check")
    assert (checked.exit_code, checked.stdout) == (1, f"{path}: is not canonical\n")
    assert run("format", root / "data").stdout == f"{path}: formatted\n"
    assert path.read_text() == neat


def test_format_leaves_what_it_would_spoil(run, root):
    """A comment among the statements is told with its line; the file stays as it is."""
    path = root / PRESS
    path.write_text(path.read_text() + "# later\n")
    result = run("format", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}:33:1: ")
    assert path.read_text().endswith("# later\n")


def test_broken_prefixes_and_latin_1_are_told(run, root, tmp_path):
    """A prefix file or a query that cannot be read is one line, exit code 2."""
    run("build")
    query = tmp_path / "latin.rq"
    query.write_bytes(b"ASK { ?s ?p '\xe4' }")
    assert run("query", query).stderr == "intmk: the query is not UTF-8.\n"
    (root / "ontology" / "prefixes.ttl").write_text("nothing")
    result = run("query", "-", stdin="ASK {}")
    assert result.exit_code == 2
    assert result.stderr.startswith("intmk: ontology/prefixes.ttl: ")


def test_a_wrong_setting_is_told(run, monkeypatch):
    """A variable that cannot be read is named, exit code 2."""
    monkeypatch.setenv("INTMK_PORT", "eighty")
    result = run("build")
    assert result.exit_code == 2
    assert "INTMK_PORT" in result.stderr


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_serve_builds_and_answers(root, tmp_path):
    """One command from files to an answer over HTTP; it ends when it is told to."""
    port, var = free_port(), tmp_path / "var"
    command = ["serve", "--port", str(port), "--root", str(root), "--store", str(var)]
    arguments = [sys.executable, "-c", "from intmk.cli import main; main()", *command]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            line = server.stdout.readline()
            assert re.fullmatch(rf"Version [0-9a-f]{{16}} at http://127.0.0.1:{port}\n", line)
            with Session() as session:
                patient = HTTPAdapter(max_retries=Retry(connect=30, backoff_factor=0.05))
                session.mount("http://", patient)
                query = {"query": "ASK { conference:intmk-18 intmk:ordinal 18 }"}
                answer = session.get(f"http://127.0.0.1:{port}/sparql", params=query, timeout=10)
            assert answer.json()["boolean"] is True
        finally:
            server.terminate()
        assert server.wait() == 0


def test_only_serve_needs_the_http_side():
    """Validation starts without Flask and the WSGI server."""
    code = "import sys, intmk.cli; print([m for m in ('flask', 'granian') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_version():
    """The version is that of the package."""
    result = CliRunner().invoke(main, ["--version"])
    assert re.fullmatch(r"intmk, version \d+\.\d+\.\d+\n", result.stdout)


COMMANDS = sorted(main.commands.items())


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_commands_are_documented(name, command: click.Command):
    """docs/cli.md has a section with an example for each command, and names each option."""
    section = DOCS.partition(f"## intmk {name}\n")[2].partition("\n## ")[0]
    assert f"\nintmk {name}" in section
    common = DOCS.partition("\n## ")[0]
    for option in command.params:
        if isinstance(option, click.Option):
            assert any(flag in section or flag in common for flag in option.opts)


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_help_ends_in_an_example(name, command: click.Command):
    """Each command's help carries an example that can be pasted, with options that exist."""
    example = (command.help or "").partition("Example:\n")[2].strip()
    assert f"intmk {name}" in example
    known = {flag for option in command.params for flag in option.opts}
    used = set(re.findall(r"--[a-z]+", example.partition(f"intmk {name}")[2]))
    assert used <= known


def test_no_command_is_documented_that_is_not_there():
    """The sections of docs/cli.md are the commands."""
    assert sorted(re.findall(r"^## intmk (\S+)$", DOCS, re.MULTILINE)) == [n for n, _ in COMMANDS]


def test_rules_are_documented():
    """docs/cli.md lists each rule that needs no shape."""
    assert re.findall(r"^\| `([a-z-]+)` \| a", DOCS, re.MULTILINE) == list(RULES)


def test_json_report_is_one_object(run, tmp_path):
    """Several files make one report."""
    for name in ("a.ttl", "b.ttl"):
        (tmp_path / name).write_text(WRONG.format("wrongTerm"))
    result = run("validate", "--format", "json", tmp_path / "a.ttl", tmp_path / "b.ttl")
    body = json.loads(result.stdout)
    assert [Path(one["file"]).name for one in body["findings"]] == ["a.ttl", "b.ttl"]


def written(run, tmp_path):
    """Build the small root and write to it, as a client does; returns the version."""
    run("build")
    with store.exclusive(tmp_path / "var"):
        quads = store.load_current(tmp_path / "var")
        quads.add(Quad(NamedNode("a:s"), NamedNode("a:p"), NamedNode("a:o"), NamedNode("a:g")))
        dump = store.canonical_dump(quads)
        return store.publish(tmp_path / "var", dump, journal.UPDATE).id


def test_build_does_not_take_back_updates(run, tmp_path):
    """It says how to, changes nothing, and does it when told to."""
    version = written(run, tmp_path)
    refused = run("build")
    assert refused.exit_code == 2
    assert "intmk build --discard-updates" in refused.stderr
    assert store.current_version(tmp_path / "var") == version
    assert "is now current" in run("build", "--discard-updates").stdout


def test_serve_keeps_updates(run, tmp_path, root, monkeypatch):
    """What was written is served, and changed files wait, which is said."""
    served = []
    monkeypatch.setattr("intmk.serving.serve", served.append)
    version = written(run, tmp_path)
    for said in ("", f"intmk: the graph holds updates; changes in {root} wait.\n"):
        result = run("serve")
        assert result.stdout.startswith(f"Version {version} at ")
        assert result.stderr == said
        (root / PRESS).write_text((root / PRESS).read_text() + "\n")
    assert len(served) == 2


def test_token_is_made_listed_and_revoked(run, tmp_path):
    """The secret alone on stdout, once; the list has names only."""
    made = run("token", "create", "ada", "--scope", "propose", "--expires", "90")
    secret = made.stdout.strip()
    assert tokens.authorize(tmp_path / "var", f"Bearer {secret}", "propose").name == "ada"
    run("token", "create", "bob", "--expires", "0")
    listed = run("token", "list").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["ada", "propose"], ["bob", "write"]]
    assert [line.endswith("(over)") for line in listed] == [False, True]
    assert secret not in "".join(listed)
    assert run("token", "revoke", "ada").stdout == "The token ada is revoked.\n"
    again = run("token", "revoke", "ada")
    assert (again.exit_code, "no token 'ada'" in again.stderr) == (2, True)


def test_backup_and_restore(run, tmp_path):
    """What was backed up is current again, whatever was built since."""
    version = written(run, tmp_path)
    assert run("backup", tmp_path / "b.tar.gz").exit_code == 0
    run("build", "--discard-updates")
    assert f"Version {version} (" in run("restore", tmp_path / "b.tar.gz").stdout
    assert store.current_version(tmp_path / "var") == version
    (tmp_path / "b.tar.gz").write_text("nonsense")
    damaged = run("restore", tmp_path / "b.tar.gz")
    assert (damaged.exit_code, "not a whole backup" in damaged.stderr) == (2, True)

"""The shapes: each is broken by a case of its own, and each breach is reported as approved.

``shapes/<part>/valid.<thing>.ttl`` conforms. ``invalid.<thing>.<Shape>.txt`` breaks the shape it is
named for: it names one line of the valid case to change ("-", "+", below the line of its subject
where it is not the only one such), and after a blank line the report to expect. ``INTMK_APPROVE=1``
writes the reports anew, to be read as a diff.
"""

import os
import re
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Quad
from rdflib import Graph
from rdflib.namespace import RDF, SH
from rdflib.term import Node, URIRef

from intmk import shacl, sources, vocab

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "shapes"
VALID = sorted(FOLDER.glob("*/valid.*.ttl"))
INVALID = sorted(FOLDER.glob("*/invalid.*.txt"))
CASES = VALID + INVALID
SHAPE_FILES = sorted((ROOT / "shapes").glob("*.ttl"))
PREFIXES = vocab.prefixes(ROOT)
IS_APPROVING = bool(os.environ.get("INTMK_APPROVE")) and not os.environ.get("CI")

shapes = Graph()
for shape_file in SHAPE_FILES:
    shapes.parse(shape_file)


def name(case: Path) -> str:
    """Return the case's name below the folder of cases."""
    return case.relative_to(FOLDER).as_posix()


def valid_of(case: Path) -> Path:
    """Return the valid case that an invalid one is made from."""
    return case.with_name(f"valid.{case.name.split('.')[1]}.ttl")


def shape_of(case: Path) -> str:
    """Return the name of the shape that an invalid case breaks."""
    return case.name.split(".")[2]


def parts(case: Path) -> tuple[str, str]:
    """Return an invalid case's change and its approved report."""
    change, _, report = case.read_text(encoding="utf-8").partition("\n\n")
    return change, report


def broken(case: Path) -> str:
    """Return the text of the valid case with the change of an invalid one made to it."""
    lines = dict.fromkeys(" -+", "")
    for line in parts(case)[0].splitlines():
        assert not lines[line[0]], "one line is changed, not more"
        lines[line[0]] = f"{line[1:]}\n"
    head, subject, rest = valid_of(case).read_text(encoding="utf-8").partition(lines[" "] or "\n")
    before, old, after = rest.partition(lines["-"])
    assert subject, "the line that gives the place is in the valid case"
    assert old, "the line to change is in the valid case"
    return head + subject + before + lines["+"] + after


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[Path, str]:
    """Hold the report of every case, from one run of the shapes over all of them.

    Each case keeps to itself because its names, all with "example", bear its number meanwhile.
    """
    folder = tmp_path_factory.mktemp("cases")
    documents = [read(case, folder / f"{number}.ttl") for number, case in enumerate(CASES)]
    triples = [quad for path in world() for quad in sources.read(path).quads]
    for number, document in enumerate(documents):
        triples += [marked(quad, number) for quad in document.quads]
    lines: list[set[str]] = [set() for _ in CASES]
    for result in shacl.results(triples, shape_texts()):
        number = number_of(result)
        lines[number].add(told(result, documents[number]))
    return {case: "".join(sorted(lines[number])) for number, case in enumerate(CASES)}


def read(case: Path, path: Path) -> sources.Document:
    """Return a case as a document, written to ``path`` when it must be made first."""
    if case in VALID:
        return sources.read(case)
    path.write_text(broken(case), encoding="utf-8")
    return sources.read(path)


def world() -> list[Path]:
    """Return what all cases rest on: the real ontology and themes, and three Länder."""
    return [*sorted((ROOT / "ontology").glob("*.ttl")), FOLDER / "world.ttl"]


def shape_texts() -> list[str]:
    """Return the shapes, and the prefixes their queries use."""
    paths = [*SHAPE_FILES, ROOT / vocab.PREFIXES_FILE]
    return [path.read_text(encoding="utf-8") for path in paths]


def marked(quad: Quad, number: int) -> Quad:
    """Return the triple with a number before every "example" and "Beispiel"."""

    def mark(text: str) -> str:
        return re.sub("(?=example|Beispiel)", f"{number}-", text)

    return Quad(*(with_text(term, mark) for term in (quad.subject, quad.predicate, quad.object)))


def unmarked(text: str) -> str:
    """Return a text as the file of its case has it."""
    return re.sub(r"\d+-(?=example|Beispiel)", "", text)


def with_text(term, change):
    """Return a term of the same kind with its text changed; a blank node or None as it is."""
    if isinstance(term, NamedNode):
        return NamedNode(change(term.value))
    if isinstance(term, Literal) and term.language:
        return Literal(change(term.value), language=term.language)
    if isinstance(term, Literal):
        return Literal(change(term.value), datatype=term.datatype)
    return term


def number_of(result: shacl.Result) -> int:
    """Return the number of the case whose thing a result is about."""
    if isinstance(result.focus, BlankNode):
        return next(n for n, case in enumerate(CASES) if case.name.endswith(".Thing-iri.txt"))
    found = re.search(r"(\d+)-(?:example|Beispiel)", f"{result.focus} {result.value}")
    assert found, f"{result.focus} belongs to no case: {result.messages}"
    return int(found[1])


def told(result: shacl.Result, document: sources.Document) -> str:
    """Return a result as a curator reads it: place, severity, both messages, shape."""
    terms = [with_text(term, unmarked) for term in (result.focus, result.path, result.value)]
    place = sources.Places([document]).nearest(*terms)
    german, english = (readable(result.messages[language]) for language in ("de", "en"))
    shape = result.shape.removeprefix(vocab.SHAPE)
    return f"{place.line}:{place.column}: {result.severity}: {german} [{shape}]\n    {english}\n"


def readable(message: str) -> str:
    """Return a message with its IRIs as a file writes them."""
    return re.sub(
        r"https://w3id\.org/intmk/[^\s<>]*[^\s<>.,:;]",
        lambda found: vocab.shrink(found[0], PREFIXES).strip("<>"),
        unmarked(message),
    )


def reporting() -> dict[str, Node]:
    """Return the shapes that can report: property shapes, and node shapes with constraints."""
    constraints = (SH.sparql, SH.nodeKind, SH["or"])
    found = set(shapes.subjects(RDF.type, SH.PropertyShape))
    found |= {
        node
        for node in shapes.subjects(RDF.type, SH.NodeShape)
        if any((node, constraint, None) in shapes for constraint in constraints)
    }
    return {str(node).removeprefix(vocab.SHAPE): node for node in found}


@pytest.mark.parametrize("case", VALID, ids=name)
def test_valid_case_conforms(case, reports):
    """A valid case breaks nothing, not even a shape that only warns."""
    assert reports[case] == ""


@pytest.mark.parametrize("case", INVALID, ids=name)
def test_invalid_case_is_reported_as_approved(case, reports):
    """One changed line breaks the shape the case is named for, and gives the approved report."""
    assert f" [{shape_of(case)}]\n" in reports[case]
    if IS_APPROVING:
        case.write_text(f"{parts(case)[0]}\n\n{reports[case]}", encoding="utf-8")
    assert reports[case] == parts(case)[1]


def test_every_shape_has_its_case():
    """Each shape that can report has an invalid case, and each valid case serves one."""
    assert {shape_of(case) for case in INVALID} == set(reporting())
    assert {valid_of(case) for case in INVALID} == set(VALID)
    assert len(INVALID) >= 230


def test_nothing_lies_beside_the_cases():
    """Every file among the cases is a case or what all rest on, and each part is a shapes file."""
    files = {path for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {*CASES, FOLDER / "world.ttl"}
    assert {case.parent.name for case in CASES} == {path.stem for path in SHAPE_FILES}


@pytest.mark.parametrize("kind", [SH.NodeShape, SH.PropertyShape])
def test_every_shape_has_a_name(kind):
    """Each node shape and property shape has an IRI in the namespace of the shapes."""
    nodes = list(shapes.subjects(RDF.type, kind))
    assert len(nodes) > 50
    assert all(isinstance(node, URIRef) and node.startswith(vocab.SHAPE) for node in nodes)


@pytest.mark.parametrize("shape", sorted(reporting()))
def test_shape_says_what_is_wrong_and_how_bad(shape):
    """Each shape has one severity and one message of full sentences in German and in English."""
    node = reporting()[shape]
    sayers = [node, *shapes.objects(node, SH.sparql)]
    messages = [message for sayer in sayers for message in shapes.objects(sayer, SH.message)]
    assert sorted(message.language for message in messages) == ["de", "en"]
    assert all(message.endswith(".") for message in messages)
    assert len(list(shapes.objects(node, SH.severity))) == 1


def test_milder_severities_are_argued():
    """A shape that only warns has a comment before it that says why."""
    blocks = [b for path in SHAPE_FILES for b in path.read_text(encoding="utf-8").split("\n\n")]
    warning = [block for block in blocks if "sh:severity sh:Warning" in block]
    assert len(warning) >= 5
    assert all(re.match("# A warning,? (since|while) ", block) for block in warning)


def test_every_property_shape_is_used():
    """Each property shape belongs to a node shape or has a target of its own."""
    for node in shapes.subjects(RDF.type, SH.PropertyShape):
        targets = (SH.targetClass, SH.targetSubjectsOf)
        is_target = any((node, target, None) in shapes for target in targets)
        assert is_target or (None, SH.property, node) in shapes

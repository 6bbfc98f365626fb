"""Brings accepted changes into the files of a checkout, so that git stays the record.

What the journal says was accepted since the files were last built or filed is applied to the files
it touches, each written whole and in the canonical layout. A crash in between is made good by the
next write: to file a change twice is to file it once.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, parse

from intmk import durable, journal, patch, record, sources, store, turtle, vocab
from intmk.canonical import canonical
from intmk.errors import CannotCheck, InvalidRequest
from intmk.patch import Patch
from intmk.settings import Settings
from intmk.vocab import (
    BASE,
    IS_PART_OF,
    ONTOLOGY_GRAPH,
    QUALITY_GRAPH,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    THEMES_GRAPH,
)

FILED = "filed"
REGISTER, THEMES, PAGES = "data/sources.ttl", "ontology/themes.ttl", "data/pages/"
BY_HAND = (ONTOLOGY_GRAPH, SHAPES_GRAPH)
"""Graphs that come from files written by hand: terms, prefixes and rules."""
FOLLOWING = (DefaultGraph(), QUALITY_GRAPH)
"""Graphs that follow from the others, and stand in no file."""
_SOURCE = f"{BASE}source/"
# Only this makes a file's name: no slash, no dot.
_SLUG = re.compile(re.escape(_SOURCE) + "([a-z0-9]+(?:-[a-z0-9]+)*)")

Files = dict[str, set[Quad]]


def is_checkout(root: Path) -> bool:
    """Whether the files of a root are under version control."""
    return (root / ".git").exists()


def homes(quads: Iterable[Quad], files: Iterable[str] = ()) -> Callable[[Quad], str]:
    """Return a function that tells the file in which a statement of a dataset belongs.

    A passage belongs to the file of the source it is part of, which the dataset tells or else its
    own IRI; ``files`` are the names of those there are, since pages have a folder of their own and
    describe their source themselves. Every other entry of the register belongs to ``sources.ttl``.
    The function raises InvalidRequest for a passage without a source.
    """
    names = {Path(name).stem: name for name in files}
    parts = {
        quad.subject: quad.object.value
        for quad in quads
        if quad.predicate == IS_PART_OF
        and quad.graph_name == SOURCE_GRAPH
        and isinstance(quad.object, NamedNode)
    }

    def home(quad: Quad) -> str:
        if quad.graph_name == THEMES_GRAPH:
            return THEMES
        is_register = quad.graph_name == SOURCE_GRAPH
        passage: Any = quad.subject if is_register else quad.graph_name
        own = getattr(passage, "value", "")
        source = parts.get(passage) or (own.partition("#")[0] if "#" in own else "")
        slug = _SLUG.fullmatch(source)
        if slug and own not in _DECLARED:
            return names.get(slug[1], f"data/{slug[1]}.trig")
        if is_register:
            page = names.get(own.removeprefix(_SOURCE), "")
            return page if page.startswith(PAGES) else REGISTER
        raise InvalidRequest(
            f"The passage {passage} is part of no source of ours.",
            hint=f"A passage of a source is named {_SOURCE}<slug>#line=3,5 or is dcterms:isPartOf "
            "one.",
        )

    return home


_DECLARED = {
    graph.value
    for graph in (ONTOLOGY_GRAPH, QUALITY_GRAPH, SHAPES_GRAPH, SOURCE_GRAPH, THEMES_GRAPH)
}


def names(root: Path) -> list[str]:
    """Return the names of the files of data, as in ``data/press.trig``."""
    return [path.relative_to(root).as_posix() for path in sources.files(root)[SOURCE_GRAPH]]


def check(settings: Settings, change: Patch) -> None:
    """Raise what would keep the files from taking a change: SourceSyntaxError, CannotCheck."""
    if not is_checkout(settings.root):
        return
    for name in _texts(settings.root, change):
        path = settings.root / name
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise CannotCheck(f"{name} cannot be written.", hint="Let the server write to data/.")


def file_changes(settings: Settings) -> list[str]:
    """Bring what was accepted into the files; returns the names of those that changed.

    The caller holds the store's lock. Raises OSError and SourceSyntaxError.
    """
    if not is_checkout(settings.root):
        return []
    numbers = _pending(settings.store)
    if not numbers:
        return []
    net = patch.net(record.change(settings.store, number) for number in numbers)
    texts = _texts(settings.root, net)
    for name, text in texts.items():
        _write(settings.root / name, text)
    durable.write(settings.store / FILED, f"{numbers[-1]}\n")
    store.agree(settings.root, settings.store)
    return list(texts)


def catch_up(settings: Settings) -> list[str]:
    """File what a process that was ended had accepted; returns the names of the files it changed.

    Raises what :func:`file_changes` and ``store.exclusive`` raise.
    """
    with store.exclusive(settings.store, settings.write_wait_s):
        return file_changes(settings)


def _pending(folder: Path) -> list[int]:
    """Return the numbers of the changes that the files may not have."""
    found = journal.records(folder)
    built = max((one.number for one in found if one.kind == journal.BUILD), default=0)
    try:
        filed = int((folder / FILED).read_text())
    except (FileNotFoundError, ValueError):
        filed = 0
    since = max(built, filed)
    kinds = (journal.PROPOSAL, journal.ROLLBACK)
    return [one.number for one in found if one.number > since and one.kind in kinds]


def _write(path: Path, text: str) -> None:
    if text:
        durable.write(path, text)
    else:
        path.unlink(missing_ok=True)


def statements(lines: Iterable[str]) -> set[Quad]:
    """Return statements of N-Quads as quads."""
    return {quad for line in lines for quad in parse(line, RdfFormat.N_QUADS)}


def _texts(root: Path, change: Patch) -> dict[str, str]:
    """Return the new text of each file that a change touches, "" for one that has no more to say.

    Raises InvalidRequest for a change of what is written by hand.
    """
    before = _files(root)
    after = {name: set(quads) for name, quads in before.items()}
    removed, added = (
        {quad for quad in statements(lines) if quad.graph_name not in FOLLOWING}
        for lines in (change.removed, change.added)
    )
    refuse_by_hand(removed | added)
    for quads in after.values():
        quads -= removed
    home = homes([*added, *(quad for quads in before.values() for quad in quads)], before)
    for quad in added:
        after.setdefault(home(quad), set()).add(quad)
    spaces = vocab.prefixes(root)
    return {
        name: _text(root / name, name, quads, spaces)
        for name, quads in after.items()
        if quads != before.get(name, set())
    }


def refuse_by_hand(quads: Iterable[Quad]) -> None:
    """Raise InvalidRequest for statements that only a hand may write, with the files, or nobody."""
    for quad in quads:
        if quad.graph_name == QUALITY_GRAPH:
            raise InvalidRequest(
                f"{quad.subject} {quad.predicate} belongs to {quad.graph_name}.",
                hint="The quality is measured anew with every version; leave it out.",
            )
        if quad.graph_name in BY_HAND:
            raise InvalidRequest(
                f"{quad.subject} {quad.predicate} belongs to {quad.graph_name}.",
                hint="Terms, prefixes and rules change with their files in ontology/ and shapes/.",
            )


def _files(root: Path) -> Files:
    """Return what each file of data and themes says, as it stands in the store."""
    paths = sources.files(root)
    return {
        path.relative_to(root).as_posix(): set(sources.place_in(graph, sources.read(path)))
        for graph in (SOURCE_GRAPH, THEMES_GRAPH)
        for path in paths[graph]
    }


def _text(path: Path, name: str, quads: set[Quad], spaces: dict[str, str]) -> str:
    """Return a file's new text in the canonical layout, under its old comment."""
    if not quads:
        return ""
    old = turtle.decode(path.read_bytes(), name) if path.exists() else ""
    reader = parse(old, RdfFormat.TRIG)
    list(reader)
    comment = [line for line in canonical(old, name).split("\n") if line.startswith("#")]
    graph = THEMES_GRAPH if name == THEMES else SOURCE_GRAPH
    lines = [_statement(quad, graph) for quad in quads]
    return canonical("\n".join([*comment, *lines]), name, {**spaces, **reader.prefixes})


def _statement(quad: Quad, graph: NamedNode) -> str:
    triple = f"{quad.subject} {quad.predicate} {quad.object} ."
    return triple if quad.graph_name == graph else f"GRAPH {quad.graph_name} {{ {triple} }}"

"""Questions on older versions: answered as they were then, by few and short-lived workers."""

import contextlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyoxigraph import RdfFormat, parse

from intmk import errors, journal, store
from intmk.engine import Asker, Question, asker, question_name
from intmk.past import Past
from server_fixtures import await_end, descendants, make_settings

JSON = (("json", "application/sparql-results+json"),)
VALUE = "SELECT ?v { <a:s> <a:p> ?v }"
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with four versions, of which three are kept."""
    for value in ("one", "two", "three", "four"):
        many = "".join(f"<a:n> <a:q> <a:n{number}> .\n" for number in range(300))
        quads = list(parse(f'{many}<a:s> <a:p> "{value}" .', RdfFormat.N_QUADS))
        with store.exclusive(tmp_path):
            store.publish(tmp_path, store.canonical_dump(quads), journal.UPDATE, keep=3)
    return tmp_path


@contextlib.contextmanager
def opened(folder: Path, **limits: object) -> Iterator[Past]:
    """Ask the versions of a store."""
    with tempfile.TemporaryDirectory() as directory:
        past = Past(make_settings(folder, **limits), Path(directory))
        with contextlib.closing(past):
            yield past


def value(past: Past, key: str) -> str:
    """Return the value that a version has."""
    moment = past.at(key)
    answer = moment.ask(Question(VALUE, JSON))
    assert answer.version == moment.version()
    (row,) = json.loads(answer.read())["results"]["bindings"]
    found: str = row["v"]["value"]
    return found


def test_a_kept_version_answers_as_it_was(folder: Path) -> None:
    """By number and by id, in any order, the current one included."""
    ids = [one.id for one in journal.records(folder)]
    with opened(folder) as past:
        for key, expected in (("2", "two"), ("4", "four"), (ids[1], "two"), ("3", "three")):
            assert value(past, key) == expected


def test_a_version_that_is_not_kept_is_told_from_one_that_never_was(folder: Path) -> None:
    """410 and 404; the first names number, id and date."""
    first = journal.records(folder)[0]
    with opened(folder) as past:
        for key in ("1", first.id):
            with pytest.raises(errors.VersionGone, match=first.time):
                past.at(key)
        with pytest.raises(errors.NotFound):
            past.at("5")


def test_few_versions_are_open_at_once(folder: Path) -> None:
    """The one that was not asked for longest makes room; a busy one does not."""
    with opened(folder, query_timeout_s=60) as past, ThreadPoolExecutor() as pool:
        value(past, "2")
        value(past, "3")
        assert value(past, "4") == "four"
        assert value(past, "2") == "two"
        assert len(past._opened) == 2
        asked = [pool.submit(past.at(n).ask, Question(ENDLESS, JSON)) for n in "34"]
        patience = threading.Event()
        while sum(one.questions for one in past._opened.values()) < 2:
            patience.wait(0.01)
        with pytest.raises(errors.Busy, match="past"):
            value(past, "2")
        past.close()
        assert all(isinstance(one.exception(), errors.GraphError) for one in asked)


def test_closing_leaves_no_process_and_no_file(folder: Path) -> None:
    """Workers and folders go."""
    others = descendants(os.getpid())
    with opened(folder) as past:
        value(past, "2")
        family = descendants(os.getpid()) - others
        directories = [one.engine.directory for one in past._opened.values()]
    await_end(family)
    assert family
    assert not any(directory.exists() for directory in directories)


def test_a_version_that_goes_while_it_is_open_is_gone(folder: Path) -> None:
    """Nobody gets an answer from a version that cannot be cited any more."""
    with opened(folder) as past:
        assert value(past, "2") == "two"
        shutil.rmtree(folder / "versions" / past.at("2").version())
        with pytest.raises(errors.VersionGone):
            past.at("2")


def test_nothing_is_left_when_nobody_closes(folder: Path, tmp_path: Path) -> None:
    """The end of whoever held it is enough."""
    others = descendants(os.getpid())
    past = Past(make_settings(folder), tmp_path)
    value(past, "2")
    family = descendants(os.getpid()) - others
    directories = [one.engine.directory for one in past._opened.values()]
    del past
    await_end(family)
    assert not any(directory.exists() for directory in directories)


def test_a_question_is_cancelled_by_whoever_shares_the_directory(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another process finds the workers too; a question that nobody asks is not found."""
    directory = tmp_path_factory.mktemp("shared")
    settings = make_settings(folder, query_timeout_s=60)
    name = question_name("some-question")
    with contextlib.closing(Past(settings, directory)) as past, ThreadPoolExecutor() as pool:

        def ask() -> object:
            asker.set(Asker(name))
            return past.at("2").ask(Question(ENDLESS, JSON))

        waiting, other = pool.submit(ask), Past(settings, directory)
        patience = threading.Event()
        while not other.cancel(name):
            patience.wait(0.01)
        assert isinstance(waiting.exception(), errors.QueryCancelled)
        assert not other.cancel(name)
    assert list(directory.iterdir()) == []

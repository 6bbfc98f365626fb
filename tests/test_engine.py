"""Query workers under honest and hostile questions: real processes, real limits."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from intmk import errors, mailbox, wire
from intmk.engine import Answer, Asker, Engine, Question, asker
from intmk.workers import Workers
from server_fixtures import A, B, await_end, descendants, make_settings, publish, running

ALL = (
    ("json", "application/sparql-results+json"),
    ("nt", "application/n-triples"),
)
NAMES = "SELECT ?n { ?s rdfs:label ?n }"
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
DEEP = "SELECT * { FILTER(" + "(" * 50_000 + "1" + ")" * 50_000 + ") }"


def ask(engine: Engine, text: str, **dataset: tuple[str, ...]) -> Answer:
    """Ask for JSON or N-Triples."""
    return engine.ask(Question(text, ALL, **dataset))


def values(answer: Answer) -> list[str]:
    """Return the values of the only variable of a whole JSON answer."""
    rows = json.loads(answer.read())["results"]["bindings"]
    return [value["value"] for row in rows for value in row.values()]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store folder with one version."""
    folder = tmp_path_factory.mktemp("store")
    publish(folder, "first")
    return folder


@pytest.fixture(scope="module")
def memory(store: Path) -> Iterator[Engine]:
    """Two workers that hold the graph in memory."""
    with running(store) as (engine, _):
        yield engine


@pytest.fixture(scope="module")
def disk(store: Path) -> Iterator[Engine]:
    """Two workers that read the graph from disk."""
    with running(store, memory_store_mb=0) as (engine, _):
        yield engine


@pytest.fixture(params=["memory", "disk"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Both kinds of workers, which must behave alike."""
    found: Engine = request.getfixturevalue(request.param)
    return found


def test_each_kind_of_query_is_answered_in_its_format(engine: Engine) -> None:
    """SELECT and ASK give results, CONSTRUCT and DESCRIBE triples, each named in the answer."""
    select = ask(engine, "SELECT ?o { <https://example.org/n/7> ?p ?o }")
    assert (select.kind, select.version, values(select)) == ("select", "first", ["7"])
    assert json.loads(ask(engine, "ASK { ?s ?p 999 }").read())["boolean"] is True
    construct = ask(engine, "CONSTRUCT WHERE { <https://example.org/n/7> ?p ?o }")
    assert (construct.kind, construct.media_type) == ("graph", "application/n-triples")
    assert ask(engine, "DESCRIBE <https://example.org/n/7>").read() == construct.read()
    assert construct.read().startswith(b"<https://example.org/n/7> <https://example.org/number> ")


def test_the_store_in_memory_and_on_disk_are_what_was_asked_for(
    memory: Engine, disk: Engine
) -> None:
    """The budget decides which kind of worker there is."""
    assert memory.status()["in_memory"] is True
    assert disk.status()["in_memory"] is False


def test_only_the_default_graph_is_asked_unless_a_dataset_is_named(engine: Engine) -> None:
    """Named graphs answer GRAPH, and plain patterns when the request names them."""
    assert values(ask(engine, NAMES)) == []
    in_graphs = "SELECT ?n { GRAPH ?g { ?s rdfs:label ?n } }"
    assert sorted(values(ask(engine, in_graphs))) == ["Größe 😀", "Hessen"]
    assert values(ask(engine, NAMES, default_graphs=(A,))) == ["Hessen"]
    assert len(values(ask(engine, NAMES, default_graphs=(A, B)))) == 2
    assert values(ask(engine, in_graphs, named_graphs=(B,))) == ["Größe 😀"]


def test_naming_one_part_of_the_dataset_leaves_the_other_empty(engine: Engine) -> None:
    """SPARQL 1.1 Protocol 2.1.4: the request's dataset replaces the whole one, FROM included."""
    everything = "SELECT ?n { ?s ?p ?n }"
    assert values(ask(engine, everything, named_graphs=(A,))) == []
    in_graphs = "SELECT ?n { GRAPH ?g { ?s rdfs:label ?n } }"
    assert values(ask(engine, in_graphs, default_graphs=(A,))) == []
    from_a = f"SELECT ?n FROM <{A}> {{ ?s rdfs:label ?n }}"
    assert values(ask(engine, from_a)) == ["Hessen"]
    assert values(ask(engine, from_a, default_graphs=(B,))) == ["Größe 😀"]


def test_a_graph_that_is_no_iri_is_refused(engine: Engine) -> None:
    """The message shows the value."""
    with pytest.raises(errors.InvalidRequest, match="not absolute"):
        ask(engine, NAMES, default_graphs=("not absolute",))


def test_a_syntax_error_comes_back_with_line_and_column(engine: Engine) -> None:
    """The prefixes we add do not shift positions."""
    with pytest.raises(errors.QuerySyntaxError) as caught:
        ask(engine, "SELECT * {\n ?s rdfs:label ) }")
    assert (caught.value.line, caught.value.column) == (2, 16)


def test_a_format_that_cannot_carry_the_answer_is_refused(engine: Engine) -> None:
    """CSV cannot carry a graph; the error says what can."""
    with pytest.raises(errors.NotAcceptable) as caught:
        engine.ask(Question("CONSTRUCT WHERE { ?s ?p ?o }", (("csv", "text/csv"),)))
    assert "text/turtle" in str(caught.value.extra["offered"])


def test_an_unknown_function_is_the_query_s_fault(engine: Engine) -> None:
    """The engine's own words are passed on."""
    with pytest.raises(errors.QueryFailed, match="http://f"):
        ask(engine, "SELECT (<http://f>(1) AS ?x) {}")


def test_brackets_beyond_the_parser_s_stack_cost_one_worker(engine: Engine) -> None:
    """The process that parses them dies, the client gets a 400, the next question is answered."""
    for _ in range(3):
        with pytest.raises(errors.QueryTooDeep):
            ask(engine, DEEP)
    assert json.loads(ask(engine, "ASK {}").read())["boolean"] is True


def test_an_endless_query_is_stopped_and_holds_nobody_up(engine: Engine) -> None:
    """While one worker is busy to its deadline, the other answers; then both do."""
    with ThreadPoolExecutor() as pool:
        endless = pool.submit(ask, engine, ENDLESS)
        answered = 0
        while not endless.done():
            ask(engine, "ASK {}")
            answered += 1
        with pytest.raises(errors.QueryTimeout, match="1 s"):
            endless.result()
    assert answered > 10
    ask(engine, "ASK {}")


def test_a_sort_of_a_cross_product_is_stopped_too(engine: Engine) -> None:
    """The engine cannot be interrupted in a sort; its process can."""
    with pytest.raises((errors.QueryTimeout, errors.OutOfMemory)):
        ask(engine, "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?i ?f ?c")


def test_too_much_memory_ends_the_query_only(store: Path) -> None:
    """A query that wants more than its share gets a clear answer."""
    greedy = "SELECT DISTINCT (CONCAT(STR(?a), STR(?b)) AS ?x) { ?a ?p ?c . ?b ?q ?d }"
    with running(store, query_memory_mb=20, query_timeout_s=20) as (engine, _):
        with pytest.raises(errors.OutOfMemory, match="20 MB"):
            ask(engine, greedy)
        assert ask(engine, "ASK {}").read()


def test_an_answer_over_the_size_limit_is_an_error_not_a_cut(store: Path) -> None:
    """The limit counts the bytes of the answer."""
    with running(store, result_bytes=10_000) as (engine, _):
        with pytest.raises(errors.TooLarge, match="10000"):
            ask(engine, "SELECT * { ?s ?p ?o }")
        assert ask(engine, "SELECT * { ?s ?p ?o } LIMIT 10").read()


def test_a_long_answer_is_whole_and_in_a_file(store: Path) -> None:
    """Beyond what is kept in memory nothing is lost, and the length is known."""
    long = "SELECT ?a ?b { ?a ?p ?c . ?b ?q ?d FILTER(?d < 100) }"
    with running(store, query_timeout_s=60) as (engine, _):
        answer = engine.ask(Question(long, (("csv", "text/csv"),)))
    assert not isinstance(answer.content, bytes)
    body = answer.read()
    assert answer.length == len(body)
    assert body.count(b"\r\n") == 100 * 1001 + 1


def test_a_long_answer_that_fails_late_is_an_error(store: Path) -> None:
    """Megabytes into an answer, its failure is still an error and nothing else."""
    with (
        running(store, result_bytes=5_000_000) as (engine, _),
        pytest.raises(errors.TooLarge, match="5000000"),
    ):
        ask(engine, "SELECT * { ?a ?b ?c . ?d ?e ?f }")


def test_service_reaches_nobody(engine: Engine) -> None:
    """A query to a listener on this machine is refused, and nothing knocks there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for silent in ("", "SILENT "):
            with pytest.raises(errors.NetworkForbidden):
                ask(engine, f"SELECT * {{ SERVICE {silent}<http://127.0.0.1:{port}/> {{}} }}")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_worker_could_not_open_a_connection_if_the_check_were_fooled(
    engine: Engine, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers without the check still reach nobody: the kernel refuses them a socket."""
    # The nursery is a process of its own, so the check is taken out in the file it imports.
    in_memory = engine.status()["in_memory"]
    script = store / "sitecustomize.py"
    script.write_text("from intmk import services\nservices.hand_over = lambda *_: None\n")
    monkeypatch.setenv("PYTHONPATH", str(store))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        running(store, memory_store_mb=1024 if in_memory else 0) as (unchecked, _),
    ):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(errors.QueryFailed):
            ask(unchecked, f"SELECT * {{ SERVICE <{url}> {{ ?s ?p ?o }} }}")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    script.unlink()


@pytest.mark.parametrize("memory_store_mb", [1024, 0])
def test_a_worker_killed_from_outside_is_replaced(store: Path, memory_store_mb: int) -> None:
    """Its client is told to ask again, others notice nothing."""
    limits = {"memory_store_mb": memory_store_mb, "query_timeout_s": 60}
    with running(store, **limits) as (engine, _), ThreadPoolExecutor() as pool:
        lost = pool.submit(ask, engine, ENDLESS)
        os.kill(_busy_worker(engine), signal.SIGKILL)
        with pytest.raises(errors.Unavailable, match="lost"):
            lost.result()
        assert ask(engine, "ASK {}").read()
        assert len(engine.status()["workers"]) == 2


def _busy_worker(engine: Engine) -> int:
    """Return the worker that burns processor time, by asking the kernel until there is one."""
    while True:
        status = engine.status()
        for pid in status["workers"] + status["slow"]:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if fields[0] == "R" and int(fields[11]) > 5:
                return int(pid)


def test_a_full_queue_says_so_at_once(store: Path) -> None:
    """With one worker busy and one place in the queue, the next question is turned away."""
    limits = {
        "query_workers": 1,
        "queue_length": 1,
        "queue_wait_s": 0.5,
        "query_timeout_s": 60,
        "slow_after_s": 60,
    }
    with ThreadPoolExecutor() as pool, running(store, **limits) as (engine, _):
        pool.submit(ask, engine, ENDLESS)
        _busy_worker(engine)
        asked = [pool.submit(ask, engine, ENDLESS) for _ in range(3)]
        said = [str(one.exception()) for one in asked]
    assert sum("queue is full" in text for text in said) == 2
    assert sum("No worker was free for 0.5 s" in text for text in said) == 1


def test_a_new_version_takes_over_without_a_failed_question(tmp_path: Path) -> None:
    """While versions change, every question is answered from one of them, in order."""
    publish(tmp_path, "v1")
    with running(tmp_path) as (engine, _):
        for version in ("v2", "v3"):
            publish(tmp_path, version)
            assert engine.newest() == version
            seen = ask(engine, "ASK {}").version
            while seen != version:
                answer = ask(engine, "SELECT ?v { ?s owl:versionInfo ?v }")
                assert values(answer) == [answer.version]
                seen = answer.version
            assert engine.version() == version


def test_a_killed_nursery_is_started_again(store: Path) -> None:
    """Questions fail clearly in between, and are answered afterwards."""
    settings = make_settings(store)
    with Workers(settings) as workers:
        engine = Engine(workers.directory, settings)
        first, orphans = workers.pid, engine.status()["workers"]
        os.kill(first, signal.SIGKILL)
        while True:
            try:
                ask(engine, "ASK {}")
                engine.status()
            except errors.Unavailable:
                continue
            if workers.pid != first:
                break
        assert len(engine.status()["workers"]) == 2
    await_end(orphans)


def test_workers_end_even_if_their_nursery_is_killed_while_forking_them(store: Path) -> None:
    """Nobody else would end them."""
    settings = make_settings(store, query_workers=20)
    with Workers(settings) as workers:
        family = descendants(workers.pid)
        os.kill(workers.pid, signal.SIGKILL)
    assert len(family) == 21
    await_end(family)


def test_no_process_outlives_the_workers(store: Path) -> None:
    """Ending the block ends the nursery and every worker, busy or not."""
    with ThreadPoolExecutor() as pool, running(store, query_timeout_s=60) as (engine, _):
        endless = pool.submit(ask, engine, ENDLESS)
        busy = _busy_worker(engine)
    assert isinstance(endless.exception(), errors.Unavailable)
    await_end([busy])
    assert not engine.directory.exists()


def test_without_a_built_graph_the_workers_do_not_start(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error output says which folder holds no graph."""
    settings = make_settings(tmp_path)
    with pytest.raises(errors.Unavailable), Workers(settings):
        pass
    assert str(tmp_path) in capfd.readouterr().err
    with pytest.raises(errors.Unavailable, match="intmk build"):
        Engine(tmp_path, settings).version()


def test_the_sockets_are_in_a_private_folder(memory: Engine) -> None:
    """Other users of the machine cannot talk to the workers."""
    assert memory.directory.stat().st_mode & 0o777 == 0o700


def _address(number: int) -> bytes:
    return bytes([number]) * 16


def _ask_as(engine: Engine, address: int, question: int, text: str = ENDLESS) -> Answer:
    """Ask in the name of an address; meant to run in a thread of its own."""
    asker.set(Asker(bytes([question]) * 16, _address(address)))
    return ask(engine, text)


def _in_slow_lane(engine: Engine, number: int) -> list[int]:
    """Return the workers of the slow lane once there are so many."""
    while True:
        slow: list[int] = engine.status()["slow"]
        if len(slow) == number:
            return slow


def test_long_questions_make_way_for_short_ones(store: Path) -> None:
    """With as many endless questions as workers, others are still answered at once."""
    with ThreadPoolExecutor() as pool, running(store, query_timeout_s=60) as (engine, _):
        endless = [pool.submit(_ask_as, engine, n, n) for n in range(1, 4)]
        slow = _in_slow_lane(engine, 3)
        assert json.loads(ask(engine, "ASK {}").read())["boolean"] is True
        assert len(engine.status()["workers"]) == 2
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in slow} == {19}
        for number in range(1, 4):
            assert engine.cancel(bytes([number]) * 16)
        assert all(isinstance(one.exception(), errors.QueryCancelled) for one in endless)
    await_end(slow)


def test_whoever_holds_most_of_the_slow_lane_loses_the_latest(store: Path) -> None:
    """One address may have all the places as long as nobody else wants one."""
    limits = {"query_timeout_s": 60, "slow_workers": 2}
    with ThreadPoolExecutor() as pool, running(store, **limits) as (engine, _):
        first = pool.submit(_ask_as, engine, 1, 1)
        _in_slow_lane(engine, 1)
        second = pool.submit(_ask_as, engine, 1, 2)
        _in_slow_lane(engine, 2)
        other = pool.submit(_ask_as, engine, 2, 3)
        assert isinstance(second.exception(), errors.TooManyQueries)
        assert not first.done()
        assert not other.done()
        for number in (1, 3):
            engine.cancel(bytes([number]) * 16)


def _stopped(pids: list[int]) -> set[int]:
    """Return those of some processes that are stopped."""
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return {pid for pid, stat in stats.items() if stat.read_text().rpartition(")")[2][1] == "T"}


def _await_stopped(engine: Engine, number: int) -> set[int]:
    """Return the stopped workers of the slow lane once there are so many."""
    while True:
        with contextlib.suppress(OSError):
            stopped = _stopped(engine.status()["slow"])
            if len(stopped) == number:
                return stopped


def test_when_all_hold_as_much_the_latest_waits_its_turn(store: Path) -> None:
    """It is stopped, and goes on when a place is free; short questions notice nothing."""
    limits = {"query_timeout_s": 60, "slow_workers": 1}
    with ThreadPoolExecutor() as pool, running(store, **limits) as (engine, _):
        asked = []
        for number in (1, 2, 3):
            asked.append(pool.submit(_ask_as, engine, number, number))
            _in_slow_lane(engine, number)
        assert len(_await_stopped(engine, 2)) == 2
        late = pool.submit(_ask_as, engine, 4, 4)
        assert type(late.exception()) is errors.Busy
        assert ask(engine, "ASK {}").read()
        first, *others = asked
        for left in (1, 0):
            number = 2 - left
            assert engine.cancel(bytes([number]) * 16)
            assert len(_await_stopped(engine, left)) == left
        assert isinstance(first.exception(), errors.QueryCancelled)
        engine.cancel(bytes([3]) * 16)
        assert all(isinstance(one.exception(), errors.QueryCancelled) for one in others)


@pytest.mark.parametrize("ends_by", ["a version", "a signal"])
def test_nobody_waits_for_ever_when_the_nursery_ends(tmp_path: Path, ends_by: str) -> None:
    """A stopped worker goes on when a new version comes, and when the nursery is killed."""
    publish(tmp_path, "first")
    settings = make_settings(tmp_path, query_timeout_s=3, slow_workers=1)
    with ThreadPoolExecutor() as pool, Workers(settings) as workers:
        engine = Engine(workers.directory, settings)
        asked = [pool.submit(_ask_as, engine, number, number) for number in (1, 2)]
        stopped = _await_stopped(engine, 1)
        if ends_by == "a version":
            publish(tmp_path, "later")
        else:
            os.kill(workers.pid, signal.SIGKILL)
        await_end(stopped)
        assert all(isinstance(one.exception(), errors.GraphError) for one in asked)


def test_a_question_that_is_not_asked_cannot_be_cancelled(memory: Engine) -> None:
    """Nobody is stopped in its place."""
    assert memory.cancel(bytes(16)) is False


def test_a_worker_ends_when_its_client_has_left(store: Path) -> None:
    """The kernel ends it: no processor time is spent on what nobody reads."""
    has_left = threading.Event()
    with ThreadPoolExecutor() as pool, running(store, query_timeout_s=60) as (engine, _):

        def leave() -> Answer:
            asker.set(Asker(bytes(16), has_left=has_left.is_set))
            return ask(engine, ENDLESS)

        left = pool.submit(leave)
        worker = _busy_worker(engine)
        has_left.set()
        assert isinstance(left.exception(), errors.ClientLeft)
        await_end([worker])
        assert ask(engine, "ASK {}").read()


def test_a_worker_ends_when_its_front_is_gone(store: Path) -> None:
    """Nobody computes for a front process that was killed."""
    with running(store, query_timeout_s=60) as (engine, _):
        front = os.fork()
        if front == 0:
            ask(engine, ENDLESS)
            os._exit(0)
        worker = _busy_worker(engine)
        os.kill(front, signal.SIGKILL)
        os.waitpid(front, 0)
        await_end([worker])
        assert ask(engine, "ASK {}").read()


def test_a_question_of_megabytes_is_answered(engine: Engine) -> None:
    """What does not fit into a datagram takes another way, and leaves no file behind."""
    long = "SELECT ?x { VALUES ?x { 'ä' } }" + "# ö\n" * 500_000
    for _ in range(3):
        assert values(ask(engine, long)) == ["ä"]
        assert values(ask(engine, "SELECT (1 AS ?x) {}")) == ["1"]


def test_answers_are_not_mixed_up(engine: Engine) -> None:
    """Many threads, some of whose questions fail, each get their own answer."""

    def answered(number: int) -> str:
        if number % 7 == 0:
            with pytest.raises(errors.QuerySyntaxError):
                ask(engine, "SELECT * { ) }")
        return values(ask(engine, f"SELECT ({number} AS ?x) {{}}"))[0]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(answered, range(400))) == [str(number) for number in range(400)]


def test_who_leaves_takes_the_mailbox_away(store: Path) -> None:
    """Answers to abandoned questions reach nobody, least of all the next question."""
    with running(store, query_timeout_s=60) as (engine, _):
        for _ in range(3):
            asker.set(Asker(os.urandom(16), has_left=lambda: True))
            with pytest.raises(errors.ClientLeft):
                ask(engine, ENDLESS)
            asker.set(None)
            assert json.loads(ask(engine, "ASK {}").read())["boolean"] is True
        names = [path.name for path in engine.directory.iterdir()]
    assert sum("-" in name for name in names) <= 1


def test_the_end_of_another_question_is_not_taken_for_one_s_own(store: Path) -> None:
    """The nursery's word about the question before may come when the next is asked already."""
    with running(store) as (engine, _):
        ask(engine, "ASK {}")
        (box,) = [path for path in engine.directory.iterdir() if "-" in path.name]
        mailbox.tell(str(box), wire.frame(b"L", b"o" * 16 + b"share"))
        assert json.loads(ask(engine, "ASK {}").read())["boolean"] is True

"""Kept answers: given again on the same version only, and never more than the budget."""

from intmk.cache import Cache, Kept
from intmk.wire import Question


def question(number: int) -> Question:
    """Return one question of many."""
    return Question(f"SELECT {number}", (("json", "application/json"),))


def kept(version: str = "v1", size: int = 1000) -> Kept:
    """Return an answer of a size."""
    return Kept("select", "application/json", version, bytes(size))


def test_an_answer_is_given_again() -> None:
    """To the same question in the same formats and dataset, and to no other."""
    cache, answer = Cache(1_000_000), kept()
    assert cache.get("v1", question(1)) is None
    cache.put(question(1), answer)
    assert cache.get("v1", question(1)) is answer
    assert cache.get("v1", question(2)) is None
    assert cache.get("v1", question(1)._replace(offers=(("csv", "text/csv"),))) is None
    assert cache.get("v1", question(1)._replace(default_graphs=("a:g",))) is None


def test_a_new_version_forgets_the_old_answers() -> None:
    """Nor is an answer kept that a worker still gave on the version before."""
    cache = Cache(1_000_000)
    cache.get("v1", question(1))
    cache.put(question(1), kept("v1"))
    assert cache.get("v2", question(1)) is None
    cache.put(question(1), kept("v1"))
    assert cache.get("v2", question(1)) is None
    assert cache.get("v1", question(1)) is None


def test_those_not_asked_for_longest_go_first() -> None:
    """Room for about three; the one asked again stays."""
    cache = Cache(14_000)
    cache.get("v1", question(0))
    for number in range(3):
        cache.put(question(number), kept())
    assert cache.get("v1", question(0))
    cache.put(question(3), kept())
    assert [bool(cache.get("v1", question(number))) for number in range(4)] == [
        True,
        False,
        True,
        True,
    ]


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    """Nor does it push others out; a budget of nothing keeps nothing."""
    cache = Cache(14_000)
    cache.get("v1", question(0))
    cache.put(question(1), kept())
    cache.put(question(2), kept(size=100_000))
    assert cache.get("v1", question(1))
    assert cache.get("v1", question(2)) is None
    nothing = Cache(0)
    nothing.get("v1", question(1))
    nothing.put(question(1), kept())
    assert nothing.get("v1", question(1)) is None


def test_replacing_an_answer_costs_nothing() -> None:
    """Two threads that asked the same at once leave one answer and its size."""
    cache = Cache(14_000)
    cache.get("v1", question(1))
    for _ in range(50):
        cache.put(question(1), kept())
    cache.put(question(2), kept())
    assert cache.get("v1", question(1))
    assert cache.get("v1", question(2))

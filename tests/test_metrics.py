"""Counts of several processes, told as one in the format of Prometheus."""

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from intmk import metrics, nursery
from intmk.metrics import Tally


def samples(folder: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the value of each sample by name and labels."""
    text = metrics.exposition(folder, {"up": ("Whether", 1.0)}).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_counted_is_told(tmp_path: Path) -> None:
    """Each count under its name and labels; gauges as they are."""
    tally = Tally(tmp_path)
    tally.query("select", "answered", 0.002)
    tally.query("unknown", "query-timeout", 99.0)
    tally.cache("hit")
    tally.ended("deadline")
    tally.request(504)
    found = samples(tmp_path)
    assert found["intmk_queries_total", (("kind", "select"), ("outcome", "answered"))] == 1
    assert found["intmk_queries_total", (("kind", "unknown"), ("outcome", "query-timeout"))] == 1
    assert found["intmk_cache_lookups_total", (("state", "hit"),)] == 1
    assert found["intmk_cache_lookups_total", (("state", "miss"),)] == 0
    assert found["intmk_workers_ended_total", (("reason", "deadline"),)] == 1
    assert found["intmk_http_requests_total", (("status", "504"),)] == 1
    assert found["intmk_up", ()] == 1


def test_the_histogram_counts_from_below(tmp_path: Path) -> None:
    """A bucket holds all that were as fast or faster."""
    tally = Tally(tmp_path)
    for seconds in (0.0005, 0.001, 0.003, 11.0):
        tally.query("ask", "answered", seconds)
    found = samples(tmp_path)
    buckets = {key[1][0][1]: value for key, value in found.items() if key[0].endswith("_bucket")}
    assert (buckets["0.001"], buckets["0.0025"], buckets["0.005"], buckets["10.0"]) == (2, 2, 3, 3)
    assert buckets["+Inf"] == found["intmk_query_seconds_count", ()] == 4
    assert found["intmk_query_seconds_sum", ()] == pytest.approx(11.0045)


def test_processes_are_summed_and_remembered(tmp_path: Path) -> None:
    """What a process counted stays when it has ended."""
    Tally(tmp_path).cache("hit")
    child = os.fork()
    if child == 0:
        Tally(tmp_path).cache("hit")
        os._exit(0)
    os.waitpid(child, 0)
    assert samples(tmp_path)["intmk_cache_lookups_total", (("state", "hit"),)] == 2
    Tally(tmp_path).cache("hit")
    assert samples(tmp_path)["intmk_cache_lookups_total", (("state", "hit"),)] == 3


def test_every_reason_of_the_nursery_can_be_counted() -> None:
    """No reason is left out of the table."""
    assert set(nursery.REASONS.values()) <= set(metrics.REASONS)

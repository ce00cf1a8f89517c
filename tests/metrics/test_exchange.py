"""Metrics of several processes are one, and none goes back when a process ends."""

from __future__ import annotations

import threading
from pathlib import Path

from bridge.metrics import Metrics, Sample
from bridge.metrics.catalog import (
    BREAKER_OPEN,
    COMMITS,
    DATABASE_UP,
    QUEUE_LENGTH,
    TRANSACTION_DURATION,
)
from bridge.metrics.exchange import MAX_REMEMBERED, SUFFIX, MetricsExchange, retire

APPLIED = ("native", "applied")


def _process(directory: Path, name: str, commits: int, *, queue: int = 0, up: bool = True) -> MetricsExchange:
    metrics = Metrics()
    if commits:
        metrics.count(COMMITS, APPLIED, commits)
        metrics.observe(TRANSACTION_DURATION, 0.003)
    metrics.add_source(
        lambda: (
            Sample(QUEUE_LENGTH, (), queue),
            Sample(DATABASE_UP, (), up),
            Sample(BREAKER_OPEN, ("lrs", "statements"), not up),
        )
    )
    return MetricsExchange(metrics, directory, name)


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_counters_are_summed_and_gauges_merged_as_they_say(tmp_path: Path) -> None:
    first, second = _process(tmp_path, "a", 3, queue=2), _process(tmp_path, "b", 4, queue=5, up=False)
    await first.run_once()
    await second.run_once()

    total = await first.total()
    assert total == await second.total()
    assert total[COMMITS.name] == {APPLIED: [7]}
    assert total[QUEUE_LENGTH.name] == {(): [7]}
    assert total[DATABASE_UP.name] == {(): [0]}
    assert total[BREAKER_OPEN.name] == {("lrs", "statements"): [1]}
    histogram = total[TRANSACTION_DURATION.name][()]
    assert (sum(histogram[:-1]), histogram[-1]) == (2, 0.006)


async def test_what_a_process_counts_itself_is_never_old(tmp_path: Path) -> None:
    metrics = Metrics()
    exchange = MetricsExchange(metrics, tmp_path, "a")
    await exchange.run_once()
    metrics.count(COMMITS, APPLIED)

    assert (await exchange.total())[COMMITS.name] == {APPLIED: [1]}


async def test_what_a_process_that_ended_had_counted_stays_and_its_gauges_do_not(tmp_path: Path) -> None:
    living = _process(tmp_path, "living", 1, queue=1)
    for number in range(5):
        ended = _process(tmp_path, f"ended-{number}", 10, queue=9, up=False)
        await ended.run_once()
        retire(tmp_path, f"ended-{number}")

    total = await living.total()

    assert total[COMMITS.name] == {APPLIED: [51]}
    assert (total[QUEUE_LENGTH.name], total[DATABASE_UP.name]) == ({(): [1]}, {(): [1]})
    assert _names(tmp_path) == [f"ended{SUFFIX}"]


async def test_a_process_whose_file_is_still_there_is_not_counted_twice(tmp_path: Path) -> None:
    living, ended = _process(tmp_path, "living", 1), _process(tmp_path, "x", 10)
    await ended.run_once()
    content = (tmp_path / f"x{SUFFIX}").read_bytes()
    retire(tmp_path, "x")
    (tmp_path / f"x{SUFFIX}").write_bytes(content)  # as it is between adding and removing it

    assert (await living.total())[COMMITS.name] == {APPLIED: [11]}


async def test_processes_that_ended_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(MAX_REMEMBERED + 5):
        await _process(tmp_path, f"p{number}", 1).run_once()
        retire(tmp_path, f"p{number}")
    size = (tmp_path / f"ended{SUFFIX}").stat().st_size
    for number in range(5):
        await _process(tmp_path, f"q{number:03}", 1).run_once()
        retire(tmp_path, f"q{number:03}")

    assert (tmp_path / f"ended{SUFFIX}").stat().st_size < size + 50
    assert (await _process(tmp_path, "living", 0).total())[COMMITS.name] == {APPLIED: [MAX_REMEMBERED + 10]}


async def test_a_process_that_died_before_it_wrote_anything_or_left_rubbish_changes_nothing(tmp_path: Path) -> None:
    living = _process(tmp_path, "living", 1)
    retire(tmp_path, "never-wrote")
    (tmp_path / f"rubbish{SUFFIX}").write_bytes(b"{")
    retire(tmp_path, "rubbish")

    assert (await living.total())[COMMITS.name] == {APPLIED: [1]}


def test_threads_that_count_at_the_same_time_lose_nothing() -> None:
    metrics = Metrics()

    def work() -> None:
        for _ in range(2_000):
            metrics.count(COMMITS, APPLIED)
            metrics.observe(TRANSACTION_DURATION, 1.0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = metrics.collect()

    assert values[COMMITS.name] == {APPLIED: [16_000]}
    assert sum(values[TRANSACTION_DURATION.name][()][:-1]) == values[TRANSACTION_DURATION.name][()][-1] == 16_000

"""What grows with what is stored: the cost of a commit, the time to start, the memory while an LRS is down.

Run with `make bench` or `python -m benchmarks.growth`. Bridges on databases with few and with many attempts run side by
side and get the same sessions in turn, each a new attempt of an enrollment that is stored already. Costs are compared
within each round, as the machine may be busy with other things.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import text

from benchmarks.commits import check
from benchmarks.processes import Bridge, Databases, databases, free_port, load
from benchmarks.report import Report, median, ratio
from benchmarks.stored import fill
from benchmarks.usage import memory
from bridge.clock import random_id
from storage import leases, outbox, unassigned
from storage.engine import open_engine, reading, writing
from storage.outbox import ShardLease

KINDS = ("SQLite", "PostgreSQL")
FLAT = 0.20
"""How much more a commit may cost with many attempts stored than with few."""
START = 2.0
"""Seconds to ready, at most."""
PEAK = 200
"""MiB, at most."""
CONNECTIONS = 16
SESSIONS = 120
"""Sessions a round, each of an enrollment of its own; resumptions come on top."""
FAR = 10**13
"""A time at which everything may be tried."""


@dataclass
class Stored:
    """A bridge on a database with so many attempts."""

    bridge: Bridge
    kind: str
    attempts: int
    unused: list[int]
    rounds: list[dict[str, Any]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    rows: int = 0
    look: float = 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, nargs="+", default=[1_000, 100_000], help="stored; add 1000000")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--statements", type=int, default=50_000, help="that wait while the LRS is down")
    options = parser.parse_args(arguments)
    if min(options.attempts) < SESSIONS * (options.rounds + 1):
        parser.error(f"each round needs {SESSIONS} stored attempts of its own, and so does the warm-up")
    report = Report("growth", __doc__ or "")
    with databases() as database_set:
        for kind in KINDS:
            stored = [_stored(database_set, kind, attempts) for attempts in options.attempts]
            _start(stored)
            _commit(stored, options.rounds)
            for store in stored:
                _look(store)
            _print_growth(report, kind, stored)
        _print_memory(report, _wait(database_set, options.statements), options.statements)


def _stored(database_set: Databases, kind: str, attempts: int) -> Stored:
    name = f"stored_{kind.lower()}_{attempts}"
    bridge = Bridge(database_set.directory / name, database_set.make(kind, name))
    with bridge:
        fill(bridge, attempts)
    numbers = list(range(attempts))
    Random(attempts).shuffle(numbers)
    store = Stored(bridge, kind, attempts, numbers)
    engine = open_engine(bridge.url)
    with reading(engine) as connection:
        store.rows = connection.execute(text("SELECT count(*) FROM journal")).scalar_one()
    engine.dispose()
    return store


def _start(stored: Sequence[Stored]) -> None:
    for _ in range(3):
        for store in stored:
            begun = time.perf_counter()
            with store.bridge:
                _until_ready(store.bridge)
                store.starts.append(time.perf_counter() - begun)


def _until_ready(bridge: Bridge) -> None:
    while True:
        with contextlib.suppress(urllib.error.URLError):
            with urllib.request.urlopen(f"http://127.0.0.1:{bridge.port}/readyz") as response:
                response.read()
            return


def _commit(stored: Sequence[Stored], rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        for store in stored:
            stack.enter_context(store.bridge)
        for number in range(rounds + 1):
            for store in stored:
                numbers, store.unused = store.unused[:SESSIONS], store.unused[SESSIONS:]
                result = load(
                    {
                        "port": store.bridge.port,
                        "token": store.bridge.token,
                        "connections": CONNECTIONS,
                        "seconds": 600,
                        "warm_up": 0,
                        "server": store.bridge.pid,
                        "first": 10_000_000 * (number + 1),
                        "sessions": len(numbers),
                        "stored": numbers,
                    }
                )
                check("bridge", store.bridge.url, result)
                if number:  # the first round warms up
                    store.rounds.append(result)


def _look(store: Stored) -> None:
    """Find out what the forwarder's look for what waits costs, with all that is settled around it."""
    engine = open_engine(store.bridge.url)
    part = ShardLease("lrs", "lrs/0", random_id(), 0)
    with writing(engine) as connection:
        unassigned.assign_waiting(connection, part.target)
        leases.share_out(connection, owner=part.owner, names=[part.lease], lasts=3_600_000)
    times = []
    for _ in range(5):
        with reading(engine) as connection:
            begun = time.perf_counter()
            outbox.claim(connection, part, now=FAR, limit=50, most_bytes=512 * 1024)
            times.append((time.perf_counter() - begun) * 1000)
    engine.dispose()
    store.look = statistics.median(times)


def _wait(database_set: Databases, statements: int) -> list[tuple[int, float, float]]:
    """Commit while nobody listens at the target; return (statements that wait, MiB now, MiB at most) on the way."""
    target = f'[[targets]]\nname = "lrs"\nendpoint = "http://127.0.0.1:{free_port()}/xapi/"\n'
    samples: list[tuple[int, float, float]] = []
    with Bridge(database_set.directory / "waiting", database_set.sqlite("waiting"), target) as bridge:
        engine, first, waiting = open_engine(bridge.url), 0, 0
        samples.append((0, *memory(bridge.pid)))
        while waiting < statements:
            result = load(
                {
                    "port": bridge.port, "token": bridge.token, "connections": 64, "seconds": 4, "warm_up": 0,
                    "server": bridge.pid, "first": first,
                }
            )  # fmt: skip
            first += 1_000_000
            check("bridge", bridge.url, result)
            with reading(engine) as connection:
                waiting = outbox.waiting(connection)["lrs"]
            samples.append((waiting, *memory(bridge.pid)))
        engine.dispose()
    return samples


def _print_growth(report: Report, kind: str, stored: Sequence[Stored]) -> None:
    rows = []
    few = [result["server_cpu"] / result["commits"] for result in stored[0].rounds]
    slow = [result["seconds"] / result["commits"] for result in stored[0].rounds]
    for store in stored:
        costs = [result["server_cpu"] / result["commits"] for result in store.rounds]
        times = [result["seconds"] / result["commits"] for result in store.rounds]
        rows.append(
            [
                f"{store.attempts:,}",
                f"{store.rows:,}",
                f"{median(costs) * 1e6:,.0f}",
                f"{ratio(costs, few):.2f}",
                f"{median(times) * 1e6:,.0f}",
                f"{ratio(times, slow):.2f}",
                f"{1 + FLAT:.2f}",
                f"{median(store.starts):.2f}",
                f"{START:.0f}",
                f"{store.look:.1f}",
            ]
        )
    report.table(
        f"{kind}: a commit at {CONNECTIONS} connections, the time to ready, and the forwarder's look for what waits",
        ["attempts stored", "commits", "CPU µs", "of few", "wall µs", "of few", "at most", "start s", "at most",
         "look ms"],
        rows,
    )  # fmt: skip


def _print_memory(report: Report, samples: list[tuple[int, float, float]], statements: int) -> None:
    report.table(
        f"Memory while {statements:,} statements come to wait for an LRS that is down (SQLite)",
        ["statements waiting", "MiB", "most ever"],
        [[f"{waiting:,}", f"{now:.1f}", f"{limit:.1f}"] for waiting, now, limit in samples],
    )
    half = [(waiting, now) for waiting, now, _ in samples if waiting >= samples[-1][0] / 2]
    slope = statistics.linear_regression(*zip(*half, strict=True)).slope * 1024 * 1000 if len(half) > 1 else 0.0
    report.text(
        f"In the second half memory grew by {slope:.1f} KiB for 1,000 statements (about 0); it was never more than"
        f" {samples[-1][2]:.0f} MiB (at most {PEAK})."
    )


if __name__ == "__main__":
    main()

"""What becomes of a bridge that runs for hours at half load and 1 % faults: memory, descriptors, threads, log, disk.

Run with `make soak` or `python -m benchmarks.soak`. Commits are due at even times, at half the rate that the bridge
reached in the beginning; the load generator is a new process with new connections every minute. The LRS fails once in a
hundred requests: it refuses, cuts the connection, or keeps what came and then fails. After each minute the bridge's
process is looked at; what grows is told as a slope of the second half: the cache of open sessions takes 2,000
enrollments, and each minute leaves some forty open, so that it is full after an hour. In the end every commit
that was answered is looked for in the database, and every statement has been delivered.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.commits import check
from benchmarks.processes import Bridge, Databases, Lrs, databases, load
from benchmarks.report import Report
from benchmarks.usage import descriptors, memory, threads
from storage.engine import open_engine, reading
from storage.states import DeliveryState
from storage.tables import delivery

KINDS = ("SQLite", "PostgreSQL")
CONNECTIONS = 32
SLICE = 60.0
"""Seconds between two samples."""
WARM_UP = 0.5
"""The share of the run that no slope is taken of."""
DRAIN_TIMEOUT = 900
"""Seconds in which what waits in the end must be delivered."""
STEADY = {"memory MiB": 16.0, "descriptors": 1.0, "threads": 0.0, "log lines": 120.0, "waiting": 600.0}
"""What may be added an hour: by what is told apart from noise in two hours, and for the log two lines a minute."""


class NotSteadyError(RuntimeError):
    """Something grows that must not."""


@dataclass(frozen=True)
class Sample:
    """A bridge after some hours: `values` by name."""

    hours: float
    values: dict[str, float]


@dataclass
class Soak:
    """One run."""

    kind: str
    bridge: Bridge
    database: int | None
    lrs: Lrs
    samples: list[Sample] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    first: int = 0
    capacity: float = 0.0
    """Commits a second that the bridge reached in the beginning."""

    def load(self, rate: float, seconds: float) -> dict[str, Any]:
        """Post commits; note what was answered."""
        result = load(
            {
                "port": self.bridge.port, "token": self.bridge.token, "server": self.bridge.pid,
                "database": self.database, "connections": CONNECTIONS, "seconds": seconds, "rate": rate,
                "first": self.first,
            }
        )  # fmt: skip
        if result["other"]:
            raise NotSteadyError(f"not all commits were answered with 200: {result['other']}")
        self.first += 1_000_000
        self.answered |= result["answered"]
        return result

    def run(self, rate: float, hours: float) -> None:
        """Post commits at a rate for so many hours, and look at the bridge after each minute."""
        begun = time.monotonic()
        while (spent := time.monotonic() - begun) < hours * 3600:
            result = self.load(rate, min(SLICE, hours * 3600 - spent))
            self.latencies.append(result["p99"])
            self.samples.append(Sample((time.monotonic() - begun) / 3600, self._look()))
            self.lrs.ask("/log", "DELETE")

    def _look(self) -> dict[str, float]:
        resident, _ = memory(self.bridge.pid)
        return {
            "memory MiB": resident,
            "descriptors": descriptors(self.bridge.pid),
            "threads": threads(self.bridge.pid),
            "log lines": len(self.bridge.log),
            "waiting": waiting(self.bridge.url),
            "write-ahead log MiB": _wal_mib(self.bridge.url),
        }

    def slope(self, name: str) -> float:
        """Return by how much a value grows an hour, the first half left out."""
        steady = [sample for sample in self.samples if sample.hours >= self.samples[-1].hours * WARM_UP]
        if len(steady) < 2:
            return 0.0
        hours, values = [sample.hours for sample in steady], [sample.values[name] for sample in steady]
        return statistics.linear_regression(hours, values).slope

    def finish(self) -> None:
        """Wait until all is delivered, and look whether all that was answered is stored.

        Raises:
            NotSteadyError: it is not.
        """
        self.lrs.ask("/faults", "PUT", "0")
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while left := waiting(self.bridge.url):
            if time.monotonic() > deadline:
                raise NotSteadyError(f"{left} statements still wait {DRAIN_TIMEOUT} s after the last commit")
            time.sleep(0.5)
        check("bridge", self.bridge.url, {"other": {}, "answered": self.answered})
        if undelivered := _count(self.bridge.url, delivery.c.state != DeliveryState.DELIVERED):
            raise NotSteadyError(f"{undelivered} statements were not delivered")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0, help="of each database")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--rate", type=float, default=0.0, help="commits a second; by default half of what is reached")
    parser.add_argument("--faults", type=float, default=0.01, help="share of the LRS's answers")
    options = parser.parse_args(arguments)
    report = Report("soak", __doc__ or "")
    grown: list[str] = []
    with databases() as database_set:
        for kind in options.kinds:
            soak, rate = _soak(database_set, kind, options.rate, options.hours, options.faults)
            _print(report, soak, rate)
            if options.hours >= 1:  # in less, noise is more than the slope
                grown += [f"{kind}: {name}" for name, most in STEADY.items() if soak.slope(name) > most]
    if grown:
        raise NotSteadyError("grows: " + ", ".join(grown))


def _soak(database_set: Databases, kind: str, rate: float, hours: float, faults: float) -> tuple[Soak, float]:
    url = database_set.make(kind, f"soak_{kind.lower()}")
    with Lrs() as lrs:
        lrs.ask("/faults", "PUT", str(faults))
        target = f'[[targets]]\nname = "lrs"\nendpoint = "{lrs.endpoint}"\nversion = "1.0.3"\n'
        with Bridge(database_set.directory / kind, url, target) as bridge:
            postmaster = database_set.postmaster if kind == "PostgreSQL" else None
            soak = Soak(kind, bridge, postmaster, lrs)
            reached = soak.load(0.0, 20.0)
            soak.capacity = reached["commits"] / reached["seconds"]
            rate = rate or soak.capacity / 2
            soak.run(rate, hours)
            soak.finish()
            soak.faults = lrs.ask("/faults")
    return soak, rate


def _print(report: Report, soak: Soak, rate: float) -> None:
    samples = soak.samples
    report.table(
        f"{soak.kind}: {samples[-1].hours:.2f} hours at {rate:,.0f} commits a second,"
        f" {rate / soak.capacity:.2f} of what it reached in the beginning",
        ("of the bridge's process", "after half", "at the end", "most", "an hour", "at most"),
        [_row(soak, name) for name in samples[-1].values],
    )
    faults = ", ".join(f"{count:,} {name}" for name, count in sorted(soak.faults.items()))
    report.text(
        f"{sum(soak.answered.values()):,} commits were answered, each is stored, and each of their statements is"
        f" delivered. What the LRS did to its requests: {faults}. p99 of a minute's commits: median"
        f" {statistics.median(soak.latencies):.1f} ms, worst {max(soak.latencies):.1f} ms."
    )


def _row(soak: Soak, name: str) -> tuple[str, ...]:
    values = [sample.values[name] for sample in soak.samples]
    most = STEADY.get(name)
    early = values[int(len(values) * WARM_UP)]
    limit = "" if most is None else f"{most:+,.0f}"
    return name, f"{early:,.0f}", f"{values[-1]:,.0f}", f"{max(values):,.0f}", f"{soak.slope(name):+,.1f}", limit


def waiting(url: str) -> int:
    """Return how many deliveries wait."""
    return _count(url, delivery.c.state == DeliveryState.WAITING)


def _count(url: str, condition: Any) -> int:
    engine = open_engine(url)
    with reading(engine) as connection:
        count: int = connection.execute(select(func.count()).select_from(delivery).where(condition)).scalar_one()
    engine.dispose()
    return count


def _wal_mib(url: str) -> float:
    if not url.startswith("sqlite:///"):
        return 0.0
    path = Path(url.removeprefix("sqlite:///") + "-wal")
    return path.stat().st_size / 1024 / 1024 if path.exists() else 0.0


if __name__ == "__main__":
    main()

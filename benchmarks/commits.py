"""Durable commits a second of the real service over HTTP, beside a bare handler and beside a handler with an ORM.

Run with `make bench` or `python -m benchmarks.commits`. Everything compared runs in processes of its own, one after the
other in each round, and rounds are compared with themselves, as the machine may be busy with other things. The load
generator shares the machine with what it measures, so rates are told by the wall and by the server's processor time.
After each run every commit that was answered with 200 is looked for in the database.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from benchmarks.processes import Bridge, Databases, Process, databases, free_port, load
from benchmarks.report import Report, median, ratio
from storage.engine import open_engine, reading

KINDS = ("SQLite", "PostgreSQL")
BARE = "bare handler"
TWO = "bridge of two processes"
MORE_FOR_TWO = 1.1
"""How much more processor time a commit may cost with two processes than with one."""
OF_BARE = {("SQLite", 16): 0.15, ("SQLite", 64): 0.25, ("PostgreSQL", 16): 0.12, ("PostgreSQL", 64): 0.20}
"""What of the bare handler's rate the bridge shall reach at least, by database and connections."""
TIMES_THE_ORM = 10
TIMES_BARE_P99 = 5
P50 = 10.0
"""Milliseconds."""
COUNTS = {
    "bridge": "SELECT session_id, count(*) FROM journal",
    TWO: "SELECT session_id, count(*) FROM journal",
    "ORM": "SELECT session_id, count(*) FROM orm_commit",
}
STATEMENTS = {
    "bridge": "SELECT count(*) FROM statement",
    TWO: "SELECT count(*) FROM statement",
    "ORM": "SELECT count(*) FROM orm_statement",
}


@dataclass
class Subject:
    """A server that is measured. `url` and `kind` are empty for the bare handler, which keeps nothing."""

    server: Process
    token: str
    what: str
    kind: str = ""
    url: str = ""
    commits: int = 0
    results: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def name(self) -> str:
        """Tell it from the others."""
        return f"{self.what}, {self.kind}" if self.kind else self.what


class MissingError(RuntimeError):
    """Something that was answered with 200 is not there."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    options = parser.parse_args(arguments)
    report = Report("commits", __doc__ or "")
    with contextlib.ExitStack() as stack:
        database_set = stack.enter_context(databases())
        subjects = [stack.enter_context(subject.server) and subject for subject in _subjects(database_set)]
        run = Run(subjects, database_set, options.seconds, options.rounds)
        for connections in options.connections:
            run.throughput(connections)
        _print_throughput(report, subjects, options.connections)
        rates = {
            subject.name: median(map(_rate, subject.results["closed", options.connections[-1]])) / 2
            for subject in subjects
            if subject.what == "bridge"
        }
        run.latency(rates, options.connections[-1])
        _print_latency(report, subjects, rates, options.connections[-1])


def _subjects(database_set: Databases) -> list[Subject]:
    port = free_port()
    subjects = [Subject(Process(sys.executable, "-m", "benchmarks.bare", str(port), port=port), "", BARE)]
    for kind in KINDS:
        bridge = Bridge(database_set.directory / kind, database_set.make(kind, f"bridge_{kind.lower()}"))
        subjects.append(Subject(bridge, bridge.token, "bridge", kind, bridge.url))
    bridge = Bridge(database_set.directory / "two", database_set.make("PostgreSQL", "bridge_two"), workers=2)
    subjects.append(Subject(bridge, bridge.token, TWO, "PostgreSQL", bridge.url))
    for kind in KINDS:
        port, url = free_port(), database_set.make(kind, f"orm_{kind.lower()}", empty=True)
        server = Process(sys.executable, "-m", "benchmarks.orm", str(port), url, port=port)
        subjects.append(Subject(server, "", "ORM", kind, url))
    return subjects


class Run:
    """Runs of all subjects in turn. Every run has enrollments of its own."""

    def __init__(self, subjects: Sequence[Subject], database_set: Databases, seconds: float, rounds: int) -> None:
        self._subjects = subjects
        self._database_set = database_set
        self._seconds = seconds
        self._rounds = rounds
        self._first = 0

    def throughput(self, connections: int) -> None:
        """Post as fast as answers come."""
        for _ in range(self._rounds):
            for subject in self._subjects:
                subject.results["closed", connections].append(self._load(subject, connections, 0.0))

    def latency(self, rates: Mapping[str, float], connections: int) -> None:
        """Post at fixed rates, each to the subject it is named for and to the bare handler."""
        bare = next(subject for subject in self._subjects if subject.what == BARE)
        for _ in range(self._rounds):
            for subject in self._subjects:
                if rate := rates.get(subject.name):
                    subject.results[subject.name, connections].append(self._load(subject, connections, rate))
                    bare.results[subject.name, connections].append(self._load(bare, connections, rate))

    def _load(self, subject: Subject, connections: int, rate: float) -> dict[str, Any]:
        result = load(
            {
                "port": subject.server.port,
                "token": subject.token,
                "connections": connections,
                "seconds": self._seconds,
                "rate": rate,
                "server": subject.server.pid,
                "database": self._database_set.postmaster if subject.kind == "PostgreSQL" else None,
                "first": self._first,
            }
        )
        self._first += 1_000_000
        if result["other"]:
            print("".join(subject.server.log[-40:]), file=sys.stderr)
        subject.commits += sum(result["answered"].values())
        check(subject.what, subject.url, result)
        return result


def check(server: str, url: str, result: Mapping[str, Any]) -> None:
    """Look whether all that was answered with 200 is in the database.

    Raises:
        MissingError: it is not, or something was answered otherwise.
    """
    if result["other"]:
        raise MissingError(f"not all commits were answered with 200: {result['other']}")
    if not url:
        return
    engine = open_engine(url)
    with reading(engine) as connection:
        stored = {str(row[0]): row[1] for row in connection.execute(text(f"{COUNTS[server]} GROUP BY session_id"))}
    engine.dispose()
    lost = {session_id: count for session_id, count in result["answered"].items() if stored.get(session_id) != count}
    if lost:
        raise MissingError(f"{server}: {len(lost)} sessions lack commits that were answered with 200")


def statements_a_commit(subject: Subject) -> float:
    """Return how many statements were made for a commit."""
    engine = open_engine(subject.url)
    with reading(engine) as connection:
        statements: int = connection.execute(text(STATEMENTS[subject.what])).scalar_one()
    engine.dispose()
    return statements / subject.commits


def _rate(result: Mapping[str, Any]) -> float:
    return result["commits"] / result["seconds"]


def _cpu_rate(result: Mapping[str, Any]) -> float:
    return result["commits"] / result["server_cpu"]


def _print_throughput(report: Report, subjects: Sequence[Subject], all_connections: Sequence[int]) -> None:
    bare = subjects[0]
    for connections in all_connections:
        base = bare.results["closed", connections]
        rows = []
        for subject in subjects:
            results = subject.results["closed", connections]
            least = OF_BARE.get((subject.kind, connections)) if subject.what == "bridge" else None
            rows.append(
                [
                    subject.name,
                    f"{median(map(_rate, results)):,.0f}",
                    f"{ratio([*map(_rate, results)], [*map(_rate, base)]):.3f}",
                    f"{median(map(_cpu_rate, results)):,.0f}",
                    f"{ratio([*map(_cpu_rate, results)], [*map(_cpu_rate, base)]):.3f}",
                    "" if least is None else f"{least}",
                    f"{median(result['server_cpu'] / result['commits'] * 1000 for result in results):.3f}",
                    f"{median(result['database_cpu'] / result['commits'] * 1000 for result in results):.3f}",
                    f"{median(result['p50'] for result in results):.1f}",
                    f"{median(result['p99'] for result in results):.1f}",
                ]
            )
        report.table(
            f"Durable commits at {connections} connections, as fast as answers come",
            ["server", "commits/s", "of bare", "a CPU s", "of bare", "at least", "CPU s/1,000", "database's", "p50 ms",
             "p99 ms"],
            rows,
        )  # fmt: skip
        for kind in KINDS:
            ours, theirs = (
                next(
                    subject.results["closed", connections]
                    for subject in subjects
                    if (subject.what, subject.kind) == (server, kind)
                )
                for server in ("bridge", "ORM")
            )
            times, by_cpu = (ratio([*map(how, ours)], [*map(how, theirs)]) for how in (_rate, _cpu_rate))
            report.text(
                f"{kind}, {connections} connections: {times:.1f} times the ORM's commits a second,"
                f" {by_cpu:.1f} times by processor time (at least {TIMES_THE_ORM})."
            )
        one_process, two = (
            [
                (result["server_cpu"] + result["database_cpu"]) / result["commits"]
                for subject in subjects
                if (subject.what, subject.kind) == (server, "PostgreSQL")
                for result in subject.results["closed", connections]
            ]
            for server in ("bridge", TWO)
        )
        report.text(
            f"PostgreSQL, {connections} connections: two processes take {ratio(two, one_process):.2f} times the"
            f" processor time of one for a commit, the database's included (at most {MORE_FOR_TWO})."
        )
    busy = median(result["own_cpu"] / result["seconds"] for result in base)
    sizes = (
        median(result["bytes_answered"] for result in base),
        median(result["bytes_answered"] for result in subjects[1].results["closed", all_connections[-1]]),
    )
    report.text(
        f"The load generator used {busy:.0%} of a processor against the bare handler; answers have {sizes[0]:.0f} bytes"
        f" there and {sizes[1]:.0f} from the bridge. Statements a commit: "
        + ", ".join(f"{subject.name} {statements_a_commit(subject):.2f}" for subject in subjects if subject.url)
        + ". Every commit that was answered with 200 was found in its database."
    )


def _print_latency(report: Report, subjects: Sequence[Subject], rates: Mapping[str, float], connections: int) -> None:
    rows = []
    for subject in subjects:
        if subject.name not in rates:
            continue
        for measured in (subjects[0], subject):
            results = measured.results[subject.name, connections]
            times = ratio(
                [result["p99"] for result in results],
                [result["p99"] for result in subjects[0].results[subject.name, connections]],
            )
            rows.append(
                [
                    f"{measured.name}",
                    f"{rates[subject.name]:,.0f}",
                    f"{median(map(_rate, results)):,.0f}",
                    f"{median(result['p50'] for result in results):.2f}",
                    f"{P50:.0f}" if measured is subject else "",
                    f"{median(result['p99'] for result in results):.2f}",
                    f"{times:.1f}",
                    f"{TIMES_BARE_P99}" if measured is subject else "",
                    f"{median(result['longest'] for result in results):.1f}",
                ]
            )
    report.table(
        f"Time to the answer at half the load found, due at even times, {connections} connections",
        ["server", "due/s", "answered/s", "p50 ms", "at most", "p99 ms", "of bare", "at most", "longest ms"],
        rows,
    )


if __name__ == "__main__":
    main()

"""What commits feel of people: their time to the answer at half load, alone, in a flood of sign-ins, beside exports.

Run with `make bench` or `python -m benchmarks.people`; with `--against DIRECTORY`, another checkout of the bridge is
measured in the same rounds, in turn with this one. Commits are due at even times, at half the rate that this bridge
reached alone. Guesses at passwords come over 40 connections from as many addresses as there are guesses, as a trusted
proxy tells them. Files of all statements are asked for over 40 connections by one account, again as soon as one came.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.commits import check
from benchmarks.processes import ROOT, Bridge, Databases, databases, load
from benchmarks.report import Report, median
from bridge import passwords
from storage import accounts
from storage.accounts import NewAccount
from storage.engine import open_engine, writing

KINDS = ("SQLite", "PostgreSQL")
CROWDS = ("alone", "sign-in", "export")
PEOPLE = 40
CONNECTIONS = 32
STORED = 6_000
"""Sessions stored beforehand, for files to have something in them."""
NAME, PASSWORD = "ada", "correct horse battery"
SETTINGS = '[audit]\nbehind_proxy = true\n[log]\nlevel = "error"\n'


class Subject(NamedTuple):
    """A bridge that is measured."""

    what: str
    kind: str
    bridge: Bridge


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout of the bridge")
    parser.add_argument("--stored", type=int, default=STORED, help="sessions stored beforehand")
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    options = parser.parse_args(arguments)
    report = Report("people", __doc__ or "")
    roots = {"before": options.against} if options.against else {}
    roots["after" if roots else "bridge"] = ROOT
    with databases() as database_set:
        for kind in options.kinds:
            with contextlib.ExitStack() as stack:
                subjects = [
                    Subject(version, kind, stack.enter_context(_bridge(database_set, kind, version, root)))
                    for version, root in roots.items()
                ]
                run = Run(database_set, options.seconds)
                for subject in subjects:
                    run.fill(subject, options.stored)
                rate = run.commits(subjects[-1], 0.0)
                rate = rate["commits"] / rate["seconds"] / 2
                results = run.rounds(subjects, rate, options.rounds)
            _print(report, kind, rate, results)


def _bridge(database_set: Databases, kind: str, version: str, root: Path) -> Bridge:
    url = database_set.make(kind, f"{version}_{kind.lower()}")
    engine = open_engine(url)
    with writing(engine) as connection:
        accounts.add(
            connection, NewAccount(NAME, "admin", sees_names=True, password=passwords.hash_password(PASSWORD)), 0
        )
    engine.dispose()
    return Bridge(database_set.directory / f"{version}-{kind}", url, SETTINGS, root=root)


class Run:
    """Runs, each with enrollments of its own."""

    def __init__(self, database_set: Databases, seconds: float) -> None:
        self._database_set = database_set
        self._seconds = seconds
        self._first = 0

    def fill(self, subject: Subject, sessions: int) -> None:
        """Store sessions."""
        self._load(subject, sessions=sessions, seconds=600.0, connections=64)

    def commits(self, subject: Subject, rate: float) -> dict[str, Any]:
        """Post commits, as fast as answers come where the rate is 0."""
        return self._load(subject, rate=rate, seconds=self._seconds, connections=CONNECTIONS)

    def rounds(
        self, subjects: Sequence[Subject], rate: float, rounds: int
    ) -> dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]]:
        """Return (bridge, crowd) -> in each round what came of the commits, and of the crowd."""
        results: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
        for _ in range(rounds):
            for crowd in CROWDS:
                for subject in subjects:
                    with _crowd(subject.bridge.port, crowd, self._seconds + 2) as asking:
                        result = self.commits(subject, rate)
                        crowd_counts = {} if asking is None else msgspec.json.decode(asking.communicate()[0])
                    results[subject.what, crowd].append((result, crowd_counts))
        return results

    def _load(self, subject: Subject, **job: Any) -> dict[str, Any]:
        result = load(
            {
                "port": subject.bridge.port,
                "token": subject.bridge.token,
                "server": subject.bridge.pid,
                "database": self._database_set.postmaster if subject.kind == "PostgreSQL" else None,
                "first": self._first,
            }
            | job
        )
        self._first += 1_000_000
        check("bridge", subject.bridge.url, result)
        return result


@contextlib.contextmanager
def _crowd(port: int, crowd: str, seconds: float) -> Any:
    if crowd == "alone":
        yield None
        return
    job = {
        "port": port, "what": crowd, "connections": PEOPLE, "seconds": seconds, "name": NAME, "password": PASSWORD,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(job))
    process.stdin.close()
    process.stdin = None
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _print(
    report: Report, kind: str, rate: float, results: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]]
) -> None:
    rows = []
    for crowd in CROWDS:
        for (version, of), runs in results.items():
            if of != crowd:
                continue
            statuses: dict[str, int] = defaultdict(int)
            for _, crowd_counts in runs:
                for status, number in crowd_counts.get("statuses", {}).items():
                    statuses[status] += number
            size = sum(crowd_counts.get("bytes", 0) for _, crowd_counts in runs) / len(runs) / 1e6
            rows.append(
                [
                    f"{crowd}, {version}",
                    f"{median(result['p50'] for result, _ in runs):.1f}",
                    f"{median(result['p99'] for result, _ in runs):.1f}",
                    f"{median(result['longest'] for result, _ in runs):.0f}",
                    f"{median(result['commits'] / result['seconds'] for result, _ in runs):,.0f}",
                    ", ".join(f"{number} x {status}" for status, number in sorted(statuses.items())),
                    f"{size:.1f}" if crowd == "export" else "",
                ]
            )
    report.table(
        f"{kind}: {rate:,.0f} commits a second due",
        ["people", "p50 ms", "p99 ms", "longest ms", "answered/s", "answers to people", "MB of files a run"],
        rows,
    )


if __name__ == "__main__":
    main()

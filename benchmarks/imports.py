"""How fast a history is imported, and what live commits feel of it.

Run with `make bench` or `python -m benchmarks.imports`. The history is that of a Moodle: `--rows` values of attempts,
16 of each, in CSV files as `mod_scorm` exports them, imported from the command line. In each round an empty database
gets it with nothing beside it; then a bridge serves live commits at half the rate that it reaches, alone and with the
import of the rest beside it. With `--whole` ten times as many rows are imported to their end beside live commits at
`--rate`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.commits import check
from benchmarks.processes import ROOT, Bridge, Databases, databases, load
from benchmarks.report import Report, median
from storage.engine import open_engine, reading

KINDS = ("SQLite", "PostgreSQL")
AT_LEAST = 5_000
"""Rows a second, on SQLite."""
AT_MOST = 2.0
"""How many times as long the p99 of live commits may be beside an import."""
CONNECTIONS = 32
STARTED = 1_420_070_400
VALUES = {
    "x.start.time": "",
    "cmi.core.lesson_status": "passed",
    "cmi.core.score.raw": "87",
    "cmi.core.score.min": "0",
    "cmi.core.score.max": "100",
    "cmi.core.total_time": "00:42:03.50",
    "cmi.core.session_time": "00:42:03.50",
    "cmi.core.lesson_location": "page-9",
    "cmi.core.exit": "suspend",
    "cmi.suspend_data": "s" * 400,
    "cmi.interactions_0.id": "Q1",
    "cmi.interactions_0.type": "choice",
    "cmi.interactions_0.student_response": "a",
    "cmi.interactions_0.result": "correct",
    "cmi.interactions_0.weighting": "1",
    "cmi.interactions_0.latency": "00:00:12.50",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run of live commits")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--whole", action="store_true", help="import a whole history beside live commits, too")
    parser.add_argument("--rate", type=float, default=100.0, help="live commits a second beside a whole history")
    options = parser.parse_args(arguments)
    report = Report("imports", __doc__ or "")
    with databases() as database_set:
        history = _write(database_set.directory / "moodle", options.rows)
        endless = _write(database_set.directory / "more", options.rows * 10, first=options.rows)
        rows = []
        for kind in options.kinds:
            alone = [_alone(database_set, kind, number, history) for number in range(options.rounds)]
            rows.append(
                (kind, f"{options.rows:,}", f"{options.rows / median(alone):,.0f}", f"{AT_LEAST:,}",
                 f"{median(alone) / (options.rows / len(VALUES)) * 1e6:,.0f}")
            )  # fmt: skip
        report.table(
            "A history alone", ("database", "rows", "rows a second", "SQLite: at least", "µs an attempt"), rows
        )
        beside = [(kind, *_beside(database_set, kind, endless, options)) for kind in options.kinds]
        report.table(
            "Live commits at half load, alone and beside an import",
            (
                "database",
                "commits a second",
                "p50 ms",
                "beside",
                "p99 ms",
                "beside",
                "times",
                "at most",
                "rows a second",
            ),
            beside,
        )  # fmt: skip
        if options.whole:
            whole = [(kind, *_whole(database_set, kind, endless, options)) for kind in options.kinds]
            report.table(
                f"A history of {options.rows * 10:,} rows to its end, beside {options.rate:,.0f} live commits a second",
                ("database", "minutes", "rows a second", "live commits", "p50 ms", "p99 ms", "worst p99 ms"),
                whole,
            )


def _write(directory: Path, rows: int, first: int = 0) -> Path:
    directory.mkdir()
    with (directory / "mdl_scorm_scoes_track.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "userid", "scormid", "scoid", "attempt", "element", "value", "timemodified"))
        for number in range(rows):
            attempt, place = divmod(first + number, len(VALUES))
            element = tuple(VALUES)[place]
            at = STARTED + attempt
            value = at if element == "x.start.time" else VALUES[element]
            writer.writerow((number + 1, attempt // 2 + 1, 7, 9, attempt % 2 + 1, element, value, at + 3600))
    return directory


def _command(bridge: Bridge, history: Path) -> list[Path | str]:
    script = Path(sys.executable).with_name("scorm-bridge")
    return [script, "--config", bridge.config, "import", "moodle", history, "--lms", "lms", "--yes", "--json"]


def _alone(database_set: Databases, kind: str, number: int, history: Path) -> float:
    """Return the seconds of an import into an empty database, without the command's start."""
    name = f"alone_{kind.lower()}_{number}"
    bridge = Bridge(database_set.directory / name, database_set.make(kind, name))
    empty = database_set.directory / f"{name}-empty"
    _write(empty, len(VALUES), first=10**9)
    start = _timed(_command(bridge, empty))
    return _timed(_command(bridge, history)) - start


def _timed(command: Sequence[Path | str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=_environment())
    return time.perf_counter() - begun


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def _beside(database_set: Databases, kind: str, history: Path, options: argparse.Namespace) -> tuple[str, ...]:
    name = f"beside_{kind.lower()}"
    with Bridge(database_set.directory / name, database_set.make(kind, name)) as bridge:
        run = _Live(database_set, kind, bridge, options.seconds)
        reached = run(0.0)
        rate = reached["commits"] / reached["seconds"] / 2
        alone, beside, speeds = [], [], []
        for _ in range(options.rounds):
            alone.append(run(rate))
            with _importing(bridge, history):
                begun, before = time.perf_counter(), _imported(bridge)
                beside.append(run(rate))
                rows = (_imported(bridge) - before) * len(VALUES)
                speeds.append(rows / (time.perf_counter() - begun))
    p50, p99 = (median(result[name] for result in alone) for name in ("p50", "p99"))
    p50_beside, p99_beside = (median(result[name] for result in beside) for name in ("p50", "p99"))
    return (
        f"{rate:,.0f}", f"{p50:.1f}", f"{p50_beside:.1f}", f"{p99:.1f}", f"{p99_beside:.1f}",
        f"{p99_beside / p99:.2f}", f"{AT_MOST:.1f}", f"{median(speeds):,.0f}",
    )  # fmt: skip


def _whole(database_set: Databases, kind: str, history: Path, options: argparse.Namespace) -> tuple[str, ...]:
    name = f"whole_{kind.lower()}"
    with Bridge(database_set.directory / name, database_set.make(kind, name)) as bridge:
        run, results, begun = _Live(database_set, kind, bridge, options.seconds), [], time.perf_counter()
        with _started(bridge, history) as process:
            while process.poll() is None:
                results.append(run(options.rate))
        took = time.perf_counter() - begun
        imported, attempts = _imported(bridge), options.rows * 10 // len(VALUES)
        if process.returncode or imported != attempts:
            raise RuntimeError(f"the import ended with {process.returncode}: {imported:,} of {attempts:,} attempts")
    p99 = [result["p99"] for result in results]
    return (
        f"{took / 60:.1f}", f"{attempts * len(VALUES) / took:,.0f}",
        f"{sum(result['commits'] for result in results):,}", f"{median(result['p50'] for result in results):.1f}",
        f"{median(p99):.1f}", f"{max(p99):.1f}",
    )  # fmt: skip


@contextlib.contextmanager
def _importing(bridge: Bridge, history: Path) -> Iterator[None]:
    """Run the import until the block ends: from when it stores something, and killed where it is then."""
    before = _imported(bridge)
    with _started(bridge, history) as process:
        while _imported(bridge) == before:
            if process.poll() is not None:
                raise RuntimeError("the import ended: it needs more --rows")
            time.sleep(0.2)
        yield


@contextlib.contextmanager
def _started(bridge: Bridge, history: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the import, and kill it if it runs when the block ends."""
    process = subprocess.Popen(_command(bridge, history), stdout=subprocess.DEVNULL, cwd=ROOT, env=_environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _imported(bridge: Bridge) -> int:
    """Return how many sessions were imported."""
    engine = open_engine(bridge.url)
    with reading(engine) as connection:
        count: int = connection.execute(text("SELECT COUNT(*) FROM session WHERE source = 'import'")).scalar_one()
    engine.dispose()
    return count


class _Live:
    """Live commits, each run's of enrollments of its own."""

    def __init__(self, database_set: Databases, kind: str, bridge: Bridge, seconds: float) -> None:
        self._database = database_set.postmaster if kind == "PostgreSQL" else None
        self._bridge = bridge
        self._seconds = seconds
        self._first = 0

    def __call__(self, rate: float) -> dict[str, Any]:
        result = load(
            {
                "port": self._bridge.port, "token": self._bridge.token, "server": self._bridge.pid,
                "database": self._database, "connections": CONNECTIONS, "seconds": self._seconds, "rate": rate,
                "first": self._first,
            }
        )  # fmt: skip
        self._first += 1_000_000
        check("bridge", self._bridge.url, result)
        return result


if __name__ == "__main__":
    main()

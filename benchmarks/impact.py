"""The impact report: commits a second that are replayed by two mapping documents, and the memory that takes.

Run with `make bench` or `python -m benchmarks.impact`. The journal is that of the other benchmarks' sessions, six
commits each, stored as the service stores them. The new document has a rule more, a rule less, and another result for a
third.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Sequence

from sqlalchemy import Engine

from benchmarks import workload
from benchmarks.journals import fill
from benchmarks.processes import databases
from benchmarks.report import Report
from benchmarks.usage import memory
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.impact import ImpactInput, measure_impact
from storage.engine import open_engine
from storage.journal_replay import JournalSpan

WANTED = 5_000
"""Commits a second, at least."""
ROUNDS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=34_000)
    options = parser.parse_args(arguments)
    report = Report("impact", __doc__ or "")
    old = load_mapping("scorm-profile").definition.text
    documents = old, changed(old)
    with databases() as database_set:
        for kind in ("SQLite", "PostgreSQL"):
            engine = open_engine(database_set.make(kind, "impact"))
            fill(engine, options.sessions)
            rows = [_measure(engine, documents, processes) for processes in (0, 1, 2)]
            engine.dispose()
            report.table(
                f"{kind}: {options.sessions * workload.PER_SESSION:,} commits, at least {WANTED:,} a second",
                (
                    "processes beside this one",
                    "commits a second",
                    "seconds",
                    "commits a CPU second",
                    "MiB of the largest",
                ),
                rows,
            )


def changed(text: str) -> str:
    """Return the document with a rule more, a rule less and another result."""
    rules = text.split("[[rules]]")
    dropped = [rule for rule in rules if 'when = "session.terminated"' not in rule]
    more = '\nname = "mastered"\nwhen = "score.changed"\nif = "score.scaled >= 0.8"\nverb = "scored"\n'
    new = [*dropped[:-1], f'{more}object = "sco"\nonce = "attempt"\n\n', dropped[-1]]
    return "[[rules]]".join(new).replace('result = ["score"]', 'result = ["score", "duration"]')


def _measure(engine: Engine, documents: tuple[str, str], processes: int) -> tuple[str, ...]:
    best, used, commits = float("inf"), 0.0, 0
    for _ in range(ROUNDS):
        before, begun = _processor_seconds(), time.perf_counter()
        impact = measure_impact(
            engine, ImpactInput(*documents, JournalSpan()), processes=processes, single_process_limit=0
        )
        took = time.perf_counter() - begun
        if took < best:
            best, used, commits = took, _processor_seconds() - before, impact.commits
        if not all(
            any(getattr(rule_impact, kind) for rule_impact in impact.rules.values())
            for kind in ("added", "dropped", "changed")
        ):
            raise RuntimeError("the new document makes no difference of some kind")
    # of the helpers, what the largest one ever had
    peak = max(memory(os.getpid())[1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    return str(processes), f"{commits / best:,.0f}", f"{best:.1f}", f"{commits / used:,.0f}", f"{peak:.0f}"


def _processor_seconds() -> float:
    """Return the processor time of this process and those it has waited for; not the database server's."""
    process, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return process.ru_utime + process.ru_stime + others.ru_utime + others.ru_stime


if __name__ == "__main__":
    main()

"""What the audit pages ask of a database with many attempts: the time of each query, on SQLite and PostgreSQL.

Run with `make bench` or `python -m benchmarks.audit`. Each is asked many times, of different learners, activities and
pages, in a transaction of its own as the service asks it; what is told is the time by the clock in milliseconds.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sqlalchemy import Connection, Engine, select

from benchmarks import audited
from benchmarks.audited import NOW, VERB, received
from benchmarks.processes import databases
from benchmarks.report import Report
from storage import deliveries
from storage.audit import attempts, causes, documents, enrollments, overview, sessions, statements, timeline
from storage.audit import deliveries as audit_deliveries
from storage.audit.documents import DocumentFilter
from storage.audit.pages import encode
from storage.audit.whose import Filter
from storage.engine import open_engine, reading
from storage.tables import attempt, document, session, statement

WHOLE = 200_000
"""Attempts; results of fewer are not kept."""

SLOWEST = 150
"""Milliseconds, of 95 in a hundred."""

Query = Callable[[Connection, Random], object]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=WHOLE, help="stored, with five statements each")
    parser.add_argument("--rounds", type=int, default=40, help="how often each is asked")
    parser.add_argument("--only", default="", help="those whose names have this in them")
    parser.add_argument("--kinds", nargs="+", default=["SQLite", "PostgreSQL"])
    options = parser.parse_args(arguments)
    is_whole = options.attempts == WHOLE and not options.only
    report = Report("audit", __doc__ or "", kept=is_whole)
    with databases() as made:
        for kind in options.kinds:
            engine = open_engine(made.make(kind, "audited"))
            begun = time.perf_counter()
            audited.fill(engine, options.attempts)
            print(f"{kind}: filled in {time.perf_counter() - begun:.0f} s", flush=True)
            queries = {name: one for name, one in _queries(options.attempts).items() if options.only in name}
            report.table(
                f"{kind}: {options.attempts:,} attempts, {options.attempts * 5:,} statements; at most {SLOWEST} ms in"
                " 95 of a hundred",
                ["query", "rows", "p50 ms", "p95 ms", "most ms"],
                _measured(engine, queries, options.rounds),
            )
            engine.dispose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.text(f"The process that asked never had more than {peak:.0f} MiB.")


def _measured(engine: Engine, queries: dict[str, Query], rounds: int) -> list[list[str]]:
    rows = []
    for name, query in queries.items():
        chance, times, found = Random(name), [], 0
        for number in range(rounds + 2):
            with reading(engine) as connection:
                begun = time.perf_counter()
                told = query(connection, chance)
                took = (time.perf_counter() - begun) * 1000
            if number >= 2:  # the first ones compile
                times.append(took)
                found = max(found, _size(told))
        ordered = sorted(times)
        p95 = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
        rows.append([name, f"{found:,}", f"{statistics.median(times):.1f}", f"{p95:.1f}", f"{ordered[-1]:.1f}"])
        print(" ".join(rows[-1]), flush=True)
    return rows


def _size(told: Any) -> int:
    rows = getattr(told, "rows", getattr(told, "commits", getattr(told, "causes", told)))
    return len(rows) if isinstance(rows, list) else int(told is not None)


def _queries(size: int) -> dict[str, Query]:
    """Give name -> query of a database with so many attempts."""
    learners = max(size // 20, 1)

    def learner(chance: Random) -> str:
        return f"u{chance.randrange(learners):08d}"

    def activity(chance: Random) -> str:
        return f"b{chance.randrange(2, 16) * 40 + chance.randrange(40)}"

    def deep(chance: Random, *rest: int) -> str:
        return encode([received(chance.randrange(size), size), 10**9, *rest])

    def one_of(column: Any) -> Callable[[Connection, Random], Any]:
        key = {"attempt": attempt.c.id, "session": session.c.attempt_id}.get(column.table.name)
        key = column.table.c.attempt_id if key is None else key

        def find(connection: Connection, chance: Random) -> Any:
            return connection.execute(select(column).where(key == chance.randrange(1, size)).limit(1)).scalar_one()

        return find

    an_attempt, a_session = one_of(attempt.c.uuid), one_of(session.c.session_id)
    a_statement, a_document = one_of(statement.c.id), one_of(document.c.id)
    found: dict[str, Query] = {"overview": lambda c, _: overview.overview(c, NOW)}
    for name, search in (
        ("enrollments", enrollments.search),
        ("attempts", attempts.search),
        ("sessions", sessions.search),
    ):
        its: dict[str, Callable[[Random], Filter]] = {
            "all": lambda _: Filter(),
            "of a learner": lambda r: Filter(learner=learner(r)),
            "of learners by the beginning of the id": lambda r: Filter(learner_prefix=learner(r)[:7]),
            "of learners by a short beginning of the id": lambda _: Filter(learner_prefix="u0"),
            "of learners by the beginning of the name": lambda r: Filter(learner_name=f"Name {learner(r)[1:]}"),
            "of an activity": lambda r: Filter(activity=activity(r)),
            "of an activity with many": lambda _: Filter(activity="a1"),
            "of a course": lambda r: Filter(course=f"c{r.randrange(160)}"),
            "of an LMS": lambda _: Filter(lms="lms"),
            "by a rare status": lambda _: Filter(success="failed"),
            "by statuses": lambda _: Filter(status="abandoned", completion="completed"),
            "of an activity with many by a rare status": lambda _: Filter(activity="a1", success="failed"),
            "of a day": lambda r: (lambda at: Filter(since=at, until=at + 86_400_000))(
                received(r.randrange(size), size)
            ),
            "that are not there": lambda _: Filter(learner="nobody"),
            "of no status": lambda _: Filter(status="none"),
        }
        for words, which in its.items():
            found[f"{name} {words}"] = (
                lambda c, r, search=search, which=which: search(c, which(r))  # type: ignore[misc]
            )
        if name != "sessions":
            found[f"{name} from any page on"] = (
                lambda c, r, search=search: search(c, Filter(), after=deep(r))  # type: ignore[misc]
            )
    found["sessions that are open"] = lambda c, _: sessions.open_ones(c)
    of_statements: dict[str, Callable[[Connection, Random], deliveries.Filter]] = {
        "all": lambda *_: deliveries.Filter(),
        "of a verb": lambda *_: deliveries.Filter(verb=VERB + "completed"),
        "of a rare verb": lambda *_: deliveries.Filter(verb=VERB + "failed"),
        "of a rule": lambda *_: deliveries.Filter(rule="scored"),
        "of a learner": lambda _, r: deliveries.Filter(learner=learner(r)),
        "of an activity": lambda _, r: deliveries.Filter(activity=activity(r)),
        "of an activity with many": lambda *_: deliveries.Filter(activity="a1"),
        "of an LMS": lambda *_: deliveries.Filter(lms="lms"),
        "of an attempt": lambda c, r: deliveries.Filter(attempt=an_attempt(c, r)),
        "of a session": lambda c, r: deliveries.Filter(session=a_session(c, r)),
        "dead": lambda *_: deliveries.Filter(state="dead"),
        "quarantined": lambda *_: deliveries.Filter(state="quarantined"),
        "waiting at a target": lambda *_: deliveries.Filter(state="waiting", target="lrs"),
        "delivered to a target": lambda *_: deliveries.Filter(state="delivered", target="lrs"),
        "dead of a rare verb": lambda *_: deliveries.Filter(state="dead", verb=VERB + "failed"),
        "of a day": lambda _, r: (lambda at: deliveries.Filter(since=at, until=at + 86_400_000))(
            received(r.randrange(size), size)
        ),
        "by id": lambda c, r: deliveries.Filter(statement=a_statement(c, r)),
        "of a rule that is not there": lambda *_: deliveries.Filter(rule="none"),
    }
    for words, of in of_statements.items():
        found[f"statements {words}"] = lambda c, r, of=of: statements.search(c, of(c, r))  # type: ignore[misc]
        if not words.startswith("of an a") and words not in {"of an LMS", "of a session"}:
            found[f"deliveries {words}"] = lambda c, r, of=of: audit_deliveries.search(c, of(c, r))  # type: ignore[misc]
    found["statements from any page on"] = lambda c, r: statements.search(c, deliveries.Filter(), after=deep(r, 0))
    found["a statement's lineage"] = lambda c, r: statements.lineage(c, a_statement(c, r))
    of_documents: dict[str, Callable[[Random], DocumentFilter]] = {
        "all": lambda _: DocumentFilter(),
        "by name": lambda _: DocumentFilter(name="attempt-state"),
        "of a learner": lambda r: DocumentFilter(learner=learner(r)),
        "of an activity with many": lambda _: DocumentFilter(activity="a1"),
        "dead": lambda _: DocumentFilter(state="dead"),
        "waiting": lambda _: DocumentFilter(state="waiting", target="lrs"),
        "that are not there": lambda _: DocumentFilter(name="none"),
    }
    for words, which_ones in of_documents.items():
        found[f"documents {words}"] = (
            lambda c, r, which=which_ones: documents.search(c, which(r))  # type: ignore[misc]
        )
    found["a document's lineage"] = lambda c, r: documents.lineage(c, a_document(c, r))
    found["timeline"] = lambda c, r: timeline.timeline(c, an_attempt(c, r))
    found["timeline of an attempt with 2,000 commits"] = _longest
    found["one commit as received"] = lambda c, r: timeline.received(c, a_session(c, r), 1)
    found["causes of trouble"] = lambda c, _: causes.causes(c)
    found["count of dead deliveries"] = lambda c, _: deliveries.count(c, deliveries.Filter(state="dead"))
    return found


def _longest(connection: Connection, _: Random) -> object:
    its = connection.execute(select(attempt.c.uuid).where(attempt.c.id == 1)).scalar_one()
    return timeline.timeline(connection, its)


if __name__ == "__main__":
    main()

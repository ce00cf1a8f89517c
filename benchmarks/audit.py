"""The audit pages of a database with many attempts, on SQLite and PostgreSQL: each page, and each query they ask.

Run with `make bench` or `python -m benchmarks.audit`. Each is asked many times, of different learners, activities and
pages: pages over HTTP of the running service by somebody who has signed in as an admin, until all of it has come;
queries in a transaction of their own as the service asks them. What is told is the time by the clock in milliseconds.
One attempt in twenty came with an import: all its 50,000 statements were made in the same millisecond.
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
from benchmarks.audit_pages import APART, Site
from benchmarks.audited import NOW, VERB, Some
from benchmarks.processes import databases
from benchmarks.report import Report
from storage import deliveries
from storage.engine import open_engine, reading
from storage.queries import attempts, causes, documents, enrollments, overview, sessions, statements, timeline
from storage.queries import deliveries as delivery_pages
from storage.queries.documents import DocumentFilter
from storage.queries.enrollment_filter import AttemptFilter
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
    with databases() as database_set:
        for kind in options.kinds:
            url = database_set.make(kind, "audited")
            engine = open_engine(url)
            begun = time.perf_counter()
            audited.fill(engine, options.attempts)
            print(f"{kind}: filled in {time.perf_counter() - begun:.0f} s", flush=True)
            begun = time.perf_counter()
            terms = audited.index(engine)
            print(f"{kind}: {terms:,} terms indexed in {time.perf_counter() - begun:.0f} s", flush=True)
            caption = (
                f"{options.attempts:,} attempts, {options.attempts * 5:,} statements; at most {SLOWEST} ms in 95 of a"
                " hundred"
            )
            with Site(database_set.directory / kind, url, engine, options.attempts) as site:
                pages = [[*_row(name, times)] for name, times in site.times(options.rounds, options.only)]
            report.table(f"Pages, {kind}: {caption}", ["page", *_TIMES], pages)
            queries = {name: query for name, query in _queries(options.attempts).items() if options.only in name}
            report.table(
                f"Queries, {kind}: {caption}", ["query", *_TIMES, "rows"], _measured(engine, queries, options.rounds)
            )
            engine.dispose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.text(f"The process that asked queries never had more than {peak:.0f} MiB.")
    report.text("Not among the pages: " + "; ".join(f"`{path}` ({why})" for path, why in APART.items()) + "; files.")


_TIMES = ("p50 ms", "p95 ms", "most ms")


def _row(name: str, times: Sequence[float]) -> list[str]:
    ordered = sorted(times)
    p95 = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
    row = [name, *(f"{duration:.1f}" for duration in (statistics.median(times), p95, ordered[-1]))]
    print(" ".join(row), flush=True)
    return row


def _measured(engine: Engine, queries: dict[str, Query], rounds: int) -> list[list[str]]:
    rows = []
    for name, query in queries.items():
        chance, times, max_rows = Random(name), [], 0
        for number in range(rounds + 2):
            with reading(engine) as connection:
                begun = time.perf_counter()
                result = query(connection, chance)
                took = (time.perf_counter() - begun) * 1000
            if number >= 2:  # the first ones compile
                times.append(took)
                max_rows = max(max_rows, _size(result))
        rows.append([*_row(name, times), f"{max_rows:,}"])
    return rows


def _size(result: Any) -> int:
    rows = getattr(result, "rows", getattr(result, "commits", getattr(result, "causes", result)))
    return len(rows) if isinstance(rows, list) else int(result is not None)


def _queries(size: int) -> dict[str, Query]:
    """Return name -> query of a database with so many attempts."""
    some = Some(size)
    return {
        "overview": lambda c, _: overview.overview(c, NOW),
        "overview after an import": lambda c, _: overview.overview(c, some.imported()["until"]),
        **_lists(some),
        "sessions that are open": lambda c, _: sessions.open_ones(c),
        **_of_statements(some),
        "a statement's lineage": lambda c, r: statements.lineage(c, some.row(c, r, statement.c.id)),
        **_of_documents(some),
        "a document's lineage": lambda c, r: documents.lineage(c, some.row(c, r, document.c.id)),
        "timeline": lambda c, r: timeline.timeline(c, some.row(c, r, attempt.c.uuid)),
        "timeline of an attempt with 2,000 commits": _longest,
        "one commit as received": lambda c, r: timeline.received(c, some.row(c, r, session.c.session_id), 1),
        "causes of trouble": lambda c, _: causes.causes(c),
        "count of dead deliveries": lambda c, _: delivery_pages.how_many(c, deliveries.DeliveryFilter(state="dead")),
        "count of dead deliveries of a rule that is not there": lambda c, _: delivery_pages.how_many(
            c, deliveries.DeliveryFilter(state="dead", rule="none")
        ),
    }


def _lists(some: Some) -> dict[str, Query]:
    whose: dict[str, Callable[[Random], AttemptFilter]] = {
        "all": lambda _: AttemptFilter(),
        "of a learner": lambda r: AttemptFilter(learner=some.learner(r)),
        "of learners by the beginning of the id": lambda r: AttemptFilter(learner_prefix=some.learner(r)[:7]),
        "of learners by a short beginning of the id": lambda _: AttemptFilter(learner_prefix="u0"),
        "of learners by the beginning of the name": lambda r: AttemptFilter(learner_name=f"Name {some.learner(r)[1:]}"),
        "of an activity": lambda r: AttemptFilter(activity=some.activity(r)),
        "of an activity with many": lambda _: AttemptFilter(activity="a1"),
        "of a course": lambda r: AttemptFilter(course=f"c{r.randrange(160)}"),
        "of an LMS": lambda _: AttemptFilter(lms="lms"),
        "by a rare status": lambda _: AttemptFilter(success="failed"),
        "by statuses": lambda _: AttemptFilter(status="abandoned", completion="completed"),
        "of an activity with many by a rare status": lambda _: AttemptFilter(activity="a1", success="failed"),
        "of a day": lambda r: AttemptFilter(**some.day(r)),
        "of an import": lambda _: AttemptFilter(**some.imported()),
        "of an import by a rare status": lambda _: AttemptFilter(success="failed", **some.imported()),
        "of an import of an activity with many": lambda _: AttemptFilter(activity="a1", **some.imported()),
        "that are not there": lambda _: AttemptFilter(learner="nobody"),
        "of no status": lambda _: AttemptFilter(status="none"),
    }
    queries: dict[str, Query] = {}
    for name, search in (
        ("enrollments", enrollments.search),
        ("attempts", attempts.search),
        ("sessions", sessions.search),
    ):
        for words, make_filter in whose.items():
            queries[f"{name} {words}"] = lambda c, r, search=search, make_filter=make_filter: search(c, make_filter(r))
    queries["enrollments from any page on"] = lambda c, r: enrollments.search(c, AttemptFilter(), after=some.cursor(r))
    queries["attempts from any page on"] = lambda c, r: attempts.search(c, AttemptFilter(), after=some.cursor(r))
    none, first = AttemptFilter(status="none"), "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    inside = "from the midst of an import on, of no status"
    queries[f"enrollments {inside}"] = lambda c, r: enrollments.search(c, none, after=some.in_import(r))
    queries[f"attempts {inside}"] = lambda c, r: attempts.search(c, none, after=some.in_import(r))
    queries[f"sessions {inside}"] = lambda c, r: sessions.search(c, none, after=some.in_import(r, first))
    return queries


def _of_statements(some: Some) -> dict[str, Query]:
    filter_ = deliveries.DeliveryFilter
    filters: dict[str, Callable[[Connection, Random], deliveries.DeliveryFilter]] = {
        "all": lambda *_: filter_(),
        "of a verb": lambda *_: filter_(verb=VERB + "completed"),
        "of a rare verb": lambda *_: filter_(verb=VERB + "failed"),
        "of a rule": lambda *_: filter_(rule="scored"),
        "of a learner": lambda _, r: filter_(learner=some.learner(r)),
        "of an activity": lambda _, r: filter_(activity=some.activity(r)),
        "of an activity with many": lambda *_: filter_(activity="a1"),
        "of an LMS": lambda *_: filter_(lms="lms"),
        "of an attempt": lambda c, r: filter_(attempt=some.row(c, r, attempt.c.uuid)),
        "of a session": lambda c, r: filter_(session=some.row(c, r, session.c.session_id)),
        "dead": lambda *_: filter_(state="dead"),
        "quarantined": lambda *_: filter_(state="quarantined"),
        "waiting at a target": lambda *_: filter_(state="waiting", target="lrs"),
        "delivered to a target": lambda *_: filter_(state="delivered", target="lrs"),
        "dead of a rare verb": lambda *_: filter_(state="dead", verb=VERB + "failed"),
        "of a day": lambda _, r: filter_(**some.day(r)),
        "of an import": lambda *_: filter_(**some.imported()),
        "of an import of an activity with many": lambda *_: filter_(activity="a1", **some.imported()),
        "dead of an import": lambda *_: filter_(state="dead", **some.imported()),
        "by id": lambda c, r: filter_(statement=some.row(c, r, statement.c.id)),
        "of a rule that is not there": lambda *_: filter_(rule="none"),
    }
    queries: dict[str, Query] = {}
    for name, search in (("statements", statements.search), ("deliveries", delivery_pages.search)):
        for words, of in filters.items():
            queries[f"{name} {words}"] = lambda c, r, search=search, of=of: search(c, of(c, r))
    for order in statements.StatementOrder:
        for words in ("all", "of a learner", "of a rule that is not there"):
            queries[f"statements {words}, sorted by {order}"] = lambda c, r, of=filters[words], order=order: (
                statements.search(c, of(c, r), order=order)
            )
    oldest = delivery_pages.DeliveryOrder.OLDEST
    for words in ("all", "dead", "waiting at a target", "of a learner", "of a rule that is not there"):
        queries[f"deliveries {words}, the oldest first"] = lambda c, r, of=filters[words]: delivery_pages.search(
            c, of(c, r), order=oldest
        )
    queries["statements from any page on"] = lambda c, r: statements.search(c, filter_(), after=some.cursor(r, 0))
    none = filter_(rule="none")
    queries["statements from the midst of an import on, of a rule that is not there"] = lambda c, r: statements.search(
        c, none, after=some.in_import(r, 2)
    )
    return queries


def _of_documents(some: Some) -> dict[str, Query]:
    filters: dict[str, Callable[[Random], DocumentFilter]] = {
        "all": lambda _: DocumentFilter(),
        "by name": lambda _: DocumentFilter(name="attempt-state"),
        "of a learner": lambda r: DocumentFilter(learner=some.learner(r)),
        "of an activity with many": lambda _: DocumentFilter(activity="a1"),
        "dead": lambda _: DocumentFilter(state="dead"),
        "waiting": lambda _: DocumentFilter(state="waiting", target="lrs"),
        "of an import": lambda _: DocumentFilter(**some.imported()),
        "that are not there": lambda _: DocumentFilter(name="none"),
        "of an import that are not there": lambda _: DocumentFilter(name="none", **some.imported()),
    }
    return {f"documents {words}": lambda c, r, of=of: documents.search(c, of(r)) for words, of in filters.items()}


def _longest(connection: Connection, _: Random) -> object:
    its = connection.execute(select(attempt.c.uuid).where(attempt.c.id == 1)).scalar_one()
    return timeline.timeline(connection, its)


if __name__ == "__main__":
    main()

"""The impact report: what a version would have made of the journal instead of what another one makes of it.

The work is shared out among processes, as it is Python's time that it takes; each reads the database by itself. Where
there is little of it, it is done here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing
from functools import lru_cache
from multiprocessing import get_context

import structlog
from sqlalchemy import Engine

from bridge.mapping_documents import compile_text
from bridge.mapping_library.enrollment_history import EnrollmentHistory, UnreadableError, enrollment_histories, received
from mappings.analysis.impact import Difference, Impact
from mappings.definition import CompiledMapping
from storage import journal_replay
from storage.engine import open_engine, reading
from storage.journal_replay import JournalSpan

log = structlog.get_logger(__name__)

DAYS = 30
"""Days that a report looks back by default."""
TOGETHER = 250
"""Enrollments that are read at once."""
FEW = 2_000
"""Enrollments for which no process is started."""

ALL_PROCESSORS = os.cpu_count() or 1
BESIDE_A_SERVICE = max(ALL_PROCESSORS // 2, 1)
"""Processes that leave something of the machine to commits."""

Progress = Callable[[int, int], None]
"""Told how many enrollments are done, and of how many."""


def _nobody(_done: int, _total: int) -> None:
    """Tell nobody."""


def impact(
    engine: Engine,
    documents: tuple[str, str],
    span: JournalSpan,
    *,
    processes: int = BESIDE_A_SERVICE,
    few: int = FEW,
    progress: Progress = _nobody,
) -> Impact:
    """Compare what two documents, told by their texts, make of the commits of a span.

    An enrollment is replayed from its beginning, but only statements of commits in the span count. Bounded memory,
    whatever is stored; what is stored meanwhile may be in it or not. For more than `few` enrollments, `processes` are
    started, if any.

    Raises:
        DocumentError: a document has faults.
    """
    compiled(*documents)
    with reading(engine) as connection:
        total = journal_replay.count(connection, span)
    progress(0, total)
    found, done = Impact(), 0
    url = engine.url.render_as_string(hide_password=False)
    for part, enrollments in _parts(engine, url, (documents, span), processes if total > few else 0):
        found.add(part)
        done += enrollments
        progress(min(done, total), total)
    progress(total, total)
    return found


def _parts(
    engine: Engine, url: str, what: tuple[tuple[str, str], JournalSpan], processes: int
) -> Iterator[tuple[Impact, int]]:
    if not processes:
        for ids in _chunks(engine, what[1]):
            yield part_of(engine, what, ids), len(ids)
        return
    chunks = _chunks(engine, what[1])
    # not forked: threads of this process may hold locks that would never be let go of there
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running: dict[Future[Impact], int] = {}
        for ids in chunks:
            running[pool.submit(_in_process, url, what, ids)] = len(ids)
            if len(running) > processes * 2:
                yield from _finished(running)
        while running:
            yield from _finished(running)


def _finished(running: dict[Future[Impact], int]) -> Iterator[tuple[Impact, int]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for one in done:
        yield one.result(), running.pop(one)


def _chunks(engine: Engine, span: JournalSpan) -> Iterator[list[int]]:
    after = 0
    while True:
        with reading(engine) as connection:
            ids = journal_replay.enrollment_ids(connection, span, after=after, most=TOGETHER)
        if not ids:
            return
        yield ids
        after = ids[-1]


def _in_process(url: str, what: tuple[tuple[str, str], JournalSpan], ids: list[int]) -> Impact:
    return part_of(_engine(url), what, ids)


@lru_cache(maxsize=1)
def _engine(url: str) -> Engine:
    return open_engine(url)


@lru_cache(maxsize=4)
def compiled(*documents: str) -> tuple[CompiledMapping, ...]:
    """Compile documents, once for all parts of a report."""
    return tuple(compile_text(text, "the document") for text in documents)


def part_of(engine: Engine, what: tuple[tuple[str, str], JournalSpan], ids: list[int]) -> Impact:
    """Compare what two documents make of some enrollments' commits."""
    documents, span = what
    old, new = compiled(*documents)
    found = Impact()
    with reading(engine) as connection, closing(enrollment_histories(connection, ids)) as told:
        for story in told:
            found.add(_of_enrollment(old, new, story, span))
    return found


def _of_enrollment(old: CompiledMapping, new: CompiledMapping, story: EnrollmentHistory, span: JournalSpan) -> Impact:
    one = Difference(old, new, story.attempts, span.since, span.until)
    for row in story.commits:
        try:
            one.tell(received(row))
        except UnreadableError as error:
            log.warning("commit_not_replayed", why=str(error))
            one.skip(row.session_id)
    return one.end()

"""The impact report: how the statements of stored commits differ between two mapping documents.

The work is shared among processes, as it is bound by the CPU; each reads the database by itself. Few enrollments are
processed here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing
from functools import lru_cache
from multiprocessing import get_context
from typing import NamedTuple

import structlog
from sqlalchemy import Engine

from bridge.mapping_library.documents import compile_text
from bridge.mapping_library.enrollment_history import (
    EnrollmentHistory,
    RemovedCommitError,
    UnreadableCommitError,
    decode_commit,
    enrollment_histories,
)
from mappings.analysis.impact import Impact, ImpactComparison
from mappings.definition import CompiledMapping
from storage import journal_replay
from storage.engine import open_engine, reading
from storage.journal_replay import JournalSpan

log = structlog.get_logger(__name__)

DEFAULT_DAYS = 30
"""Days of commits in a report by default."""
BATCH_SIZE = 250
"""Enrollments that are read at once."""
SINGLE_PROCESS_LIMIT = 2_000
"""Enrollments up to which no process is started."""

CPU_COUNT = os.cpu_count() or 1
DEFAULT_PROCESSES = max(CPU_COUNT // 2, 1)
"""Half of the CPUs, which leaves the others to commits."""

Progress = Callable[[int, int], None]
"""Called with the number of enrollments that are done, and of all."""


class ImpactInput(NamedTuple):
    """Two mapping documents, given as texts, and the span of commits by which they are compared."""

    old: str
    new: str
    span: JournalSpan


def _ignore_progress(_done: int, _total: int) -> None:
    """Do nothing."""


def measure_impact(
    engine: Engine,
    request: ImpactInput,
    *,
    processes: int = DEFAULT_PROCESSES,
    single_process_limit: int = SINGLE_PROCESS_LIMIT,
    progress: Progress = _ignore_progress,
) -> Impact:
    """Compare the statements that two documents make of the commits of a span.

    An enrollment is replayed from its beginning, but only statements of commits in the span count. Memory is bounded,
    whatever is stored; commits that are stored meanwhile may be included or not. Beyond `single_process_limit`
    enrollments, `processes` are started, if any.

    Raises:
        DefinitionError: a document has faults.
    """
    _compile(request.old, request.new)
    with reading(engine) as connection:
        total = journal_replay.count(connection, request.span)
    progress(0, total)
    result, done = Impact(), 0
    url = engine.url.render_as_string(hide_password=False)
    for part, enrollments in _parts(engine, url, request, processes if total > single_process_limit else 0):
        result.add(part)
        done += enrollments
        progress(min(done, total), total)
    progress(total, total)
    return result


def _parts(engine: Engine, url: str, request: ImpactInput, processes: int) -> Iterator[tuple[Impact, int]]:
    if not processes:
        for ids in _chunks(engine, request.span):
            yield _compare_enrollments(engine, request, ids), len(ids)
        return
    chunks = _chunks(engine, request.span)
    # not forked: threads of this process may hold locks that would never be released there
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running: dict[Future[Impact], int] = {}
        for ids in chunks:
            running[pool.submit(_in_process, url, request, ids)] = len(ids)
            if len(running) > processes * 2:
                yield from _finished(running)
        while running:
            yield from _finished(running)


def _finished(running: dict[Future[Impact], int]) -> Iterator[tuple[Impact, int]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield future.result(), running.pop(future)


def _chunks(engine: Engine, span: JournalSpan) -> Iterator[list[int]]:
    after = 0
    while True:
        with reading(engine) as connection:
            ids = journal_replay.enrollment_ids(connection, span, after=after, limit=BATCH_SIZE)
        if not ids:
            return
        yield ids
        after = ids[-1]


def _in_process(url: str, request: ImpactInput, ids: list[int]) -> Impact:
    return _compare_enrollments(_engine(url), request, ids)


@lru_cache(maxsize=1)
def _engine(url: str) -> Engine:
    return open_engine(url)


@lru_cache(maxsize=4)
def _compile(*documents: str) -> tuple[CompiledMapping, ...]:
    """Compile documents, once for all parts of a report."""
    return tuple(compile_text(text, "the document") for text in documents)


def _compare_enrollments(engine: Engine, request: ImpactInput, ids: list[int]) -> Impact:
    """Compare the statements that two documents make of some enrollments' commits."""
    old, new = _compile(request.old, request.new)
    result = Impact()
    with reading(engine) as connection, closing(enrollment_histories(connection, ids)) as enrollments:
        for enrollment in enrollments:
            result.add(_compare_enrollment(old, new, enrollment, request.span))
    return result


def _compare_enrollment(
    old: CompiledMapping, new: CompiledMapping, enrollment: EnrollmentHistory, span: JournalSpan
) -> Impact:
    difference = ImpactComparison(old, new, enrollment.attempts, span.since, span.until)
    for row in enrollment.commits:
        try:
            difference.apply(decode_commit(row))
        except RemovedCommitError:
            difference.skip(row.session_id)  # very many, perhaps: counted, and no line of log for each
        except UnreadableCommitError as error:
            log.warning("commit_not_replayed", why=str(error))
            difference.skip(row.session_id)
    return difference.finish()

"""Telling what is stored once more, and what it was told as."""

from __future__ import annotations

from sqlalchemy import Engine, select

from bridge.mapping_library.enrollment_history import decode_commit, enrollment_histories
from mappings.analysis.replay import Replay
from mappings.definition import CompiledMapping
from storage import frames, journal_replay
from storage.engine import reading
from storage.journal_replay import JournalSpan
from storage.tables import attempt, statement

Told = list[tuple[str, str, int, str]]


def stored(engine: Engine) -> Told:
    """Return id, session, commit and body of all statements that are stored, each attempt's in their order."""
    columns = statement.c.id, statement.c.session_id, statement.c.commit_number, statement.c.body, statement.c.frame
    with reading(engine) as connection:
        rows = connection.execute(select(*columns).join(attempt).order_by(attempt.c.id, statement.c.position))
        return [
            (str(row[0]), str(row[1]), row[2], frames.text_of(connection, row.body, row.frame)) for row in rows.all()
        ]


def replayed(engine: Engine, mapping: CompiledMapping) -> Told:
    """Return the same of what the journal becomes by a mapping, each attempt's in their order."""
    by_attempt: dict[int, Told] = {}
    with reading(engine) as connection:
        ids = journal_replay.enrollment_ids(connection, JournalSpan(), after=0, limit=1_000)
        for story in enrollment_histories(connection, ids):
            replay = Replay(mapping, story.attempts)
            results = [result for row in story.commits for result in replay.apply(decode_commit(row))]
            for result in (*results, *replay.finish()):
                its = by_attempt.setdefault(story.attempt_ids[result.session_id], [])
                its += [(line.id, result.session_id, result.number, line.body) for line in result.statements]
    return [line for attempt_id in sorted(by_attempt) for line in by_attempt[attempt_id]]

"""What of an import is stored already: sessions by their ids, and attempts that it would be at odds with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, and_, or_, select

from storage.states import SessionSource
from storage.tables import attempt, enrollment, journal, session


class AttemptKey(NamedTuple):
    """An attempt by LMS, learner, activity, course and its number."""

    lms_id: int
    learner_id: str
    activity_id: str
    course_id: str
    number: int


class StoredSession(NamedTuple):
    """A session that is stored: the digests of its commits, when the last came, and whether it was imported."""

    digests: set[str]
    last_commit_at: int
    is_imported: bool

    def has(self, digest: str, at: int) -> bool:
        """Return whether a commit is stored; of a session that is not imported, what is older than its last is too."""
        return digest in self.digests or (not self.is_imported and at <= self.last_commit_at)


def stored_sessions(connection: Connection, session_ids: Collection[str]) -> dict[str, StoredSession]:
    """Return the sessions that are stored, by id."""
    sessions: dict[str, StoredSession] = {}
    rows = connection.execute(
        select(session.c.session_id, session.c.last_commit_at, session.c.source, journal.c.digest)
        .select_from(session.outerjoin(journal))
        .where(session.c.session_id.in_(session_ids))
    )
    for session_id, last_commit_at, source, digest in rows:
        stored = sessions.get(str(session_id))
        if stored is None:
            stored = StoredSession(set(), last_commit_at or 0, source == SessionSource.IMPORT)
            sessions[str(session_id)] = stored
        stored.digests.add(digest)
    return sessions


def stored_attempts(connection: Connection, keys: Iterable[AttemptKey]) -> dict[AttemptKey, str]:
    """Return the UUIDs of the attempts that have these keys, by key."""
    conditions = [
        and_(
            enrollment.c.lms_id == key.lms_id,
            enrollment.c.learner_id == key.learner_id,
            enrollment.c.activity_id == key.activity_id,
            enrollment.c.course_id == key.course_id,
            attempt.c.number == key.number,
        )
        for key in keys
    ]
    if not conditions:
        return {}
    owner = (enrollment.c.lms_id, enrollment.c.learner_id, enrollment.c.activity_id, enrollment.c.course_id)
    rows = connection.execute(select(*owner, attempt.c.number, attempt.c.uuid).join(attempt).where(or_(*conditions)))
    return {AttemptKey(*row[:5]): str(row[5]) for row in rows}

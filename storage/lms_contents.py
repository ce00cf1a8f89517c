"""What is stored of each LMS: for lists, and for those who want to remove one."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from storage import search_index, tokens
from storage.erasure_tables import refused_learner
from storage.lms import Lms, all_of_them
from storage.queries.keyset import Count, up_to
from storage.search_index import SearchSubject
from storage.search_tables import search_entry
from storage.states import TokenStatus
from storage.tables import (
    attempt,
    browser_key,
    enrollment,
    journal,
    lms,
    mapping_activation,
    refusal,
    session,
    statement,
    token,
)

MAX_LISTED_ENROLLMENTS = 10_000
"""Enrollments of an LMS that a list counts; beyond that there are at least so many."""


class LmsSummary(NamedTuple):
    """An LMS in a list. Times are in milliseconds since the epoch.

    `tokens` are valid ones; `last_request_at` is when one of its tokens was last used, to the minute.
    """

    lms: Lms
    created_at: int
    tokens: int
    enrollments: Count
    last_request_at: int | None


class LmsContents(NamedTuple):
    """How much is stored of an LMS."""

    enrollments: int
    attempts: int
    sessions: int
    commits: int
    statements: int


def summaries(connection: Connection, now: int) -> list[LmsSummary]:
    """Return all LMSs by name, with what is stored of them."""
    by_lms: dict[int, list[tokens.StoredToken]] = {}
    for stored in tokens.of_lms(connection):
        by_lms.setdefault(stored.lms.id, []).append(stored)
    return [
        LmsSummary(
            owner,
            created_at,
            sum(stored.status(now) is TokenStatus.VALID for stored in by_lms.get(owner.id, ())),
            up_to(connection, select(enrollment.c.id).where(enrollment.c.lms_id == owner.id), MAX_LISTED_ENROLLMENTS),
            max((stored.last_used_at for stored in by_lms.get(owner.id, ()) if stored.last_used_at), default=None),
        )
        for owner, created_at in all_of_them(connection)
    ]


def last_commit_at(connection: Connection, lms_id: int) -> int | None:
    """Return when the last commit of an LMS was received. Reads all of its enrollments."""
    query = select(func.max(enrollment.c.last_commit_at)).where(enrollment.c.lms_id == lms_id)
    newest: int | None = connection.execute(query).scalar_one()
    return newest


def count(connection: Connection, lms_id: int) -> LmsContents:
    """Count what is stored of an LMS."""
    attempts = enrollment.join(attempt)
    sessions = attempts.join(session)
    sources = (enrollment, attempts, sessions, sessions.join(journal), attempts.join(statement))
    return LmsContents(
        *(
            connection.execute(
                select(func.count()).select_from(source).where(enrollment.c.lms_id == lms_id)
            ).scalar_one()
            for source in sources
        )
    )


def delete_empty(connection: Connection, lms_id: int) -> None:
    """Delete an LMS that has no enrollments, with its tokens, refusals, choices of a mapping and entries of the search.

    Learners of it who were refused are forgotten, too.
    """
    entries = select(search_entry.c.kind, search_entry.c.lms_id, search_entry.c.subject_id)
    for row in connection.execute(entries.where(search_entry.c.lms_id == lms_id)).all():
        search_index.forget(connection, SearchSubject(*row))
    for table in (token, browser_key, refusal, refused_learner, mapping_activation):
        connection.execute(delete(table).where(table.c.lms_id == lms_id))
    connection.execute(delete(lms).where(lms.c.id == lms_id))

"""Texts of a mapping's version as they are stored, by which it is seen whether its dictionary has what they share."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from storage import frames
from storage.journal import content_of, pack
from storage.tables import attempt, enrollment, journal, session, statement

RECENT = 50_000
"""Commits among which some are chosen: a few minutes' may be of one class, or one course."""
STATEMENTS_OF_ATTEMPT = 4
"""About so many has an attempt, by which attempts are chosen."""


class StoredText(NamedTuple):
    """A text as it is compressed, of a commit or a statement, and the learner it tells of, by LMS and id."""

    learner: tuple[int, str]
    content: bytes


def newest_version(connection: Connection) -> int | None:
    """Return the id of the mapping's version that told the newest commit; None where there is no commit."""
    newest = select(journal.c.mapping_version_id).order_by(journal.c.id.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def recent_texts(connection: Connection, mapping_version_id: int, limit: int, random: Random) -> list[StoredText]:
    """Return texts of recent commits that a version told, chosen at random, and of statements, as many of each."""
    newest_id = connection.execute(select(func.max(journal.c.id))).scalar_one() or 0
    recent = range(max(1, newest_id - RECENT), newest_id + 1)
    commits = (
        select(attempt.c.id, *_LEARNER, journal.c.response, journal.c.body, journal.c.frame)
        .select_from(journal.join(session, session.c.session_id == journal.c.session_id).join(attempt).join(enrollment))
        .where(
            journal.c.id.in_(random.sample(recent, min(limit, len(recent)))),
            journal.c.mapping_version_id == mapping_version_id,
        )
        .order_by(journal.c.id)
    )
    texts: list[StoredText] = []
    attempt_ids: list[int] = []
    for attempt_id, lms_id, learner_id, response, body, frame in connection.execute(commits).all():
        content = content_of(connection, response, body, frame)
        # a duplicate has none, nor has a commit that retention has emptied
        if content.body is not None:
            texts.append(StoredText((lms_id, learner_id), pack(content.response, content.body)))
        attempt_ids.append(attempt_id)
    random.shuffle(attempt_ids)
    statements = _statements(attempt_ids[: limit // STATEMENTS_OF_ATTEMPT], mapping_version_id, limit)
    for lms_id, learner_id, body, frame in connection.execute(statements).all():
        texts.append(StoredText((lms_id, learner_id), frames.text_of(connection, body, frame).encode()))
    return texts


_LEARNER = enrollment.c.lms_id, enrollment.c.learner_id


def _statements(attempt_ids: list[int], mapping_version_id: int, limit: int) -> Select[Any]:
    return (
        select(*_LEARNER, statement.c.body, statement.c.frame)
        .select_from(statement.join(attempt, attempt.c.id == statement.c.attempt_id).join(enrollment))
        .where(statement.c.attempt_id.in_(attempt_ids), statement.c.mapping_version_id == mapping_version_id)
        .order_by(statement.c.attempt_id, statement.c.position)
        .limit(limit)
    )

"""The newest texts of a mapping's version, by which it is seen whether its dictionary still has what they share."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from storage import frames
from storage.journal import content_of, pack
from storage.tables import attempt, enrollment, journal, session, statement


class StoredText(NamedTuple):
    """A text as it is compressed, of a commit or a statement, and the learner it tells of, by LMS and id."""

    learner: tuple[int, str]
    content: bytes


def newest_version(connection: Connection) -> int | None:
    """Return the id of the mapping's version that told the newest commit; None where there is no commit."""
    newest = select(journal.c.mapping_version_id).order_by(journal.c.id.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def newest_texts(connection: Connection, mapping_version_id: int, limit: int) -> list[StoredText]:
    """Return the texts of the newest commits that a version told, and of the newest statements, as many of each."""
    commits = (
        _with_learner(journal.c.response, journal.c.body, journal.c.frame)
        .select_from(journal.join(session, session.c.session_id == journal.c.session_id))
        .join(attempt, attempt.c.id == session.c.attempt_id)
        .where(journal.c.mapping_version_id == mapping_version_id)
        .order_by(journal.c.id.desc())
    )
    statements = (
        _with_learner(statement.c.body, statement.c.frame)
        .select_from(statement.join(attempt, attempt.c.id == statement.c.attempt_id))
        .where(statement.c.mapping_version_id == mapping_version_id)
        .order_by(statement.c.created_at.desc(), statement.c.attempt_id.desc(), statement.c.position.desc())
    )
    texts: list[StoredText] = []
    for lms_id, learner_id, response, body, frame in _newest(connection, commits, limit):
        content = content_of(connection, response, body, frame)
        # a duplicate has none, nor has a commit that retention has emptied
        if content.body is not None:
            texts.append(StoredText((lms_id, learner_id), pack(content.response, content.body)))
    for lms_id, learner_id, body, frame in _newest(connection, statements, limit):
        texts.append(StoredText((lms_id, learner_id), frames.text_of(connection, body, frame).encode()))
    return texts


def _with_learner(*columns: Any) -> Select[Any]:
    return select(enrollment.c.lms_id, enrollment.c.learner_id, *columns)


def _newest(connection: Connection, query: Select[Any], limit: int) -> Any:
    its = query.join(enrollment, enrollment.c.id == attempt.c.enrollment_id).limit(limit)
    return connection.execute(its).all()

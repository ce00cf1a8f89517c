"""Enrollments with their attempts and sessions: locked, loaded, created and updated, many at a time.

An enrollment is what is locked: whoever holds its row is alone with its attempts and sessions. On SQLite the writing
transaction itself is that lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
)

from storage.gradebook_tables import course_activity_list, course_registration
from storage.new_enrollments import NewEnrollment, insert_enrollments
from storage.prepared import NewIds, PreparedSelect
from storage.schema import spelled_out
from storage.states import SessionSource
from storage.tables import attempt, enrollment, lms, session

EnrollmentKey = tuple[int, str, str, str]
"""LMS, learner, activity and course by their ids; the course is empty where the LMS tells none."""


@dataclass(slots=True)
class Enrollment:
    """One LMS, learner, course and activity; the course is empty where the LMS tells none.

    `changed` marks it as to be stored, `renamed` as to be found by another name; `version` counts what was ever changed
    of it, its attempts and its sessions; `latest_attempt` is the highest number of an attempt that had a commit. `sco`
    is the SCO of a package whose values are this activity's, where players post several to one address;
    `course_registration` is the LMS's own, where it gave one; `activity_list_digest` that of the course's activities as
    the LMS listed them for the learner, and `activity_list` the list, as JSON, where it is to be stored;
    `has_new_activity_list` says that none was known before.
    """

    id: int
    registration: str
    lms_id: int
    lms_name: str
    home_page: str
    course_registration: str | None
    learner_id: str
    learner_name: str
    activity_id: str
    activity_name: str
    activity_type: str
    course_id: str
    course_name: str
    version: int = field(default=0, compare=False)
    total_attempts: int = 0
    completion_status: str | None = None
    success_status: str | None = None
    best_scaled: float | None = None
    best_raw: float | None = None
    best_min: float | None = None
    best_max: float | None = None
    total_time: int = 0
    first_commit_at: int | None = None
    last_commit_at: int | None = None
    latest_attempt: int = 0
    sco: str = ""
    learner_attributes: str | None = None
    learner_mbox: str | None = None
    activity_description: str | None = None
    course_description: str | None = None
    state: str | None = None
    activity_list_digest: str | None = None
    changed: bool = field(default=False, compare=False)
    renamed: bool = field(default=False, compare=False)
    activity_list: str | None = field(default=None, compare=False)
    has_new_activity_list: bool = field(default=False, compare=False)

    @property
    def key(self) -> EnrollmentKey:
        """Return what identifies it to its LMS."""
        return self.lms_id, self.learner_id, self.activity_id, self.course_id


@dataclass(slots=True)
class Attempt:
    """One attempt of an enrollment.

    `state` is JSON that storage does not read; `changed` marks it as to be stored, `new` tells that it is not stored
    yet; `documents_due` is when its documents are to be made anew, None where nothing has changed since they were.
    """

    id: int
    uuid: str
    enrollment: Enrollment
    number: int
    scorm_version: str | None
    status: str
    state: str
    started_at: int
    completion_status: str | None = None
    success_status: str | None = None
    score_scaled: float | None = None
    score_raw: float | None = None
    score_min: float | None = None
    score_max: float | None = None
    progress_measure: float | None = None
    total_time: int = 0
    last_commit_at: int | None = None
    documents_due: int | None = field(default=None, compare=False)
    changed: bool = field(default=False, compare=False)
    new: bool = field(default=False, compare=False)


@dataclass(slots=True)
class Session:
    """One launch of an attempt. `commits` counts its rows in the journal; the last three are as Attempt's."""

    session_id: str
    attempt: Attempt
    entry: str
    state: str
    started_at: int
    source: str = SessionSource.SERVER.value
    commits: int = 0
    last_commit_at: int | None = None
    ended_at: int | None = None
    ended: str | None = None
    changed: bool = field(default=False, compare=False)
    new: bool = field(default=False, compare=False)


_ENROLLMENT = (
    enrollment.c.id,
    enrollment.c.registration,
    enrollment.c.lms_id,
    lms.c.name.label("lms_name"),
    lms.c.home_page,
    course_registration.c.registration.label("course_registration"),
    *(
        enrollment.c[name]
        for name in Enrollment.__slots__
        if name in enrollment.c and name not in {"id", "registration", "lms_id"}
    ),
    course_activity_list.c.digest,
)
_COURSE = case((enrollment.c.course_id == literal_column("''"), enrollment.c.activity_id), else_=enrollment.c.course_id)


def _with_owner(rows: FromClause) -> FromClause:
    """Join enrollments with their LMS, and with what it said of the learner in the course."""
    joined = rows.join(lms)
    for table in (course_registration, course_activity_list):
        joined = joined.outerjoin(
            table,
            and_(
                table.c.lms_id == enrollment.c.lms_id,
                table.c.learner_id == enrollment.c.learner_id,
                table.c.course_id == _COURSE,
            ),
        )
    return joined


_ATTEMPT = tuple(attempt.c[name] for name in Attempt.__slots__ if name in attempt.c)
_SESSION = tuple(session.c[name] for name in Session.__slots__ if name in session.c)


def _locked(query: Select[Any]) -> Select[Any]:
    return query.order_by(enrollment.c.id).with_for_update()


def _with_key(keys: Sequence[Sequence[Any]]) -> ColumnElement[bool]:
    """Return the condition of having any of the keys, with or without a course.

    They are spelled out, as SQLite uses no index for a row value that is one of a list.
    """
    columns = enrollment.c.lms_id, enrollment.c.learner_id, enrollment.c.activity_id, enrollment.c.course_id
    return or_(*(and_(*(column == part for column, part in zip(columns, key, strict=False))) for key in keys))


_owners = PreparedSelect(lambda ids: select(attempt.c.enrollment_id).join(session).where(session.c.session_id.in_(ids)))
_lock = PreparedSelect(
    lambda ids: _locked(select(enrollment.c.id, enrollment.c.version).where(enrollment.c.id.in_(ids)))
)
_load_sessions = PreparedSelect(
    lambda ids: (
        select(*_ENROLLMENT, *_ATTEMPT, *_SESSION)
        .select_from(_with_owner(session.join(attempt).join(enrollment)))
        .where(session.c.session_id.in_(ids))
    )
)
_lock_enrollments = PreparedSelect(lambda keys: _locked(select(enrollment.c.id).where(_with_key(keys))), width=4)
_load_enrollments = PreparedSelect(
    lambda keys: select(*_ENROLLMENT).select_from(_with_owner(enrollment)).where(_with_key(keys)), width=4
)
_known_courses = PreparedSelect(
    lambda keys: (
        select(enrollment.c.lms_id, enrollment.c.learner_id, enrollment.c.activity_id, enrollment.c.course_id)
        .where(_with_key(keys))
        .order_by(enrollment.c.id)
    ),
    width=3,
)


def _select_latest(ids: Sequence[Any]) -> Select[Any]:
    newest = (
        select(attempt.c.enrollment_id, func.max(attempt.c.number).label("number"))
        .where(attempt.c.enrollment_id.in_(ids))
        .group_by(attempt.c.enrollment_id)
        .subquery()
    )
    return select(attempt.c.enrollment_id, *_ATTEMPT).join(
        newest, (attempt.c.enrollment_id == newest.c.enrollment_id) & (attempt.c.number == newest.c.number)
    )


_latest_attempts = PreparedSelect(_select_latest)
_begun_attempts = PreparedSelect(
    lambda ids: (
        select(attempt.c.number, attempt.c.uuid)
        .where(attempt.c.enrollment_id.in_(ids), attempt.c.last_commit_at.is_not(None))
        .order_by(attempt.c.number)
    )
)


def course_of(row: Enrollment) -> str:
    """Return the id of an enrollment's course: the activity is a course of its own where the LMS tells none."""
    return row.course_id or row.activity_id


def lock(connection: Connection, enrollment_ids: Iterable[int], session_ids: Sequence[str]) -> dict[int, int]:
    """Lock enrollments, and those of sessions, and return id -> version.

    In an order that all transactions share, so that none waits in a circle. On SQLite those of the sessions are left
    out: nothing needs to be locked there.
    """
    ids = set(enrollment_ids)
    if connection.dialect.name != "sqlite":
        ids.update(row[0] for row in _owners.rows(connection, session_ids))
    return {row[0]: row[1] for row in _lock.rows(connection, sorted(ids))}


def enrollments_of(connection: Connection, attempt_ids: Collection[int]) -> set[int]:
    """Return the ids of the enrollments of attempts."""
    rows = connection.execute(select(attempt.c.enrollment_id).where(attempt.c.id.in_(attempt_ids)))
    return set(rows.scalars())


def load_sessions(connection: Connection, session_ids: Sequence[str]) -> dict[str, Session]:
    """Return the known ones of these sessions, by id; sessions of one attempt share the object."""
    return _assemble(_load_sessions.rows(connection, session_ids))


def ensure_enrollments(
    connection: Connection, wanted: Sequence[NewEnrollment], now: int
) -> dict[EnrollmentKey, Enrollment]:
    """Return the enrollments of these keys, created where they are new, and locked; none of refused learners."""
    rows = {new.key: new for new in sorted(wanted, key=lambda new: new.key)}
    if not rows:
        return {}
    insert_enrollments(connection, [*rows.values()], now)
    keys = list(rows)
    if connection.dialect.name == "postgresql":
        # locked first and read after: a row that was waited for is read as its last holder left it
        _lock_enrollments.rows(connection, keys)
    loaded = [Enrollment(*row) for row in _load_enrollments.rows(connection, keys)]
    return {owner.key: owner for owner in loaded}


def known_courses(connection: Connection, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], set[str]]:
    """Return the courses in which learners are enrolled in activities, by LMS, learner and activity."""
    courses: dict[tuple[int, str, str], set[str]] = {}
    for row in _known_courses.rows(connection, sorted(keys)):
        courses.setdefault((row[0], row[1], row[2]), set()).add(row[3])
    return courses


def sco_of(connection: Connection, owner: Enrollment) -> str:
    """Return the SCO that an activity is for other learners, empty where that is not known."""
    row = connection.execute(
        select(enrollment.c.sco)
        .where(
            enrollment.c.activity_id == owner.activity_id,
            enrollment.c.sco != literal_column("''"),
            enrollment.c.lms_id == owner.lms_id,
            enrollment.c.course_id == owner.course_id,
        )
        .limit(1)
    ).scalar_one_or_none()
    return row or ""


def latest_attempts(connection: Connection, enrollments: Collection[Enrollment]) -> dict[int, Attempt]:
    """Return the attempt with the highest number of each enrollment, by enrollment id."""
    by_id = {owner.id: owner for owner in enrollments}
    rows = _latest_attempts.rows(connection, list(by_id))
    return {row[0]: _attempt(row[1:], by_id[row[0]]) for row in rows}


def numbered_attempt(connection: Connection, owner: Enrollment, number: int) -> Attempt | None:
    """Return one attempt of an enrollment."""
    row = connection.execute(
        select(*_ATTEMPT).where(attempt.c.enrollment_id == owner.id, attempt.c.number == number)
    ).one_or_none()
    return None if row is None else _attempt(tuple(row), owner)


def load_enrollments(connection: Connection, condition: ColumnElement[bool], limit: int) -> list[Enrollment]:
    """Return the enrollments that meet a condition, in the order they began."""
    rows = connection.execute(
        select(*_ENROLLMENT)
        .select_from(_with_owner(enrollment))
        .where(condition)
        .order_by(enrollment.c.id)
        .limit(limit)
    )
    return [Enrollment(*row) for row in rows]


def load_attempts(connection: Connection, owner: Enrollment) -> list[Attempt]:
    """Return an enrollment's attempts in their order."""
    rows = connection.execute(select(*_ATTEMPT).where(attempt.c.enrollment_id == owner.id).order_by(attempt.c.number))
    return [_attempt(row, owner) for row in rows]


def load_all(connection: Connection, owners: Sequence[Enrollment]) -> dict[int, tuple[list[Attempt], list[Session]]]:
    """Return, by the enrollment's id, attempts in their order and all their sessions in the order they began."""
    by_id = {owner.id: owner for owner in owners}
    loaded: dict[int, tuple[list[Attempt], list[Session]]] = {enrollment_id: ([], []) for enrollment_id in by_id}
    rows = connection.execute(
        select(attempt.c.enrollment_id, *_ATTEMPT)
        .where(attempt.c.enrollment_id.in_(by_id))
        .order_by(attempt.c.enrollment_id, attempt.c.number)
    )
    for row in rows:
        loaded[row[0]][0].append(_attempt(row[1:], by_id[row[0]]))
    its = {stored.id: stored for attempts, _ in loaded.values() for stored in attempts}
    rows = connection.execute(
        select(attempt.c.id, *_SESSION)
        .select_from(session.join(attempt))
        .where(attempt.c.enrollment_id.in_(by_id))
        .order_by(session.c.started_at, session.c.session_id)
    )
    for row in rows:
        owner = its[row[0]]
        loaded[owner.enrollment.id][1].append(_session(row[1:], owner))
    return loaded


def latest_begun_attempt(connection: Connection, owner: Enrollment) -> Attempt | None:
    """Return the attempt with the highest number that had a commit."""
    row = connection.execute(
        select(*_ATTEMPT)
        .where(attempt.c.enrollment_id == owner.id, attempt.c.last_commit_at.is_not(None))
        .order_by(attempt.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _attempt(tuple(row), owner)


def begun_attempts(connection: Connection, owner: Enrollment) -> list[tuple[int, str]]:
    """Return number and UUID of an enrollment's attempts that had a commit, in their order."""
    return [(row[0], row[1]) for row in _begun_attempts.rows(connection, [owner.id])]


def load_attempt_sessions(connection: Connection, owner: Attempt) -> list[Session]:
    """Return an attempt's sessions in the order they began."""
    rows = connection.execute(
        select(*_SESSION).where(session.c.attempt_id == owner.id).order_by(session.c.started_at, session.c.session_id)
    )
    return [_session(row, owner) for row in rows]


IS_OPEN = (
    session.c.ended.is_(None),
    # nothing says how an imported session ended: it stays as the history left it
    session.c.source != spelled_out(SessionSource.IMPORT),
)
"""The conditions of sessions that are open."""


def open_session(connection: Connection, owner: Attempt, source: SessionSource) -> Session | None:
    """Return the session of an attempt and of a source that was opened last and has not ended."""
    row = connection.execute(
        select(*_SESSION)
        .where(session.c.attempt_id == owner.id, session.c.ended.is_(None), session.c.source == source.value)
        .order_by(session.c.started_at.desc(), session.c.session_id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _session(tuple(row), owner)


def open_session_ids(connection: Connection, owner: Enrollment) -> list[str]:
    """Return the ids of an enrollment's sessions that have commits and have not ended."""
    rows = connection.execute(
        select(session.c.session_id)
        .join(attempt)
        .where(attempt.c.enrollment_id == owner.id, session.c.ended.is_(None), session.c.commits > 0)
        .order_by(session.c.started_at, session.c.session_id)
    )
    return list(rows.scalars())


def newest_session(connection: Connection, owner: Attempt, *, of_page: bool) -> Session | None:
    """Return the session of an attempt that began last, of those that a page opened or of all others."""
    is_page = session.c.source == SessionSource.BROWSER.value
    row = connection.execute(
        select(*_SESSION)
        .where(session.c.attempt_id == owner.id, is_page if of_page else ~is_page)
        .order_by(session.c.started_at.desc(), session.c.session_id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _session(tuple(row), owner)


def idle_sessions(connection: Connection, since: int, limit: int) -> list[str]:
    """Return open sessions from which nothing has come since a time, those that began first."""
    last = func.coalesce(session.c.last_commit_at, session.c.started_at)
    rows = connection.execute(
        select(session.c.session_id)
        .where(*IS_OPEN, session.c.started_at < since, last < since)
        .order_by(session.c.started_at, session.c.session_id)
        .limit(limit)
    )
    return list(rows.scalars())


def documents_due(connection: Connection, now: int, limit: int) -> list[str]:
    """Return, of each attempt whose documents are due, the session that had the newest commit; those due first."""
    newest = (
        select(session.c.session_id)
        .where(session.c.attempt_id == attempt.c.id, session.c.commits > 0)
        .order_by(session.c.last_commit_at.desc(), session.c.session_id)
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(newest)
        .where(attempt.c.documents_due <= now)
        .order_by(attempt.c.documents_due, attempt.c.id)
        .limit(limit)
    )
    return list(rows.scalars())


def new_attempt_ids(connection: Connection, count: int) -> list[int]:
    """Return ids that no other transaction gives, for attempts to come."""
    return _new_attempt_ids.take(connection, count)


_new_attempt_ids = NewIds(attempt)


def _attempt(row: Sequence[Any], owner: Enrollment) -> Attempt:
    return Attempt(row[0], row[1], owner, *row[2:])


def _session(row: Sequence[Any], owner: Attempt) -> Session:
    return Session(row[0], owner, *row[1:])


def _assemble(rows: Iterable[Sequence[Any]]) -> dict[str, Session]:
    enrollments: dict[int, Enrollment] = {}
    attempts: dict[int, Attempt] = {}
    sessions: dict[str, Session] = {}
    first, second = len(_ENROLLMENT), len(_ENROLLMENT) + len(_ATTEMPT)
    for row in rows:
        owner = enrollments.get(row[0]) or enrollments.setdefault(row[0], Enrollment(*row[:first]))
        its = attempts.get(row[first]) or attempts.setdefault(row[first], _attempt(row[first:second], owner))
        sessions[row[second]] = _session(row[second:], its)
    return sessions

"""What changed of enrollments, attempts and sessions, and registrations of courses: stored many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Connection, Table, Update, update

from storage.attempts import Attempt, Enrollment, Session, course_of
from storage.gradebook_tables import course_activity_list, course_registration
from storage.prepared import Prepared, Rows, Write, insert_into
from storage.search_tables import search_rename
from storage.tables import attempt, enrollment, session
from storage.update_order import next_number

CourseKey = tuple[int, str, str]
"""LMS, learner and course by their ids; the course is the activity where the LMS sends none."""
ActivityList = tuple[str, str | None]
"""The ids of a course's activities as JSON, and its digest."""

_SAVED_ENROLLMENT = (
    "learner_name", "activity_name", "activity_type", "course_name", "total_attempts", "completion_status",
    "success_status", "best_scaled", "best_raw", "best_min", "best_max", "total_time", "first_commit_at",
    "last_commit_at", "version", "latest_attempt", "sco", "learner_attributes", "learner_mbox", "activity_description",
    "course_description", "state",
)  # fmt: skip
_COMPLETION_STATUS = _SAVED_ENROLLMENT.index("completion_status")
_SAVED_ATTEMPT = (
    "scorm_version", "status", "completion_status", "success_status", "score_scaled", "score_raw", "score_min",
    "score_max", "progress_measure", "total_time", "last_commit_at", "documents_due", "state",
)  # fmt: skip
_SAVED_SESSION = ("source", "commits", "last_commit_at", "ended_at", "ended", "state")
_NEW_ATTEMPT = ("id", "uuid", "enrollment_id", "number", "started_at", *_SAVED_ATTEMPT)
_NEW_SESSION = ("session_id", "attempt_id", "entry", "started_at", *_SAVED_SESSION)


def _updated(table: Table, names: Sequence[str], key: Column[Any]) -> dict[str, Column[Any]]:
    """Return the columns of an UPDATE's rows: new values, and the key's after them."""
    return {**{f"new_{name}": table.c[name] for name in names}, "key": key}


def _update(table: Table, names: Sequence[str], key: Column[Any]) -> Prepared:
    """Prepare the UPDATE of these columns."""
    return Prepared(
        _updated(table, names, key),
        lambda rows: update(table).where(key == rows["key"]).values({name: rows[f"new_{name}"] for name in names}),
    )


def _updating_enrollments(rows: Rows) -> Update:
    values: dict[str, Any] = {name: rows[f"new_{name}"] for name in _SAVED_ENROLLMENT}
    values["update_number"] = next_number(enrollment.c.lms_id, is_sqlite=rows.is_sqlite)
    return update(enrollment).where(enrollment.c.id == rows["key"]).values(values)


_update_enrollments = Prepared(_updated(enrollment, _SAVED_ENROLLMENT, enrollment.c.id), _updating_enrollments)
_update_attempts = _update(attempt, _SAVED_ATTEMPT, attempt.c.id)
_update_sessions = _update(session, _SAVED_SESSION, session.c.session_id)
_insert_renames = insert_into(search_rename, ("enrollment_id",))
_store_activity_lists = Prepared(
    {name: course_activity_list.c[name] for name in ("lms_id", "learner_id", "course_id", "activities", "digest")},
    lambda rows: (insert := rows.insert(course_activity_list)).on_conflict_do_update(
        index_elements=["lms_id", "learner_id", "course_id"],
        set_={name: insert.excluded[name] for name in ("activities", "digest")},
        where=course_activity_list.c.digest != insert.excluded.digest,
    ),
)
_insert_attempts = insert_into(attempt, _NEW_ATTEMPT)
_insert_sessions = insert_into(session, _NEW_SESSION)
_enrollment_row = attrgetter(*_SAVED_ENROLLMENT, "id")
_attempt_row = attrgetter(*_SAVED_ATTEMPT, "id")
_session_row = attrgetter(*_SAVED_SESSION, "session_id")
_new_attempt_row = attrgetter("id", "uuid", "enrollment.id", "number", "started_at", *_SAVED_ATTEMPT)
_new_session_row = attrgetter("session_id", "attempt.id", "entry", "started_at", *_SAVED_SESSION)


class ChangeSet:
    """Rows as they were when they were added: of each the newest, whatever becomes of the object it was taken from."""

    def __init__(self) -> None:
        self._enrollments: dict[int, tuple[Any, ...]] = {}
        self._renamed: set[int] = set()
        self.new_activity_lists: dict[CourseKey, int] = {}
        """The enrollments that brought lists of courses that had none."""
        self._activity_lists: dict[CourseKey, ActivityList] = {}
        self._attempts: dict[int, tuple[Any, ...]] = {}
        self._new_attempts: dict[int, tuple[Any, ...]] = {}
        self._sessions: dict[str, tuple[Any, ...]] = {}
        self._new_sessions: dict[str, tuple[Any, ...]] = {}

    def enrollment(self, enrollment: Enrollment) -> None:
        """Add an enrollment, which gets a new version.

        Whoever notes an attempt or session must note its enrollment, too: by its version others see that they did.
        """
        if enrollment.id not in self._enrollments:
            enrollment.version += 1
        self._enrollments[enrollment.id] = _enrollment_row(enrollment)
        if enrollment.renamed:
            enrollment.renamed = False
            self._renamed.add(enrollment.id)
        if enrollment.activity_list is not None:
            key = enrollment.lms_id, enrollment.learner_id, course_of(enrollment)
            self._activity_lists[key] = enrollment.activity_list, enrollment.activity_list_digest
            enrollment.activity_list = None
            if enrollment.has_new_activity_list:
                enrollment.has_new_activity_list = False
                self.new_activity_lists[key] = enrollment.id

    def attempt(self, attempt: Attempt) -> None:
        """Add an attempt."""
        if attempt.new:
            self._new_attempts[attempt.id] = _new_attempt_row(attempt)
        else:
            self._attempts[attempt.id] = _attempt_row(attempt)

    def session(self, session: Session) -> None:
        """Add a session."""
        if session.new:
            self._new_sessions[session.session_id] = _new_session_row(session)
        else:
            self._sessions[session.session_id] = _session_row(session)

    def add(self, other: ChangeSet) -> None:
        """Add the changes of another set, of other enrollments."""
        self._enrollments |= other._enrollments
        self._renamed |= other._renamed
        self._activity_lists |= other._activity_lists
        self.new_activity_lists |= other.new_activity_lists
        self._attempts |= other._attempts
        self._new_attempts |= other._new_attempts
        self._sessions |= other._sessions
        self._new_sessions |= other._new_sessions

    def completion_status(self, enrollment_id: int) -> str | None:
        """Return the completion status of an enrollment that was added."""
        status: str | None = self._enrollments[enrollment_id][_COMPLETION_STATUS]
        return status

    def activity_list(self, key: CourseKey) -> ActivityList | None:
        """Return the activities of a course that are to be stored for a learner."""
        return self._activity_lists.get(key)

    def writes(self) -> list[Write]:
        """Return what is to be written for everything that was noted."""
        return [
            Write(_update_enrollments, [*self._enrollments.values()]),
            Write(_insert_renames, [(enrollment_id,) for enrollment_id in self._renamed]),
            # in an order that all transactions share
            Write(_store_activity_lists, [(*key, *stored) for key, stored in sorted(self._activity_lists.items())]),
            Write(_insert_attempts, [*self._new_attempts.values()]),
            Write(_update_attempts, [*self._attempts.values()]),
            Write(_insert_sessions, [*self._new_sessions.values()]),
            Write(_update_sessions, [*self._sessions.values()]),
        ]


def store_activity_list(connection: Connection, key: CourseKey, activity_list: ActivityList) -> None:
    """Store the activities that make a course up for a learner."""
    _store_activity_lists.run(connection, [(*key, *activity_list)])


_store_registrations = Prepared(
    {name: course_registration.c[name] for name in ("lms_id", "learner_id", "course_id", "registration")},
    lambda rows: (insert := rows.insert(course_registration)).on_conflict_do_update(
        index_elements=["lms_id", "learner_id", "course_id"], set_={"registration": insert.excluded.registration}
    ),
)


def store_course_registrations(connection: Connection, registrations: Mapping[CourseKey, str]) -> None:
    """Store the registrations that LMSs gave learners in courses, in an order that all transactions share."""
    _store_registrations.run(connection, [(*key, registrations[key]) for key in sorted(registrations)])

"""Enrollments that are to be created, unless their learners were erased and are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Insert, exists

from storage.erasure_tables import refused_learner
from storage.prepared import Prepared, Rows
from storage.tables import enrollment
from storage.update_order import next_number


@dataclass(frozen=True, slots=True)
class NewEnrollment:
    """What an enrollment is created from. (lms_id, learner_id, activity_id, course_id) is its key.

    By `digest` it is seen whether the learner was erased and is refused.
    """

    lms_id: int
    learner_id: str
    activity_id: str
    registration: str
    learner_name: str
    activity_name: str
    activity_type: str
    course_id: str
    course_name: str
    digest: str
    learner_attributes: str | None = None
    learner_mbox: str | None = None
    activity_description: str | None = None
    course_description: str | None = None

    @property
    def key(self) -> tuple[int, str, str, str]:
        """Return what identifies the enrollment."""
        return self.lms_id, self.learner_id, self.activity_id, self.course_id


_NEW_ENROLLMENT = (*NewEnrollment.__slots__, "version", "total_attempts", "total_time", "created_at")


def _insert_unless_refused(rows: Rows) -> Insert:  # in one statement: nobody comes in between
    is_refused = exists().where(refused_learner.c.lms_id == rows["lms_id"], refused_learner.c.digest == rows["digest"])
    names = [name for name in _NEW_ENROLLMENT if name != "digest"]
    computed = {"update_number": next_number(rows["lms_id"], is_sqlite=rows.is_sqlite)}
    return rows.insert(enrollment, names, ~is_refused, computed).on_conflict_do_nothing()


_insert_enrollments = Prepared(
    {name: refused_learner.c.digest if name == "digest" else enrollment.c[name] for name in _NEW_ENROLLMENT},
    _insert_unless_refused,
)


def insert_enrollments(connection: Connection, new: Sequence[NewEnrollment], now: int) -> None:
    """Create the enrollments that are not there yet, but for those of refused learners."""
    _insert_enrollments.run(
        connection, [(*(getattr(row, name) for name in NewEnrollment.__slots__), 0, 0, 0, now) for row in new]
    )

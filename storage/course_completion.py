"""When learners complete their courses: all activities that their LMS listed, whichever of them comes last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from storage.attempts import Enrollment, course_of
from storage.change_set import ActivityList, CourseKey, store_activity_list
from storage.gradebook_tables import course_activity_list
from storage.tables import enrollment

COMPLETED = "completed"


def complete(
    connection: Connection,
    owner: Enrollment,
    statuses: Mapping[int, str | None],
    activity_lists: Iterable[ActivityList],
    at: int,
) -> bool:
    """Record that a learner's course is completed with an enrollment, where all its other activities are.

    Of two activities that are completed at once, the later transaction waits for the list's row and sees the other one.

    Args:
        connection: the transaction that completes the enrollment; it holds the enrollment's lock.
        owner: the enrollment.
        statuses: completion statuses by enrollment id, as far as this transaction has not written them yet.
        activity_lists: of the course, which this transaction has not written yet; the newest one last.
        at: milliseconds since the epoch.

    Returns:
        whether this completed the course; False where it was completed before.
    """
    key = owner.lms_id, owner.learner_id, course_of(owner)
    for activity_list in activity_lists:
        store_activity_list(connection, key, activity_list)
    its = and_(*(column == part for column, part in zip(course_activity_list.primary_key, key, strict=True)))
    listed = connection.execute(
        select(course_activity_list.c.activities, course_activity_list.c.completed_at).where(its).with_for_update()
    ).one_or_none()
    if listed is None or listed.completed_at is not None:
        return False
    rows = connection.execute(
        select(enrollment.c.id, enrollment.c.activity_id, enrollment.c.completion_status).where(in_course(key))
    )
    done = {row.activity_id for row in rows if statuses.get(row.id, row.completion_status) == COMPLETED}
    done.add(owner.activity_id)
    activities = msgspec.json.decode(listed.activities, type=list[str])
    if not activities or not done.issuperset(activities):
        return False
    connection.execute(update(course_activity_list).where(its).values(completed_at=at))
    return True


def outdate_siblings(connection: Connection, new_lists: Mapping[CourseKey, int]) -> None:
    """Increment the versions of the other enrollments in courses that were listed for the first time.

    Whoever has them cached does not know yet that what completes them may complete the course. The values are the
    enrollments that brought the lists.
    """
    for key, enrollment_id in sorted(new_lists.items()):
        connection.execute(
            update(enrollment)
            .where(in_course(key), enrollment.c.id != enrollment_id)
            .values(version=enrollment.c.version + 1)
        )


def in_course(key: CourseKey) -> ColumnElement[bool]:
    """Return the condition of a learner's enrollments in a course; an activity without one is its own."""
    lms_id, learner_id, course_id = key
    is_alone = and_(enrollment.c.course_id == "", enrollment.c.activity_id == course_id)
    return and_(
        enrollment.c.lms_id == lms_id,
        enrollment.c.learner_id == learner_id,
        or_(enrollment.c.course_id == course_id, is_alone),
    )

"""Registrations that LMSs give: one of a learner in a course, whichever of its activities it was given with."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from storage.prepared import Prepared
from storage.tables import course_registration

CourseKey = tuple[int, str, str]
"""LMS, learner and course by their ids; the course is the activity where the LMS tells none."""

_NAMES = ("lms_id", "learner_id", "course_id", "registration")
_store = Prepared(
    {name: course_registration.c[name] for name in _NAMES},
    lambda rows: (insert := rows.insert(course_registration)).on_conflict_do_update(
        index_elements=["lms_id", "learner_id", "course_id"], set_={"registration": insert.excluded.registration}
    ),
)


def store(connection: Connection, registrations: Mapping[CourseKey, str]) -> None:
    """Store registrations in the place of earlier ones, in an order that all transactions share."""
    _store.run(connection, [(*key, registrations[key]) for key in sorted(registrations)])

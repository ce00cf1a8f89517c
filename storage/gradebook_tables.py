"""The tables of what gradebooks read beside enrollments: learners in courses, and the order of updates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text

from storage.schema import ID_TYPE, UUID_TYPE, metadata

course_registration = Table(
    "course_registration",
    metadata,
    Column("lms_id", ID_TYPE, ForeignKey("lms.id"), primary_key=True, autoincrement=False),
    Column("learner_id", Text, primary_key=True),
    Column("course_id", Text, primary_key=True, comment="the activity's id where the LMS tells no course"),
    Column("registration", UUID_TYPE, nullable=False, comment="the LMS's own, as it gave it last"),
)

course_activity_list = Table(
    "course_activity_list",
    metadata,
    Column("lms_id", ID_TYPE, ForeignKey("lms.id"), primary_key=True, autoincrement=False),
    Column("learner_id", Text, primary_key=True),
    Column("course_id", Text, primary_key=True, comment="the activity's id where the LMS tells no course"),
    Column("activities", Text, nullable=False, comment="JSON: ids of what makes the course up for the learner"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of it, by which a changed one is noticed"),
    Column("completed_at", BigInteger, comment="when the last of them was completed; told once"),
)

update_order = Table(
    "update_order",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="the only one"),
    Column("base", BigInteger, nullable=False, comment="all further numbers of updates are above it"),
    Column("cluster", Text, comment="of PostgreSQL, whose transactions' ids are added to the base"),
)

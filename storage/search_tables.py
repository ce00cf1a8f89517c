"""The tables of the search index: what people find learners, courses and activities by."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from storage.schema import ID_TYPE, ORDERED_TEXT, metadata

search_entry = Table(
    "search_entry",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("kind", Text, nullable=False, comment="learner, course or activity"),
    Column("lms_id", ID_TYPE, ForeignKey("lms.id"), nullable=False),
    Column("subject_id", Text, nullable=False, comment="the LMS's own id of it"),
    Column("name", Text, nullable=False, comment="as the LMS gave it last"),
    UniqueConstraint("kind", "lms_id", "subject_id"),
)

search_term = Table(
    "search_term",
    metadata,
    Column("field", Text, primary_key=True, comment="what of an entry it is a part of"),
    Column("term", ORDERED_TEXT, primary_key=True, comment="lower case, without accents, cut to 24 characters"),
    # nothing is looked for by it: an entry's terms follow from its name and id
    Column("entry_id", ID_TYPE, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

search_rename = Table(
    "search_rename",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("enrollment_id", ID_TYPE, nullable=False, comment="whose names changed since they were indexed"),
)

search_progress = Table(
    "search_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("enrollment_id", ID_TYPE, nullable=False, comment="all up to this one are indexed"),
)

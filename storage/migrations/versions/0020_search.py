"""What people find learners, courses and activities by; it is filled in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "search_entry",
        sa.Column("id", _id, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False, comment="learner, course or activity"),
        sa.Column("lms_id", _id, sa.ForeignKey("lms.id", name="fk_search_entry_lms_id"), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the LMS's own id of it"),
        sa.Column("name", sa.Text(), nullable=False, comment="as the LMS gave it last"),
        sa.UniqueConstraint("kind", "lms_id", "subject_id", name="uq_search_entry_kind_lms_id_subject_id"),
    )
    op.create_table(
        "search_term",
        sa.Column("field", sa.Text(), primary_key=True, comment="what of an entry it is a part of"),
        sa.Column("term", _ordered, primary_key=True, comment="lower case, without accents, cut to 24 characters"),
        sa.Column("entry_id", _id, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_rename",
        sa.Column("id", _id, primary_key=True),
        sa.Column("enrollment_id", _id, nullable=False, comment="whose names changed since they were indexed"),
    )
    op.create_table(
        "search_progress",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("enrollment_id", _id, nullable=False, comment="all up to this one are indexed"),
    )


def downgrade() -> None:
    for table in ("search_progress", "search_rename", "search_term", "search_entry"):
        op.drop_table(table)

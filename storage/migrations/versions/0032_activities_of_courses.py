"""The activities of courses, as LMSs list them for learners.

Earlier releases would leave them behind where they erase a learner.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "course_activity_list",
        sa.Column("lms_id", _id, autoincrement=False, nullable=False),
        sa.Column("learner_id", sa.Text(), nullable=False),
        sa.Column("course_id", sa.Text(), nullable=False, comment="the activity's id where the LMS tells no course"),
        sa.Column(
            "activities", sa.Text(), nullable=False, comment="JSON: ids of what makes the course up for the learner"
        ),
        sa.Column(
            "digest", sa.String(length=64), nullable=False, comment="SHA-256 of it, by which a changed one is noticed"
        ),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_course_activity_list_lms_id")),
        sa.PrimaryKeyConstraint("lms_id", "learner_id", "course_id", name=op.f("pk_course_activity_list")),
    )
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0032'")


def downgrade() -> None:
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0031'")
    op.drop_table("course_activity_list")

"""Enrollments of learner, course and activity; registrations that LMSs give; SCOs of packages with one address."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("enrollment",), "postgresql": ("enrollment",)}

_OLD_KEY = "uq_enrollment_lms_id_learner_id_activity_id"
_NEW_KEY = "uq_enrollment_lms_id_learner_id_activity_id_course_id"
_uuid = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # a row has the course that the LMS told last, or none: that is its course from now on
    with op.batch_alter_table("enrollment", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "sco",
                sa.Text(),
                nullable=False,
                server_default=sa.text("''"),
                comment="of a package whose SCOs are posted to one address: whose values are this activity's",
            )
        )
        batch_op.drop_constraint(batch_op.f(_OLD_KEY), type_="unique")
        batch_op.create_unique_constraint(batch_op.f(_NEW_KEY), ["lms_id", "learner_id", "activity_id", "course_id"])
    op.create_index(
        "ix_enrollment_sco",
        "enrollment",
        ["activity_id"],
        unique=False,
        sqlite_where=sa.text("sco <> ''"),
        postgresql_where=sa.text("sco <> ''"),
    )
    op.create_table(
        "course_registration",
        sa.Column("lms_id", _id, autoincrement=False, nullable=False),
        sa.Column("learner_id", sa.Text(), nullable=False),
        sa.Column("course_id", sa.Text(), nullable=False, comment="the activity's id where the LMS tells no course"),
        sa.Column("registration", _uuid, nullable=False, comment="the LMS's own, as it gave it last"),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_course_registration_lms_id")),
        sa.PrimaryKeyConstraint("lms_id", "learner_id", "course_id", name=op.f("pk_course_registration")),
    )


def downgrade() -> None:
    shared = op.get_bind().execute(
        sa.text(
            "SELECT count(*) FROM (SELECT 1 FROM enrollment GROUP BY lms_id, learner_id, activity_id"
            " HAVING count(*) > 1) AS shared"
        )
    )
    if shared.scalar_one():
        raise RuntimeError(
            "The schema cannot go back: learners have the same activity in several courses, which it has no room for."
        )
    op.drop_table("course_registration")
    op.drop_index("ix_enrollment_sco", table_name="enrollment")
    with op.batch_alter_table("enrollment", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f(_NEW_KEY), type_="unique")
        batch_op.create_unique_constraint(batch_op.f(_OLD_KEY), ["lms_id", "learner_id", "activity_id"])
        batch_op.drop_column("sco")

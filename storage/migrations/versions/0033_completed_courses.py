"""When learners completed their courses, so that it is told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "course_activity_list",
        sa.Column("completed_at", sa.BigInteger(), comment="when the last of them was completed; told once"),
    )


def downgrade() -> None:
    op.drop_column("course_activity_list", "completed_at")

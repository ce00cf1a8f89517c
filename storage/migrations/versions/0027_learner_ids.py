"""How learners' ids are rewritten that an LMS's pages say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lms",
        sa.Column("learner_ids", sa.Text, comment="JSON: how ids are rewritten that its pages say; none: not"),
    )


def downgrade() -> None:
    op.drop_column("lms", "learner_ids")

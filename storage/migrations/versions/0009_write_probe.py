"""A row that is written to see whether the database takes writes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "write_probe",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="random bytes that mean nothing"),
    )
    # there from the beginning, so that no two processes make it at once
    op.execute("INSERT INTO write_probe (id, content) VALUES (1, '')")


def downgrade() -> None:
    op.drop_table("write_probe")

"""Backfills that the service runs for a target, with their progress."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "backfill_run",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="counting, counted, queueing, paused or done"),
        sa.Column("attempts", sa.BigInteger(), nullable=False, comment="that are to be looked at"),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("last_attempt", _ID, nullable=False, comment="up to which everything was looked at"),
        sa.Column(
            "statements",
            sa.BigInteger(),
            nullable=False,
            comment="that the target lacks, or that were queued for it",
        ),
        sa.Column("withheld", sa.BigInteger(), nullable=False, comment="statements that it must not get"),
        sa.Column("newest", sa.BigInteger(), comment="when the last of these statements was made"),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_backfill_run")),
    )


def downgrade() -> None:
    op.drop_table("backfill_run")

"""Pauses, acts, and an index of deliveries in trouble."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("delivery",), "postgresql": ("delivery",)}

_TROUBLED = sa.text("state IN ('dead', 'quarantined', 'discarded')")


def upgrade() -> None:
    op.create_table(
        "act",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False, comment="pause, resume, retry or discard"),
        sa.Column("subject", sa.Text(), nullable=False, comment="a target, or a filter of deliveries as JSON"),
        sa.Column("number", sa.Integer(), nullable=False, comment="of what it was done to"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act")),
    )
    op.create_table(
        "pause",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False, comment="made by the bridge, which ends it, too"),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_pause")),
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column(
            "delivery",
            "state",
            existing_type=sa.Text(),
            existing_nullable=False,
            comment="waiting, delivered, dead, quarantined or discarded",
        )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_troubled",
            ["target", "state", "id"],
            unique=False,
            sqlite_where=_TROUBLED,
            postgresql_where=_TROUBLED,
        )


def downgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_delivery_troubled",
            sqlite_where=_TROUBLED,
            postgresql_where=_TROUBLED,
        )

    op.drop_table("pause")
    op.drop_table("act")

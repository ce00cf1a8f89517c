"""Leases and shards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("delivery",), "postgresql": ("delivery",)}


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False, comment="what one process at a time does, or a process itself"),
        sa.Column(
            "owner",
            sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"),
            nullable=False,
            comment="the process",
        ),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="by the database's clock"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "shard", sa.Integer(), nullable=True, comment="of the attempt: shards are forwarded beside each other"
            )
        )
    op.execute("UPDATE delivery SET shard = attempt_id % 4")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.alter_column("shard", existing_type=sa.Integer(), nullable=False)
        batch_op.drop_index("ix_delivery_waiting")
        batch_op.create_index(
            "ix_delivery_waiting",
            ["target", "shard", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_waiting")
        batch_op.create_index(
            "ix_delivery_waiting",
            ["target", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_column("shard")

    op.drop_table("lease")

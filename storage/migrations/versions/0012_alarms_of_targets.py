"""Alarms of targets, one for each kind of request; a pause is made by people alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "target_alarm",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("request_kind", sa.Text(), nullable=False, comment="statements, voiding, reading or documents"),
        sa.Column("state", sa.Text(), nullable=False, comment="not-allowed, refusing, unreachable or fault"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="when it was last seen to be so"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("target", "request_kind", name=op.f("pk_target_alarm")),
    )
    op.execute(
        "INSERT INTO target_alarm (target, request_kind, state, since, seen_at, reason)"
        " SELECT target, 'statements', 'not-allowed', since, since, reason FROM pause WHERE automatic"
    )
    op.execute("DELETE FROM pause WHERE automatic")
    with op.batch_alter_table("pause", schema=None) as batch_op:
        batch_op.drop_column("automatic")


def downgrade() -> None:
    with op.batch_alter_table("pause", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "automatic",
                sa.Boolean(),
                nullable=False,
                server_default=sa.false(),
                comment="made by the bridge, which ends it, too",
            )
        )
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("pause", "automatic", server_default=None)
    op.execute(
        "INSERT INTO pause (target, since, by, reason, automatic)"
        " SELECT target, since, 'scorm-bridge', reason, true FROM target_alarm"
        " WHERE request_kind = 'statements' AND state = 'not-allowed'"
        " AND target NOT IN (SELECT target FROM pause)"
    )
    op.drop_table("target_alarm")

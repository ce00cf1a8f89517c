"""Alerts, and the notifications of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="a target or an LMS, by its name; empty for the bridge"
        ),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("condition", "subject", name=op.f("pk_alert")),
    )
    op.create_table(
        "alert_notification",
        sa.Column("id", _ID, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False, comment="one of the settings' alerts, by its name"),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False, comment="began or ended"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="when the alert began"),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, sent or failed"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), comment="of the last try"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notification")),
    )


def downgrade() -> None:
    op.drop_table("alert_notification")
    op.drop_table("alert")

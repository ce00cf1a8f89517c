"""Endpoints of webhooks, and what is sent to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UUID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", _ID, nullable=False),
        sa.Column("lms_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False, comment="JSON list of event types; empty: all"),
        sa.Column("secret", sa.Text(), nullable=False, comment="signs requests"),
        sa.Column("previous_secret", sa.Text(), comment="signs them too, until it ends"),
        sa.Column("previous_until", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), comment="since when nothing is sent; events are queued all the same"),
        sa.Column("pause_reason", sa.Text(), nullable=False),
        sa.Column("trouble_since", sa.BigInteger(), comment="since when requests fail"),
        sa.Column("trouble", sa.Text(), nullable=False, comment="how the last one failed"),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_webhook_endpoint_lms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint("name", name=op.f("uq_webhook_endpoint_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_webhook_endpoint_lms_id"), "webhook_endpoint", ["lms_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("endpoint_id", _ID, nullable=False),
        sa.Column("enrollment_id", _ID, comment="none: of a learner who was erased"),
        sa.Column("message_id", _UUID, nullable=False, comment="webhook-id; the same for all endpoints of an event"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON, sent as it is"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, delivered, dead or discarded"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False, comment="tries that refused this one by its content"),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), comment="when the last try began"),
        sa.Column("status", sa.Integer(), comment="of the last try; none where no answer came"),
        sa.Column("answer", sa.Text(), nullable=False, comment="of the last try"),
        sa.Column("settled_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id")),
        sa.ForeignKeyConstraint(["enrollment_id"], ["enrollment.id"], name=op.f("fk_webhook_delivery_enrollment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("message_id", "endpoint_id", name=op.f("uq_webhook_delivery_message_id_endpoint_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_webhook_delivery_endpoint_id_state_id"), "webhook_delivery", ["endpoint_id", "state", "id"]
    )
    op.create_index(
        op.f("ix_webhook_delivery_enrollment_id_endpoint_id_id"),
        "webhook_delivery",
        ["enrollment_id", "endpoint_id", "id"],
    )


def downgrade() -> None:
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_endpoint")

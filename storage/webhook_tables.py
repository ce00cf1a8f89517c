"""The tables of webhooks: where LMSs are told of their learners' results, and what they are told."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from storage.schema import ID_TYPE, TIME_TYPE, UUID_TYPE, metadata

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("lms_id", ID_TYPE, ForeignKey("lms.id"), nullable=False, index=True),
    Column("name", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False, comment="JSON list of event types; empty: all"),
    Column("secret", Text, nullable=False, comment="signs requests"),
    Column("previous_secret", Text, comment="signs them too, until it ends"),
    Column("previous_until", TIME_TYPE),
    Column("created_at", TIME_TYPE, nullable=False),
    Column("paused_at", TIME_TYPE, comment="since when nothing is sent; events are queued all the same"),
    Column("pause_reason", Text, nullable=False),
    Column("trouble_since", TIME_TYPE, comment="since when requests fail"),
    Column("trouble", Text, nullable=False, comment="how the last one failed"),
    sqlite_autoincrement=True,
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("endpoint_id", ID_TYPE, ForeignKey("webhook_endpoint.id"), nullable=False),
    Column("enrollment_id", ID_TYPE, ForeignKey("enrollment.id"), comment="none: of a learner who was erased"),
    Column("message_id", UUID_TYPE, nullable=False, comment="webhook-id; the same for all endpoints of an event"),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False, comment="JSON, sent as it is"),
    Column("created_at", TIME_TYPE, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, delivered, dead or discarded"),
    Column("tries", Integer, nullable=False),
    Column("refusals", Integer, nullable=False, comment="tries that refused this one by its content"),
    Column("not_before", TIME_TYPE, nullable=False),
    Column("tried_at", TIME_TYPE, comment="when the last try began"),
    Column("status", Integer, comment="of the last try; none where no answer came"),
    Column("answer", Text, nullable=False, comment="of the last try"),
    Column("settled_at", TIME_TYPE),
    UniqueConstraint("message_id", "endpoint_id"),
    Index(None, "endpoint_id", "state", "id"),
    Index(None, "enrollment_id", "endpoint_id", "id"),
    sqlite_autoincrement=True,
)

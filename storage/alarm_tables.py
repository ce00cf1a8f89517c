"""The tables of what is wrong, and what people do about it: pauses and backfills of targets, alarms, alerts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from storage.schema import ID_TYPE, TIME_TYPE, metadata

pause = Table(
    "pause",
    metadata,
    Column("target", Text, primary_key=True),
    Column("since", TIME_TYPE, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

backfill_run = Table(
    "backfill_run",
    metadata,
    Column("target", Text, primary_key=True),
    Column("state", Text, nullable=False, comment="counting, counted, queueing, paused or done"),
    Column("attempts", BigInteger, nullable=False, comment="that are to be looked at"),
    Column("looked_at", BigInteger, nullable=False),
    Column("last_attempt", ID_TYPE, nullable=False, comment="up to which everything was looked at"),
    Column("statements", BigInteger, nullable=False, comment="that the target lacks, or that were queued for it"),
    Column("withheld", BigInteger, nullable=False, comment="statements that it must not get"),
    Column("newest", TIME_TYPE, comment="when the last of these statements was made"),
    Column("by", Text, nullable=False),
    Column("changed_at", TIME_TYPE, nullable=False),
)

target_alarm = Table(
    "target_alarm",
    metadata,
    Column("target", Text, primary_key=True),
    Column("request_kind", Text, primary_key=True, comment="statements, voiding, reading or documents"),
    Column("state", Text, nullable=False, comment="not-allowed, refusing, unreachable or fault"),
    Column("since", TIME_TYPE, nullable=False),
    Column("seen_at", TIME_TYPE, nullable=False, comment="when it was last seen to be so"),
    Column("reason", Text, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("condition", Text, primary_key=True),
    Column("subject", Text, primary_key=True, comment="a target or an LMS, by its name; empty for the bridge"),
    Column("since", TIME_TYPE, nullable=False),
    Column("detail", Text, nullable=False),
)

alert_notification = Table(
    "alert_notification",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("channel", Text, nullable=False, comment="one of the settings' alerts, by its name"),
    Column("condition", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("event", Text, nullable=False, comment="began or ended"),
    Column("at", TIME_TYPE, nullable=False),
    Column("since", TIME_TYPE, nullable=False, comment="when the alert began"),
    Column("detail", Text, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, sent or failed"),
    Column("tries", Integer, nullable=False),
    Column("not_before", TIME_TYPE, nullable=False),
    Column("error", Text, comment="of the last try"),
)

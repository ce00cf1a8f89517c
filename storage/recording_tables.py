"""The table of recordings: the API calls of a session, as a page that records them has sent them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Table, UniqueConstraint

from storage.schema import ID_TYPE, TIME_TYPE, UUID_TYPE, metadata

recording_part = Table(
    "recording_part",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    # a part may come while its learner is being erased
    Column("session_id", UUID_TYPE, ForeignKey("session.session_id", ondelete="CASCADE"), nullable=False),
    Column("first_number", Integer, nullable=False, comment="of its calls; 0: it has none"),
    Column("last_number", Integer, nullable=False),
    Column("first_commit", Integer, nullable=False, comment="sequence of the commit that follows its first call"),
    Column("last_commit", Integer, nullable=False),
    Column("call_count", Integer, nullable=False),
    Column("made", Integer, nullable=False, comment="calls of the session by then, kept or not"),
    Column("size", Integer, nullable=False, comment="bytes of calls"),
    Column("started_at", TIME_TYPE, nullable=False, comment="by the page's clock: when its times are counted from"),
    Column("received_at", TIME_TYPE, nullable=False),
    Column("calls", LargeBinary, nullable=False, comment="JSON list of calls"),
    UniqueConstraint("session_id", "first_number"),
    sqlite_autoincrement=True,
)

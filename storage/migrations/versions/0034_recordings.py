"""Recordings of the API calls of sessions.

Earlier releases would leave them behind where they export a learner's data.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UUID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "recording_part",
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _UUID, nullable=False),
        sa.Column("first_number", sa.Integer(), nullable=False, comment="of its calls; 0: it has none"),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column(
            "first_commit", sa.Integer(), nullable=False, comment="sequence of the commit that follows its first call"
        ),
        sa.Column("last_commit", sa.Integer(), nullable=False),
        sa.Column("call_count", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False, comment="calls of the session by then, kept or not"),
        sa.Column("size", sa.Integer(), nullable=False, comment="bytes of calls"),
        sa.Column(
            "started_at",
            sa.BigInteger(),
            nullable=False,
            comment="by the page's clock: when its times are counted from",
        ),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.LargeBinary(), nullable=False, comment="JSON list of calls"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.session_id"],
            name=op.f("fk_recording_part_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_part")),
        sa.UniqueConstraint("session_id", "first_number", name=op.f("uq_recording_part_session_id_first_number")),
        sqlite_autoincrement=True,
    )
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0034'")


def downgrade() -> None:
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0032'")
    op.drop_table("recording_part")

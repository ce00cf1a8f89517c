"""Keys by which pages of an LMS open sessions, sessions opened so, and how ids are rewritten that pages say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("session",), "postgresql": ("session",)}

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_time = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "browser_key",
        sa.Column("id", _id, primary_key=True),
        sa.Column("lms_id", _id, sa.ForeignKey("lms.id", name="fk_browser_key_lms_id"), nullable=False, index=True),
        sa.Column("key", sa.Text, nullable=False, unique=True, comment="stands in the LMS's pages: no secret"),
        sa.Column("origins", sa.Text, nullable=False, comment="JSON list of origins whose pages may use it"),
        sa.Column(
            "activities", sa.Text, nullable=False, comment="JSON list of ids that sessions may be of; empty: all"
        ),
        sa.Column("created_at", _time, nullable=False),
        sa.Column("expires_at", _time, comment="none: it does not expire"),
        sa.Column("revoked_at", _time),
        sa.Column("last_used_at", _time, comment="noted once a minute"),
    )
    op.add_column(
        "lms",
        sa.Column("learner_ids", sa.Text, comment="JSON: how ids are rewritten that its pages say; none: not"),
    )
    _describe_source("server, browser or import")
    _replace_index("ended IS NULL AND source <> 'import'")


def downgrade() -> None:
    op.drop_index("ix_session_open", "session")
    # an earlier release would take commits of a source that it does not know for imported ones
    op.execute(sa.text("UPDATE session SET source = 'server' WHERE source = 'browser'"))
    _describe_source("server or import: where its commits come from")
    _create_index("ended IS NULL AND source = 'server'")
    op.drop_column("lms", "learner_ids")
    op.drop_table("browser_key")


def _describe_source(comment: str) -> None:
    # SQLite keeps no comments
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("session", "source", existing_type=sa.Text(), existing_nullable=False, comment=comment)


def _replace_index(condition: str) -> None:
    op.drop_index("ix_session_open", "session")
    _create_index(condition)


def _create_index(condition: str) -> None:
    where = sa.text(condition)
    op.create_index("ix_session_open", "session", ["started_at"], sqlite_where=where, postgresql_where=where)

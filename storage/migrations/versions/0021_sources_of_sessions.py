"""Where the commits of a session come from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("session",), "postgresql": ("session",)}


def upgrade() -> None:
    op.add_column(
        "session",
        sa.Column(
            "source",
            sa.Text,
            nullable=False,
            server_default=sa.text("'server'"),
            comment="server or import: where its commits come from",
        ),
    )
    _replace_index("ended IS NULL AND source = 'server'")


def downgrade() -> None:
    # SQLite drops no column that an index needs
    op.drop_index("ix_session_open", "session")
    op.drop_column("session", "source")
    _create_index("ended IS NULL")


def _replace_index(condition: str) -> None:
    op.drop_index("ix_session_open", "session")
    _create_index(condition)


def _create_index(condition: str) -> None:
    where = sa.text(condition)
    op.create_index("ix_session_open", "session", ["started_at"], sqlite_where=where, postgresql_where=where)

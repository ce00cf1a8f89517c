"""Statements in the whole order that pages have them in."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("statement",), "postgresql": ("statement",)}

_BY_TIME, _IN_ORDER = "ix_statement_made_at", "ix_statement_made_at_attempt_id_position"


def upgrade() -> None:
    op.create_index(_IN_ORDER, "statement", ["made_at", "attempt_id", "position"])
    op.drop_index(_BY_TIME, "statement")


def downgrade() -> None:
    op.create_index(_BY_TIME, "statement", ["made_at"])
    op.drop_index(_IN_ORDER, "statement")

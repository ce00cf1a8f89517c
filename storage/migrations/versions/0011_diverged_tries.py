"""Tries that met a statement of another history of the database, found quickly: as a rule there are none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("try",), "postgresql": ("try",)}

_DIVERGED = sa.text("outcome = 'diverged'")


def upgrade() -> None:
    op.create_index("ix_try_diverged", "try", ["target"], sqlite_where=_DIVERGED, postgresql_where=_DIVERGED)


def downgrade() -> None:
    op.drop_index("ix_try_diverged", "try")

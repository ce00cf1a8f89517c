"""What targets have still to remove, counted with since when the oldest waits."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_removal_target_created_at"), "removal", ["target", "created_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_removal_target_created_at"), "removal")

"""When an attempt's documents are due, which try settled a delivery, and an index of only what holds others back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("attempt", "delivery"), "postgresql": ("attempt", "delivery")}

_DUE = sa.text("documents_due IS NOT NULL")
_WAITS = sa.text("state = 'waiting'")
_HOLDS_BACK = sa.text("state = 'waiting' AND (not_before > 0 OR target = '')")


def upgrade() -> None:
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "documents_due",
                sa.BigInteger(),
                nullable=True,
                comment="when its documents are to be made anew; none where nothing changed since",
            )
        )
        batch_op.create_index(
            "ix_attempt_documents_due", ["documents_due"], unique=False, sqlite_where=_DUE, postgresql_where=_DUE
        )

    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "settled_by",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=True,
                comment="the try that settled it; it is in no delivery_try",
            )
        )
        batch_op.drop_index("ix_delivery_waiting_in_attempt", sqlite_where=_WAITS, postgresql_where=_WAITS)
        batch_op.create_index(
            "ix_delivery_holding_back",
            ["attempt_id", "target", "position"],
            unique=False,
            sqlite_where=_HOLDS_BACK,
            postgresql_where=_HOLDS_BACK,
        )


def downgrade() -> None:
    # an older release looks for tries there only
    op.execute(
        "INSERT INTO delivery_try (delivery_id, try_id) SELECT id, settled_by FROM delivery"
        " WHERE settled_by IS NOT NULL"
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_holding_back", sqlite_where=_HOLDS_BACK, postgresql_where=_HOLDS_BACK)
        batch_op.create_index(
            "ix_delivery_waiting_in_attempt",
            ["attempt_id", "target", "position"],
            unique=False,
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        )
        batch_op.drop_column("settled_by")

    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index("ix_attempt_documents_due", sqlite_where=_DUE, postgresql_where=_DUE)
        batch_op.drop_column("documents_due")

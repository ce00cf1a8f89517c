"""The order in which enrollments were updated, for gradebooks that follow them.

Earlier releases would not number the updates that they make.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("enrollment",), "postgresql": ("enrollment",)}

_INDEX = "ix_enrollment_lms_id_update_number_id"


def upgrade() -> None:
    table = op.create_table(
        "update_order",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="the only one"),
        sa.Column("base", sa.BigInteger(), nullable=False, comment="all further numbers of updates are above it"),
        sa.Column("cluster", sa.Text(), comment="of PostgreSQL, whose transactions' ids are added to the base"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_update_order")),
    )
    op.bulk_insert(table, [{"id": 1, "base": 0}])
    op.add_column(
        "enrollment",
        sa.Column(
            "update_number",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="higher than that of every update before it that can be seen: see storage/update_order.py",
        ),
    )
    op.create_index(op.f(_INDEX), "enrollment", ["lms_id", "update_number", "id"])
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0031'")


def downgrade() -> None:
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0025'")
    op.drop_index(op.f(_INDEX), table_name="enrollment")
    op.drop_column("enrollment", "update_number")
    op.drop_table("update_order")

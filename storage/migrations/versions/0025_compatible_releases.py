"""Which earlier releases can work with the schema, so that bridges can be upgraded one after the other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "schema_compatibility",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "oldest_revision",
            sa.Text(),
            nullable=False,
            comment="releases of this revision on can work with the schema",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_compatibility")),
    )
    op.bulk_insert(table, [{"id": 1, "oldest_revision": revision}])


def downgrade() -> None:
    op.drop_table("schema_compatibility")

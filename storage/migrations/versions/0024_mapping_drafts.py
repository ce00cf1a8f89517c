"""Drafts of mappings, one of each account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mapping_draft",
        sa.Column(
            "account_id",
            _id,
            sa.ForeignKey("account.id", name="fk_mapping_draft_account_id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("definition", sa.Text(), nullable=False, comment="TOML, which may have faults"),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mapping_draft")

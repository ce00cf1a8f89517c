"""Requests that were refused lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "refusal",
        sa.Column("id", _ID, nullable=False),
        sa.Column("lms_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False, comment="of HTTP, 400 to 422"),
        sa.Column("code", sa.Text(), nullable=False, comment="of the problem"),
        sa.Column("detail", sa.Text(), nullable=False, comment="what was wrong, in words; the body is not kept"),
        sa.Column("wire_format", sa.Text(), nullable=False, comment="empty where it was not known"),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column(
            "path",
            sa.Text(),
            nullable=False,
            comment="of the address, without its parameters: tokens are among them",
        ),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_refusal_lms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
    )
    op.create_index("ix_refusal_lms_id_id", "refusal", ["lms_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_refusal_lms_id_id", "refusal")
    op.drop_table("refusal")

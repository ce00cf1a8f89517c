"""Scopes, expiry, last use and rotation of tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("token", sa.Column("expires_at", sa.BigInteger(), comment="none: it does not expire"))
    op.add_column(
        "token",
        sa.Column(
            "scopes",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'commit read'"),
            comment="what it permits, with spaces between",
        ),
    )
    op.add_column("token", sa.Column("last_used_at", sa.BigInteger(), comment="noted once a minute"))
    op.add_column("token", sa.Column("replaced_by", _id, comment="the token that it was rotated into"))


def downgrade() -> None:
    for name in ("replaced_by", "last_used_at", "scopes", "expires_at"):
        op.drop_column("token", name)

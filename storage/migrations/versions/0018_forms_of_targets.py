"""Statements and documents in the forms of targets.

A release without them would send what waits as the mapping has it, with all that a target must not get: on the way
back, what waits in a target's own form is discarded.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "target_statement",
        sa.Column("attempt_id", _ID, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False, comment="in words: by which actor, without what"),
        sa.Column("body", sa.Text(), nullable=False, comment="what the target gets in place of the statement's bytes"),
        sa.ForeignKeyConstraint(
            ["attempt_id", "position"],
            ["statement.attempt_id", "statement.position"],
            name=op.f("fk_target_statement_attempt_id_position"),
        ),
        sa.PrimaryKeyConstraint("attempt_id", "position", "target", name=op.f("pk_target_statement")),
    )
    op.add_column(
        "document",
        sa.Column("form", sa.Text(), comment="in words, of the targets that get it; none for the mapping's own"),
    )


def downgrade() -> None:
    op.execute(
        "UPDATE delivery SET state = 'discarded' WHERE state IN ('waiting', 'dead') AND EXISTS (SELECT 1 FROM"
        " target_statement WHERE target_statement.attempt_id = delivery.attempt_id AND target_statement.position ="
        " delivery.position AND target_statement.target = delivery.target)"
    )
    op.drop_column("document", "form")
    op.drop_table("target_statement")

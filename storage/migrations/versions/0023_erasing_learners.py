"""Erasing learners: rows that can be deleted, whose ids are never used again, and what targets are to delete."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
WORKS_THROUGH = {
    "sqlite": (
        "attempt",
        "delivery",
        "delivery_try",
        "document",
        "document_try",
        "enrollment",
        "statement",
        "try",
    ),
    "postgresql": ("delivery_try", "document_try"),
}

_NUMBERED = ("enrollment", "attempt", "delivery", "try")
"""Tables whose ids SQLite would use again."""
_CHECKS = {"attempt": (sa.CheckConstraint("number >= 1", name="ck_attempt_number_from_one"),)}
"""Alembic makes a table anew without its checks, unless it is given them."""
_OF_COMMITS = ("statement", "document")
"""Tables that referred to commits."""
_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_uuid = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _set_autoincrement(is_on=True)
    for table in _OF_COMMITS:
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(op.f(f"fk_{table}_session_id_commit_number"), type_="foreignkey")
    op.create_index(op.f("ix_delivery_try_try_id"), "delivery_try", ["try_id"])
    op.create_index(op.f("ix_document_try_try_id"), "document_try", ["try_id"])
    op.create_table(
        "erasure",
        sa.Column("id", _id, nullable=False),
        sa.Column("uuid", _uuid, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="keyed hash of the learner and the LMS"),
        sa.Column("lms", sa.Text(), comment="its name; none for all LMSs"),
        sa.Column("later", sa.Text(), nullable=False, comment="what comes later of the learner: refuse or accept"),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "finished_at",
            sa.BigInteger(),
            comment="when everything here was gone; what targets are to delete may still wait",
        ),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False, comment="JSON: rows deleted, by kind"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sa.UniqueConstraint("uuid", name=op.f("uq_erasure_uuid")),
    )
    op.create_index(op.f("ix_erasure_digest"), "erasure", ["digest"])
    op.create_table(
        "erasure_target",
        sa.Column("erasure_id", _id, autoincrement=False, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Integer(), nullable=False, comment="deliveries that still waited"),
        sa.Column(
            "kept",
            sa.Integer(),
            nullable=False,
            comment="statements and documents that stay there, as the settings say",
        ),
        sa.Column(
            "permanent",
            sa.Integer(),
            nullable=False,
            comment="voiding statements, which cannot be voided themselves",
        ),
        sa.Column("voided", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False, comment="documents"),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name=op.f("fk_erasure_target_erasure_id")),
        sa.PrimaryKeyConstraint("erasure_id", "target", name=op.f("pk_erasure_target")),
    )
    op.create_table(
        "removal",
        sa.Column("id", _id, nullable=False),
        sa.Column("erasure_id", _id, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False, comment="statements, or the resource of a document"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="JSON: the voiding statement, or the document's parameters"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False, comment="of the last try"),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name=op.f("fk_removal_erasure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removal")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_removal_erasure_id"), "removal", ["erasure_id"])
    op.create_index(op.f("ix_removal_target_not_before"), "removal", ["target", "not_before"])
    op.create_table(
        "refused_learner",
        sa.Column("lms_id", _id, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="keyed hash of the learner's id"),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_refused_learner_lms_id")),
        sa.PrimaryKeyConstraint("lms_id", "digest", name=op.f("pk_refused_learner")),
    )
    op.create_table(
        "digest_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="of the keyed hashes of erased learners"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_key")),
    )


def downgrade() -> None:
    for table in ("digest_key", "refused_learner", "removal", "erasure_target", "erasure"):
        op.drop_table(table)
    op.drop_index(op.f("ix_document_try_try_id"), table_name="document_try")
    op.drop_index(op.f("ix_delivery_try_try_id"), table_name="delivery_try")
    for table in _OF_COMMITS:
        with op.batch_alter_table(table) as batch_op:
            batch_op.create_foreign_key(
                op.f(f"fk_{table}_session_id_commit_number"),
                "journal",
                ["session_id", "commit_number"],
                ["session_id", "number"],
            )
    _set_autoincrement(is_on=False)


def _set_autoincrement(*, is_on: bool) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in _NUMBERED:
        with op.batch_alter_table(
            table,
            recreate="always",
            table_args=_CHECKS.get(table, ()),
            table_kwargs={"sqlite_autoincrement": is_on},
        ):
            pass

"""State and profile documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document",
        sa.Column(
            "id",
            sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"),
            nullable=False,
            comment="made of resource and parameters",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="in the mapping document"),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False, comment="of the request, as JSON"),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the newest; text could hold NUL"),
        sa.Column("attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "session_id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column(
            "commit_number", sa.Integer(), nullable=False, comment="of the session: the commit that changed it last"
        ),
        sa.Column("mapping_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_document_attempt_id")),
        sa.ForeignKeyConstraint(
            ["mapping_version_id"], ["mapping_version.id"], name=op.f("fk_document_mapping_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id", "commit_number"],
            ["journal.session_id", "journal.number"],
            name=op.f("fk_document_session_id_commit_number"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_document_attempt_id"), ["attempt_id"], unique=False)

    op.create_table(
        "document_delivery",
        sa.Column(
            "document_id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column("target", sa.Text(), nullable=False, comment="empty while no target is configured"),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, delivered or dead"),
        sa.Column("changes", sa.Integer(), nullable=False, comment="how often the content was new to the target"),
        sa.Column("every", sa.BigInteger(), nullable=False, comment="milliseconds at least between two writes"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_document_delivery_document_id")),
        sa.PrimaryKeyConstraint("document_id", "target", name=op.f("pk_document_delivery")),
    )
    with op.batch_alter_table("document_delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_document_delivery_waiting",
            ["target", "not_before"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            "ix_document_delivery_dead",
            ["target"],
            unique=False,
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )

    op.create_table(
        "document_try",
        sa.Column(
            "document_id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column("try_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_document_try_document_id")),
        sa.ForeignKeyConstraint(["try_id"], ["try.id"], name=op.f("fk_document_try_try_id")),
        sa.PrimaryKeyConstraint("document_id", "try_id", name=op.f("pk_document_try")),
    )


def downgrade() -> None:
    op.drop_table("document_try")
    with op.batch_alter_table("document_delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_document_delivery_waiting",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.drop_table("document_delivery")
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_document_attempt_id"))

    op.drop_table("document")

"""Accounts of the audit pages, which mapping holds for whom, and indexes of what people look for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
WORKS_THROUGH = {
    "sqlite": ("attempt", "document_delivery", "enrollment", "journal", "statement"),
    "postgresql": ("attempt", "document_delivery", "enrollment", "journal", "statement"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        _comment_acts(
            "pause, resume, retry, discard, make-account and so on",
            "a target, an account, or a filter of deliveries as JSON",
        )
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="reader, auditor or admin"),
        sa.Column("sees_names", sa.Boolean(), nullable=False, comment="a reader who may see learners' names"),
        sa.Column(
            "password", sa.Text(), nullable=True, comment="Argon2 hash; none where another server signs the person in"
        ),
        sa.Column("issuer", sa.Text(), nullable=True, comment="of OpenID Connect: who signs the person in"),
        sa.Column("subject", sa.Text(), nullable=True, comment="the issuer's own id of the person"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_account_issuer_subject")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "sign_in_failure",
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="what is slowed down: an account's name or an address, hashed"
        ),
        sa.Column("number", sa.Integer(), nullable=False, comment="failures in a row"),
        sa.Column("newest_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="no sign-in is tried before"),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_failure")),
    )
    op.create_table(
        "mapping_activation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "lms_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="none for all that have no version of their own",
        ),
        sa.Column(
            "mapping_version_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="none: again the one for all",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_mapping_activation_lms_id")),
        sa.ForeignKeyConstraint(
            ["mapping_version_id"], ["mapping_version.id"], name=op.f("fk_mapping_activation_mapping_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping_activation")),
    )
    op.create_table(
        "sign_in",
        sa.Column(
            "digest", sa.String(length=64), nullable=False, comment="SHA-256 of the cookie's secret, which is not kept"
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_sign_in_account_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in")),
    )
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_account_id"), ["account_id"], unique=False)

    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_last_commit_at"), ["last_commit_at"], unique=False)

    with op.batch_alter_table("document_delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_document_delivery_dead",
            ["target"],
            unique=False,
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )

    with op.batch_alter_table("enrollment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrollment_activity_id"), ["activity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enrollment_course_id"), ["course_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enrollment_last_commit_at"), ["last_commit_at"], unique=False)

    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "beside", sa.Text(), nullable=True, comment="JSON: what came beside the body and says something of it"
            )
        )
        batch_op.add_column(
            sa.Column(
                "mapping_version_id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=True,
                comment="by which it was told",
            )
        )
    # until now, one version at a time was in use: what made a commit's statements, else the newest
    op.execute(
        "UPDATE journal SET mapping_version_id = coalesce((SELECT max(mapping_version_id) FROM statement"
        " WHERE statement.session_id = journal.session_id AND statement.commit_number = journal.number),"
        " (SELECT max(id) FROM mapping_version))"
    )
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.alter_column("mapping_version_id", nullable=False)
        batch_op.create_index(batch_op.f("ix_journal_received_at"), ["received_at"], unique=False)

    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_statement_made_at"), ["made_at"], unique=False)


def _comment_acts(verb: str, subject: str) -> None:
    for name, comment in (("verb", verb), ("subject", subject)):
        op.alter_column("act", name, existing_type=sa.Text(), existing_nullable=False, comment=comment)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _comment_acts("pause, resume, retry or discard", "a target, or a filter of deliveries as JSON")
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_statement_made_at"))

    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_journal_received_at"))
        batch_op.drop_column("mapping_version_id")
        batch_op.drop_column("beside")

    with op.batch_alter_table("enrollment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrollment_last_commit_at"))
        batch_op.drop_index(batch_op.f("ix_enrollment_course_id"))
        batch_op.drop_index(batch_op.f("ix_enrollment_activity_id"))

    with op.batch_alter_table("document_delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_document_delivery_dead",
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )

    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempt_last_commit_at"))

    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_account_id"))

    op.drop_table("sign_in")
    op.drop_table("mapping_activation")
    op.drop_table("sign_in_failure")
    op.drop_table("account")

"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("home_page", sa.Text(), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False, comment="JSON list of origins whose pages may post commits"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lms")),
        sa.UniqueConstraint("name", name=op.f("uq_lms_name")),
    )
    op.create_table(
        "mapping_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping_version")),
        sa.UniqueConstraint("name", "content_hash", name=op.f("uq_mapping_version_name_content_hash")),
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
        "signing_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="signs the commit tokens in commit URLs"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "try",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("took", sa.Integer(), nullable=False, comment="milliseconds"),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status; none where no answer came"),
        sa.Column(
            "answer",
            sa.Text(),
            nullable=False,
            comment="what the LRS said, or what went wrong, cut to 4,000 characters",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_try")),
    )
    op.create_table(
        "enrollment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "registration", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column("lms_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("learner_id", sa.Text(), nullable=False),
        sa.Column("learner_name", sa.Text(), nullable=False),
        sa.Column("activity_id", sa.Text(), nullable=False),
        sa.Column("activity_name", sa.Text(), nullable=False),
        sa.Column("activity_type", sa.Text(), nullable=False),
        sa.Column("course_id", sa.Text(), nullable=False),
        sa.Column("course_name", sa.Text(), nullable=False),
        sa.Column("total_attempts", sa.Integer(), nullable=False),
        sa.Column("completion_status", sa.Text(), nullable=True, comment="best of all attempts"),
        sa.Column("success_status", sa.Text(), nullable=True, comment="best of all attempts"),
        sa.Column("best_scaled", sa.Float(), nullable=True),
        sa.Column("best_raw", sa.Float(), nullable=True),
        sa.Column("best_min", sa.Float(), nullable=True),
        sa.Column("best_max", sa.Float(), nullable=True),
        sa.Column("total_time", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("first_commit_at", sa.BigInteger(), nullable=True),
        sa.Column("last_commit_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_enrollment_lms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollment")),
        sa.UniqueConstraint(
            "lms_id", "learner_id", "activity_id", name=op.f("uq_enrollment_lms_id_learner_id_activity_id")
        ),
        sa.UniqueConstraint("registration", name=op.f("uq_enrollment_registration")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lms_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the token, which is not kept"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["lms_id"], ["lms.id"], name=op.f("fk_token_lms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_lms_id"), ["lms_id"], unique=False)

    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scorm_version", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False, comment="active, suspended, terminated or abandoned"),
        sa.Column("completion_status", sa.Text(), nullable=True),
        sa.Column("success_status", sa.Text(), nullable=True),
        sa.Column("score_scaled", sa.Float(), nullable=True),
        sa.Column("score_raw", sa.Float(), nullable=True),
        sa.Column("score_min", sa.Float(), nullable=True),
        sa.Column("score_max", sa.Float(), nullable=True),
        sa.Column("progress_measure", sa.Float(), nullable=True),
        sa.Column("total_time", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("last_commit_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False, comment="JSON: all that is remembered between commits"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_attempt_number_from_one")),
        sa.ForeignKeyConstraint(["enrollment_id"], ["enrollment.id"], name=op.f("fk_attempt_enrollment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("enrollment_id", "number", name=op.f("uq_attempt_enrollment_id_number")),
        sa.UniqueConstraint("uuid", name=op.f("uq_attempt_uuid")),
    )
    op.create_table(
        "session",
        sa.Column(
            "session_id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column("attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False, comment="ab-initio or resume"),
        sa.Column("commits", sa.Integer(), nullable=False, comment="rows in the journal"),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("last_commit_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True, comment="suspended, terminated or abandoned"),
        sa.Column("state", sa.Text(), nullable=False, comment="JSON: all that is remembered between commits"),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_session_attempt_id")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session")),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_attempt_id"), ["attempt_id"], unique=False)
        batch_op.create_index(
            "ix_session_open",
            ["started_at"],
            unique=False,
            sqlite_where=sa.text("ended IS NULL"),
            postgresql_where=sa.text("ended IS NULL"),
        )

    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "session_id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False, comment="counts the commits of the session from 1"),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("wire_format", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("duplicate_of", sa.Integer(), nullable=True, comment="number of the commit it repeats"),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the body"),
        sa.Column("sequence", sa.BigInteger(), nullable=True, comment="the client's own count"),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True, comment="the answer as JSON; none for a duplicate"),
        sa.Column(
            "body", sa.LargeBinary(), nullable=True, comment="as received; none where it is that of duplicate_of"
        ),
        sa.Column(
            "beside", sa.Text(), nullable=True, comment="JSON: what came beside the body and says something of it"
        ),
        sa.Column(
            "mapping_version_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="by which it was told",
        ),
        sa.ForeignKeyConstraint(["session_id"], ["session.session_id"], name=op.f("fk_journal_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("session_id", "number", name=op.f("uq_journal_session_id_number")),
    )
    op.create_table(
        "statement",
        sa.Column(
            "attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="order within the attempt"),
        sa.Column("id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False),
        sa.Column(
            "session_id", sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql"), nullable=False
        ),
        sa.Column("commit_number", sa.Integer(), nullable=False),
        sa.Column("mapping_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True, comment="why it is never sent: an LRS would refuse it"),
        sa.Column("body", sa.Text(), nullable=False, comment="the statement's bytes, sent as they are"),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_statement_attempt_id")),
        sa.ForeignKeyConstraint(
            ["mapping_version_id"], ["mapping_version.id"], name=op.f("fk_statement_mapping_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id", "commit_number"],
            ["journal.session_id", "journal.number"],
            name=op.f("fk_statement_session_id_commit_number"),
        ),
        sa.PrimaryKeyConstraint("attempt_id", "position", name=op.f("pk_statement")),
        sa.UniqueConstraint("id", name=op.f("uq_statement_id")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target", sa.Text(), nullable=False, comment="empty while no target is configured"),
        sa.Column("attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, delivered, dead or quarantined"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attempt_id", "position"],
            ["statement.attempt_id", "statement.position"],
            name=op.f("fk_delivery_attempt_id_position"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("attempt_id", "position", "target", name=op.f("uq_delivery_attempt_id_position_target")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_waiting",
            ["target", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            "ix_delivery_waiting_in_attempt",
            ["attempt_id", "target", "position"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "delivery_try",
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("try_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_try_delivery_id")),
        sa.ForeignKeyConstraint(["try_id"], ["try.id"], name=op.f("fk_delivery_try_try_id")),
        sa.PrimaryKeyConstraint("delivery_id", "try_id", name=op.f("pk_delivery_try")),
    )


def downgrade() -> None:
    op.drop_table("delivery_try")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_delivery_waiting_in_attempt",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index(
            "ix_delivery_waiting",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.drop_table("delivery")
    op.drop_table("statement")
    op.drop_table("journal")
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_session_open", sqlite_where=sa.text("ended IS NULL"), postgresql_where=sa.text("ended IS NULL")
        )
        batch_op.drop_index(batch_op.f("ix_session_attempt_id"))

    op.drop_table("session")
    op.drop_table("attempt")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_lms_id"))

    op.drop_table("token")
    op.drop_table("enrollment")
    op.drop_table("try")
    op.drop_table("signing_key")
    op.drop_table("mapping_activation")
    op.drop_table("mapping_version")
    op.drop_table("lms")

"""The tables. Words are those of the product: an enrollment has attempts, an attempt sessions, a session commits."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

import storage.alarm_tables
import storage.erasure_tables
import storage.gradebook_tables
import storage.recording_tables
import storage.search_tables
import storage.webhook_tables  # noqa: F401 -- they are part of the metadata
from storage import schema

metadata = schema.metadata
_Id, _Uuid, _Time = schema.ID_TYPE, schema.UUID_TYPE, schema.TIME_TYPE

lms = Table(
    "lms",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("home_page", Text, nullable=False),
    Column("origins", Text, nullable=False, comment="JSON list of origins whose pages may post commits"),
    Column("created_at", _Time, nullable=False),
    Column("learner_ids", Text, comment="JSON: how ids are rewritten that its pages say; none: not"),
)

token = Table(
    "token",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("lms_id", _Id, ForeignKey("lms.id"), nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the token, which is not kept"),
    Column("created_at", _Time, nullable=False),
    Column("revoked_at", _Time),
    Column("expires_at", _Time, comment="none: it does not expire"),
    Column(
        "scopes",
        Text,
        nullable=False,
        server_default=text("'commit read'"),
        comment="what it permits, with spaces between",
    ),
    Column("last_used_at", _Time, comment="noted once a minute"),
    Column("replaced_by", _Id, comment="the token that it was rotated into"),
)

browser_key = Table(
    "browser_key",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("lms_id", _Id, ForeignKey("lms.id"), nullable=False, index=True),
    Column("key", Text, nullable=False, unique=True, comment="stands in the LMS's pages: no secret"),
    Column("origins", Text, nullable=False, comment="JSON list of origins whose pages may use it"),
    Column("activities", Text, nullable=False, comment="JSON list of ids that sessions may be of; empty: all"),
    Column("created_at", _Time, nullable=False),
    Column("expires_at", _Time, comment="none: it does not expire"),
    Column("revoked_at", _Time),
    Column("last_used_at", _Time, comment="noted once a minute"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False, comment="signs the commit tokens in commit URLs"),
    Column("created_at", _Time, nullable=False),
)

enrollment = Table(
    "enrollment",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("registration", _Uuid, nullable=False, unique=True),
    Column("lms_id", _Id, ForeignKey("lms.id"), nullable=False),
    Column("learner_id", Text, nullable=False),
    Column("learner_name", Text, nullable=False),
    Column("activity_id", Text, nullable=False),
    Column("activity_name", Text, nullable=False),
    Column("activity_type", Text, nullable=False),
    Column("course_id", Text, nullable=False),
    Column("course_name", Text, nullable=False),
    Column("total_attempts", Integer, nullable=False),
    Column("completion_status", Text, comment="best of all attempts"),
    Column("success_status", Text, comment="best of all attempts"),
    Column("best_scaled", Float),
    Column("best_raw", Float),
    Column("best_min", Float),
    Column("best_max", Float),
    Column("total_time", BigInteger, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column(
        "version",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="counts the changes of it, its attempts and its sessions",
    ),
    Column(
        "update_number",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="higher than that of every update before it that can be seen: see storage/update_order.py",
    ),
    Column("first_commit_at", _Time),
    Column("last_commit_at", _Time),
    Column(
        "latest_attempt",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="the highest number of an attempt that had a commit",
    ),
    Column(
        "sco",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="of a package whose SCOs are posted to one address: whose values are this activity's",
    ),
    Column("learner_attributes", Text, comment="JSON: what the LMS says of the learner, texts by name"),
    Column("learner_mbox", Text, comment="mailto: IRI or its SHA-1; only where a mapping document in use needs it"),
    Column("activity_description", Text),
    Column("course_description", Text),
    Column("state", Text, comment="JSON: what is remembered over all attempts; none where nothing is"),
    UniqueConstraint("lms_id", "learner_id", "activity_id", "course_id"),
    Index(None, "activity_id"),
    Index(None, "course_id"),
    Index(None, "last_commit_at"),
    Index(None, "lms_id", "update_number", "id"),
    Index(
        "ix_enrollment_sco",
        "activity_id",
        sqlite_where=text("sco <> ''"),
        postgresql_where=text("sco <> ''"),
    ),
    sqlite_autoincrement=True,
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("uuid", _Uuid, nullable=False, unique=True),
    Column("enrollment_id", _Id, ForeignKey("enrollment.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("scorm_version", Text),
    Column("status", Text, nullable=False, comment="active, suspended, terminated or abandoned"),
    Column("completion_status", Text),
    Column("success_status", Text),
    Column("score_scaled", Float),
    Column("score_raw", Float),
    Column("score_min", Float),
    Column("score_max", Float),
    Column("progress_measure", Float),
    Column("total_time", BigInteger, nullable=False),
    Column("started_at", _Time, nullable=False),
    Column("last_commit_at", _Time),
    Column("documents_due", _Time, comment="when its documents are to be made anew; none where nothing changed since"),
    Column("state", Text, nullable=False, comment="JSON: all that is remembered between commits"),
    UniqueConstraint("enrollment_id", "number"),
    Index(None, "last_commit_at"),
    CheckConstraint("number >= 1", name="number_from_one"),
    Index(
        "ix_attempt_documents_due",
        "documents_due",
        sqlite_where=text("documents_due IS NOT NULL"),
        postgresql_where=text("documents_due IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

_IS_LIVE = "ended IS NULL AND source <> 'import'"

session = Table(
    "session",
    metadata,
    Column("session_id", _Uuid, primary_key=True),
    Column("attempt_id", _Id, ForeignKey("attempt.id"), nullable=False, index=True),
    Column("entry", Text, nullable=False, comment="ab-initio or resume"),
    Column("commits", Integer, nullable=False, comment="rows in the journal"),
    Column("started_at", _Time, nullable=False),
    Column("source", Text, nullable=False, server_default=text("'server'"), comment="server, browser or import"),
    Column("last_commit_at", _Time),
    Column("ended_at", _Time),
    Column("ended", Text, comment="suspended, terminated or abandoned"),
    Column("state", Text, nullable=False, comment="JSON: all that is remembered between commits"),
    Index("ix_session_open", "started_at", sqlite_where=text(_IS_LIVE), postgresql_where=text(_IS_LIVE)),
)

journal = Table(
    "journal",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("session_id", _Uuid, ForeignKey("session.session_id"), nullable=False),
    Column("number", Integer, nullable=False, comment="counts the commits of the session from 1"),
    Column("received_at", _Time, nullable=False),
    Column("wire_format", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("duplicate_of", Integer, comment="number of the commit it repeats"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the body"),
    Column("sequence", BigInteger, comment="the client's own count"),
    Column("idempotency_key", Text),
    Column("response", Text, comment="JSON; none for a duplicate"),
    Column("body", LargeBinary, comment="as received; none where it is that of duplicate_of"),
    Column("request_metadata", Text, comment="JSON: metadata that the request had beside its body"),
    # not checked by the database at every commit: nothing ever deletes a version
    Column("mapping_version_id", _Id, nullable=False, comment="by which it was told"),
    UniqueConstraint("session_id", "number"),
    Index(None, "received_at"),
)

mapping_version = Table(
    "mapping_version",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("definition", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    UniqueConstraint("name", "content_hash"),
)

mapping_activation = Table(
    "mapping_activation",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("lms_id", _Id, ForeignKey("lms.id"), comment="none for all that have no version of their own"),
    Column("mapping_version_id", _Id, ForeignKey("mapping_version.id"), comment="none: again the one for all"),
    Column("at", _Time, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

statement = Table(
    "statement",
    metadata,
    Column("attempt_id", _Id, ForeignKey("attempt.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="order within the attempt"),
    Column("id", _Uuid, nullable=False, unique=True),
    Column("session_id", _Uuid, nullable=False),
    Column("commit_number", Integer, nullable=False),
    Column("mapping_version_id", _Id, ForeignKey("mapping_version.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("problem", Text, comment="why it is never sent: an LRS would refuse it"),
    Column("body", Text, nullable=False, comment="the statement's bytes, sent as they are"),
    # the whole order of pages: what came in one millisecond, as with an import, is not sorted for each of them
    Index(None, "created_at", "attempt_id", "position"),
    # its commit is in the same transaction; a foreign key would need an index to delete commits by
)

target_statement = Table(
    "target_statement",
    metadata,
    Column("attempt_id", _Id, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("target", Text, primary_key=True),
    Column("form", Text, nullable=False, comment="in words: by which actor, without what"),
    Column("body", Text, nullable=False, comment="what the target gets in place of the statement's bytes"),
    ForeignKeyConstraint(["attempt_id", "position"], ["statement.attempt_id", "statement.position"]),
)

_HOLDS_BACK = "state = 'waiting' AND (not_before > 0 OR target = '')"

delivery = Table(
    "delivery",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("target", Text, nullable=False, comment="empty while no target is configured"),
    Column("attempt_id", _Id, nullable=False),
    Column("position", Integer, nullable=False),
    Column("shard", Integer, nullable=False, comment="of the attempt: shards are forwarded beside each other"),
    Column("state", Text, nullable=False, comment="waiting, delivered, dead, quarantined or discarded"),
    Column("tries", Integer, nullable=False),
    Column("not_before", _Time, nullable=False),
    Column("settled_at", _Time),
    # PostgreSQL would look each one up: it was made a moment before, in the same transaction
    Column("settled_by", _Id, comment="the try that settled it; it is in no delivery_try"),
    UniqueConstraint("attempt_id", "position", "target"),
    ForeignKeyConstraint(["attempt_id", "position"], ["statement.attempt_id", "statement.position"]),
    # what is waiting is looked for all the time, what is settled hardly ever
    Index(
        "ix_delivery_waiting",
        "target",
        "shard",
        "id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    # what can hold back others of its attempt: few of all that wait
    Index(
        "ix_delivery_holding_back",
        "attempt_id",
        "target",
        "position",
        sqlite_where=text(_HOLDS_BACK),
        postgresql_where=text(_HOLDS_BACK),
    ),
    # few, it is hoped, and what people look for
    Index(
        "ix_delivery_troubled",
        "target",
        "state",
        "id",
        sqlite_where=text("state IN ('dead', 'quarantined', 'discarded')"),
        postgresql_where=text("state IN ('dead', 'quarantined', 'discarded')"),
    ),
    sqlite_autoincrement=True,
)

try_ = Table(
    "try",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("target", Text, nullable=False),
    Column("started_at", _Time, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, comment="HTTP status; none where no answer came"),
    Column("answer", Text, nullable=False, comment="what the LRS said, or what went wrong, cut to 4,000 characters"),
    # none, unless the database was restored from an older backup
    Index(
        "ix_try_diverged",
        "target",
        sqlite_where=text("outcome = 'diverged'"),
        postgresql_where=text("outcome = 'diverged'"),
    ),
    sqlite_autoincrement=True,
)

delivery_try = Table(
    "delivery_try",
    metadata,
    Column("delivery_id", _Id, ForeignKey("delivery.id"), primary_key=True, autoincrement=False),
    Column("try_id", _Id, ForeignKey("try.id"), primary_key=True, autoincrement=False, index=True),
)

document = Table(
    "document",
    metadata,
    Column("id", _Uuid, primary_key=True, comment="made of resource and parameters"),
    Column("name", Text, nullable=False, comment="in the mapping document"),
    Column("resource", Text, nullable=False),
    Column("parameters", Text, nullable=False, comment="of the request, as JSON"),
    Column("content_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="the newest; text could hold NUL"),
    Column("attempt_id", _Id, ForeignKey("attempt.id"), nullable=False, index=True),
    Column("session_id", _Uuid, nullable=False),
    Column("commit_number", Integer, nullable=False, comment="of the session: the commit that changed it last"),
    Column("mapping_version_id", _Id, ForeignKey("mapping_version.id"), nullable=False),
    Column("changed_at", _Time, nullable=False),
    Column("form", Text, comment="in words, of the targets that get it; none for the mapping's own"),
)

document_delivery = Table(
    "document_delivery",
    metadata,
    Column("document_id", _Uuid, ForeignKey("document.id"), primary_key=True),
    Column("target", Text, primary_key=True, comment="empty while no target is configured"),
    Column("state", Text, nullable=False, comment="waiting, delivered or dead"),
    Column("changes", Integer, nullable=False, comment="how often the content was new to the target"),
    Column("min_interval_ms", _Time, nullable=False, comment="between two writes"),
    Column("tries", Integer, nullable=False),
    Column("not_before", _Time, nullable=False),
    Column("settled_at", _Time),
    # what is waiting is looked for all the time
    Index(
        "ix_document_delivery_waiting",
        "target",
        "not_before",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_document_delivery_dead",
        "target",
        sqlite_where=text("state = 'dead'"),
        postgresql_where=text("state = 'dead'"),
    ),
)

document_try = Table(
    "document_try",
    metadata,
    Column("document_id", _Uuid, ForeignKey("document.id"), primary_key=True),
    Column("try_id", _Id, ForeignKey("try.id"), primary_key=True, autoincrement=False, index=True),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True, comment="what one process at a time does, or a process itself"),
    Column("owner", _Uuid, nullable=False, comment="the process"),
    Column("expires_at", _Time, nullable=False, comment="by the database's clock"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", _Time, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False, comment="pause, resume, retry, discard, make-account and so on"),
    Column("subject", Text, nullable=False, comment="a target, an account, or a filter of deliveries as JSON"),
    Column("affected", Integer, nullable=False, comment="how many targets, accounts or deliveries"),
    Column("reason", Text, nullable=False),
)

refusal = Table(
    "refusal",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("lms_id", _Id, ForeignKey("lms.id"), nullable=False),
    Column("at", _Time, nullable=False),
    Column("status", Integer, nullable=False, comment="of HTTP, 400 to 422"),
    Column("code", Text, nullable=False, comment="of the problem"),
    Column("detail", Text, nullable=False, comment="what was wrong, in words; the body is not kept"),
    Column("wire_format", Text, nullable=False, comment="empty where it was not known"),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False, comment="of the address, without its parameters: tokens are among them"),
    Index(None, "lms_id", "id"),
)

account = Table(
    "account",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False, comment="reader, auditor or admin"),
    Column("sees_names", Boolean, nullable=False, comment="a reader who may see learners' names"),
    Column("password", Text, comment="Argon2 hash; none where another server signs the person in"),
    Column("issuer", Text, comment="of OpenID Connect: who signs the person in"),
    Column("subject", Text, comment="the issuer's own id of the person"),
    Column("created_at", _Time, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

mapping_draft = Table(
    "mapping_draft",
    metadata,
    Column("account_id", _Id, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("definition", Text, nullable=False, comment="TOML, which may have faults"),
    Column("saved_at", _Time, nullable=False),
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the cookie's secret, which is not kept"),
    Column("account_id", _Id, ForeignKey("account.id"), nullable=False, index=True),
    Column("created_at", _Time, nullable=False),
    Column("expires_at", _Time, nullable=False),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("subject", Text, primary_key=True, comment="what is slowed down: an account's name or an address, hashed"),
    Column("failures", Integer, nullable=False, comment="in a row"),
    Column("last_failed_at", _Time, nullable=False),
    Column("blocked_until", _Time, nullable=False, comment="no sign-in is tried before"),
)

schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("oldest_revision", Text, nullable=False, comment="releases of this revision on can work with the schema"),
)

write_probe = Table(
    "write_probe",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False, comment="random bytes that mean nothing"),
)

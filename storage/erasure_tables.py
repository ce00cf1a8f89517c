"""The tables of erasures. Nothing in them names a person, but for removals that wait."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from storage.schema import ID_TYPE, TIME_TYPE, UUID_TYPE, metadata

STATEMENTS = "statements"
"""The resource of a removal that voids a statement; that of others is the document's."""

erasure = Table(
    "erasure",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("uuid", UUID_TYPE, nullable=False, unique=True),
    Column("digest", String(64), nullable=False, index=True, comment="keyed hash of the learner and the LMS"),
    Column("lms", Text, comment="its name; none for all LMSs"),
    Column("later", Text, nullable=False, comment="what comes later of the learner: refuse or accept"),
    Column("began_at", TIME_TYPE, nullable=False),
    Column(
        "finished_at", TIME_TYPE, comment="when everything here was gone; what targets are to delete may still wait"
    ),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("counts", Text, nullable=False, comment="JSON: rows deleted, by kind"),
)

erasure_target = Table(
    "erasure_target",
    metadata,
    Column("erasure_id", ID_TYPE, ForeignKey("erasure.id"), primary_key=True, autoincrement=False),
    Column("target", Text, primary_key=True),
    Column("withdrawn", Integer, nullable=False, comment="deliveries that still waited"),
    Column("kept", Integer, nullable=False, comment="statements and documents that stay there, as the settings say"),
    Column("permanent", Integer, nullable=False, comment="voiding statements, which cannot be voided themselves"),
    Column("voided", Integer, nullable=False),
    Column("deleted", Integer, nullable=False, comment="documents"),
)

removal = Table(
    "removal",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("erasure_id", ID_TYPE, ForeignKey("erasure.id"), nullable=False, index=True),
    Column("target", Text, nullable=False),
    Column("resource", Text, nullable=False, comment="statements, or the resource of a document"),
    Column("body", Text, nullable=False, comment="JSON: the voiding statement, or the document's parameters"),
    Column("created_at", TIME_TYPE, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("not_before", TIME_TYPE, nullable=False),
    Column("answer", Text, nullable=False, comment="of the last try"),
    Index(None, "target", "not_before"),
    Index(None, "target", "created_at"),
    sqlite_autoincrement=True,
)

refused_learner = Table(
    "refused_learner",
    metadata,
    Column("lms_id", ID_TYPE, ForeignKey("lms.id"), primary_key=True, autoincrement=False),
    Column("digest", String(64), primary_key=True, comment="keyed hash of the learner's id"),
)

digest_key = Table(
    "digest_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False, comment="of the keyed hashes of erased learners"),
)

"""The tables of who works with the audit pages: accounts, what they write at, and how they sign in."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from storage.schema import ID_TYPE, TIME_TYPE, metadata

account = Table(
    "account",
    metadata,
    Column("id", ID_TYPE, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False, comment="reader, auditor or admin"),
    Column("sees_names", Boolean, nullable=False, comment="a reader who may see learners' names"),
    Column("password", Text, comment="Argon2 hash; none where another server signs the person in"),
    Column("issuer", Text, comment="of OpenID Connect: who signs the person in"),
    Column("subject", Text, comment="the issuer's own id of the person"),
    Column("created_at", TIME_TYPE, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

mapping_draft = Table(
    "mapping_draft",
    metadata,
    Column("account_id", ID_TYPE, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("definition", Text, nullable=False, comment="TOML, which may have faults"),
    Column("saved_at", TIME_TYPE, nullable=False),
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the cookie's secret, which is not kept"),
    Column("account_id", ID_TYPE, ForeignKey("account.id"), nullable=False, index=True),
    Column("created_at", TIME_TYPE, nullable=False),
    Column("expires_at", TIME_TYPE, nullable=False),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("subject", Text, primary_key=True, comment="what is slowed down: an account's name or an address, hashed"),
    Column("failures", Integer, nullable=False, comment="in a row"),
    Column("last_failed_at", TIME_TYPE, nullable=False),
    Column("blocked_until", TIME_TYPE, nullable=False, comment="no sign-in is tried before"),
)

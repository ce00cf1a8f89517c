"""What all tables are made with: names of constraints, and types of columns on both databases."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, String
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only where the type is exactly INTEGER
Id = BigInteger().with_variant(Integer, "sqlite")
Uuid = String(36).with_variant(UUID(as_uuid=False), "postgresql")
Time = BigInteger()
"""Milliseconds since the epoch."""

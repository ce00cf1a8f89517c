"""What all tables share: the metadata that they are part of, and the types of their columns."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, Integer, MetaData, String, Text, literal_column
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

# SQLite numbers rows by itself only where the type is exactly INTEGER, and gives the highest number again where its row
# was deleted, unless the table has AUTOINCREMENT: what is on its way at that moment would be taken for another row
ID_TYPE = BigInteger().with_variant(Integer, "sqlite")
UUID_TYPE = String(36).with_variant(UUID(as_uuid=False), "postgresql")
TIME_TYPE = BigInteger()
"""Milliseconds since the epoch."""
ORDERED_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its characters' numbers, so that an index finds what begins with some."""


def spelled_out(word: str) -> ColumnElement[str]:
    """Return one of our own words as a literal of SQL: a state, or the name of a table.

    An index with a condition serves only a query that has the same words: what a parameter is, a plan does not know.
    """
    return literal_column(f"'{word}'")

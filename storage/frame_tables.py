"""The table of the dictionaries that stored texts are compressed by, and the columns of what is compressed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text

from storage.schema import ID_TYPE, TIME_TYPE, metadata

frame_dictionary = Table(
    "frame_dictionary",
    metadata,
    Column("id", Integer, primary_key=True, comment="also in the header of each frame"),
    Column("mapping_version_id", ID_TYPE, ForeignKey("mapping_version.id"), nullable=False, index=True),
    Column("origin", Text, nullable=False, comment="what it was trained with: samples or journal"),
    Column("created_at", TIME_TYPE, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="a dictionary of zstd"),
    sqlite_autoincrement=True,
)

compaction = Table(
    "compaction",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("last_id", BigInteger, nullable=False, comment="row, or attempt, up to which all is in frames"),
)


def frame_columns(comment: str) -> tuple[Column[Any], Column[Any]]:
    """Return the columns of a table whose content may be compressed: the dictionary, and the frame.

    The foreign key keeps a dictionary that a frame needs: it cannot be deleted before all its frames are.

    Args:
        comment: what is compressed, and how the columns are told that have it otherwise.
    """
    return (
        Column("dictionary_id", Integer, ForeignKey("frame_dictionary.id"), comment="none: nothing is compressed"),
        Column("frame", LargeBinary, comment=comment),
    )

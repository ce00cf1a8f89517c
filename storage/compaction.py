"""Writes texts into frames that are stored as they are, from before there were dictionaries: some rows at a time.

Each batch is one short transaction, which leaves a mark up to where all is done. Whatever stops it, the next run goes
on there, and both forms are readable meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select, tuple_, update

from storage import frames
from storage.engine import insert_for
from storage.frame_tables import compaction
from storage.frames import Frame
from storage.journal import pack
from storage.report_fields import report_fields
from storage.tables import journal, statement, target_statement

SCAN_SIZE = 200
"""Rows that are looked at in one query, and written at most in one transaction."""
Place = tuple[Any, ...]
"""The key of a row: all before it, and itself, is done."""


class CompactionScan(NamedTuple):
    """What a look found: rows that are not in frames, and the last one it looked at, None where there were no more."""

    keys: list[Place]
    place: Place | None


class CompactedBatch(NamedTuple):
    """How many rows are in frames now, and the bytes of their texts before and after."""

    rows: int
    bytes_before: int
    bytes_after: int


class _Text(NamedTuple):
    """What is to be compressed of a row, by the dictionary of a mapping's version, and the columns beside the frame."""

    version_id: int
    content: bytes
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CompactedTable:
    """A table whose rows are compacted, by its key, whose first column counts the progress.

    Attributes:
        columns: that are read, beside the key.
        is_plain: the condition of rows that are not in frames, of those that have a text.
        text: what is compressed of a row; None where it has to stay as it is.
    """

    table: Table
    key: tuple[Column[Any], ...]
    columns: tuple[Column[Any], ...]
    is_plain: ColumnElement[bool]
    text: Callable[[Any], _Text | None]

    @property
    def name(self) -> str:
        """Return the table's name."""
        return str(self.table.name)


def _commit_text(row: Any) -> _Text:
    body = bytes(row.body)
    values = {"body": None, "response": None, "body_size": len(body)}
    return _Text(row.mapping_version_id, pack(row.response, body), values)


def _statement_text(row: Any) -> _Text | None:
    body = row.body.encode()
    fields = report_fields(body)
    return None if fields is None else _Text(row.mapping_version_id, body, {"body": "", **fields._asdict()})


def _form_text(row: Any) -> _Text:
    return _Text(frames.ANY_VERSION, row.body.encode(), {"body": ""})


TABLES = (
    CompactedTable(
        journal,
        (journal.c.id,),
        (journal.c.body, journal.c.response, journal.c.mapping_version_id),
        journal.c.frame.is_(None) & journal.c.body.is_not(None),
        _commit_text,
    ),
    CompactedTable(
        statement,
        (statement.c.attempt_id, statement.c.position),
        (statement.c.body, statement.c.mapping_version_id),
        statement.c.frame.is_(None),
        _statement_text,
    ),
    CompactedTable(
        target_statement,
        (target_statement.c.attempt_id, target_statement.c.position, target_statement.c.target),
        (target_statement.c.body,),
        target_statement.c.frame.is_(None),
        _form_text,
    ),
)
"""What is compacted, in this order."""


def first_place(connection: Connection, of: CompactedTable) -> Place:
    """Return where the last run stopped: before the first row of what may not be done."""
    query = select(compaction.c.last_id).where(compaction.c.table_name == of.name)
    return (connection.execute(query).scalar_one_or_none() or 0,)


def last_id(connection: Connection, of: CompactedTable) -> int:
    """Return the highest number that progress counts to; 0 where there are no rows."""
    return int(connection.execute(select(func.coalesce(func.max(of.key[0]), 0))).scalar_one())


def scan(connection: Connection, of: CompactedTable, place: Place, limit: int = SCAN_SIZE) -> CompactionScan:
    """Look at the next rows behind a place; nothing is locked."""
    behind = tuple_(*of.key) > tuple_(*place) if len(place) > 1 else of.key[0] > place[0]
    rows = connection.execute(
        select(*of.key, of.is_plain.label("is_plain")).where(behind).order_by(*of.key).limit(limit)
    ).all()
    return CompactionScan(
        [tuple(row[:-1]) for row in rows if row.is_plain], tuple(rows[-1][:-1]) if len(rows) == limit else None
    )


def compact_rows(connection: Connection, of: CompactedTable, last_scan: CompactionScan) -> CompactedBatch:
    """Write what a look found into frames, as far as it still is not there, and leave a mark."""
    its = of.key[0].in_([key[0] for key in last_scan.keys]) if len(of.key) == 1 else tuple_(*of.key).in_(last_scan.keys)
    rows = connection.execute(
        select(*of.key, *of.columns)
        .where(its, of.is_plain)
        .order_by(*of.key)
        # as weak as what updates a row: nothing that refers to it waits
        .with_for_update(key_share=True)
    ).all()
    texts = [of.text(row) for row in rows]
    compressed = frames.compress(
        connection, [(frames.ANY_VERSION, b"") if text is None else (text.version_id, text.content) for text in texts]
    )
    batch = _store(connection, of, rows, texts, compressed)
    through = last_scan.place or next(reversed(last_scan.keys), None)
    if through is not None:
        # of an attempt, there may be more
        _leave_mark(connection, of, through[0] - (len(of.key) > 1))
    return batch


def _store(
    connection: Connection,
    of: CompactedTable,
    rows: Sequence[Any],
    texts: Sequence[_Text | None],
    compressed: Sequence[Frame],
) -> CompactedBatch:
    count = before = after = 0
    for row, text, frame in zip(rows, texts, compressed, strict=True):
        if text is None or frame.content is None:
            continue
        its = [column == getattr(row, column.name) for column in of.key]
        values = {**text.values, "dictionary_id": frame.dictionary_id, "frame": frame.content}
        connection.execute(update(of.table).where(*its).values(values))
        count, before, after = count + 1, before + len(text.content), after + len(frame.content)
    return CompactedBatch(count, before, after)


def _leave_mark(connection: Connection, of: CompactedTable, number: int) -> None:
    insert = insert_for(connection, compaction).values(table_name=of.name, last_id=number)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["table_name"], set_={"last_id": insert.excluded.last_id})
    )

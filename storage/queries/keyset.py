"""Pages of a search: each goes on where the one before it ended, however many rows came meanwhile.

The cursor is the sort key of the last row. No page costs more than reading `READ` rows: where a filter that no index
helps leaves too few of those, the page is short, or even empty, and its cursor tells from where to search on.
"""

from __future__ import annotations

import base64
import binascii
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    and_,
    any_,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage.engine import reading

T = TypeVar("T")

PAGE_SIZE = 50
"""Rows of a page unless another number is asked for."""

READ = 5_000
"""Rows at most that a page's search looks at."""

MAX_SORTED_ROWS = 500
"""Rows that are gathered and sorted rather than looked for in the order of time."""

_FIRST_UUID = "00000000-0000-0000-0000-000000000000"
_LAST_UUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class CursorError(ValueError):
    """The text is no cursor, or one of another search."""


class ResultPage(NamedTuple, Generic[T]):
    """Rows, and the cursor of the page after them; None where there is none.

    A page can have fewer rows than asked for, or none, and still a cursor: so far the search has come.
    """

    rows: list[T]
    after: str | None


class Count(NamedTuple):
    """A number of rows; with `is_lower_bound`, there are at least so many: they were not counted to their end."""

    number: int
    is_lower_bound: bool = False


def encode(key: Sequence[int | str | None]) -> str:
    """Return a sort key as a cursor, a text that can stand in an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode(cursor: str) -> list[int | str | None]:
    """Return the sort key that a cursor holds; whose it is, `Order.place` checks.

    Raises:
        CursorError: it is no cursor.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=list[int | str | None])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise CursorError("The page's cursor is not one that was given out; start from the first page.") from None


def cut(rows: Sequence[T], limit: int, key: Callable[[T], Sequence[int | str | None]]) -> ResultPage[T]:
    """Build a page of rows of which one more than `limit` was asked for; `key` gives what a row is sorted by."""
    shown = list(rows[:limit])
    return ResultPage(shown, encode(key(shown[-1])) if len(rows) > limit else None)


def up_to(connection: Connection, query: Select[Any], limit: int) -> Count:
    """Count the rows of a query exactly, and no further than `limit`."""
    number = connection.execute(select(func.count()).select_from(query.limit(limit + 1).subquery())).scalar_one()
    return Count(limit, is_lower_bound=True) if number > limit else Count(number)


def among(connection: Connection, column: Column[int], values: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition of being one of some numbers, however many; not more than SQLite takes of parameters."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(values, ARRAY(BigInteger)))  # one parameter
    return column.in_(values)


def has(connection: Connection, *conditions: ColumnElement[bool], walked: bool) -> ColumnElement[bool]:
    """Return the condition that there is a row; `walked` is for queries that walk another table's index.

    PostgreSQL would rather begin with all such rows, dead deliveries for one, however many there are.
    """
    query = select(literal(1)).where(*conditions)
    return (query.offset(0) if walked and connection.dialect.name == "postgresql" else query).exists()


def begins(connection: Connection, column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Return the condition of text that begins with exactly this, upper and lower case told apart."""
    if connection.dialect.name == "postgresql":
        return func.starts_with(column, prefix)
    return within_prefix(column, prefix)


def within_prefix(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Return the same for a column that is in the order of its characters' numbers, as a range of its index."""
    last = next((at for at in range(len(prefix), 0, -1) if prefix[at - 1] < "\U0010ffff"), 0)
    if not last:
        return column >= prefix
    following = ord(prefix[last - 1]) + 1
    # half of a surrogate pair is no character of a text
    end = prefix[: last - 1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)
    return and_(column >= prefix, column < end)


def iterate_pages(
    engine: Engine, load_page: Callable[[Connection, str | None, int], ResultPage[T]]
) -> Iterator[list[T]]:
    """Return the rows of a search, a page at a time, from the first page to the last.

    Each is read in a transaction of its own, so that a long export holds nothing up; what is changed meanwhile can be
    found twice or not at all. `load_page` returns the page after a cursor, of a limited number of rows:
    `lambda connection, after, limit: search(connection, filter, after=after, limit=limit)`.
    """
    after = None
    while True:
        with reading(engine) as connection:
            page = load_page(connection, after, PAGE_SIZE)
        if page.rows:
            yield page.rows
        if page.after is None:
            return
        after = page.after


class TimeSpan(NamedTuple):
    """Times from `since` on and before `until`, in milliseconds since the epoch."""

    since: int | None = None
    until: int | None = None

    def of(self, column: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """Return the conditions that a column's times are within."""
        clauses = []
        if self.since is not None:
            clauses.append(column >= self.since)
        if self.until is not None:
            clauses.append(column < self.until)
        return clauses


class ScanLimit(NamedTuple):
    """What a page may read: times within `span`, of the index that has the conditions `among`, where it has some.

    `few` tells that the query itself leaves not more than a few thousand rows: they are all sorted. Else the table is
    walked in its order, `READ` rows of it at most.
    """

    span: TimeSpan = TimeSpan()
    few: bool = False
    among: tuple[ColumnElement[bool], ...] = ()


class KeysetOrder:
    """Newest first: an order by a time and by what makes it unique, all descending, rows without the time at the end.

    Args:
        time: an indexed column.
        rest: what follows it in the order: whole numbers or UUIDs, the first of them the key of the time's table.
        is_ascending: the oldest first, all ascending.
    """

    def __init__(self, time: Column[Any], *rest: Column[Any], is_ascending: bool = False) -> None:
        self._time = time
        self._rest = rest
        self._columns = (time, *rest)
        self._is_ascending = is_ascending
        # how what comes later in the order compares
        self._is_past = operator.gt if is_ascending else operator.lt
        self._is_from = operator.ge if is_ascending else operator.le
        self._is_up_to = operator.le if is_ascending else operator.ge

    def place(self, cursor: str) -> list[int | str | None]:
        """Return the sort key that a cursor of this order holds.

        Raises:
            CursorError: it is not one of this order.
        """
        key = decode(cursor)
        fits = len(key) == len(self._columns) and all(
            _fits(column, part) for column, part in zip(self._columns, key, strict=True)
        )
        if not fits:
            raise CursorError("The page's cursor is of another search; start from the first page.")
        return key

    def page(
        self,
        connection: Connection,
        query: Select[Any],
        make: Callable[..., T],
        reach: ScanLimit,
        *,
        after: str | None = None,
        limit: int = PAGE_SIZE,
    ) -> ResultPage[T]:
        """Return the rows of a query after a cursor, each `make(*columns)`, at most `limit`.

        Raises:
            CursorError: the cursor is not one of this search.
        """
        key = None if after is None else self.place(after)
        query = query.add_columns(*(column.label(f"key_{at}") for at, column in enumerate(self._columns)))
        rows: list[Any] = []
        for timed in (True, False):
            if not timed and (not self._time.nullable or reach.span != TimeSpan()):
                break
            if key is not None and timed and key[0] is None:
                continue
            of_part = key if key is not None and (key[0] is None) != timed else None
            columns = self._columns if timed else self._rest
            conditions = self._conditions(reach, timed=timed)
            end = None if reach.few else self._end(connection, columns, conditions, of_part)
            part = query.where(*conditions)
            if of_part is not None:
                part = part.where(self._after(columns, of_part[-len(columns) :]))
            if end is not None:
                row, values = _row(columns, end), _values(columns, end)
                part = part.where(self._is_up_to(columns[0], end[0]), self._is_up_to(row, values))
            # what is sorted must not be looked for in the order of the index, which can be long
            order = [columns[0] + 0 if reach.few else columns[0], *columns[1:]]
            part = part.order_by(*self._in_order(order)).limit(limit + 1 - len(rows))
            rows += connection.execute(part).all()
            if len(rows) > limit:
                break
            if end is not None:
                last = [self._last(column) for column in columns[len(end) :]]
                return self._result_page(rows, make, encode([*end, *last] if timed else [None, *end, *last]))
        rest = encode(rows[limit - 1][-len(self._columns) :]) if len(rows) > limit else None
        return self._result_page(rows[:limit], make, rest)

    def _conditions(self, reach: ScanLimit, *, timed: bool) -> list[ColumnElement[bool]]:
        """Return those of the rows that have a time, or of those that have none."""
        clauses = [*reach.among, *reach.span.of(self._time)] if timed else [*reach.among]
        if self._time.nullable:
            clauses.append(self._time.is_not(None) if timed else self._time.is_(None))
        return clauses

    def _in_order(self, columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        return [column.asc() if self._is_ascending else column.desc() for column in columns]

    def _after(self, columns: Sequence[Column[Any]], key: Sequence[Any]) -> ColumnElement[bool]:
        """Return the condition of coming after a key in the order."""
        # from the first of them alone PostgreSQL tells how many rows that are
        is_past = self._is_past(_row(columns, key), _values(columns, key))
        return and_(self._is_from(columns[0], key[0]), is_past)

    def _last(self, column: Column[Any]) -> int | str:
        """Return what comes after all values of a column in the order, or is the last of them."""
        if isinstance(column.type, String):
            return _LAST_UUID if self._is_ascending else _FIRST_UUID
        return _largest(column) if self._is_ascending else -1

    def _result_page(self, rows: Sequence[Any], make: Callable[..., T], after: str | None) -> ResultPage[T]:
        return ResultPage([make(*row[: -len(self._columns)]) for row in rows], after)

    def _end(
        self,
        connection: Connection,
        columns: Sequence[Column[Any]],
        conditions: Sequence[ColumnElement[bool]],
        key: Sequence[Any] | None,
    ) -> list[Any] | None:
        """Return the place up to which `READ` rows are, None where there are not so many.

        It is told by all columns that are of the time's table: by its time alone, it would have all rows before it that
        share a millisecond, as those of an import do.
        """
        time_columns = [column for column in columns if column.table is self._time.table]
        walked = select(*time_columns).where(*conditions).order_by(*self._in_order(time_columns))
        if key is not None:
            here = list(key[-len(columns) :])
            rest = zip(columns[len(time_columns) :], here[len(time_columns) :], strict=True)
            is_done = all(part == self._last(column) for column, part in rest)
            row, values = _row(time_columns, here), _values(time_columns, here)
            is_past = self._is_past if is_done else self._is_from
            walked = walked.where(self._is_from(time_columns[0], here[0]), is_past(row, values))
        last = connection.execute(walked.offset(READ - 1).limit(1)).one_or_none()
        return None if last is None else list(last)


def is_stored_uuid(text: str) -> bool:
    """Return whether a text is a UUID as it is stored: in lower case, with hyphens."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _fits(column: Column[Any], part: int | str | None) -> bool:
    if part is None:
        return bool(column.nullable)
    if isinstance(column.type, String):
        return isinstance(part, str) and is_stored_uuid(part)
    return isinstance(part, int) and -_largest(column) <= part <= _largest(column)


def _largest(column: Column[Any]) -> int:
    return (1 << (63 if isinstance(column.type, BigInteger) else 31)) - 1


def _row(columns: Sequence[Column[Any]], key: Sequence[Any]) -> ColumnElement[Any]:
    """Return as many columns as there are values, as one value to compare."""
    return tuple_(*(column for column, _ in zip(columns, key, strict=False)))


def _values(columns: Sequence[Column[Any]], key: Sequence[Any]) -> ColumnElement[Any]:
    return tuple_(*(literal(part, column.type) for column, part in zip(columns, key, strict=False)))

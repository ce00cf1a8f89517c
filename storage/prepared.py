"""The commit path's statements, prepared once, their values handed to the driver as they are.

SQLAlchemy's handling of statements and parameters costs more Python time than everything else a commit does in the
database. The statements are still written with its Core; only their values skip it, so columns must be of types that
the drivers take and give (text, numbers, bytes; PostgreSQL's UUIDs are read as text). SQLite gets rows as tuples;
PostgreSQL gets all rows of a statement as one value, as its driver's time for each row is what costs most there.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Insert,
    LargeBinary,
    Select,
    String,
    Table,
    Update,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.default import DefaultDialect

_encode = msgspec.json.Encoder().encode


class Rows:
    """The rows that a statement is executed for, as it sees them: one of them on SQLite, all of them on PostgreSQL."""

    def __init__(self, dialect: Dialect, columns: Mapping[str, Column[Any]]) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        self._columns = columns
        self._row: Any = func.jsonb_array_elements(bindparam("rows", type_=JSONB)).column_valued("told")

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        """Give a row's value by its parameter's name."""
        if self._is_sqlite:
            return bindparam(name)
        column = self._columns[name]
        place = list(self._columns).index(name)
        value: ColumnElement[Any] = self._row.op("->>")(literal_column(str(place)))
        kind = column.type
        if isinstance(kind, LargeBinary):
            return func.decode(value, literal_column("'base64'"))
        if isinstance(kind, String) and "postgresql" not in kind._variant_mapping:  # noqa: SLF001 -- no other way to ask
            return value
        return cast(value, kind)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Give the INSERT of the rows, whose names are the table's."""
        if self._is_sqlite:
            return sqlite.insert(table).values({name: self[name] for name in self._columns})
        return postgresql.insert(table).from_select(
            list(self._columns), select(*(self[name] for name in self._columns)), include_defaults=False
        )


class Prepared:
    """One INSERT, UPDATE or DELETE for many rows. PostgreSQL gets them all at once, as one JSON value.

    Args:
        columns: for each value, in the order rows have them, the column that it is of, by a name of its own.
        build: gives the statement.
    """

    def __init__(self, columns: Mapping[str, Column[Any]], build: Callable[[Rows], Insert | Update | Delete]) -> None:
        self._columns = columns
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute for all rows; for none, do nothing."""
        if not rows:
            return
        text, order = self._for(connection)
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql(text, (_encode(rows).decode(),))
            return
        if order is not None:
            rows = [tuple(row[index] for index in order) for row in rows]
        connection.exec_driver_sql(text, list(rows))

    def _for(self, connection: Connection) -> tuple[str, tuple[int, ...] | None]:
        """Give the text for a connection's database, and the order of the parameters where it is another."""
        dialect = typing.cast("DefaultDialect", connection.dialect)
        known = self._compiled.get(dialect.name)
        if known is None:
            names = list(self._columns)
            compiled = self._build(Rows(dialect, self._columns)).compile(dialect=dialect)
            order = tuple(names.index(name) for name in compiled.positiontup or [] if name in self._columns)
            known = compiled.string, None if order == tuple(range(len(names))) else order
            self._compiled[dialect.name] = known
        return known


def insert_into(table: Table, names: Sequence[str]) -> Prepared:
    """Prepare the INSERT of rows that have values for these columns."""
    return Prepared({name: table.c[name] for name in names}, lambda rows: rows.insert(table))


class PreparedSelect:
    """One SELECT whose WHERE has a list of values, with as many places as a power of two.

    Args:
        build: gives the statement for so many places, each a parameter, or a tuple of them where values are tuples;
            they are its only parameters, each used once, in their order. Columns are as `Prepared`'s.
        width: how many parts a value has.
    """

    def __init__(self, build: Callable[[Sequence[Any]], Select[Any]], width: int = 1) -> None:
        self._build = build
        self._width = width
        self._compiled: dict[tuple[str, int], str] = {}

    def rows(self, connection: Connection, values: Sequence[Any]) -> Sequence[Any]:
        """Give the rows for these values; none for none."""
        if not values:
            return ()
        dialect = connection.dialect
        places = 1 << (len(values) - 1).bit_length()
        text = self._compiled.get((dialect.name, places)) or self._compile(
            typing.cast("DefaultDialect", dialect), places
        )
        # what is over is the last value once more
        padded = [*values, *[values[-1]] * (places - len(values))]
        flat = tuple(padded) if self._width == 1 else tuple(part for value in padded for part in value)
        return connection.exec_driver_sql(text, flat).all()

    def _compile(self, dialect: Dialect, places: int) -> str:
        parts: list[Any] = [bindparam(f"value_{number}") for number in range(places * self._width)]
        wide = [tuple(parts[at : at + self._width]) for at in range(0, len(parts), self._width)]
        text = self._build(parts if self._width == 1 else wide).compile(dialect=dialect).string
        self._compiled[dialect.name, places] = text
        return text

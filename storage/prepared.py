"""The commit path's statements, prepared once, their values handed to the driver as they are.

SQLAlchemy's handling of statements and parameters costs more Python time than everything else a commit does in the
database. The statements are still written with its Core; only their values skip it, so columns must be of types that
the drivers take and give (text, numbers, bytes; PostgreSQL's UUIDs are read as text). Rows are told to a statement
many at a time.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Insert,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
    values,
)
from sqlalchemy import table as sql_table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import DBAPIError

from storage.read_only import is_read_only, read_only_error
from storage.schema import spelled_out

_encode = msgspec.json.Encoder().encode

SIZES = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""How many rows SQLite may get at once: it takes 32,766 values, and keeps each such statement ready."""


def execute(connection: Connection, text: str, parameters: Sequence[Any] = ()) -> Any:
    """Execute a statement by the driver itself, and return its cursor.

    Raises:
        DBAPIError: as SQLAlchemy would raise it.
    """
    driver: Any = connection.connection.driver_connection
    dialect = connection.dialect
    errors: type[Exception] = dialect.loaded_dbapi.Error
    try:
        return driver.execute(text, parameters)
    except errors as error:
        reads_only = is_read_only(error)
        is_gone = reads_only or dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]  # SQLAlchemy's own stubs want its protocol
        if is_gone:
            connection.invalidate(error)
        if reads_only:
            raise read_only_error(error) from error
        raise DBAPIError.instance(
            text, None, error, errors, hide_parameters=True, connection_invalidated=is_gone, dialect=dialect
        ) from error


class Rows:
    """The rows that a statement is executed for, as a table of it: each value is a column by its parameter's name.

    SQLite gets the values of each, PostgreSQL any number of rows as one value.
    """

    def __init__(self, dialect: Dialect, columns: Mapping[str, Column[Any]]) -> None:
        self.is_sqlite = dialect.name == "sqlite"
        self._columns = columns
        self._row: Any = (
            _values_table(columns)
            if self.is_sqlite
            else func.jsonb_array_elements(bindparam("rows", type_=JSONB)).column_valued("told")
        )

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        """Return a row's value by its parameter's name."""
        if self.is_sqlite:
            result: ColumnElement[Any] = self._row.c[name]
            return result
        column = self._columns[name]
        place = list(self._columns).index(name)
        value: ColumnElement[Any] = self._row.op("->>")(literal_column(str(place)))
        kind = column.type
        if isinstance(kind, LargeBinary):
            return func.decode(value, literal_column("'base64'"))
        if isinstance(kind, String) and "postgresql" not in kind._variant_mapping:  # noqa: SLF001 -- no other way to ask
            return value
        return cast(value, kind)

    def insert(
        self,
        table: Table,
        names: Sequence[str] | None = None,
        condition: ColumnElement[bool] | None = None,
        computed: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> sqlite.Insert | postgresql.Insert:
        """Return the INSERT of the rows that meet a condition: of the values of these names, which are the table's.

        By default, of all rows and all values. `computed` are columns that the rows have no value for.
        """
        make = sqlite.insert if self.is_sqlite else postgresql.insert
        sources = {name: self[name] for name in (self._columns if names is None else names)} | dict(computed or {})
        # without a WHERE, SQLite would take ON CONFLICT for a part of the SELECT
        rows = select(*sources.values()).where(true() if condition is None else condition)
        return make(table).from_select(list(sources), rows, include_defaults=False)


def _values_table(columns: Mapping[str, Column[Any]]) -> CTE:
    """Return a table of one row; `Prepared` puts as many in its place as there are."""
    row: list[Any] = [tuple(bindparam(name) for name in columns)]
    return values(*(column(name, source.type) for name, source in columns.items()), name="told").data(row).cte("told")


class Prepared:
    """One INSERT, UPDATE or DELETE for many rows.

    PostgreSQL gets them all at once, as one JSON value; SQLite in as few parts as `SIZES` make their number: the driver
    lets go of the interpreter's lock each time it is called, and a busy event loop is slow to give it back.

    Args:
        columns: for each value, in the order rows have them, the column that it is of, by a name of its own.
        build: gives the statement.
    """

    def __init__(self, columns: Mapping[str, Column[Any]], build: Callable[[Rows], Insert | Update | Delete]) -> None:
        self._columns = columns
        self._build = build
        self._compiled: dict[tuple[str, int], str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute for all rows; for none, do nothing."""
        write(connection, [Write(self, rows)])

    def in_parts(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute for all rows, on SQLite."""
        at = 0
        while at < len(rows):
            count = next(size for size in SIZES if size <= len(rows) - at)
            flat = tuple(chain.from_iterable(rows[at : at + count]))
            execute(connection, self.text(connection.dialect, count), flat)
            at += count

    def text(self, of: Dialect, count: int = 1) -> str:
        """Return the statement in a dialect, on SQLite for so many rows."""
        dialect = typing.cast("DefaultDialect", of)
        sql = self._compiled.get((dialect.name, count))
        if sql is None:
            if count == 1:
                sql = self._build(Rows(dialect, self._columns)).compile(dialect=dialect).string
            else:
                row = "(" + ", ".join("?" * len(self._columns)) + ")"
                sql = self.text(dialect).replace(f"VALUES {row}", f"VALUES {', '.join([row] * count)}", 1)
            self._compiled[dialect.name, count] = sql
        return sql


class Write(NamedTuple):
    """A statement, and the rows to execute it for."""

    statement: Prepared
    rows: Sequence[tuple[Any, ...]]


_combined_texts: dict[tuple[Prepared, ...], str] = {}


def write(connection: Connection, writes: Sequence[Write]) -> None:
    """Execute statements that do not look at what the others change, and change no row twice.

    PostgreSQL gets all of them as one: it is not waited for once for each, which on a busy machine takes longer than
    what it does. It checks foreign keys at the end. SQLite executes them in their order.
    """
    writes = [entry for entry in writes if entry.rows]
    if connection.dialect.name == "sqlite":
        for entry in writes:
            entry.statement.in_parts(connection, entry.rows)
        return
    if not writes:
        return
    statements = tuple(entry.statement for entry in writes)
    text = _combined_texts.get(statements)
    if text is None:
        *parts, last = (entry.text(connection.dialect) for entry in statements)
        named = ", ".join(f"write_{number} AS ({part})" for number, part in enumerate(parts))
        text = _combined_texts[statements] = f"WITH {named} {last}" if named else last
    execute(connection, text, [_encode(entry.rows).decode() for entry in writes])


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
        """Return the rows for these values; none for none."""
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
        rows: Sequence[Any] = execute(connection, text, flat).fetchall()
        return rows

    def _compile(self, dialect: Dialect, places: int) -> str:
        parts: list[Any] = [bindparam(f"value_{number}") for number in range(places * self._width)]
        wide = [tuple(parts[at : at + self._width]) for at in range(0, len(parts), self._width)]
        text = self._build(parts if self._width == 1 else wide).compile(dialect=dialect).string
        self._compiled[dialect.name, places] = text
        return text


class PreparedQuery:
    """One statement whose parameters are told by their names.

    Args:
        build: gives the statement for a dialect's name.
    """

    def __init__(self, build: Callable[[str], Select[Any] | Update]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, Sequence[str], dict[str, Any]]] = {}

    def execute(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Execute it, and return the driver's cursor; the parameters must be of types that the driver takes."""
        dialect = typing.cast("DefaultDialect", connection.dialect)
        entry = self._compiled.get(dialect.name)
        if entry is None:
            compiled = self._build(dialect.name).compile(dialect=dialect)
            entry = self._compiled[dialect.name] = compiled.string, compiled.positiontup or (), compiled.params
        text, names, constants = entry
        every = {**constants, **parameters}
        return execute(connection, text, tuple(every[name] for name in names))


class NewIds:
    """Ids for rows of a table that are to come."""

    def __init__(self, table: Table) -> None:
        self._query = PreparedQuery(partial(_new_ids, table.c.id))

    def take(self, connection: Connection, count: int) -> list[int]:
        """Return as many as are asked for. No other transaction gives them."""
        rows = [int(row[0]) for row in self._query.execute(connection, {"count": count})]
        # on SQLite nobody else writes now: it tells the last one
        return [rows[0] + number for number in range(1, count + 1)] if connection.dialect.name == "sqlite" else rows


def _new_ids(id_column: Column[int], dialect: str) -> Select[Any]:
    if dialect == "sqlite":
        # not the highest one that there is: it may have been deleted, and is not given again
        last_ids = sql_table("sqlite_sequence", column("name", Text), column("seq", Integer))
        return select(func.coalesce(func.max(last_ids.c.seq), literal_column("0"))).where(
            last_ids.c.name == spelled_out(id_column.table.name)
        )
    sequence = func.pg_get_serial_sequence(spelled_out(id_column.table.name), spelled_out(id_column.name))
    count = cast(bindparam("count"), Integer)
    return select(func.nextval(sequence)).select_from(func.generate_series(literal_column("1"), count))

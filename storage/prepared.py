"""The commit path's statements, prepared once, their values handed to the driver as tuples.

SQLAlchemy's handling of statements and parameters costs more Python time than everything else a commit does in the
database. The statements are still written with its Core; only their values skip it, so columns must be of types that
the drivers take and give as they are (text, numbers, bytes; PostgreSQL's UUIDs are read as text).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Delete, Insert, Select, Update, bindparam
from sqlalchemy.engine.default import DefaultDialect


class Prepared:
    """One INSERT or UPDATE of many rows, with its parameters in a fixed order.

    Args:
        statement: with a named `bindparam` for every value.
        names: the parameters in the order rows come in.
    """

    def __init__(self, statement: Insert | Update | Delete, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._compiled: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute for all rows; for none, do nothing."""
        if not rows:
            return
        text, order = self._for(connection)
        if order is not None:
            rows = [tuple(row[index] for index in order) for row in rows]
        connection.exec_driver_sql(text, list(rows))

    def one(self, connection: Connection, row: tuple[Any, ...]) -> Any:
        """Execute for one row and give what the statement returns: one value."""
        text, order = self._for(connection)
        values = row if order is None else tuple(row[index] for index in order)
        return connection.exec_driver_sql(text, values).scalar_one()

    def _for(self, connection: Connection) -> tuple[str, tuple[int, ...] | None]:
        """Give the text for a connection's database, and the order of the parameters where it is another."""
        dialect = cast("DefaultDialect", connection.dialect)
        known = self._compiled.get(dialect.name)
        if known is None:
            keys = list(self._names) if isinstance(self._statement, Insert) else None
            compiled = self._statement.compile(dialect=dialect, column_keys=keys)
            order = tuple(self._names.index(name) for name in compiled.positiontup or [])
            known = compiled.string, None if order == tuple(range(len(self._names))) else order
            self._compiled[dialect.name] = known
        return known


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
        text = self._compiled.get((dialect.name, places)) or self._compile(cast("DefaultDialect", dialect), places)
        # what is over is the last value once more
        padded = [*values, *[values[-1]] * (places - len(values))]
        flat = tuple(padded) if self._width == 1 else tuple(part for value in padded for part in value)
        return connection.exec_driver_sql(text, flat).all()

    def _compile(self, dialect: DefaultDialect, places: int) -> str:
        parts: list[Any] = [bindparam(f"value_{number}") for number in range(places * self._width)]
        wide = [tuple(parts[at : at + self._width]) for at in range(0, len(parts), self._width)]
        text = self._build(parts if self._width == 1 else wide).compile(dialect=dialect).string
        self._compiled[dialect.name, places] = text
        return text

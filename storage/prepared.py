"""Bulk statements prepared once and handed to the driver as tuples.

SQLAlchemy's handling of bulk parameters costs more Python time a row than everything else a commit does in the
database. The statements are still written with its Core; only their rows skip it, so columns must be of types that
the drivers take as they are (text, numbers, bytes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection, Delete, Insert, Update
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
        dialect = connection.dialect
        text, order = self._compiled.get(dialect.name) or self._compile(cast("DefaultDialect", dialect))
        if order is not None:
            rows = [tuple(row[index] for index in order) for row in rows]
        connection.exec_driver_sql(text, list(rows))

    def _compile(self, dialect: DefaultDialect) -> tuple[str, tuple[int, ...] | None]:
        keys = list(self._names) if isinstance(self._statement, Insert) else None
        compiled = self._statement.compile(dialect=dialect, column_keys=keys)
        positions = compiled.positiontup or []
        order = tuple(self._names.index(name) for name in positions)
        result = compiled.string, None if order == tuple(range(len(self._names))) else order
        self._compiled[dialect.name] = result
        return result

"""Numbers that pages must show, counted by plain SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from storage.engine import reading
from tests.support.bridge import Bridge


def rows(bridge: Bridge, query: str, **values: Any) -> list[Any]:
    """Give what a query finds."""
    with reading(bridge.engine) as connection:
        return list(connection.execute(text(query), values))


def count(bridge: Bridge, query: str, **values: Any) -> int:
    """Give the number that a query gives."""
    return int(rows(bridge, query, **values)[0][0])

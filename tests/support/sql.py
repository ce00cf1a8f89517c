"""A look at every SQL statement that this process executes, and a way to make one fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event

from storage import prepared


@contextmanager
def shown(look: Callable[[str], None]) -> Iterator[None]:
    """Show `look` each statement before it is executed; what it raises, the statement fails with."""

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        look(statement)

    execute = prepared.execute

    def by_the_driver(connection: Connection, text: str, parameters: Any) -> Any:
        look(text)
        return execute(connection, text, parameters)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        with patch.object(prepared, "execute", by_the_driver):
            yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)

"""A look into the database of a bridge whose versions are changed while it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from storage.engine import open_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A look into the database."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()

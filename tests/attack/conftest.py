"""Running bridges to attack, and what honest clients notice of it."""

from __future__ import annotations

import os

import pytest

from tests.processes.conftest import http, new_server

__all__ = ["http", "new_server"]


@pytest.fixture
def is_full() -> bool:
    """Whether the attack has its full size (CHAOS=full) or lasts some seconds."""
    return os.environ.get("CHAOS", "") == "full"

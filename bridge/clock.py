"""Time and identity, handed in wherever they are needed so that tests can hold them still."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

Now = Callable[[], int]
"""Gives whole milliseconds since the epoch."""

NewId = Callable[[], str]
"""Gives a new UUID in its canonical form."""


def system_now() -> int:
    """Read the system's clock."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """Make a random UUID (version 4)."""
    return str(uuid.uuid4())

"""Time and identity, handed in wherever they are needed so that tests can hold them still."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from mappings.xapi.timestamps import rfc3339

Now = Callable[[], int]
"""Gives whole milliseconds since the epoch."""

Monotonic = Callable[[], float]
"""Gives seconds since some moment, and is never set back."""

NewId = Callable[[], str]
"""Gives a new UUID in its canonical form."""


def system_now() -> int:
    """Read the system's clock."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """Make a random UUID (version 4)."""
    return str(uuid.uuid4())


def begun_at(now: int, new_id: str) -> str:
    """Put a time, in milliseconds since the epoch, in front of a random UUID, which makes it version 7 (RFC 9562).

    What is stored under such ids lies in the order in which it began, so that what is at work lies together.
    """
    time_in_front = f"{now:012x}"
    return f"{time_in_front[:8]}-{time_in_front[8:]}-7{new_id[15:]}"


def format_timestamp(milliseconds: int | None) -> str | None:
    """Return a time, in milliseconds since the epoch, as RFC 3339; None where there is none."""
    return None if milliseconds is None else rfc3339(milliseconds)

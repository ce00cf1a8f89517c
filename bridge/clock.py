"""Time and ids, passed in wherever they are needed, so that tests control them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from mappings.xapi.timestamps import rfc3339

Now = Callable[[], int]
"""Returns whole milliseconds since the epoch."""

Monotonic = Callable[[], float]
"""Returns seconds of a clock that is never set back."""

NewId = Callable[[], str]
"""Returns a new UUID in its canonical form."""


def system_now() -> int:
    """Return the time of the system's clock."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """Return a random UUID (version 4)."""
    return str(uuid.uuid4())


def time_ordered_id(now: int, new_id: str) -> str:
    """Return a random UUID with a time, in milliseconds since the epoch, in front: version 7 (RFC 9562).

    Rows under such ids are stored in the order in which they were created, so that recent ones are close together.
    """
    time_in_front = f"{now:012x}"
    return f"{time_in_front[:8]}-{time_in_front[8:]}-7{new_id[15:]}"


def format_timestamp(milliseconds: int | None) -> str | None:
    """Return a time, in milliseconds since the epoch, as RFC 3339; None where there is none."""
    return None if milliseconds is None else rfc3339(milliseconds)

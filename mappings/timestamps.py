"""Times as xAPI and the API write them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(milliseconds: int) -> str:
    """Write milliseconds since the epoch as RFC 3339 in UTC with millisecond precision: `2026-01-31T12:00:00.000Z`."""
    seconds, milliseconds = divmod(milliseconds, 1_000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=64)  # most are of the last few seconds
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

"""Times as xAPI and the API write them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(milliseconds: int) -> str:
    """Write milliseconds since the epoch as RFC 3339 in UTC with millisecond precision: `2026-01-31T12:00:00.000Z`."""
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{_minute(minutes)}{milliseconds // 1_000:02}.{milliseconds % 1_000:03}Z"


@lru_cache(maxsize=64)  # most are of the last few minutes
def _minute(minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def parse_timestamp(text: str) -> int | None:
    """Return a time with its offset as milliseconds since the epoch; None where a text is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.tzinfo is None else int(time.timestamp() * 1000)

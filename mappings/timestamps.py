"""Times as xAPI and the API write them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(milliseconds: int) -> str:
    """Write milliseconds since the epoch as RFC 3339 in UTC with millisecond precision: `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"

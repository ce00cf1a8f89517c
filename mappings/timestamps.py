"""Times as xAPI and the API write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# without its time zone, which would take as much time to reckon with as all the rest
_EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


def rfc3339(milliseconds: int) -> str:
    """Write milliseconds since the epoch as RFC 3339 in UTC with millisecond precision: `2026-01-31T12:00:00.000Z`."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds") + "Z"

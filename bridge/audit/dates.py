"""Dates in the forms of pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web


def midnight(date: str, *, after: bool = False) -> int | None:
    """Give the beginning of a day (`2026-01-31`), or of the day `after` it, in milliseconds since the epoch, UTC.

    None where none is told.

    Raises:
        web.HTTPBadRequest: it is no date.
    """
    if not date:
        return None
    try:
        day = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=after)
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest(text="Dates are written like 2026-01-31.") from None
    return int(day.timestamp() * 1000)


def moment(told: str, *, after: bool = False) -> int | None:
    """Give what `midnight` gives of a day, or a time (`2026-01-31T12:00:00.000Z`) in milliseconds as it is.

    Raises:
        web.HTTPBadRequest: it is neither.
    """
    if "T" not in told:
        return midnight(told, after=after)
    try:
        at = datetime.fromisoformat(told)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest(text="Times are written like 2026-01-31T12:00:00Z.") from None


def day_of(ms: int) -> str:
    """Give the day of a moment, UTC, as `midnight` reads it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")

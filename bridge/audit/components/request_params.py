"""Parameters of requests: ids, texts and dates, checked before a database sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiohttp import web


def uuid_in(request: web.Request, name: str, what: str) -> str:
    """Return a part of the path that is a UUID; `what` is what it is of.

    Raises:
        web.HTTPNotFound: it is none, so there is nothing of this id.
    """
    told = request.match_info[name]
    try:
        return str(UUID(told))
    except ValueError:
        raise nothing(what) from None


def nothing(what: str) -> web.HTTPNotFound:
    """Return the answer where there is nothing of the id that the address tells."""
    return web.HTTPNotFound(
        text=f"There is no {what} of this id. The address may have been cut short, or it is of another bridge."
    )


def text_in(request: web.Request, name: str) -> str | None:
    """Return a part of the query without spaces around it, None where nothing is left.

    Raises:
        web.HTTPBadRequest: it holds NUL, which no text in a database can.
    """
    told = request.query.get(name, "").strip()
    if "\0" in told:
        raise web.HTTPBadRequest(text=f"A NUL character is in what is asked of {name}; nothing stored has one.")
    return told or None


def choice_in(request: web.Request, name: str, choices: tuple[str, ...]) -> str | None:
    """Return a part of the query that is one of a few words, None where it is empty.

    Raises:
        web.HTTPBadRequest: it is another word.
    """
    told = request.query.get(name, "")
    if told and told not in choices:
        raise web.HTTPBadRequest(text=f"{name} is one of: {', '.join(choices)}.")
    return told or None


def place_in(request: web.Request, name: str) -> int:
    """Return a part of the query that is the number of the first thing to show, 1 where it is none."""
    told = request.query.get(name, "")
    return max(1, int(told)) if told.isascii() and told.isdecimal() and len(told) < 10 else 1


def next_place(first: int, shown: int, number: int) -> int | None:
    """Return the number of the first thing of the next page, None where there is none: so many are there in all."""
    following = first + shown
    return following if shown and following <= number else None


def midnight(date: str, *, after: bool = False) -> int | None:
    """Return the beginning of a day (`2026-01-31`), or of the day `after` it, in milliseconds since the epoch, UTC.

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
    """Return what `midnight` gives of a day, or a time (`2026-01-31T12:00:00.000Z`) in milliseconds as it is.

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
    """Return the day of a moment, UTC, as `midnight` reads it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")

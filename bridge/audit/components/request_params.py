"""Parameters of requests: ids, texts and dates, checked before a database sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from aiohttp import web

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


def uuid_param(request: web.Request, name: str, noun: str) -> str:
    """Return a UUID in the path; `noun` is what it identifies.

    Raises:
        web.HTTPNotFound: it is no UUID, so nothing has this id.
    """
    try:
        return str(UUID(request.match_info[name]))
    except ValueError:
        raise not_found(noun) from None


def not_found(noun: str) -> web.HTTPNotFound:
    """Return the answer where nothing has the id in the address."""
    return web.HTTPNotFound(
        text=f"There is no {noun} with this id. The address may be incomplete, or belong to another bridge."
    )


def text_param(request: web.Request, name: str) -> str | None:
    """Return a query parameter without surrounding spaces, None where nothing is left.

    Raises:
        web.HTTPBadRequest: it contains NUL, which no text in a database can.
    """
    text = request.query.get(name, "").strip()
    if "\0" in text:
        raise web.HTTPBadRequest(text=f"The parameter {name} contains a NUL character; no stored text does.")
    return text or None


def choice_param(request: web.Request, name: str, choices: type[ChoiceT]) -> ChoiceT | None:
    """Return a query parameter that is one of the values of an enum, None where it is empty.

    Raises:
        web.HTTPBadRequest: it is another word.
    """
    text = request.query.get(name, "")
    try:
        return choices(text) if text else None
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name} must be one of: {', '.join(choices)}.") from None


def position_param(request: web.Request, name: str) -> int:
    """Return a query parameter that is the number of the first item to show, 1 where there is none."""
    text = request.query.get(name, "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else 1


def next_position(first: int, shown: int, total: int) -> int | None:
    """Return the number of the first item of the next page, None where there is none."""
    following = first + shown
    return following if shown and following <= total else None


def parse_day(text: str, *, after: bool = False, zone: tzinfo = UTC) -> int | None:
    """Return when a day (`2026-01-31`) begins in a zone, or the day `after` it, in milliseconds since the epoch.

    None for an empty text.

    Raises:
        web.HTTPBadRequest: it is no date.
    """
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone) + timedelta(days=after)
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest(text="Dates must look like 2026-01-31.") from None
    return int(day.timestamp() * 1000)


def parse_time(text: str, *, after: bool = False, zone: tzinfo = UTC) -> int | None:
    """Return a time (`2026-01-31T12:00:00.000Z`) in milliseconds since the epoch, or a day as `parse_day` does.

    Raises:
        web.HTTPBadRequest: it is neither.
    """
    if "T" not in text:
        return parse_day(text, after=after, zone=zone)
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest(text="Times must look like 2026-01-31T12:00:00Z.") from None


def format_day(ms: int) -> str:
    """Return the day of a moment, UTC, as `parse_day` reads it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")

"""What an address asks: ids and texts, checked before a database sees them."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web


def uuid_in(request: web.Request, name: str, what: str) -> str:
    """Give a part of the path that is a UUID; `what` is what it is of.

    Raises:
        web.HTTPNotFound: it is none, so there is nothing of this id.
    """
    told = request.match_info[name]
    try:
        return str(UUID(told))
    except ValueError:
        raise nothing(what) from None


def nothing(what: str) -> web.HTTPNotFound:
    """Give the answer where there is nothing of the id that the address tells."""
    return web.HTTPNotFound(
        text=f"There is no {what} of this id. The address may have been cut short, or it is of another bridge."
    )


def text_in(request: web.Request, name: str) -> str | None:
    """Give a part of the query without spaces around it, None where nothing is left.

    Raises:
        web.HTTPBadRequest: it holds NUL, which no text in a database can.
    """
    told = request.query.get(name, "").strip()
    if "\0" in told:
        raise web.HTTPBadRequest(text=f"A NUL character is in what is asked of {name}; nothing stored has one.")
    return told or None


def choice_in(request: web.Request, name: str, choices: tuple[str, ...]) -> str | None:
    """Give a part of the query that is one of a few words, None where it is empty.

    Raises:
        web.HTTPBadRequest: it is another word.
    """
    told = request.query.get(name, "")
    if told and told not in choices:
        raise web.HTTPBadRequest(text=f"{name} is one of: {', '.join(choices)}.")
    return told or None


def place_in(request: web.Request, name: str) -> int:
    """Give a part of the query that is the number of the first thing to show, 1 where it is none."""
    told = request.query.get(name, "")
    return max(1, int(told)) if told.isascii() and told.isdecimal() and len(told) < 10 else 1


def next_place(first: int, shown: int, number: int) -> int | None:
    """Give the number of the first thing of the next page, None where there is none: so many are there in all."""
    following = first + shown
    return following if shown and following <= number else None

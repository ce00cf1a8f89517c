"""Pages of long lists, each beginning after the last row of the one before: the last costs what the first one does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

_Row = TypeVar("_Row")


class CursorError(ValueError):
    """The text is no cursor, or of another list."""


class Page(NamedTuple, Generic[_Row]):
    """Some rows. `after` is the cursor of the next page, None on the last one."""

    rows: list[_Row]
    after: str | None


def cut(rows: Sequence[_Row], most: int, key: Callable[[_Row], Sequence[Any]]) -> Page[_Row]:
    """Make a page of rows of which one more than `most` was asked for; `key` gives what a row is sorted by."""
    shown = list(rows[:most])
    return Page(shown, cursor(key(shown[-1])) if len(rows) > most else None)


def cursor(key: Sequence[Any]) -> str:
    """Give the cursor of a sort key, whose parts are texts, numbers or None."""
    return base64.urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).rstrip(b"=").decode()


def key(text: str, *kinds: type) -> tuple[Any, ...]:
    """Give the sort key of a cursor; `kinds` are those of its parts.

    Raises:
        CursorError: it was not made by `cursor` of such parts.
    """
    try:
        told = json.loads(base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise CursorError("This is no place in a list.") from None
    if not isinstance(told, list) or len(told) != len(kinds):
        raise CursorError("This is a place in another list.")
    # True is an int to Python, and none of ours is so large that a database would not take it
    if any(
        type(one) is not kind or (type(one) is int and abs(one) >> 63) for one, kind in zip(told, kinds, strict=True)
    ):
        raise CursorError("This is a place in another list.")
    return tuple(told)

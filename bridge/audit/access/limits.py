"""How much of the bridge one account may have at a time: who asks for more is refused at once, and may ask again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from aiohttp import web

from bridge.audit.access.roles import who


class Kind(StrEnum):
    """What is counted."""

    PAGE = "pages"
    FILE = "files"
    """Of all that a search finds."""
    STREAM = "open pages that hear of news"


MAX_OF_ACCOUNT = {Kind.PAGE: 32, Kind.FILE: 2, Kind.STREAM: 32}
MAX_OF_ALL = {Kind.PAGE: 256, Kind.FILE: 4, Kind.STREAM: 256}
RETRY_AFTER = {Kind.PAGE: 1, Kind.FILE: 10, Kind.STREAM: 10}
"""Seconds."""


class Limits:
    """Counts what is under way, by account and in all."""

    def __init__(self) -> None:
        self._of_account: Counter[tuple[Kind, str]] = Counter()
        self._of_all: Counter[Kind] = Counter()

    @contextmanager
    def hold(self, kind: Kind, account: str) -> Iterator[None]:
        """Count one more while the block runs.

        Raises:
            web.HTTPTooManyRequests: the account has as many under way as it may.
            web.HTTPServiceUnavailable: all accounts together have.
        """
        key, headers = (kind, account), {"Retry-After": str(RETRY_AFTER[kind])}
        if self._of_account[key] >= MAX_OF_ACCOUNT[kind]:
            raise web.HTTPTooManyRequests(
                headers=headers,
                text=f"{account} has {MAX_OF_ACCOUNT[kind]} {kind} under way already. Ask again when one is done.",
            )
        if self._of_all[kind] >= MAX_OF_ALL[kind]:
            raise web.HTTPServiceUnavailable(headers=headers, text=f"Too many {kind} are under way. Ask again soon.")
        self._of_account[key] += 1
        self._of_all[kind] += 1
        try:
            yield
        finally:
            self._of_account[key] -= 1
            self._of_all[kind] -= 1
            if not self._of_account[key]:
                del self._of_account[key]


LIMITS = web.AppKey("limits", Limits)


@contextmanager
def hold(request: web.Request, kind: Kind) -> Iterator[None]:
    """Count one more of what who is signed in has under way, as `Limits.hold` does."""
    with request.app[LIMITS].hold(kind, who(request).name):
        yield

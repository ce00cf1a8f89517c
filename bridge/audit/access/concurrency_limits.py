"""How much of the bridge one account may use at a time: more is refused at once, and may be asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from aiohttp import web

from bridge.audit.access.roles import current_account


class WorkKind(StrEnum):
    """What is counted."""

    PAGE = "pages"
    FILE = "files"
    """Exports of search results."""
    STREAM = "live updates"
    """Open pages that listen to server-sent events."""


MAX_PER_ACCOUNT = {WorkKind.PAGE: 32, WorkKind.FILE: 2, WorkKind.STREAM: 32}
MAX_TOTAL = {WorkKind.PAGE: 256, WorkKind.FILE: 4, WorkKind.STREAM: 256}
RETRY_AFTER = {WorkKind.PAGE: 1, WorkKind.FILE: 10, WorkKind.STREAM: 10}
"""Seconds."""


class ConcurrencyLimiter:
    """Counts requests under way, by account and in total."""

    def __init__(self) -> None:
        self._by_account: Counter[tuple[WorkKind, str]] = Counter()
        self._total: Counter[WorkKind] = Counter()

    @contextmanager
    def hold(self, kind: WorkKind, account: str) -> Iterator[None]:
        """Count one more while the block runs.

        Raises:
            web.HTTPTooManyRequests: the account has as many under way as it may.
            web.HTTPServiceUnavailable: all accounts together have.
        """
        key, headers = (kind, account), {"Retry-After": str(RETRY_AFTER[kind])}
        if self._by_account[key] >= MAX_PER_ACCOUNT[kind]:
            raise web.HTTPTooManyRequests(
                headers=headers,
                text=f"{account} already has {MAX_PER_ACCOUNT[kind]} {kind} under way. Try again when one is done.",
            )
        if self._total[kind] >= MAX_TOTAL[kind]:
            raise web.HTTPServiceUnavailable(
                headers=headers, text=f"Too many {kind} are under way. Try again in a moment."
            )
        self._by_account[key] += 1
        self._total[kind] += 1
        try:
            yield
        finally:
            self._by_account[key] -= 1
            self._total[kind] -= 1
            if not self._by_account[key]:
                del self._by_account[key]


LIMITER = web.AppKey("limiter", ConcurrencyLimiter)


@contextmanager
def hold(request: web.Request, kind: WorkKind) -> Iterator[None]:
    """Count one more request of the account that is signed in, as `ConcurrencyLimiter.hold` does."""
    with request.app[LIMITER].hold(kind, current_account(request).name):
        yield

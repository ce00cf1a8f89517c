"""Slowing down who guesses passwords: strangers by account and by address, known browsers each by itself."""

from __future__ import annotations

import hashlib

from aiohttp import web

from bridge.http.forwarded import PROXIES, network_of

FAILURE_TTL = 24 * 3600 * 1000
"""Milliseconds without a failure after which earlier ones no longer count."""
FREE_FAILURES = 5
"""Failures in a row, of strangers at an account or of a known browser, without a delay: people mistype."""
FREE_FAILURES_PER_ADDRESS = 20
"""Failures in a row from an address without a delay: many people can share one."""
MAX_DELAY = 300_000
"""Milliseconds: guessing at an account shuts other strangers out of it no longer than this at a time."""


def delay(failures: int, free: int) -> int:
    """Return the milliseconds to wait after so many failures in a row: 1, 2, 4 seconds and so on from `free` on."""
    return 0 if failures < free else min(MAX_DELAY, 1000 * 2 ** min(failures - free, 20))


def account_subject(name: str) -> str:
    """Return the key by which strangers' failures at an account are counted, whether the account exists or not."""
    return _subject("account", name)


def address_subject(request: web.Request) -> str:
    """Return the key by which failures from the network of a request's client are counted."""
    address = request.app[PROXIES].address(request)
    return _subject("address", "" if address is None else network_of(address))


def subjects(request: web.Request, name: str, browser_id: str | None) -> dict[str, int]:
    """Return the keys by which a sign-in is counted, each with its number of failures without a delay.

    A known browser is counted by itself alone: no stranger at its account or from its network can shut it out.
    """
    if browser_id is not None:
        return {_subject("device", browser_id): FREE_FAILURES}
    return {account_subject(name): FREE_FAILURES, address_subject(request): FREE_FAILURES_PER_ADDRESS}


def _subject(kind: str, text: str) -> str:
    return f"{kind} {hashlib.sha256(text.encode(errors='replace')).hexdigest()}"

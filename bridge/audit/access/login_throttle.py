"""Slowing down who guesses passwords: strangers by account and by address, browsers that are known each by itself."""

from __future__ import annotations

import hashlib

from aiohttp import web

from bridge.http.forwarded import PROXIES, network_of

FORGOTTEN_AFTER = 24 * 3600 * 1000
"""Milliseconds without a failure after which those before do not count any more."""
FREE = 5
"""Failures in a row, of strangers at an account or of a known browser, that cost no waiting: people mistype."""
FREE_OF_ADDRESS = 20
"""Failures in a row from an address that cost no waiting: many people can share one."""
LONGEST = 300_000
"""Milliseconds: an account that somebody else guesses at is closed to other strangers no longer than this at a time."""


def delay(failures: int, free: int) -> int:
    """Give the milliseconds to wait after so many failures in a row: 1, 2, 4 seconds and so on from `free` on."""
    return 0 if failures < free else min(LONGEST, 1000 * 2 ** min(failures - free, 20))


def account_subject(name: str) -> str:
    """Return what strangers' failures at an account are counted by, whether there is such an account or not."""
    return _subject("account", name)


def address_subject(request: web.Request) -> str:
    """Return what failures from the network of a request's client are counted by."""
    address = request.app[PROXIES].address(request)
    return _subject("address", "" if address is None else network_of(address))


def subjects(request: web.Request, name: str, device: str | None) -> dict[str, int]:
    """Return what a try at an account is counted by, each with how many failures cost no waiting.

    A known browser, which has the id `device`, is counted by itself alone: no stranger at its account or from its
    network can shut it out.
    """
    if device is not None:
        return {_subject("device", device): FREE}
    return {account_subject(name): FREE, address_subject(request): FREE_OF_ADDRESS}


def _subject(kind: str, text: str) -> str:
    return f"{kind} {hashlib.sha256(text.encode(errors='replace')).hexdigest()}"

"""Slowing down who guesses passwords, by account and by address."""

from __future__ import annotations

import hashlib

FORGOTTEN_AFTER = 24 * 3600 * 1000
"""Milliseconds without a failure after which those before do not count any more."""
FREE = 5
"""Failures in a row that cost no waiting: people mistype."""
LONGEST = 300_000
"""Milliseconds: an account that somebody else guesses at is closed to its owner no longer than this at a time."""


def delay(failures: int) -> int:
    """Give the milliseconds to wait after so many failures in a row: 1, 2, 4 seconds and so on."""
    return 0 if failures < FREE else min(LONGEST, 1000 * 2 ** min(failures - FREE, 20))


def account_subject(name: str) -> str:
    """Give what an account's failures are counted by, whether there is such an account or not."""
    return "account " + hashlib.sha256(name.encode(errors="replace")).hexdigest()


def address_subject(address: str) -> str:
    """Give what an address's failures are counted by."""
    return "address " + hashlib.sha256(address.encode(errors="replace")).hexdigest()

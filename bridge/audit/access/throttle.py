"""Slowing down who guesses passwords, by account and by address."""

from __future__ import annotations

import hashlib

FORGOTTEN_AFTER = 24 * 3600 * 1000
"""Milliseconds without a failure after which those before do not count any more."""
FREE = 5
"""Failures in a row at an account that cost no waiting: people mistype."""
FREE_OF_ADDRESS = 20
"""Failures in a row from an address that cost no waiting: many people can share one."""
LONGEST = 300_000
"""Milliseconds: an account that somebody else guesses at is closed to its owner no longer than this at a time."""


def delay(failures: int, free: int) -> int:
    """Give the milliseconds to wait after so many failures in a row: 1, 2, 4 seconds and so on from `free` on."""
    return 0 if failures < free else min(LONGEST, 1000 * 2 ** min(failures - free, 20))


def account_subject(name: str) -> str:
    """Give what an account's failures are counted by, whether there is such an account or not."""
    return "account " + hashlib.sha256(name.encode(errors="replace")).hexdigest()


def address_subject(address: str) -> str:
    """Give what an address's failures are counted by."""
    return "address " + hashlib.sha256(address.encode(errors="replace")).hexdigest()

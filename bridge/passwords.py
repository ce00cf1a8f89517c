"""Passwords: hashed with Argon2id, checked at the same cost whether there is such an account or not."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher()
"""Argon2id at the cost that RFC 9106 recommends where memory is short: 64 MiB."""
LEAST = 12
"""Characters a password has at least."""
MOST = 1000
"""Characters that are looked at; longer ones are refused unseen."""


class PasswordError(ValueError):
    """The password will not do; says why."""


def hashed(password: str) -> str:
    """Give what is stored of a password.

    Raises:
        PasswordError: it is too short or too long.
    """
    if not LEAST <= len(password) <= MOST:
        raise PasswordError(f"A password has {LEAST} to {MOST} characters.")
    return HASHER.hash(password)


def is_right(password: str, stored: str | None) -> bool:
    """Tell whether a password is the one stored. Where none is, as much is worked out before it says no."""
    nobody = _nobody(HASHER)
    try:
        HASHER.verify(nobody if stored is None else stored, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """Give the hash of no account, at the cost of those that are made now."""
    return hasher.hash("of nobody")

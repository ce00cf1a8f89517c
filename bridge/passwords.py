"""Passwords: hashed with Argon2id, verified at the same cost whether the account exists or not."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher()
"""Argon2id at the cost that RFC 9106 recommends where memory is short: 64 MiB."""
MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 1000
"""Characters; longer passwords are refused without being hashed."""


class PasswordError(ValueError):
    """The password is refused; the text says why."""


def hash_password(password: str) -> str:
    """Return the hash of a password, which is stored.

    Raises:
        PasswordError: it is too short or too long.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise PasswordError(f"A password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters.")
    return HASHER.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Return whether a password has this hash. Without a hash, the same work is done before it returns False."""
    unknown = _hash_of_unknown(HASHER)
    try:
        HASHER.verify(unknown if password_hash is None else password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _hash_of_unknown(hasher: PasswordHasher) -> str:
    """Return a hash for accounts that do not exist, at the cost of those that do."""
    return hasher.hash("of nobody")

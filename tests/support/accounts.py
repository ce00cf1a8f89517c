"""LMSs and people's accounts, put straight into a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from argon2 import PasswordHasher
from sqlalchemy import Engine

from bridge.access import new_token
from storage import accounts, lms, tokens
from storage.accounts import NewAccount
from storage.engine import writing
from storage.states import TokenScope

HOME_PAGE = "https://lms.example.org"
START = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
PASSWORD = "correct horse battery"
"""Of every account."""
FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As safe as tests need it."""


@dataclass(frozen=True, slots=True)
class RegisteredLms:
    """An LMS and the token by which it is known."""

    id: int
    token: str


def register_lms(
    engine: Engine,
    name: str = "lms",
    home_page: str = HOME_PAGE,
    *,
    origins: tuple[str, ...] = (HOME_PAGE,),
    now: int = START,
    scopes: Iterable[TokenScope] = tokens.DEFAULT_SCOPES,
    expires_at: int | None = None,
) -> RegisteredLms:
    """Store an LMS, unless there is one of this name, with a new token."""
    token = new_token()
    with writing(engine) as connection:
        row = lms.register(connection, name=name, home_page=home_page, origins=origins, now=now)
        tokens.add(connection, row.id, tokens.digest(token), now, scopes=scopes, expires_at=expires_at)
    return RegisteredLms(row.id, token)


def add_account(
    engine: Engine, name: str, role: str = "admin", *, sees_names: bool = False, hasher: PasswordHasher = FAST_HASHER
) -> None:
    """Store an account whose password is `PASSWORD`."""
    with writing(engine) as connection:
        account = accounts.add(connection, NewAccount(name, role, sees_names, hasher.hash(PASSWORD)), START)
    assert account is not None

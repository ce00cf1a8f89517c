"""Roles, and what each may see."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from aiohttp import web


class Role(IntEnum):
    """What an account may do; each role includes those before it.

    A reader sees no raw CMI data, and learners' names only where the account allows it. An auditor sees everything. An
    admin also changes things.
    """

    READER = 1
    AUDITOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Its name in settings, in the database and on pages."""
        return self.name.lower()


ROLES = {role.word: role for role in Role}


class Account(NamedTuple):
    """The account that is signed in."""

    name: str
    role: Role
    sees_names: bool


ACCOUNT = web.RequestKey("account", Account)


def optional_account(request: web.Request) -> Account | None:
    """Return the account that is signed in; None on pages that need no sign-in."""
    return request.get(ACCOUNT)


def current_account(request: web.Request) -> Account:
    """Return the account that is signed in, on pages that need a role."""
    return request[ACCOUNT]


def may_see_names(request: web.Request) -> bool:
    """Return whether learners' names may be shown."""
    account = optional_account(request)
    return account is not None and (account.role >= Role.AUDITOR or account.sees_names)


def may_see_cmi(request: web.Request) -> bool:
    """Return whether raw CMI data and what LRSs answered may be shown."""
    account = optional_account(request)
    return account is not None and account.role >= Role.AUDITOR

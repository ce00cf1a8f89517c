"""Roles, and what each lets see."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from aiohttp import web


class Role(IntEnum):
    """What an account may; each may what those before it may.

    A reader sees no raw CMI data, and learners' names only where the account says so. An auditor sees everything. An
    admin changes things, too.
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
    """Who is signed in."""

    name: str
    role: Role
    sees_names: bool


ACCOUNT = web.RequestKey("account", Account)


def account(request: web.Request) -> Account | None:
    """Give who is signed in; None on pages for those who are not."""
    return request.get(ACCOUNT)


def who(request: web.Request) -> Account:
    """Give who is signed in, on pages that need a role."""
    return request[ACCOUNT]


def may_see_names(request: web.Request) -> bool:
    """Tell whether learners' names may be shown."""
    one = account(request)
    return one is not None and (one.role >= Role.AUDITOR or one.sees_names)


def may_see_cmi(request: web.Request) -> bool:
    """Tell whether what LMSs sent may be shown as it came, and what LRSs said to it."""
    one = account(request)
    return one is not None and one.role >= Role.AUDITOR

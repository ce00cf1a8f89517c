"""People who look at the audit pages: a browser of each, without scripts, that keeps cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar
from argon2 import PasswordHasher

from bridge.audit.components.jobs import JOBS, Jobs
from storage import accounts
from storage.accounts import NewAccount
from storage.engine import writing
from tests.support.bridge import Bridge

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As safe as tests need it."""


@dataclass
class Person:
    """Somebody with a browser. `client` keeps the cookies; nothing is followed by itself."""

    client: ClientSession

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """Ask for a page as a browser does."""
        return await self.client.get(path, headers={"Accept": "text/html"} | headers, allow_redirects=False)

    async def text(self, path: str) -> str:
        """Give a page that must be there."""
        response = await self.get(path)
        text = await response.text()
        assert response.status == 200, text
        return text

    async def post(self, path: str, *, page: str = "/audit/targets", **fields: Any) -> ClientResponse:
        """Send a form that stands on `page`; its token is read there."""
        return await self.client.post(
            path, data={"csrf": csrf_of(await self.text(page))} | fields, allow_redirects=False
        )

    async def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> ClientResponse:
        """Sign in by the form."""
        return await self.post("/audit/sign-in", page="/audit/sign-in", name=name, password=password, **fields)


def csrf_of(page: str) -> str:
    """Give the token that the forms of a page hold."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def add_account(bridge: Bridge, name: str, role: str, *, sees_names: bool = False) -> None:
    """Store an account whose password is `PASSWORD`."""
    with writing(bridge.engine) as connection:
        made = accounts.add(connection, NewAccount(name, role, sees_names, CHEAP.hash(PASSWORD)), bridge.clock())
    assert made is not None


def stranger(bridge: Bridge) -> Person:
    """Give somebody who has not signed in, with a browser of their own."""
    # aiohttp keeps no cookies of hosts that are numbers unless it is told to
    return Person(ClientSession(bridge.client.make_url("/"), cookie_jar=CookieJar(unsafe=True)))


def jobs_of(bridge: Bridge) -> Jobs:
    """Give what the pages of a bridge let work."""
    assert bridge.client.app is not None
    apps = (getattr(resource, "_app", None) for resource in bridge.client.app.router.resources())
    (jobs,) = (app[JOBS] for app in apps if app is not None and JOBS in app)
    return jobs

"""Signing in by name and password."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from aiohttp import web

from bridge import passwords
from bridge.audit.access import cookies, throttle
from bridge.audit.access.oidc import Oidc
from bridge.audit.access.signing import Signer
from bridge.audit.parts import AUDIT_PARTS
from bridge.audit.render import redirect
from storage import accounts, sign_ins
from storage.accounts import StoredAccount

log = structlog.get_logger(__name__)

MOST_WAITING = 20
"""Passwords that wait to be checked; each takes some 50 ms and 64 MiB, one after the other."""


class TooManyTriesError(Exception):
    """No sign-in may be tried for `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Checker:
    """Checks passwords on a thread of its own, so that people who guess at them do not slow down commits."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._waiting = 0

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Tell whether it is the password stored.

        Raises:
            TooManyTriesError: too many are waiting for this.
        """
        if self._waiting >= MOST_WAITING:
            raise TooManyTriesError(5)
        self._waiting += 1
        try:
            check = partial(passwords.is_right, password, stored)
            return await asyncio.get_running_loop().run_in_executor(self._thread, check)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Wait for what is being checked."""
        self._thread.shutdown()


CHECKER = web.AppKey("checker", Checker)
OIDC: web.AppKey[Oidc | None] = web.AppKey("oidc")
"""None where nobody signs in elsewhere."""


def set_up(app: web.Application) -> None:
    """Prepare an application for signing in."""
    parts = app[AUDIT_PARTS]
    settings = parts.settings.audit.oidc
    app[OIDC] = None if settings is None else Oidc(settings, Signer(parts.keys), parts.now)
    checker = app[CHECKER] = Checker()

    async def close(_app: web.Application) -> None:
        checker.close()

    app.on_cleanup.append(close)


async def account_of(request: web.Request, name: str, password: str) -> StoredAccount | None:
    """Give the account of a name and password; None where they are not those of one, and which is wrong is not told.

    Raises:
        TooManyTriesError: after too many failures.
    """
    parts = request.app[AUDIT_PARTS]
    who, where = throttle.account_subject(name), throttle.address_subject(cookies.address(request))
    wait = await parts.database.write(
        sign_ins.count_try,
        {who: throttle.FREE, where: throttle.FREE_OF_ADDRESS},
        now=parts.now(),
        forgotten_after=throttle.FORGOTTEN_AFTER,
        delay=throttle.delay,
    )
    if wait:
        log.warning("sign_in_slowed_down", address=cookies.address(request), wait=wait // 1000)
        raise TooManyTriesError(-(-wait // 1000))
    found = await parts.database.read(accounts.by_name, name)
    known = len(password) <= passwords.MOST
    stored = None if found is None or not known else found.password
    if not await request.app[CHECKER].is_right(password[: passwords.MOST], stored):
        log.warning("sign_in_failed", address=cookies.address(request))
        return None
    await parts.database.write(sign_ins.succeeded, account=who, address=where)
    return found


async def signed_in(request: web.Request, account: StoredAccount, next_page: str) -> web.Response:
    """Sign a person in, under a new secret, and lead them on."""
    parts = request.app[AUDIT_PARTS]
    seconds = int(parts.settings.audit.session_hours * 3600)
    secret, now = cookies.new(), parts.now()
    await parts.database.write(
        sign_ins.begin, digest=cookies.digest_of(secret), account_id=account.id, now=now, until=now + seconds * 1000
    )
    response = redirect(next_page or "/audit/")
    cookies.give(request, response, secret, seconds=seconds)
    log.info("signed_in", account=account.name)
    return response

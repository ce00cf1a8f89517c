"""Signing in by name and password."""

from __future__ import annotations

import structlog
from aiohttp import web

from bridge import passwords
from bridge.audit.access import cookies, devices, login_throttle
from bridge.audit.access.oidc_client import Oidc
from bridge.audit.access.password_checks import CHECKER, PasswordChecker, TooManyTriesError
from bridge.audit.access.signer import Signer
from bridge.audit.components.render import redirect
from bridge.audit.dependencies import AUDIT_PARTS
from bridge.http.forwarded import PROXIES
from storage import accounts, sign_ins
from storage.accounts import StoredAccount

log = structlog.get_logger(__name__)

OIDC: web.AppKey[Oidc | None] = web.AppKey("oidc")
"""None where nobody signs in elsewhere."""


def set_up(app: web.Application) -> None:
    """Prepare an application for signing in."""
    parts = app[AUDIT_PARTS]
    settings = parts.settings.audit.oidc
    app[OIDC] = None if settings is None else Oidc(settings, Signer(parts.keys), parts.now)
    checker = app[CHECKER] = PasswordChecker()

    async def close(_app: web.Application) -> None:
        checker.close()

    app.on_cleanup.append(close)


async def admit(request: web.Request) -> None:
    """Refuse a try to sign in before anything of it is read, where too many strangers' passwords are being checked.

    Raises:
        web.HTTPTooManyRequests: they are, and the browser has no cookie of a known one.
    """
    checker = request.app[CHECKER]
    try:
        checker.check_room(is_known=devices.may_be_known(request))
    except TooManyTriesError as error:
        await checker.delay_refusal()
        raise web.HTTPTooManyRequests(
            headers={"Retry-After": str(error.seconds)},
            text=f"Too many people try to sign in at this moment. Wait {error.seconds} s, then go back and try again.",
        ) from None


async def account_of(request: web.Request, name: str, password: str) -> StoredAccount | None:
    """Return the account of a name and password; None where they are not those of one, and which is wrong is not told.

    Raises:
        TooManyTriesError: after too many failures, or while too many passwords are being checked.
    """
    parts, checker = request.app[AUDIT_PARTS], request.app[CHECKER]
    address = str(request.app[PROXIES].address(request) or "")
    device = devices.known(request, name)
    is_known = device is not None
    checker.check_room(is_known=is_known)
    subjects = login_throttle.subjects(request, name, device)
    # those who are refused, as in a flood, cost no write
    wait = await parts.database.read(sign_ins.wait, subjects, parts.now())
    if not wait:
        wait = await parts.database.write(
            sign_ins.count_try,
            subjects,
            now=parts.now(),
            forgotten_after=login_throttle.FORGOTTEN_AFTER,
            delay=login_throttle.delay,
        )
    if wait:
        log.warning("sign_in_slowed_down", address=address, wait=wait // 1000, known_browser=is_known)
        await checker.delay_refusal()
        raise TooManyTriesError(-(-wait // 1000))
    found = await parts.database.read(accounts.by_name, name)
    is_usable = len(password) <= passwords.MAX_PASSWORD_LENGTH
    stored = None if found is None or not is_usable else found.password
    if not await checker.is_right(password[: passwords.MAX_PASSWORD_LENGTH], stored, is_known=is_known):
        log.warning("sign_in_failed", address=address, known_browser=is_known)
        return None
    own, *shared = subjects
    await parts.database.write(sign_ins.succeeded, own, shared)
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


def safe_redirect(told: str) -> str:
    """Give a path of the audit pages, or nothing: an address that somebody else made leads nowhere else."""
    plain = told.isascii() and told.isprintable() and "\\" not in told and "//" not in told.partition("?")[0]
    return told if plain and told.startswith("/audit/") and ".." not in told else ""

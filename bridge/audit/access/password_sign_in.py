"""Signing in by name and password."""

from __future__ import annotations

import structlog
from aiohttp import web

from bridge import passwords
from bridge.audit.access import cookies, known_browsers, login_throttle
from bridge.audit.access.oidc_client import OidcClient
from bridge.audit.access.password_checks import CHECKER, PasswordChecker, TooManySignInsError
from bridge.audit.access.signer import Signer
from bridge.audit.dependencies import DEPENDENCIES
from bridge.http.forwarded import PROXIES
from storage import accounts, sign_ins
from storage.accounts import StoredAccount

log = structlog.get_logger(__name__)

OIDC_CLIENT: web.AppKey[OidcClient | None] = web.AppKey("oidc_client")
"""None where no issuer is configured."""


def set_up(app: web.Application) -> None:
    """Set up an application for signing in."""
    dependencies = app[DEPENDENCIES]
    settings = dependencies.settings.audit.oidc
    signer = Signer(dependencies.keys)
    app[OIDC_CLIENT] = (
        None
        if settings is None
        else OidcClient(settings, signer, dependencies.now, dependencies.settings.outgoing_guard())
    )
    checker = app[CHECKER] = PasswordChecker()

    async def close(_app: web.Application) -> None:
        checker.close()

    app.on_cleanup.append(close)


async def check_capacity(request: web.Request) -> None:
    """Refuse a sign-in before its body is read, where too many strangers' passwords are being checked.

    Raises:
        web.HTTPTooManyRequests: they are, and the browser has no cookie of a known one.
    """
    checker = request.app[CHECKER]
    try:
        checker.check_capacity(is_known=known_browsers.may_be_known(request))
    except TooManySignInsError as error:
        await checker.delay_refusal()
        raise web.HTTPTooManyRequests(
            headers={"Retry-After": str(error.seconds)},
            text=f"Too many people are signing in at the moment. Wait {error.seconds} s, then go back and try again.",
        ) from None


async def authenticate(request: web.Request, name: str, password: str) -> StoredAccount | None:
    """Return the account of a name and password; None where they do not match, without saying which is wrong.

    Raises:
        TooManySignInsError: after too many failures, or while too many passwords are being checked.
    """
    dependencies, checker = request.app[DEPENDENCIES], request.app[CHECKER]
    address = str(request.app[PROXIES].address(request) or "")
    browser_id = known_browsers.known_browser_id(request, name)
    is_known = browser_id is not None
    checker.check_capacity(is_known=is_known)
    subjects = login_throttle.subjects(request, name, browser_id)
    # those who are refused, as in a flood, cost no write
    wait = await dependencies.database.read(sign_ins.wait, subjects, dependencies.now())
    if not wait:
        wait = await dependencies.database.write(
            sign_ins.count_try,
            subjects,
            now=dependencies.now(),
            forgotten_after=login_throttle.FAILURE_TTL,
            delay=login_throttle.delay,
        )
    if wait:
        log.warning("sign_in_slowed_down", address=address, wait=wait // 1000, known_browser=is_known)
        await checker.delay_refusal()
        raise TooManySignInsError(-(-wait // 1000))
    account = await dependencies.database.read(accounts.by_name, name)
    is_usable = len(password) <= passwords.MAX_PASSWORD_LENGTH
    password_hash = None if account is None or not is_usable else account.password
    if not await checker.is_right(password[: passwords.MAX_PASSWORD_LENGTH], password_hash, is_known=is_known):
        log.warning("sign_in_failed", address=address, known_browser=is_known)
        return None
    own_subject, *shared_subjects = subjects
    await dependencies.database.write(sign_ins.succeeded, own_subject, shared_subjects)
    return account


async def complete_sign_in(request: web.Request, response: web.StreamResponse, account: StoredAccount) -> None:
    """Store a sign-in under a new secret, and set its cookie in the response."""
    dependencies = request.app[DEPENDENCIES]
    seconds = int(dependencies.settings.audit.session_hours * 3600)
    secret, now = cookies.new_secret(), dependencies.now()
    await dependencies.database.write(
        sign_ins.begin,
        digest=cookies.secret_digest(secret),
        account_id=account.id,
        now=now,
        until=now + seconds * 1000,
    )
    cookies.set_secret(request, response, secret, seconds=seconds)
    log.info("signed_in", account=account.name)


def safe_redirect(path: str) -> str:
    """Return a path of the audit pages as it is, empty for anything else: links of others lead nowhere else."""
    is_plain = path.isascii() and path.isprintable() and "\\" not in path and "//" not in path.partition("?")[0]
    return path if is_plain and path.startswith("/audit/") and ".." not in path else ""

"""What handlers need, put together once at start-up and reached through the application."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import cache

import structlog
from aiohttp import web
from yarl import URL

from bridge.access import CommitTokens, LmsTokens
from bridge.backlog import Backlog
from bridge.browser_keys import BrowserKeys
from bridge.clock import NewId, Now
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.errors import InsufficientScope, TokenExpired
from bridge.http.cors import Origins
from bridge.http.forwarded import TrustedProxies
from bridge.http.parsing_queue import ParsingQueue
from bridge.http.query_limiter import QueryLimiter
from bridge.http.refusals import LMS_ID, Refusals
from bridge.limits.disk_space import DiskSpace
from bridge.limits.recordings import RecordingLimits
from bridge.limits.request_rates import BrowserRates, RequestRates
from bridge.loopback import is_loopback
from bridge.metrics import Metrics
from bridge.system_alarms import SystemAlarms
from bridge.tracing import Tracing
from bridge.write_health import WriteHealth
from storage.lms import Lms
from storage.states import TokenScope

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the running bridge. `public_url` is empty where the request's own address is to be used."""

    database: Database
    commits: CommitService
    lms_tokens: LmsTokens
    commit_tokens: CommitTokens
    origins: Origins
    browser_keys: BrowserKeys
    browser_rates: BrowserRates
    recording_limits: RecordingLimits
    refusals: Refusals
    now: Now
    new_id: NewId
    public_url: str
    targets: tuple[str, ...]
    health: WriteHealth
    disk: DiskSpace
    alarms: SystemAlarms
    backlog: Backlog
    proxies: TrustedProxies
    query_limiter: QueryLimiter
    request_rates: RequestRates
    metrics: Metrics
    tracing: Tracing
    parsing: ParsingQueue = field(default_factory=ParsingQueue)


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """Return the services of the application that a request came to."""
    return request.app[SERVICES]


async def lms_of(request: web.Request, authorization: str | None, scope: TokenScope) -> Lms:
    """Return the LMS whose token came with a request and permits `scope`, and note whose request it is.

    Raises:
        NoToken: there is none.
        UnknownToken: the token is not known, was revoked or has expired.
        InsufficientScope: it does not have the scope.
        TokenRateExceeded, LmsRateExceeded: more requests came than may.
    """
    parts = services(request)
    try:
        token = await parts.lms_tokens.check(authorization, scope)
    except (TokenExpired, InsufficientScope) as error:
        request[LMS_ID] = error.lms_id
        raise
    request[LMS_ID] = token.lms.id
    parts.request_rates.check(token, scope)
    return token.lms


def public_url(request: web.Request) -> str:
    """Return the address under which the bridge is reached, without a slash at its end."""
    parts = services(request)
    return parts.public_url or requested_url(request, parts.proxies)


def requested_url(request: web.Request, proxies: TrustedProxies) -> str:
    """Return the address of a bridge that was given none: what a trusted proxy says, else one of this machine.

    The request's own host counts only if it is a name of this machine's: whoever sends a request could choose any.
    """
    host = proxies.forwarded_host(request)
    if host is not None:
        return f"{proxies.scheme(request)}://{host}"
    try:
        url = URL.build(scheme="http", authority=request.host)
    except ValueError:
        url = URL()
    if is_loopback(url.host or ""):
        return str(url)
    _warn_of_missing_public_url()
    sockname = None if request.transport is None else request.transport.get_extra_info("sockname")
    host, port = ("127.0.0.1", None) if sockname is None else sockname[:2]
    return str(URL.build(scheme="http", host=str(ipaddress.ip_address(host)), port=port))


@cache
def _warn_of_missing_public_url() -> None:
    """Log it once: whoever sends requests must not fill the log."""
    log.warning(
        "public_url_missing",
        consequence="addresses in responses are those of this machine; set [server] public_url to what players reach",
    )

"""What handlers need, put together once at start-up and reached through the application."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from bridge.access import CommitTokens, LmsTokens
from bridge.clock import Now
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.http.asking import Asking
from bridge.http.cors import Origins
from bridge.http.forwarded import TrustedProxies
from bridge.http.parsing import ParsingQueue


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the running bridge. `public_url` is empty where the request's own address is to be used."""

    database: Database
    commits: CommitService
    lms_tokens: LmsTokens
    commit_tokens: CommitTokens
    origins: Origins
    now: Now
    public_url: str
    targets: tuple[str, ...]
    proxies: TrustedProxies
    asking: Asking
    parsing: ParsingQueue = field(default_factory=ParsingQueue)


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """Give the services of the application that a request came to."""
    return request.app[SERVICES]


def public_url(request: web.Request) -> str:
    """Give the address under which the bridge is reached, without a slash at its end."""
    parts = services(request)
    return parts.public_url or f"{parts.proxies.scheme(request)}://{parts.proxies.host(request)}"

"""The viewer's time zone: of the browser, which a script tells by a cookie, else of the settings."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from bridge.audit.dependencies import DEPENDENCIES

COOKIE_NAME = "scorm_bridge_zone"
"""Set by times.js; nothing depends on it but how times are shown, and which times a day has."""

_NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def zone_of(request: web.Request) -> ZoneInfo:
    """Return the zone in which a request's times are shown and its days are meant."""
    name = request.cookies.get(COOKIE_NAME, "").replace("%2F", "/")
    default = ZoneInfo(request.app[DEPENDENCIES].settings.audit.time_zone)
    return (_find(name) if _NAME.fullmatch(name) else None) or default


def local_time(ms: int, zone: ZoneInfo) -> str:
    """Return a moment in a zone, to the second, with the zone's name: `2026-01-31 13:00:00 CET`."""
    return datetime.fromtimestamp(ms // 1000, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


@lru_cache(maxsize=256)
def _find(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # a browser may know zones that this machine does not

"""`GET /tap.js`: the script that LMSs' pages load. Anybody may, from any page, as it has nothing of anybody."""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from bridge.http.query_parameters import check_parameters
from bridge.tap.script import load_script

PARAMETERS = ("v",)
VERSION_MAX_AGE = 31_536_000
"""Seconds for which what has its version in its address is not asked for again."""
MAX_AGE = 3_600
"""Seconds after which it is asked whether the script is still the same."""
_REFUSES_GZIP = re.compile(r"gzip\s*;\s*q=0(?:\.0*)?(?:,|$)")


async def get_tap(request: web.Request) -> web.Response:
    """Answer with the script, compressed where the browser takes that, or with 304 where it has it already."""
    check_parameters(request, PARAMETERS)
    script = load_script()
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
    compresses = "gzip" in accepted and _REFUSES_GZIP.search(accepted) is None
    # another representation has another strong tag
    tag = f"{script.version}-gzip" if compresses else script.version
    is_of_version = request.query.get("v") == script.version
    headers = {
        hdrs.ETAG: f'"{tag}"',
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
        hdrs.CACHE_CONTROL: f"public, max-age={VERSION_MAX_AGE}, immutable"
        if is_of_version
        else f"public, max-age={MAX_AGE}",
        # the same for every page: what one may cache serves all
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if compresses:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(
        body=script.compressed if compresses else script.body,
        content_type="text/javascript",
        charset="utf-8",
        headers=headers,
    )

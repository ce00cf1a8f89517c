"""Query parameters that an address does not take: they are refused, as a misspelled filter would return everything.

Health addresses ignore them, as load balancers add some. Addresses of commits take any, GET
included: players mark their last commit by a parameter whose name the LMS chooses, and add some of their own.
"""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from bridge.errors import UnknownParameter

MAX_QUOTED_LENGTH = 60
"""Characters of an unknown parameter's name that are repeated."""


def check_parameters(request: web.Request, allowed: Collection[str] = ()) -> None:
    """Check that a request has known query parameters only.

    Raises:
        UnknownParameter: it has another one.
    """
    for name in request.query:
        if name not in allowed:
            takes = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
            raise UnknownParameter(f"{name[:MAX_QUOTED_LENGTH]!r} is no query parameter of this address: {takes}.")

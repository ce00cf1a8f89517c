"""What a route is. The table of all of them is in `routes`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

from bridge.audit.access.limits import Kind
from bridge.audit.access.roles import Role
from bridge.audit.forms import MAX_FORM_BYTES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """An address below `/audit`, and the role that it needs; None where people come who have not signed in.

    `kind` is what an account may have so many of at a time. `admit` is asked before the body of a request is read, and
    raises where it is refused. `max_form_bytes` are the bytes that a form posted there may have.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None
    max_form_bytes: int = MAX_FORM_BYTES
    kind: Kind = Kind.PAGE
    admit: Callable[[web.Request], Awaitable[None]] | None = None

"""Requests of players that the LMS's own proxy mirrors to the bridge, beside sending them to the LMS."""

from __future__ import annotations

from aiohttp import hdrs, web
from msgspec.structs import replace

from bridge import formats
from bridge.http import request_body
from bridge.http.mirror_launch import MirroredRequest, MirrorLabels
from bridge.http.mirror_queue import MirrorQueue
from bridge.http.services import lms_of, services
from storage.states import TokenScope

MIRROR = web.AppKey("mirror", MirrorQueue)
MIRROR_FORMATS = tuple(name for name in formats.BY_NAME if name != "scorm-cloud")
"""The formats that players post."""
FORMAT_NAMES = "|".join(MIRROR_FORMATS)
"""The same, as a route's pattern has them."""
LABELS = MirrorLabels.__struct_fields__
"""The names of query parameters by which a proxy says of what a request is; with `X-Mirror-` before, of headers."""


async def post_mirrored(request: web.Request) -> web.Response:
    """`POST /v1/mirror/{format}`: take a request that is stored once it has been answered.

    Authorization: a token of the LMS with the scope `mirror`.
    """
    parts = services(request)
    received_at = parts.now()
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.MIRROR)
    commit_request = await request_body.read_commit_request(request)
    query = commit_request.query
    request.app[MIRROR].add(
        MirroredRequest(
            lms,
            formats.BY_NAME[request.match_info["format"]],
            replace(commit_request, query={name: value for name, value in query.items() if name not in LABELS}),
            # what the proxy adds to the request is its own word; the query may be the client's
            MirrorLabels(*(request_body.header(request, f"X-Mirror-{name}") or query.get(name, "") for name in LABELS)),
            request_body.idempotency_key(request),
            received_at,
            request.path,
        )
    )
    return web.Response(status=204)

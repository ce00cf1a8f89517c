"""Requests to the endpoints of webhooks, and what their answers mean."""

from __future__ import annotations

import asyncio

import aiohttp

from bridge.clock import Now
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.transport import is_cut
from bridge.http_client import describe_failure, send_request
from bridge.webhooks.signing import signed_headers
from storage.states import TryOutcome
from storage.webhook_endpoints import WebhookEndpoint

REQUEST_TIMEOUT = 20
"""Seconds that an exchange may take: Standard Webhooks recommends 15 to 30."""
MAX_ANSWER_BYTES = 8 * 1024
GONE = 410
"""The status by which a receiver says that it wants no more."""
_REFUSALS = frozenset({400, 406, 409, 411, 413, 414, 415, 422, 431, 451})
"""Statuses that may be meant for the content of one request."""


async def post_event(
    session: aiohttp.ClientSession, endpoint: WebhookEndpoint, message_id: str, body: str, now: Now
) -> Reply:
    """Send an event. Whatever the receiver or the network does is returned, never raised."""
    time = asyncio.get_running_loop().time
    started = time()
    at = now()
    try:
        response = await send_request(
            session,
            "POST",
            endpoint.url,
            max_bytes=MAX_ANSWER_BYTES,
            data=body.encode(),
            headers=signed_headers(message_id, body, at, endpoint.secrets(at)),
        )
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        took = time() - started
        return Reply(None, describe_failure(error, REQUEST_TIMEOUT), is_cut=is_cut(error), took=took)
    # what is left out of a long answer changes nothing: its status says all
    return Reply(response.status, response.text, response.headers, took=time() - started)


def classify_answer(reply: Reply) -> TryOutcome:
    """Return what an answer means, as Standard Webhooks says: 2xx is a success, and everything else is tried again.

    A refusal may be about the content of the one request; redirects, 401, 404, 429 and the like are about the endpoint.
    """
    if reply.status is None:
        return TryOutcome.RETRY
    if 200 <= reply.status < 300:
        return TryOutcome.DELIVERED
    if reply.status in _REFUSALS:
        return TryOutcome.REFUSED
    if reply.status in {401, 403}:
        return TryOutcome.NOT_ALLOWED
    return TryOutcome.BROKE if reply.status == 500 else TryOutcome.RETRY


def describe_reply(reply: Reply) -> str:
    """Return an answer in words for people: the status, or why there was none. What it says is kept with deliveries."""
    if reply.status is None:
        return reply.text
    redirect = f" (redirects to {reply.redirects_to})" if reply.redirects_to else ""
    return f"the endpoint answered {reply.status}{redirect}"

"""Testing an endpoint of webhooks: one event of no consequence, and what came back."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from bridge.clock import NewId, Now, format_timestamp
from bridge.forwarding.outcomes import Reply
from bridge.http_client import open_session
from bridge.outgoing import OutgoingGuard
from bridge.webhooks.event_types import TEST_EVENT, EndpointTestData, EndpointTestEvent
from bridge.webhooks.transport import REQUEST_TIMEOUT, classify_answer, describe_reply, post_event
from storage.states import TryOutcome
from storage.webhook_endpoints import WebhookEndpoint

MAX_ANSWER_CHARS = 2_000
"""Characters of the answer that is shown."""


class WebhookTrial(NamedTuple):
    """What came of a test: in words, what was answered, and how long it took in milliseconds."""

    message_id: str
    summary: str
    answer: str
    status: int | None
    duration_ms: int
    is_success: bool


async def try_endpoint(endpoint: WebhookEndpoint, guard: OutgoingGuard, *, now: Now, new_id: NewId) -> WebhookTrial:
    """Send a test event to an endpoint, signed as all others are. Failures of the receiver are results, too."""
    message_id = new_id()
    event = EndpointTestEvent(TEST_EVENT, str(format_timestamp(now())), EndpointTestData(endpoint.lms, endpoint.name))
    async with open_session(guard, timeout_seconds=REQUEST_TIMEOUT) as session:
        reply = await post_event(session, endpoint, message_id, msgspec.json.encode(event).decode(), now)
    is_success = classify_answer(reply) is TryOutcome.DELIVERED
    answer = "" if reply.status is None else reply.text[:MAX_ANSWER_CHARS]
    return WebhookTrial(message_id, _summary(reply), answer, reply.status, int(reply.took * 1000), is_success)


def _summary(reply: Reply) -> str:
    words = describe_reply(reply)
    return words[:1].upper() + words[1:]

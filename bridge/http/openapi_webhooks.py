"""The webhooks of the OpenAPI document: what the bridge sends, by the type of the event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.http.openapi_schemas import TEXT, UUID, ref
from bridge.webhooks.event_types import (
    TEST_EVENT,
    AttemptEvent,
    EndpointTestEvent,
    EnrollmentEvent,
    ErasureEvent,
    WebhookEventType,
)

EVENT_TYPES: Mapping[str, type[msgspec.Struct]] = {
    WebhookEventType.ENROLLMENT_COMPLETED: EnrollmentEvent,
    WebhookEventType.ENROLLMENT_PASSED: EnrollmentEvent,
    WebhookEventType.ENROLLMENT_FAILED: EnrollmentEvent,
    WebhookEventType.BEST_SCORE_CHANGED: EnrollmentEvent,
    WebhookEventType.ATTEMPT_ENDED: AttemptEvent,
    WebhookEventType.LEARNER_ERASED: ErasureEvent,
    TEST_EVENT: EndpointTestEvent,
}
"""The type of the body of each event."""


def webhooks() -> dict[str, Any]:
    """Return what is sent to endpoints of webhooks, by the type of the event."""
    return {name: {"post": _operation(name, event)} for name, event in EVENT_TYPES.items()}


def _operation(name: str, event: type[msgspec.Struct]) -> dict[str, Any]:
    meanings = {event_type.value: event_type.meaning for event_type in WebhookEventType}
    meaning = meanings.get(name, "somebody tests the endpoint")
    return {
        "operationId": "receive_" + name.replace(".", "_"),
        "summary": f"{meaning[:1].upper()}{meaning[1:]}.",
        "parameters": [
            _header("webhook-id", UUID, "The same for each try of an event."),
            _header("webhook-timestamp", {"type": "string", "pattern": "^[0-9]+$"}, "When the request was made."),
            _header("webhook-signature", TEXT, "Signatures as Standard Webhooks has them, with spaces between."),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref(event.__name__)}},
        },
        "responses": {"2XX": {"description": "The event is taken, and not sent again."}},
    }


def _header(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": schema, "description": description}

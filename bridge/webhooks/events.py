"""What a commit, a session's end or an erasure is to tell LMSs: the events, as rows of the outbox of webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from bridge.clock import NewId, format_timestamp, time_ordered_id
from bridge.commit_model.responses import score_summary
from bridge.webhooks.event_types import (
    AttemptEvent,
    AttemptEventData,
    EnrollmentEvent,
    EnrollmentEventData,
    ErasureEvent,
    ErasureEventData,
    WebhookActivity,
    WebhookAttempt,
    WebhookCourse,
    WebhookEventType,
    WebhookLearner,
)
from bridge.webhooks.subscriptions import Subscription
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from mappings.cmi.times import duration
from storage.attempts import Attempt, Enrollment
from storage.states import AttemptStatus
from storage.webhook_deliveries import NewWebhookDelivery

ERASURE_DELAY = 60_000
"""Milliseconds after which a learner's erasure is told: what was on its way to the LMS has arrived by then."""

_ENDED = frozenset({AttemptStatus.TERMINATED.value, AttemptStatus.ABANDONED.value})
_UNKNOWN_COMPLETION, _UNKNOWN_SUCCESS = CompletionStatus.UNKNOWN.value, SuccessStatus.UNKNOWN.value
_encode = msgspec.json.Encoder().encode


class Standing(NamedTuple):
    """What events are about, of an enrollment and its attempt."""

    completion: str | None
    success: str | None
    best_score: tuple[float | None, ...]
    status: str


def standing(row: Attempt) -> Standing:
    """Return the standing of an attempt's enrollment."""
    owner = row.enrollment
    return Standing(owner.completion_status, owner.success_status, _best_score(owner), row.status)


def commit_events(
    subscriptions: Sequence[Subscription], before: Standing, row: Attempt, at: int, new_id: NewId
) -> list[NewWebhookDelivery]:
    """Return what endpoints get of a commit, or of a session's end; `before` is the standing before it.

    `at` is when it happened, in milliseconds since the epoch.
    """
    types = _changed(before, row)
    deliveries: list[NewWebhookDelivery] = []
    for event_type in types:
        receivers = [subscription for subscription in subscriptions if subscription.has(event_type)]
        if receivers:
            body = _body(event_type, row, at)
            message_id = time_ordered_id(at, new_id())
            deliveries += [
                NewWebhookDelivery(receiver.endpoint_id, row.enrollment.id, message_id, event_type, body, at)
                for receiver in receivers
            ]
    return deliveries


def erasure_events(
    subscriptions: Iterable[Subscription], *, lms: str, learner_id: str, at: int, new_id: NewId
) -> list[NewWebhookDelivery]:
    """Return what endpoints get of a learner's erasure."""
    event_type = WebhookEventType.LEARNER_ERASED.value
    data = ErasureEventData(lms, WebhookLearner(learner_id))
    body = _encode(ErasureEvent(event_type, str(format_timestamp(at)), data)).decode()
    message_id = time_ordered_id(at, new_id())
    return [
        NewWebhookDelivery(receiver.endpoint_id, None, message_id, event_type, body, at, at + ERASURE_DELAY)
        for receiver in subscriptions
        if receiver.has(event_type)
    ]


def _changed(before: Standing, row: Attempt) -> list[str]:
    """Return the types of the events that lead to the standing of now."""
    now = standing(row)
    types: list[str] = []
    if now.completion != before.completion and now.completion == CompletionStatus.COMPLETED:
        types.append(WebhookEventType.ENROLLMENT_COMPLETED.value)
    if now.success != before.success and now.success == SuccessStatus.PASSED:
        types.append(WebhookEventType.ENROLLMENT_PASSED.value)
    if now.success != before.success and now.success == SuccessStatus.FAILED:
        types.append(WebhookEventType.ENROLLMENT_FAILED.value)
    if now.best_score != before.best_score:
        types.append(WebhookEventType.BEST_SCORE_CHANGED.value)
    if now.status != before.status and now.status in _ENDED:
        types.append(WebhookEventType.ATTEMPT_ENDED.value)
    return types


def _best_score(owner: Enrollment) -> tuple[float | None, ...]:
    return owner.best_scaled, owner.best_raw, owner.best_min, owner.best_max


def _body(event_type: str, row: Attempt, at: int) -> str:
    timestamp = str(format_timestamp(at))
    data = _enrollment_data(row.enrollment)
    if event_type != WebhookEventType.ATTEMPT_ENDED:
        return _encode(EnrollmentEvent(event_type, timestamp, data)).decode()
    attempt = WebhookAttempt(
        row.uuid,
        row.number,
        row.status,
        row.completion_status or _UNKNOWN_COMPLETION,
        row.success_status or _UNKNOWN_SUCCESS,
        score_summary(row.score_scaled, row.score_raw, row.score_min, row.score_max),
    )
    with_attempt = AttemptEventData(**msgspec.structs.asdict(data), attempt=attempt)
    return _encode(AttemptEvent(event_type, timestamp, with_attempt)).decode()


def _enrollment_data(owner: Enrollment) -> EnrollmentEventData:
    return EnrollmentEventData(
        owner.lms_name,
        owner.course_registration or owner.registration,
        WebhookLearner(owner.learner_id),
        WebhookActivity(owner.activity_id),
        WebhookCourse(owner.course_id),
        owner.total_attempts,
        owner.completion_status or _UNKNOWN_COMPLETION,
        owner.success_status or _UNKNOWN_SUCCESS,
        score_summary(*_best_score(owner)),
        duration(owner.total_time),
    )

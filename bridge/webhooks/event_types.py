"""What LMSs are told by webhooks. The OpenAPI schemas are derived from these types."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from bridge.commit_model.response_types import (
    CompletionStatus,
    Duration,
    ScoreSummary,
    SuccessStatus,
    Timestamp,
    UuidText,
    one_of,
)
from mappings.described_enum import DescribedEnum


class WebhookEventType(DescribedEnum):
    """A type of event, which endpoints can choose."""

    ENROLLMENT_COMPLETED = "enrollment.completed", "a learner has completed an activity, in any attempt"
    ENROLLMENT_PASSED = "enrollment.passed", "a learner has passed an activity, in any attempt"
    ENROLLMENT_FAILED = "enrollment.failed", "a learner has failed an activity that they have not passed"
    BEST_SCORE_CHANGED = "enrollment.best_score_changed", "the best score over all attempts is another one"
    ATTEMPT_ENDED = "attempt.ended", "an attempt was terminated or abandoned; one that is suspended goes on later"
    LEARNER_ERASED = "learner.erased", "a learner was erased from the bridge"


TEST_EVENT = "webhook.test"
"""The type of what a test sends; every endpoint gets it."""


class WebhookLearner(msgspec.Struct, frozen=True, gc=False):
    """The learner, by the LMS's id."""

    id: str


class WebhookActivity(msgspec.Struct, frozen=True, gc=False):
    """The activity, by the LMS's id."""

    id: str


class WebhookCourse(msgspec.Struct, frozen=True, gc=False):
    """The course, by the LMS's id, which is empty where the LMS names none."""

    id: str


class WebhookAttempt(msgspec.Struct, frozen=True, gc=False):
    """The attempt that ended."""

    id: UuidText
    number: Annotated[int, Meta(ge=1)]
    status: Annotated[str, one_of("AttemptStatus")]
    completion_status: CompletionStatus
    success_status: SuccessStatus
    score: ScoreSummary | None


class EnrollmentEventData(msgspec.Struct, frozen=True, gc=False):
    """The results of a learner in an activity over all attempts, after the event."""

    lms: Annotated[str, Meta(description="The name of the LMS.")]
    registration: Annotated[UuidText, Meta(description="What statements have as `context.registration`.")]
    learner: WebhookLearner
    activity: WebhookActivity
    course: WebhookCourse
    total_attempts: int
    completion_status: CompletionStatus
    success_status: SuccessStatus
    best_score: ScoreSummary | None
    total_time: Duration


class AttemptEventData(EnrollmentEventData, frozen=True, gc=False):
    """The same, and the attempt."""

    attempt: WebhookAttempt


class ErasureEventData(msgspec.Struct, frozen=True, gc=False):
    """The learner who was erased."""

    lms: Annotated[str, Meta(description="The name of the LMS.")]
    learner: WebhookLearner


class EndpointTestData(msgspec.Struct, frozen=True, gc=False):
    """The endpoint that is tested."""

    lms: Annotated[str, Meta(description="The name of the LMS.")]
    webhook: Annotated[str, Meta(description="The name of the endpoint.")]


class EnrollmentEvent(msgspec.Struct, frozen=True, gc=False):
    """Something became of a learner in an activity."""

    type: Annotated[str, Meta(examples=[WebhookEventType.ENROLLMENT_PASSED.value])]
    timestamp: Annotated[Timestamp, Meta(description="When it came about.")]
    data: EnrollmentEventData


class AttemptEvent(msgspec.Struct, frozen=True, gc=False):
    """An attempt ended."""

    type: Annotated[str, Meta(examples=[WebhookEventType.ATTEMPT_ENDED.value])]
    timestamp: Annotated[Timestamp, Meta(description="When it came about.")]
    data: AttemptEventData


class ErasureEvent(msgspec.Struct, frozen=True, gc=False):
    """A learner was erased."""

    type: Annotated[str, Meta(examples=[WebhookEventType.LEARNER_ERASED.value])]
    timestamp: Annotated[Timestamp, Meta(description="When it came about.")]
    data: ErasureEventData


class EndpointTestEvent(msgspec.Struct, frozen=True, gc=False):
    """Somebody tests an endpoint."""

    type: Annotated[str, Meta(examples=[TEST_EVENT])]
    timestamp: Annotated[Timestamp, Meta(description="When it was sent.")]
    data: EndpointTestData


EVENTS: tuple[type[msgspec.Struct], ...] = (EnrollmentEvent, AttemptEvent, ErasureEvent, EndpointTestEvent)
"""The types of all bodies."""

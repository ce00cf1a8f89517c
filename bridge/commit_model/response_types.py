"""The types of what LMSs read about attempts and commits. The OpenAPI schemas are derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mappings.attempt.commit import Disposition
from mappings.attempt.state import Ending
from mappings.cmi import snapshot
from mappings.cmi.warnings import CmiWarning
from storage.states import AlarmState, AttemptStatus, DeliveryState, RequestKind, SessionSource

ENUMS: dict[str, Iterable[str]] = {
    "AlarmState": AlarmState,
    "AttemptStatus": AttemptStatus,
    "CommitDisposition": Disposition,
    "CompletionStatus": snapshot.CompletionStatus,
    "DeliveryState": DeliveryState,
    "LaunchEntry": ("ab-initio", "resume", ""),
    "RequestKind": RequestKind,
    "SessionEnding": Ending,
    "SessionSource": SessionSource,
    "SuccessStatus": snapshot.SuccessStatus,
}
"""The values of text that stands for a state, by the name that its schema has."""


def one_of(name: str) -> Meta:
    """Return the metadata of text that has one of the values of an enum."""
    return Meta(extra_json_schema={"enum": [*ENUMS[name]]})


UuidText = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Timestamp = Annotated[str, Meta(examples=["2026-01-31T12:00:00.000Z"], extra_json_schema={"format": "date-time"})]
CommitDisposition = Annotated[str, one_of("CommitDisposition")]
CompletionStatus = Annotated[str, one_of("CompletionStatus")]
LaunchEntry = Annotated[str, one_of("LaunchEntry")]
SuccessStatus = Annotated[str, one_of("SuccessStatus")]
Duration = Annotated[str, Meta(description="ISO 8601.", examples=["PT5M30.5S"])]
CmiData = Annotated[
    dict[str, Any],
    Meta(
        description="CMI data as SCORM nests it.",
        examples=[{"core": {"lesson_status": "completed", "score": {"raw": "85"}}}],
        extra_json_schema={"additionalProperties": True},
    ),
]


class ScoreSummary(msgspec.Struct, frozen=True, gc=False):
    """What is known of a score."""

    scaled: Annotated[float, Meta(examples=[0.85])] | UnsetType = UNSET
    raw: Annotated[float, Meta(examples=[85])] | UnsetType = UNSET
    min: Annotated[float, Meta(examples=[0])] | UnsetType = UNSET
    max: Annotated[float, Meta(examples=[100])] | UnsetType = UNSET


class AttemptSummary(msgspec.Struct, frozen=True, gc=False):
    """One attempt as its LMS sees it."""

    id: UuidText
    number: Annotated[int, Meta(ge=1)]
    status: Annotated[str, one_of("AttemptStatus")]
    scorm_version: Annotated[str, Meta(examples=["1.2"])] | None
    completion_status: CompletionStatus
    success_status: SuccessStatus
    score: ScoreSummary | None
    progress_measure: float | None
    total_time: Duration


class LaunchedAttempt(AttemptSummary, frozen=True, gc=False):
    """The attempt that a session was opened for; `entry` tells whether it begins or is resumed."""

    entry: LaunchEntry


class LearnerSummary(msgspec.Struct, frozen=True, gc=False):
    """The learner, by the LMS's id."""

    id: str
    name: str


class ActivitySummary(msgspec.Struct, frozen=True, gc=False):
    """The activity, by the LMS's id."""

    id: str
    name: str


class CourseSummary(msgspec.Struct, frozen=True, gc=False):
    """The course, by the LMS's id, which is empty where the LMS names none."""

    id: str
    name: str
    registration: Annotated[UuidText, Meta(description="The same for all activities of the course.")]


class EnrollmentSummary(msgspec.Struct, frozen=True, gc=False):
    """The results of a learner in an activity over all attempts, for the gradebook."""

    registration: Annotated[UuidText, Meta(description="What statements have as `context.registration`.")]
    learner: LearnerSummary
    activity: ActivitySummary
    course: CourseSummary
    total_attempts: int
    completion_status: CompletionStatus
    success_status: SuccessStatus
    best_score: ScoreSummary | None
    total_time: Duration
    first_commit_at: Timestamp | None
    last_commit_at: Timestamp | None


class ProgressSummary(msgspec.Struct, frozen=True, gc=False):
    """What a progress bar and a bookmark need."""

    completed: bool
    passed: bool | None
    score: Annotated[float, Meta(description="The scaled score.")] | None
    measure: float | None
    location: str | None


class StatementReference(msgspec.Struct, frozen=True, gc=False):
    """A statement that was generated."""

    id: UuidText
    verb: Annotated[str, Meta(examples=["http://adlnet.gov/expapi/verbs/completed"])]
    rule: Annotated[str, Meta(description="The rule of the mapping that generated it.")]


class OmittedCounts(msgspec.Struct, frozen=True, gc=False):
    """How many statements and warnings are not listed."""

    statements: int
    warnings: int


class SuccessResponse(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every response about a session has: `result` and `errorCode` are for scorm-again."""

    result: Annotated[bool, Meta(extra_json_schema={"const": True})] = True
    error_code: Annotated[int, Meta(extra_json_schema={"const": 0})] = msgspec.field(default=0, name="errorCode")


class CommitResponse(SuccessResponse, frozen=True, gc=False, kw_only=True):
    """What became of a commit, and where its attempt and enrollment stand now."""

    session_id: UuidText
    commit: Annotated[int, Meta(description="The number of the commit in its session.")]
    disposition: CommitDisposition
    attempt: AttemptSummary
    enrollment: EnrollmentSummary
    progress: ProgressSummary
    statements: list[StatementReference]
    warnings: Sequence[CmiWarning]
    omitted: Annotated[OmittedCounts, Meta(description="Absent where all are listed.")] | UnsetType = UNSET

"""The types of the API's JSON responses beside that to a commit. The OpenAPI schemas are derived from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bridge.backlog import COUNT_LIMIT
from bridge.commit_model.response_types import (
    AttemptSummary,
    CmiData,
    CommitDisposition,
    CommitResponse,
    EnrollmentSummary,
    LaunchedAttempt,
    LaunchEntry,
    SuccessResponse,
    Timestamp,
    UuidText,
    one_of,
)
from bridge.errors import BridgeError
from bridge.system_alarms import AlarmCode
from mappings.cmi.warnings import CmiWarning

SessionEnding = Annotated[str, one_of("SessionEnding")]
Source = Annotated[str, one_of("SessionSource")]
CommitUrl = Annotated[
    str,
    Meta(
        description="Where the player posts commits to; it carries its own permission. For scorm-again:"
        " `{ lmsCommitUrl: commit_url, autocommit: true, useAsynchronousCommits: true, asyncModeBeaconBehavior:"
        ' "on-terminate" }`. Browsers refuse its synchronous commits while a page is being closed.',
        extra_json_schema={"format": "uri"},
    ),
]
BrowserCommitUrl = Annotated[
    str,
    Meta(
        description="Where the page posts the session's commits to, as `text/plain` so that no preflight is needed. It"
        ' answers `{"result": true, "errorCode": 0}` and nothing else.',
        extra_json_schema={"format": "uri"},
    ),
]
WaitingCount = Annotated[int, Meta(le=COUNT_LIMIT, description=f"{COUNT_LIMIT} means that many or more.")]
MAX_PAGE_SIZE = 1_000
"""Enrollments in one response at most."""
Cursor = Annotated[str, Meta(description="What to send as `…_after` for the following ones; null at the end.")]


class SessionOpenedResponse(SuccessResponse, frozen=True, gc=False, kw_only=True):
    """A session that is open, and what its player is loaded with."""

    session_id: UuidText
    commit_url: CommitUrl
    attempt: LaunchedAttempt
    enrollment: EnrollmentSummary
    cmi: CmiData
    warnings: Sequence[CmiWarning]


class BrowserSessionResponse(msgspec.Struct, frozen=True, gc=False):
    """A session that a page may commit to. It says nothing of anybody."""

    session_id: UuidText
    commit_url: BrowserCommitUrl


class DeliverySummary(msgspec.Struct, frozen=True, gc=False):
    """Where a statement or document is on its way to one target; `target` is null while none is configured."""

    target: str | None
    state: Annotated[str, one_of("DeliveryState")]
    tries: int


class SessionCommit(msgspec.Struct, frozen=True, gc=False):
    """One commit of a session."""

    number: int
    received_at: Timestamp
    format: str
    disposition: CommitDisposition


class SessionStatement(msgspec.Struct, frozen=True, gc=False):
    """A statement, the number of the commit it was generated from, and its deliveries."""

    id: UuidText
    verb: str
    rule: str
    commit: int
    deliveries: list[DeliverySummary]


class SessionDocument(msgspec.Struct, frozen=True, gc=False):
    """A state or profile document, the number of the commit that changed it last, and its deliveries."""

    name: str
    resource: str
    commit: int
    deliveries: list[DeliverySummary]


class SessionSummary(msgspec.Struct, frozen=True, gc=False):
    """When a session began, was last heard from and ended."""

    session_id: UuidText
    entry: LaunchEntry
    started_at: Timestamp
    last_commit_at: Timestamp | None
    ended_at: Timestamp | None
    ended: SessionEnding | None
    source: Source


class AttemptCommit(SessionCommit, frozen=True, gc=False):
    """One commit of an attempt, and its session."""

    session_id: UuidText


class AttemptStatement(SessionStatement, frozen=True, gc=False):
    """A statement of an attempt, and its session."""

    session_id: UuidText


class AttemptDocument(SessionDocument, frozen=True, gc=False):
    """A document of an attempt, and the session that changed it last."""

    session_id: UuidText


class SessionCursors(msgspec.Struct, frozen=True, gc=False):
    """Where the lists of a session continue."""

    commits: Cursor | None
    statements: Cursor | None


class AttemptCursors(msgspec.Struct, frozen=True, gc=False):
    """Where the lists of an attempt continue."""

    commits: Cursor | None
    statements: Cursor | None
    sessions: Cursor | None


class SessionResponse(SuccessResponse, frozen=True, gc=False, kw_only=True):
    """A session: its results, the data its next launch is loaded with, and what came of its commits."""

    session_id: UuidText
    entry: LaunchEntry
    started_at: Timestamp
    last_commit_at: Timestamp | None
    ended_at: Timestamp | None
    ended: SessionEnding | None
    source: Source
    attempt: AttemptSummary
    enrollment: EnrollmentSummary
    cmi: CmiData
    commits: list[SessionCommit]
    statements: list[SessionStatement]
    documents: list[SessionDocument]
    next: SessionCursors


class AttemptResponse(SuccessResponse, frozen=True, gc=False, kw_only=True):
    """An attempt with all its sessions: its results, the data its next launch is loaded with, and what came of it."""

    started_at: Timestamp
    last_commit_at: Timestamp | None
    attempt: AttemptSummary
    enrollment: EnrollmentSummary
    cmi: CmiData
    sessions: list[SessionSummary]
    commits: list[AttemptCommit]
    statements: list[AttemptStatement]
    documents: list[AttemptDocument]
    next: AttemptCursors


class ListedEnrollment(EnrollmentSummary, frozen=True, gc=False):
    """The results of a learner in an activity, and the status of the latest attempt; null before its first commit."""

    status: Annotated[str, one_of("AttemptStatus")] | None


class EnrollmentsResponse(SuccessResponse, frozen=True, gc=False, kw_only=True):
    """A page of the gradebook, in the order in which the enrollments changed last."""

    enrollments: list[ListedEnrollment]
    next: Annotated[
        str, Meta(description="What to send as `since` to go on: now where there is more, or later for what changes.")
    ]
    more: Annotated[bool, Meta(description="Whether there is more already. A page can be short, and yet there is.")]


class CourseActivity(msgspec.Struct, frozen=True, gc=False):
    """An activity of a course, whether the LMS listed it, and the learner's results in it; null without any."""

    id: str
    listed: bool
    completed: bool
    enrollment: ListedEnrollment | None


class CourseResponse(SuccessResponse, frozen=True, gc=False, kw_only=True):
    """Where a learner stands in a course. `completed` is null where the LMS has not listed the course's activities."""

    course: str
    learner: str
    completed: Annotated[bool, Meta(description="Whether all activities that the LMS listed are.")] | None
    listed_activities: int
    completed_activities: Annotated[int, Meta(description="Of those that the LMS listed.")]
    activities: Annotated[
        list[CourseActivity], Meta(description="Those that the LMS listed, in its order, and then all others.")
    ]


class AlarmSummary(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with the bridge itself."""

    code: AlarmCode
    since: Timestamp
    detail: str


class PauseSummary(msgspec.Struct, frozen=True, gc=False):
    """Since when a target is paused; `automatic` where the bridge does it because the target takes nothing."""

    since: Timestamp
    automatic: bool


class TargetAlarmSummary(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with one kind of request to a target."""

    target: str
    requests: Annotated[str, one_of("RequestKind")]
    state: Annotated[str, one_of("AlarmState")]
    since: Timestamp


class ServiceLink(msgspec.Struct, frozen=True, gc=False):
    """A page or resource of the service."""

    title: str
    href: str
    description: str


class ServiceResponse(msgspec.Struct, frozen=True, gc=False):
    """What this service is, and where to go from here."""

    name: str
    description: str
    links: list[ServiceLink]


class LivenessResponse(msgspec.Struct, frozen=True, gc=False):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadinessResponse(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Commits can be stored. What waits, and for which target, is absent until it was counted."""

    status: Literal["ready"] = "ready"
    targets: Sequence[str]
    alarms: list[AlarmSummary]
    waiting: Annotated[dict[str, WaitingCount], Meta(description="Statements by target.")] | UnsetType = UNSET
    waiting_documents: Annotated[dict[str, WaitingCount], Meta(description="Documents by target.")] | UnsetType = UNSET
    waiting_removals: (
        Annotated[dict[str, WaitingCount], Meta(description="Statements to void and documents to delete, by target.")]
        | UnsetType
    ) = UNSET
    paused: Annotated[dict[str, PauseSummary], Meta(description="The targets that get nothing.")] | UnsetType = UNSET
    target_alarms: list[TargetAlarmSummary] | UnsetType = UNSET
    counted_at: Timestamp | UnsetType = UNSET
    notice: str | UnsetType = UNSET


class UnreadyResponse(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Commits cannot be stored, or the process is about to stop."""

    status: Literal["draining", "unavailable"]
    reason: str
    alarms: Annotated[list[AlarmSummary], Meta(description="Absent while draining.")] | UnsetType = UNSET


GENERAL_EXCEPTION = 101
"""The error code of SCORM 1.2 and SCORM 2004 for what no other code covers."""
REQUEST_CODES = ("no-such-address", "method-not-allowed", "bad-request", "unreadable-request", "request-timeout")
"""Codes of problems that are no `BridgeError`: the request reached no handler, or not whole."""


def _codes(kind: type[BridgeError]) -> Iterator[str]:
    for leaf in kind.__subclasses__():
        if "code" in vars(leaf):
            yield leaf.code
        yield from _codes(leaf)


class ProblemResponse(msgspec.Struct, frozen=True, gc=False):
    """Why a request was refused (RFC 9457). `result` and `errorCode` are for scorm-again."""

    type: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    title: str
    status: int
    detail: Annotated[str, Meta(description="What was wrong, where, and what to do, for people.")]
    code: Annotated[
        str,
        Meta(
            description="What was wrong, for programs: it stays as it is.",
            extra_json_schema={"enum": sorted({*_codes(BridgeError), *REQUEST_CODES})},
        ),
    ]
    request_id: Annotated[str, Meta(description="As in `X-Request-Id`; the bridge's log has it.")] | UnsetType = UNSET
    result: Annotated[bool, Meta(extra_json_schema={"const": False})] = False
    error_code: Annotated[int, Meta(extra_json_schema={"const": GENERAL_EXCEPTION})] = msgspec.field(
        default=GENERAL_EXCEPTION, name="errorCode"
    )


RESPONSES = (
    SessionOpenedResponse,
    BrowserSessionResponse,
    SuccessResponse,
    CommitResponse,
    SessionResponse,
    AttemptResponse,
    EnrollmentsResponse,
    CourseResponse,
    ServiceResponse,
    LivenessResponse,
    ReadinessResponse,
    UnreadyResponse,
    ProblemResponse,
)
"""Every type that is a whole response."""

"""Whose and of what a mirrored request is: what the proxy says of it, else what the body says.

Whoever can reach the LMS can have the proxy mirror any body, so these sessions count as those that pages open do.
"""

from __future__ import annotations

import uuid

import msgspec
from msgspec.structs import replace

from bridge import formats
from bridge.access import CommitTokens
from bridge.commit_model.launch import Launch
from bridge.commits.commands import StoreCommit
from bridge.errors import MalformedBody, MalformedField
from bridge.formats import CommitRequest, Format, FormatRequest, native
from bridge.http.commit_parsing import payload_of, received_commit
from mappings.attempt.launch import BROWSER
from storage.lms import Lms

_SESSIONS = uuid.UUID("0f0d6a34-6d0b-4d2e-9d0c-3c1b7a5e8f21")
"""The namespace of the ids of mirrored sessions: any that never changes."""


class MirrorLabels(msgspec.Struct, frozen=True, gc=False):
    """What a proxy says of a request that it mirrors; empty where it says nothing. `launch` tells launches apart."""

    learner: str = ""
    activity: str = ""
    course: str = ""
    launch: str = ""


class MirroredRequest(msgspec.Struct, frozen=True, gc=False):
    """A request that a proxy has mirrored, as it came. `received_at` is in milliseconds since the epoch."""

    lms: Lms
    format: Format
    commit_request: CommitRequest
    labels: MirrorLabels
    idempotency_key: str | None
    received_at: int
    path: str


def parse_mirrored(request: MirroredRequest, tokens: CommitTokens) -> list[StoreCommit]:
    """Parse what a mirrored request has to store, a command for each SCO; none where it only asks.

    Raises:
        MalformedBody: it is not in its format, or nothing says whose or of what it is.
        MalformedField: an id cannot be used.
    """
    format_request = formats.parse_as(request.format, request.commit_request)
    parts = [part for part in (format_request, *format_request.others) if part.commit is not None]
    return [_command(request, format_request, part, tokens) for part in parts]


def _command(request: MirroredRequest, whole: FormatRequest, part: FormatRequest, tokens: CommitTokens) -> StoreCommit:
    launch = _launch(request, whole, part)
    assert part.commit is not None  # noqa: S101 -- who calls this has looked
    received = received_commit(part.commit, payload_of(part, request.commit_request), request.received_at)
    marker = request.labels.launch or whole.launch
    return StoreCommit(
        replace(received, idempotency_key=request.idempotency_key),
        _session_id(launch, marker) if marker else None,
        request.lms.id,
        launch,
        request.commit_request.content_type,
        payload_of(part, request.commit_request),
        request.commit_request.metadata,
        tokens.browser_owner(request.lms.id, launch.learner.id, None),
    )


def _launch(request: MirroredRequest, whole: FormatRequest, part: FormatRequest) -> Launch:
    labels = request.labels
    learner, activity = labels.learner or whole.learner, part.sco or labels.activity
    if not learner:
        raise MalformedBody(
            "Nothing says whose this is: the body names no learner, so the proxy must send X-Mirror-Learner."
        )
    if not activity:
        raise MalformedBody(
            "Nothing says of what this is: the body names no SCO, so the proxy must send X-Mirror-Activity."
        )
    learner_id = request.lms.learner_ids.rewrite(learner)
    if learner_id is None:
        # who learners are stays out of the log
        raise MalformedField(
            f"The learner is not written as the LMS's pages write ids: {request.lms.learner_ids.describe()};"
            " `scorm-bridge lms change --learner-pattern` says how they do."
        )
    opening = {"learner": {"id": learner_id}, "activity": {"id": activity}}
    if course := labels.course or whole.course:
        opening["course"] = {"id": course}
    launch = native.parse_launch(opening, lms_id=request.lms.id).launch
    # a total that is of all SCOs together is none of them
    return replace(launch, data=replace(launch.data, source=BROWSER, of_package=True))


def _session_id(launch: Launch, marker: str) -> str:
    """Return the id of a launch's session: the same for each request of the launch, and no other session's."""
    what = (launch.learner.id, launch.activity.id, launch.course.id, marker)
    return str(uuid.uuid5(_SESSIONS, "\n".join((str(launch.lms_id), *what))))

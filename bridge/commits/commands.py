"""What can wait for the writer, and what comes of it."""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.access import CommitOwner
from bridge.commit_model.launch import Launch
from bridge.commit_model.response_types import EnrollmentSummary, LaunchedAttempt
from mappings.attempt.commit import ReceivedCommit


class OpenSession(msgspec.Struct, frozen=True, gc=False):
    """Open a session. Without a `session_id` one is made.

    `owner` is whose it is as budgets count, where a page opens it; else the launch says it.
    """

    launch: Launch
    session_id: str | None
    owner: CommitOwner | None = None


class StoreCommit(msgspec.Struct, frozen=True, gc=False):
    """Store a commit; its result is the response, as JSON.

    `lms_id` is None where the commit URL's token showed that the session may be written. With a `launch` the session
    is opened where it is unknown; without a `session_id` as well, the enrollment's open session is meant, or a new one.
    `request_metadata` is what came beside the body and says something of it, as JSON. `owner` is whose the session is,
    where the commit URL's token says so. `scos` are the SCO whose values these are, and after it the others of the same
    request, from players that post all SCOs of a package to one session.
    """

    received: ReceivedCommit
    session_id: str | None
    lms_id: int | None
    launch: Launch | None
    content_type: str
    body: bytes
    request_metadata: str | None = None
    owner: CommitOwner | None = None
    scos: tuple[str, ...] = ()


class CloseIdleSession(msgspec.Struct, frozen=True, gc=False):
    """End a session if nothing has come from it since a time, in milliseconds since the epoch.

    Its result is whether it was ended.
    """

    session_id: str
    idle_since: int
    launch: None = None


class BuildDocuments(msgspec.Struct, frozen=True, gc=False):
    """Build the documents of an attempt, which a session is of, if they are due by a time.

    Its result is how many were built.
    """

    session_id: str
    due: int
    launch: None = None


Command = OpenSession | StoreCommit | CloseIdleSession | BuildDocuments


class OpenedSession(msgspec.Struct, frozen=True, gc=False):
    """A session that is open now, with what its player is loaded with."""

    session_id: str
    attempt: LaunchedAttempt
    enrollment: EnrollmentSummary
    cmi: dict[str, Any]


CommandResult = OpenedSession | bytes | bool | int

"""What can wait for the writer, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.commits.launch import Launch
from mappings.attempt.commit import Arrival


@dataclass(frozen=True, slots=True)
class Opening:
    """A session to open. Without a `session_id` one is made."""

    launch: Launch
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Posting:
    """A commit to store.

    `lms_id` is None where the commit URL's token showed that the session may be written. With a `launch` the session
    is opened where it is unknown; without a `session_id` as well, the enrollment's open session is meant, or a new one.
    """

    arrival: Arrival
    session_id: str | None
    lms_id: int | None
    launch: Launch | None
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """A session to end if nothing has come from it since a time, in milliseconds since the epoch."""

    session_id: str
    idle_since: int
    launch: None = None


Work = Opening | Posting | Closing


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is open now, with what its player is loaded with."""

    session_id: str
    entry: str
    attempt: dict[str, Any]
    enrollment: dict[str, Any]
    cmi: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a commit, as JSON."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """A session was ended, or had something to say again."""

    ended: bool


Outcome = Opened | Answer | Closed

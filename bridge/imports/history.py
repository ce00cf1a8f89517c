"""What a source gives: attempts of learners with their sessions and commits, and ids that are made of it alone.

Importing the same history again, or into another database, gives the same sessions, attempts and statements.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from bridge.commit_model.launch import Launch, PastLaunch, validate_launch
from bridge.commits.commands import StoreCommit
from bridge.formats import CommitRequest, native
from bridge.formats.lenient_json import decode
from mappings.attempt.commit import ReceivedCommit
from mappings.cmi import parse_cmi
from mappings.cmi.tree import Tree

JSON = "application/json"
_NAMESPACE = uuid.UUID("6f3f3f0e-2a39-5f0e-9d57-b1a4f2a7c0de")
_encode = msgspec.json.Encoder().encode


class PastCommit(NamedTuple):
    """CMI data at a time, in milliseconds since the epoch, as the tree `{"cmi": {…}}`.

    `terminated`: whether its content ended the session with it, None where the source does not say.
    """

    at: int
    tree: Tree
    terminated: bool | None = None


class PastSession(NamedTuple):
    """A launch with its commits in their order. `key` tells it from the others of its source.

    `session_id` is the LMS's own, empty where the source has none.
    """

    key: str
    opened_at: int
    commits: tuple[PastCommit, ...]
    session_id: str = ""


class PastAttempt(NamedTuple):
    """An attempt of a learner. `launch` says whose it is, and its number where the source counts attempts.

    `rows` is how many rows of the source it was read from.
    """

    key: str
    launch: Launch
    sessions: tuple[PastSession, ...]
    rows: int = 1


class SkippedRows(NamedTuple):
    """Rows of a source that are not imported: which, and why."""

    key: str
    reason: str
    rows: int = 1


class Source(Protocol):
    """Where a history is read from."""

    name: str
    """As the command line has it; it is part of what ids are made of."""

    def count(self) -> int | None:
        """Return how many rows there are, None where that is not known beforehand."""

    def read(self, lms_id: int) -> Iterator[PastAttempt | SkippedRows]:
        """Yield attempts: those of one learner with an activity together, in the order they began.

        Raises:
            SourceError: it cannot be read.
        """


class SourceError(RuntimeError):
    """A source cannot be read; the message says what is wrong with it, and what to do."""


def session_id_of(source: str, lms_id: int, session: PastSession) -> str:
    """Return the id of a session: the LMS's own where it is a UUID, else one that is made of the source's."""
    if session.session_id:
        try:
            return str(uuid.UUID(session.session_id))
        except ValueError:
            pass
    return str(uuid.uuid5(_NAMESPACE, f"{lms_id}\n{source}\nsession\n{session.key}"))


def attempt_id_of(source: str, lms_id: int, attempt: PastAttempt) -> str:
    """Return the UUID of an attempt."""
    return str(uuid.uuid5(_NAMESPACE, f"{lms_id}\n{source}\nattempt\n{attempt.key}"))


class SessionCommands(NamedTuple):
    """The commands that store a session's commits."""

    session_id: str
    last_at: int
    commands: list[StoreCommit]


def session_commands(source: str, attempt: PastAttempt) -> list[SessionCommands]:
    """Return what stores an attempt's commits, session by session.

    Raises:
        BridgeError: an id or a value cannot be stored.
    """
    launch, _warnings = validate_launch(attempt.launch)
    attempt_id = attempt_id_of(source, launch.lms_id, attempt)
    registration = str(uuid.uuid5(_NAMESPACE, "\n".join(("registration", *map(str, launch.key)))))
    all_commands: list[SessionCommands] = []
    for session in attempt.sessions:
        session_id = session_id_of(source, launch.lms_id, session)
        past = replace(launch, past=PastLaunch(session.opened_at, attempt_id, registration))
        commands = [_command(session_id, past, commit) for commit in session.commits]
        all_commands.append(SessionCommands(session_id, session.commits[-1].at, commands))
    return all_commands


def _command(session_id: str, launch: Launch, commit: PastCommit) -> StoreCommit:
    content: dict[str, Any] = {**commit.tree}
    if launch.scorm_version is not None:
        content["scorm_version"] = launch.scorm_version
    if commit.terminated is not None:
        content["terminated"] = commit.terminated
    # as the bridge's own format, so that a replay reads it as any other commit
    body = _encode(content)
    request = CommitRequest(body, JSON)
    parsed = native.parse_commit(native.parse_all_in_one(body) or decode(body), request)
    received = ReceivedCommit(
        commit=parsed,
        parsed_cmi=parse_cmi(parsed.tree, declared=parsed.scorm_version),
        digest=hashlib.sha256(body).hexdigest(),
        received_at=commit.at,
    )
    return StoreCommit(received, session_id, launch.lms_id, launch, JSON, body)

"""Loads the stored history of enrollments for a replay: each commit is decoded again from its body."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter

import msgspec
from sqlalchemy import Connection

from bridge import formats
from bridge.commit_model.state_codec import decode_session_state
from bridge.commit_model.statement_context import statement_context
from bridge.errors import BridgeError
from bridge.formats import CommitRequest, native
from bridge.formats.commit_request import RequestMetadata
from mappings.analysis.replay import AttemptHistory, JournalledCommit, SessionHistory
from mappings.attempt.commit import Commit, ReceivedCommit
from mappings.cmi import parse_cmi
from storage import journal_replay
from storage.journal_replay import JournalRow, StoredHistory

_decode_metadata = msgspec.json.Decoder(RequestMetadata).decode
_NO_METADATA = RequestMetadata()


class UnreadableCommitError(ValueError):
    """A stored commit that this release cannot decode as the one that stored it could."""


class RemovedCommitError(UnreadableCommitError):
    """A stored commit whose content was removed as it had become old."""


class EnrollmentHistory(msgspec.Struct, frozen=True):
    """An enrollment: the ids of its attempts' rows by session id, its attempts, and its commits in their order."""

    enrollment_id: int
    attempt_ids: dict[str, int]
    attempts: list[AttemptHistory]
    commits: Iterator[JournalRow]


def enrollment_histories(connection: Connection, enrollment_ids: Sequence[int]) -> Generator[EnrollmentHistory]:
    """Yield enrollments in the order of their ids. The commits of each must be consumed before the next one.

    Where not all are consumed, the generator must be closed before the connection.

    Names are those that the LMS sent last: earlier ones are not stored.
    """
    by_id = {history.enrollment.id: history for history in journal_replay.histories(connection, enrollment_ids)}
    with closing(journal_replay.commits(connection, enrollment_ids)) as rows:
        for enrollment_id, commits in groupby(rows, key=attrgetter("enrollment_id")):
            history = by_id[enrollment_id]
            yield EnrollmentHistory(enrollment_id, _attempt_ids(history), _attempts(history), commits)


def decode_commit(row: JournalRow) -> JournalledCommit:
    """Decode a stored commit for the replay.

    Raises:
        UnreadableCommitError: this release cannot.
    """
    commit = read_commit(row)
    arrival = ReceivedCommit(
        commit=commit,
        parsed_cmi=parse_cmi(commit.tree, declared=commit.scorm_version),
        digest=row.digest,
        received_at=row.received_at,
        idempotency_key=row.idempotency_key,
    )
    return JournalledCommit(row.session_id, row.number, arrival)


def read_commit(row: JournalRow) -> Commit:
    """Parse a stored commit's body by its wire format.

    Raises:
        UnreadableCommitError: this release cannot.
        RemovedCommitError: the body was removed.
    """
    if row.body is None:
        raise RemovedCommitError(
            f"The content of commit {row.number} of session {row.session_id} was removed after the time that the"
            " setting `commits` of [retention] says. What its enrollment's commits came to stays; they cannot be"
            " explained, replayed or re-issued any more."
        )
    metadata = _NO_METADATA if row.request_metadata is None else _decode_metadata(row.request_metadata)
    request = CommitRequest(bytes(row.body), row.content_type, metadata.query, metadata.no_cors)
    try:
        if row.wire_format == native.FORMAT.name:
            whole = native.parse_all_in_one(request.body)
            if whole is not None and (whole.cmi is not None or whole.cmi_data is not None):
                return native.parse_commit(whole, request)
        commit = _detect(row, request) or formats.parse_as(formats.BY_NAME[row.wire_format], request).commit
    except (BridgeError, KeyError) as error:
        raise UnreadableCommitError(
            f"Commit {row.number} of session {row.session_id} cannot be read: {error}"
        ) from error
    if commit is None:
        raise UnreadableCommitError(f"Commit {row.number} of session {row.session_id} has nothing in it.")
    return commit


def _detect(row: JournalRow, request: CommitRequest) -> Commit | None:
    """Return the commit as its format is detected, None where it was posted to another format's own address."""
    try:
        commit = formats.detect(request)[1].commit
    except BridgeError:
        return None
    return commit if commit is not None and commit.wire_format == row.wire_format else None


def _attempts(history: StoredHistory) -> list[AttemptHistory]:
    sessions: dict[int, list[SessionHistory]] = {}
    for row in history.sessions:
        state = decode_session_state(row.state)
        sessions.setdefault(row.attempt.id, []).append(
            SessionHistory(
                row.session_id,
                state.number,
                state.history_length_at_open,
                state.idle_end_positions,
                state.launch,
                state.launched_at,
                state.prior_total_time,
                state.overlap_positions,
                state.course_completion_position,
            )
        )
    return [AttemptHistory(statement_context(row, ""), sessions.get(row.id, [])) for row in history.attempts]


def _attempt_ids(history: StoredHistory) -> dict[str, int]:
    return {row.session_id: row.attempt.id for row in history.sessions}

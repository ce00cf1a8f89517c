"""What is stored of enrollments, as the pure core replays it: each commit is read again from its body."""

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
from mappings.analysis.replay import AttemptStory, Received, SessionStory
from mappings.attempt.commit import Commit, ReceivedCommit
from mappings.cmi import parse_cmi
from storage import journal_replay
from storage.journal_replay import JournalRow, StoredHistory

_beside = msgspec.json.Decoder(RequestMetadata).decode
_NOTHING = RequestMetadata()


class UnreadableError(ValueError):
    """A commit in the journal that this release cannot read as the one that took it could."""


class EnrollmentHistory(msgspec.Struct, frozen=True):
    """An enrollment with the numbers of its attempts' rows, by session id, and its commits in their order."""

    enrollment_id: int
    attempt_ids: dict[str, int]
    attempts: list[AttemptStory]
    commits: Iterator[JournalRow]


def enrollment_histories(connection: Connection, enrollment_ids: Sequence[int]) -> Generator[EnrollmentHistory]:
    """Give enrollments in the order of their ids. The commits of each must be taken before the next one is.

    Where not all are taken, this must be closed before the connection is.

    Names are those that the LMS told last: what it told before is not kept.
    """
    whole = journal_replay.histories(connection, enrollment_ids)
    its = {history.enrollment.id: history for history in whole}
    with closing(journal_replay.commits(connection, enrollment_ids)) as rows:
        for enrollment_id, commits in groupby(rows, key=attrgetter("enrollment_id")):
            history = its[enrollment_id]
            yield EnrollmentHistory(enrollment_id, _attempt_ids(history), _attempts(history), commits)


def received(row: JournalRow) -> Received:
    """Read a commit again.

    Raises:
        UnreadableError: this release cannot.
    """
    commit = read_commit(row)
    arrival = ReceivedCommit(
        commit=commit,
        parsed_cmi=parse_cmi(commit.tree, declared=commit.scorm_version),
        digest=row.digest,
        received_at=row.received_at,
        idempotency_key=row.idempotency_key,
    )
    return Received(row.session_id, row.number, arrival)


def read_commit(row: JournalRow) -> Commit:
    """Read a commit's body by its wire format.

    Raises:
        UnreadableError: this release cannot.
    """
    beside = _NOTHING if row.request_metadata is None else _beside(row.request_metadata)
    post = CommitRequest(bytes(row.body), row.content_type, beside.query, beside.no_cors)
    try:
        if row.wire_format == native.FORMAT.name:
            whole = native.parse_all_in_one(post.body)
            if whole is not None and (whole.cmi is not None or whole.cmi_data is not None):
                return native.parse_commit(whole, post)
        commit = _recognised(row, post) or formats.read(formats.BY_NAME[row.wire_format], post).commit
    except (BridgeError, KeyError) as error:
        raise UnreadableError(f"Commit {row.number} of session {row.session_id} cannot be read: {error}") from error
    if commit is None:
        raise UnreadableError(f"Commit {row.number} of session {row.session_id} has nothing in it.")
    return commit


def _recognised(row: JournalRow, post: CommitRequest) -> Commit | None:
    """Give the commit as it is recognised, None where it came through the door of a format that it is not told from."""
    try:
        commit = formats.detect(post)[1].commit
    except BridgeError:
        return None
    return commit if commit is not None and commit.wire_format == row.wire_format else None


def _attempts(history: StoredHistory) -> list[AttemptStory]:
    sessions: dict[int, list[SessionStory]] = {}
    for row in history.sessions:
        state = decode_session_state(row.state)
        sessions.setdefault(row.attempt.id, []).append(
            SessionStory(
                row.session_id,
                state.number,
                state.history_length_at_open,
                state.idle_end_positions,
                state.launch,
                state.launched_at,
                state.prior_total_time,
                state.overlap_positions,
            )
        )
    return [AttemptStory(statement_context(row, ""), sessions.get(row.id, [])) for row in history.attempts]


def _attempt_ids(history: StoredHistory) -> dict[str, int]:
    return {row.session_id: row.attempt.id for row in history.sessions}

"""One commit applied to its attempt and session: the pure heart of the commit path."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Change, find_changes
from mappings.attempt.clock import spend
from mappings.attempt.commit import Arrival, Commit, Disposition, Earlier
from mappings.attempt.guards import judge, terminates
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.cmi import scores
from mappings.cmi.merge import merge
from mappings.cmi.snapshot import Snapshot, at_launch
from mappings.cmi.warnings import CmiWarning, warn


class Fold(msgspec.Struct, frozen=True):
    """What a commit did. Where it did nothing (a duplicate), the states are the ones given and `changes` is empty.

    `at` is the time that statements about it carry: milliseconds since the epoch, never after it was received and
    never before the attempt's last statement.
    """

    disposition: Disposition
    attempt: AttemptState
    session: SessionState
    at: int
    changes: tuple[Change, ...] = ()
    warnings: tuple[CmiWarning, ...] = ()
    duplicate_of: int | None = None


def fold(attempt: AttemptState, session: SessionState, arrival: Arrival, *, earlier: Sequence[Earlier] = ()) -> Fold:
    """Judge a commit, merge what it says, find what it changed.

    `earlier` are the session's journalled commits; they may be left out where `guards.may_repeat` says so.
    """
    commit, said, received_at = arrival.commit, arrival.reading.snapshot, arrival.received_at
    disposition, duplicate_of = judge(attempt, session, arrival, earlier)
    if disposition == "duplicate":
        return Fold(disposition, attempt, session, received_at, duplicate_of=duplicate_of)
    at, warnings = _date(attempt, commit, received_at)
    # after the end, only a client that counts its commits can prove that it has news
    newest_session = session.number >= attempt.sessions
    newer = disposition == "applied" or (
        disposition == "late" and newest_session and commit.sequence is not None and commit.sequence > session.sequence
    )
    after = spend(session, said, older=not newer)
    before = attempt.snapshot if session.commits else at_launch(attempt.snapshot)
    known = merge(before, said, older=not newer)
    finding = scores.finding(known) if _tells_score(said) else None
    if finding is not None:
        warnings = (*warnings, finding)
    # a last commit that was overtaken is the last one all the same
    ended = None if disposition == "late" or not terminates(session, commit, said) else _ending(merge(known, said))
    changes = find_changes(
        before,
        known,
        told=attempt.score,
        started=attempt.commits == 0,
        resumed=session.resumes and session.commits == 0,
        ended=ended,
    )
    if disposition == "applied":
        after = replace(
            after,
            commits=session.commits + 1,
            ended=ended,
            digest=arrival.digest,
            applied_at=received_at,
            tells_total_time=said.total_time is not None,
            hid_total_time=session.hid_total_time or said.total_time is None,
            interactions=max(session.interactions, len(said.interactions or ())),
        )
    elif ended is not None:
        after = replace(after, ended=ended)
    if commit.sequence is not None:
        after = replace(
            after,
            sequence=commit.sequence if newer else after.sequence,
            highest=max(after.highest, commit.sequence),
        )
    before_time, after_time = session.base_time + session.spent, after.base_time + after.spent
    return Fold(
        disposition,
        replace(
            attempt,
            snapshot=known,
            score=scores.score(known) or attempt.score,
            commits=attempt.commits + 1,
            # a session that was followed by another has no say in whether the attempt is over
            ended=ended if newest_session and (ended or disposition == "applied") else attempt.ended,
            total_time=attempt.total_time + after_time - before_time,
        ),
        after,
        at,
        changes,
        (*arrival.reading.warnings, *warnings),
    )


def _date(attempt: AttemptState, commit: Commit, received_at: int) -> tuple[int, tuple[CmiWarning, ...]]:
    if commit.committed_at is None or commit.committed_at <= received_at:
        return max(commit.committed_at or received_at, attempt.timestamp), ()
    future = warn(
        "future-time", "committed_at", str(commit.committed_at), "lies in the future; the time of arrival is used"
    )
    return max(received_at, attempt.timestamp), (future,)


def _ending(known: Snapshot) -> Ending:
    suspended = known.exit == "suspend" or known.nav_request == "suspendAll"
    return "suspended" if suspended else "terminated"


def _tells_score(said: Snapshot) -> bool:
    return said.score_raw is not None or said.score_min is not None or said.score_max is not None

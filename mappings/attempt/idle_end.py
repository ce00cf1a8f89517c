"""Ending a session that never said that it ended."""

from __future__ import annotations

from msgspec.structs import replace

from mappings.attempt.changes import ending_change, find_changes
from mappings.attempt.commit import Disposition
from mappings.attempt.merging import at_end
from mappings.attempt.pass_marks import decides_at_end
from mappings.attempt.policy import DEFAULT_POLICY, StatusPolicy
from mappings.attempt.precedence import is_superseded
from mappings.attempt.score_deferral import without_score
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.attempt.update import AttemptUpdate


def end_idle(
    attempt: AttemptState,
    session: SessionState,
    idle: Ending,
    policy: StatusPolicy = DEFAULT_POLICY,
    *,
    overlapped: bool = False,
) -> AttemptUpdate:
    """End an open session as of its last commit. It goes on when something comes from it all the same.

    Content that had announced `exit` = `suspend` is believed, as is any other exit that it spoke last where its client
    cannot say that a commit is the last one; otherwise the session ends as `idle` says, and so does one that is
    `overlapped` by a later session of the learner. Answers and a score that content was still writing are told now. A
    session without commits ends without changes: it was opened, never played. So does a page's where the LMS's server
    leads.
    """
    turn = attempt.history_length + 1
    history = (*session.idle_end_positions, turn)
    if session.commits == 0 or is_superseded(attempt, session):
        return AttemptUpdate(
            Disposition.APPLIED,
            replace(attempt, idle_ends=attempt.idle_ends + 1),
            replace(session, ended=Ending.ABANDONED, ended_idle=True, idle_end_positions=history),
            session.applied_at,
        )
    ended = idle if overlapped else _ending(session, idle)
    emitted = (
        attempt.snapshot
        if attempt.emitted_interactions is None
        else replace(attempt.snapshot, interactions=attempt.emitted_interactions)
    )
    last, after = attempt.score, attempt
    if attempt.score_pending_session == session.number:
        emitted, last = without_score(emitted), attempt.last_emitted_score
        after = replace(attempt, score_pending_session=None, last_emitted_score=None)
    snapshot = attempt.snapshot
    if _left(session) and decides_at_end(snapshot, session, ended, policy):
        snapshot = at_end(snapshot, policy)
    newest = session.number >= attempt.latest_active_session
    return AttemptUpdate(
        Disposition.APPLIED,
        replace(
            after,
            snapshot=snapshot,
            emitted_interactions=None,
            idle_ends=attempt.idle_ends + 1,
            ended=ended if newest else attempt.ended,
            broken_off=session.exit != "suspend" and not _left(session) if newest else attempt.broken_off,
        ),
        replace(
            session,
            ended=ended,
            ended_idle=True,
            idle_end_positions=history,
            emitted_time=session.time_spent,
            overlap_positions=(*session.overlap_positions, turn) if overlapped else session.overlap_positions,
        ),
        max(session.applied_at, attempt.timestamp),
        (*find_changes(emitted, snapshot, last_score=last), ending_change(ended, session)),
    )


def _ending(session: SessionState, idle: Ending) -> Ending:
    if session.exit == "suspend":
        return Ending.SUSPENDED
    return Ending.TERMINATED if _left(session) else idle


def _left(session: SessionState) -> bool:
    """Return whether the content said that it was left, and its client knew no other way to say so."""
    return session.cannot_signal_end and bool(
        session.exit in {"normal", "logout", "time-out"} or (session.exit == "" and session.exit_was_set)
    )

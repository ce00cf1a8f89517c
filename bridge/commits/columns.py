"""The columns of enrollments, attempts and sessions: what their states say, where lists and reports look for it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.commits.open_sessions import OpenSession
from mappings.attempt.changes import Change
from mappings.cmi.scores import Score
from storage.attempts import Attempt, Enrollment


def update(session: OpenSession, time_before: int, received_at: int, changes: Sequence[Change]) -> None:
    """Bring the columns up to the states after a commit; `time_before` is the attempt's total time before it."""
    row, state = session.row, session.state
    if state.ended is not None and row.ended is None:
        row.ended, row.ended_at = state.ended, received_at
    attempt = session.attempt.row
    _update_attempt(attempt, session, received_at)
    _update_enrollment(attempt, session.attempt.state.total_time - time_before, received_at)
    update_best(attempt.enrollment, changes)


def _update_attempt(row: Attempt, session: OpenSession, received_at: int) -> None:
    state = session.attempt.state
    known, value = state.snapshot, state.score or Score()
    row.scorm_version = row.scorm_version or known.scorm_version
    row.status = state.ended or "active"
    row.completion_status, row.success_status = known.completion_status, known.success_status
    row.score_scaled, row.score_raw, row.score_min, row.score_max = value.scaled, value.raw, value.min, value.max
    row.progress_measure = known.progress_measure
    row.total_time = state.total_time
    row.last_commit_at = received_at
    row.changed = True


_COMPLETION = {None: 0, "unknown": 0, "not attempted": 1, "incomplete": 2, "completed": 3}
_SUCCESS = {None: 0, "unknown": 0, "failed": 1, "passed": 2}


def _update_enrollment(row: Attempt, spent: int, received_at: int) -> None:
    owner: Enrollment = row.enrollment
    if _COMPLETION[row.completion_status] > _COMPLETION[owner.completion_status]:
        owner.completion_status = row.completion_status
    if _SUCCESS[row.success_status] > _SUCCESS[owner.success_status]:
        owner.success_status = row.success_status
    owner.total_time += spent
    owner.first_commit_at = owner.first_commit_at or received_at
    owner.last_commit_at = max(received_at, owner.last_commit_at or 0)
    owner.changed = True


def update_best(owner: Enrollment, changes: Sequence[Change]) -> None:
    """Keep the best of the scores that were told: one that is still being written can be of another scale."""
    for change in changes:
        if change.trigger == "score.changed" and _better(change.after, owner):
            best: Score = change.after
            owner.best_scaled, owner.best_raw, owner.best_min, owner.best_max = (
                best.scaled,
                best.raw,
                best.min,
                best.max,
            )
            owner.changed = True


def _better(one: Score, owner: Enrollment) -> bool:
    """Compare scores by `scaled`, which is comparable across ranges, and by `raw` only where neither has one."""
    if one.scaled is not None or owner.best_scaled is not None:
        lowest = float("-inf")
        ours = lowest if one.scaled is None else one.scaled
        return ours > (lowest if owner.best_scaled is None else owner.best_scaled)
    return one.raw is not None and (owner.best_raw is None or one.raw > owner.best_raw)

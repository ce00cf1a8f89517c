"""The columns of enrollments, attempts and sessions: what their states say, where lists and reports look for it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from bridge.commits.session_cache import CachedAttempt, CachedSession
from mappings.attempt.changes import Change, Trigger
from mappings.attempt.state import AttemptState
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from storage.attempts import Attempt, Enrollment
from storage.states import AttemptStatus


def update(session: CachedSession, before: AttemptState, received_at: int, changes: Sequence[Change]) -> None:
    """Update the columns to the states after a commit; `before` is the attempt's state before it.

    Of an attempt that another one has followed, `UnitOfWork.load_best_of_others` comes before it.
    """
    update_session(session, received_at)
    attempt, state = session.attempt, session.attempt.state
    owner = attempt.row.enrollment
    if before.commits == 0:
        attempt.state = state = replace(state, best_of_others=best_of(owner))
        owner.total_attempts += 1
        owner.latest_attempt = max(owner.latest_attempt, attempt.row.number)
    update_attempt(attempt)
    attempt.row.last_commit_at = received_at
    owner.first_commit_at = owner.first_commit_at or received_at
    owner.last_commit_at = max(received_at, owner.last_commit_at or 0)
    owner.changed = True
    if session.state.for_credit:
        owner.total_time += state.total_time - before.total_time
        update_statuses(attempt.row, changes)
    update_best(attempt)


def update_session(session: CachedSession, at: int) -> None:
    """Update a session's columns to its state; it ended or goes on at a time in milliseconds since the epoch."""
    row, ended = session.row, session.state.ended
    if row.ended != ended:
        row.ended, row.ended_at = ended, None if ended is None else at
    row.changed = True


def update_attempt(attempt: CachedAttempt) -> None:
    """Update an attempt's columns to its state."""
    row, state = attempt.row, attempt.state
    snapshot, value = state.snapshot, state.score or Score()
    row.scorm_version = row.scorm_version or snapshot.scorm_version
    row.status = state.ended or AttemptStatus.ACTIVE.value
    row.completion_status, row.success_status = snapshot.completion_status, snapshot.success_status
    row.score_scaled, row.score_raw, row.score_min, row.score_max = value.scaled, value.raw, value.min, value.max
    row.progress_measure = snapshot.progress_measure
    row.total_time = state.total_time
    row.changed = True


_COMPLETED, _UNKNOWN = CompletionStatus.COMPLETED, SuccessStatus.UNKNOWN
_COMPLETION_COMPLETED = Trigger.COMPLETION_COMPLETED
_SUCCESS_PASSED, _SUCCESS_FAILED = Trigger.SUCCESS_PASSED, Trigger.SUCCESS_FAILED
_PASSED, _FAILED = SuccessStatus.PASSED, SuccessStatus.FAILED
_COMPLETION: dict[str | None, int] = {None: 0, **{status: rank for rank, status in enumerate(CompletionStatus)}}
_SUCCESS: dict[str | None, int] = {None: 0, **{status: rank for rank, status in enumerate(SuccessStatus)}}


def update_statuses(row: Attempt, changes: Sequence[Change]) -> None:
    """Raise the enrollment to what changes reached; what a session without credit reached before does not count."""
    owner: Enrollment = row.enrollment
    reached = {change.trigger for change in changes}
    completion = row.completion_status
    if completion == _COMPLETED and _COMPLETION_COMPLETED not in reached:
        completion = None
    if _COMPLETION[completion] > _COMPLETION[owner.completion_status]:
        owner.completion_status = completion
        owner.changed = True
    success: str | None = _PASSED if _SUCCESS_PASSED in reached else _FAILED if _SUCCESS_FAILED in reached else None
    if success is None and row.success_status == _UNKNOWN:
        success = _UNKNOWN
    if _SUCCESS[success] > _SUCCESS[owner.success_status] or (success and owner.success_status is None):
        owner.success_status = success
        owner.changed = True


def set_statuses(owner: Enrollment, rows: Sequence[Attempt]) -> None:
    """Set the enrollment's statuses to the best of attempts."""
    owner.completion_status = max((row.completion_status for row in rows), key=_COMPLETION.__getitem__, default=None)
    owner.success_status = max((row.success_status for row in rows), key=_SUCCESS.__getitem__, default=None)
    owner.changed = True


def best_of(owner: Enrollment) -> Score | None:
    """Return the enrollment's best score."""
    if owner.best_scaled is None and owner.best_raw is None:
        return None
    return Score(owner.best_scaled, owner.best_raw, owner.best_min, owner.best_max)


def update_best(attempt: CachedAttempt) -> None:
    """Set the enrollment's best score to the best of its attempts' results, after this attempt's may have changed."""
    owner, state = attempt.row.enrollment, attempt.state
    set_best(owner, better(state.best_of_others, state.score if state.for_credit else None))


def set_best(owner: Enrollment, best: Score | None) -> None:
    """Set the enrollment's best score."""
    value = best or Score()
    parts = value.scaled, value.raw, value.min, value.max
    if parts != (owner.best_scaled, owner.best_raw, owner.best_min, owner.best_max):
        owner.best_scaled, owner.best_raw, owner.best_min, owner.best_max = parts
        owner.changed = True


def better(first: Score | None, second: Score | None) -> Score | None:
    """Return the better of two scores, the first where they are equal.

    They are compared by `scaled`, which is comparable across ranges, and by `raw` only where neither has one.
    """
    if first is None or second is None:
        return first or second
    if first.scaled is not None or second.scaled is not None:
        return second if _value(second.scaled) > _value(first.scaled) else first
    return second if _value(second.raw) > _value(first.raw) else first


def _value(part: float | None) -> float:
    return float("-inf") if part is None else part

"""Merging a commit into its attempt: what is news, which result counts, what marks decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mappings.attempt import pass_marks, result
from mappings.attempt.commit import Commit
from mappings.attempt.field_order import SplitCommit
from mappings.attempt.interaction_scope import begin_interactions, without_foreign
from mappings.attempt.launch import NO_LAUNCH_DATA
from mappings.attempt.policy import ResultPolicy, StatusPolicy
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.cmi.merge import altered_interactions, merge
from mappings.cmi.snapshot import (
    EMPTY,
    SETTLED_SUCCESS,
    CompletionStatus,
    LessonStatus,
    ScoreFields,
    Snapshot,
    SuccessStatus,
    at_launch,
    in_mask,
)
from mappings.cmi.values import LESSON_STATUS

_PASSED, _UNKNOWN, _COMPLETED = SuccessStatus.PASSED, SuccessStatus.UNKNOWN, CompletionStatus.COMPLETED
_BEST = ResultPolicy.BEST
_LESSON_FAILED = LessonStatus.FAILED


class MergeResult(msgspec.Struct, frozen=True, gc=False):
    """The snapshots before and after a commit, and what is remembered of its result.

    `altered` are the commit's interactions that are not known by the same bytes, each decoded, by index; None where
    it has none or was not merged as one.
    """

    before: Snapshot
    after: Snapshot
    own_interactions: tuple[str, ...]
    passed_score: ScoreFields | None
    completion_by_threshold: bool
    success_by_passing_score: bool
    altered: Mapping[str, Any] | None = None


def merge_commit(
    attempt: AttemptState,
    session: SessionState,
    commit: Commit,
    parts: SplitCommit,
    *,
    newest_session: bool,
    ended: Ending | None,
    policy: StatusPolicy,
) -> MergeResult:
    """Return what a commit makes of its attempt's snapshot.

    Args:
        attempt: as it is before the commit.
        session: the session after the commit, but for its end.
        commit: as its wire format told it.
        parts: what it says, news apart from what is older.
        newest_session: no later session of the attempt had a commit.
        ended: how the commit ends the session, None where it does not.
        policy: how the mapping document wants statuses to be understood.
    """
    incoming, older = parts.newest, parts.older
    before = attempt.snapshot if session.commits or not newest_session else at_launch(attempt.snapshot)
    written = session.own_interactions
    if newest_session:
        before, written = begin_interactions(before, session, incoming, settled=commit.settled)
    else:
        incoming, older = without_foreign(before, incoming, older=False), without_foreign(before, older, older=True)
    if session.launch is not NO_LAUNCH_DATA and (launch_fields := session.launch.content_fields()):
        # the LMS's word wins over what its player or its content make of it
        incoming = replace(incoming, **launch_fields)
    as_one = incoming.interactions is not None and newest_session and older is EMPTY
    altered = altered_interactions(before, incoming) if as_one else None
    cleared = _cleared(session, commit, parts.cleared) if parts.cleared else parts.cleared
    word = result.success_word(session, incoming, before, echoes=commit.echoes)
    if word is None and incoming.success_status is not None:
        incoming = replace(incoming, success_status=None)
    by_mark = False
    decided = pass_marks.success_by_passing_score(attempt, before, incoming, word, policy)
    if decided is not None and word != decided:
        word, by_mark = decided, True
        incoming = replace(incoming, success_status=decided)
    passed_score = attempt.passed_score
    keeps_passed = result.keeps_passed(before, word, policy)
    if keeps_passed:
        incoming = result.without_result(incoming)
        cleared -= _RESULT
    elif word == _UNKNOWN and before.success_status in SETTLED_SUCCESS:
        incoming = replace(incoming, success_status=_UNKNOWN)
    raised, snapshot = None, before
    if older is not EMPTY:
        raised, older = _raising(session, commit, before, older, policy)
        snapshot = merge(before, older, older=True)
    snapshot = merge(
        snapshot,
        incoming,
        cleared=cleared,
        clears_items=newest_session and (not commit.echoes or session.number == 1 or session.commits > 0),
        altered=altered,
    )
    if keeps_passed:
        snapshot = snapshot if passed_score is None else result.with_score(snapshot, passed_score)
        passed_score = None
    else:
        passed_score = _passed_score(before, snapshot, passed_score, policy) if word is None else None
    if raised is not None:
        snapshot = replace(result.with_score(snapshot, result.score_fields(parts.older)), success_status=raised)
        passed_score = None
    return _decided_by_marks(
        attempt,
        session,
        MergeResult(
            before,
            result.with_lesson_status(before, snapshot, incoming if older is EMPTY else merge(older, incoming)),
            written,
            passed_score,
            attempt.completion_by_threshold and incoming.completion_status in pass_marks.OPEN_COMPLETION,
            by_mark if word is not None else attempt.success_by_passing_score,
            altered,
        ),
        incoming,
        ended,
        policy,
    )


def _passed_score(
    before: Snapshot, snapshot: Snapshot, passed_score: ScoreFields | None, policy: StatusPolicy
) -> ScoreFields | None:
    """Return the score of a passed result once another is said without a word on success.

    A failing status may follow it: what was passed then stands again.
    """
    if before.success_status != _PASSED or policy.result is not _BEST:
        return passed_score
    score_before = result.score_fields(before)
    return (passed_score or score_before) if result.score_fields(snapshot) != score_before else passed_score


def _raising(
    session: SessionState, commit: Commit, before: Snapshot, older: Snapshot, policy: StatusPolicy
) -> tuple[SuccessStatus | None, Snapshot]:
    """Return the success that an older part raises the attempt to, and the part without what it has no say in."""
    raised = result.raised_by(before, older, overruled=_is_overruled(session, commit, policy))
    if older.success_status is not None or before.success_status in SETTLED_SUCCESS:
        older = result.without_result(older)
    return raised, older


_RESULT = frozenset({"score_raw", "score_min", "score_max", "score_scaled"})


def _decided_by_marks(
    attempt: AttemptState,
    session: SessionState,
    merged: MergeResult,
    incoming: Snapshot,
    ended: Ending | None,
    policy: StatusPolicy,
) -> MergeResult:
    snapshot = merged.after
    if (
        policy.failed_completes
        and incoming.lesson_status == _LESSON_FAILED
        and snapshot.completion_status != _COMPLETED
    ):
        snapshot = replace(snapshot, completion_status=_COMPLETED)
    if snapshot.completion_threshold is not None:
        completed = pass_marks.with_completion(attempt, snapshot, incoming, policy)
        if completed is not None:
            return replace(merged, after=completed, completion_by_threshold=True)
    if ended is not None and pass_marks.decides_at_end(snapshot, session, ended, policy):
        snapshot = at_end(snapshot, policy)
    return merged if snapshot is merged.after else replace(merged, after=snapshot)


def at_end(snapshot: Snapshot, policy: StatusPolicy) -> Snapshot:
    """Return the snapshot after SCORM 1.2's rules for the end of a session for credit."""
    status = pass_marks.status_at_end(snapshot, policy)
    if status is None or (policy.result is _BEST and snapshot.success_status == _PASSED and status == _LESSON_FAILED):
        return snapshot
    completion, success = LESSON_STATUS[status]
    if status == _LESSON_FAILED and policy.failed_completes:
        completion = _COMPLETED
    return replace(
        snapshot,
        scorm_version="1.2",
        lesson_status=status,
        completion_status=completion or snapshot.completion_status,
        success_status=success or snapshot.success_status,
    )


def _is_overruled(session: SessionState, commit: Commit, policy: StatusPolicy) -> frozenset[str]:
    """Return the words on success that an older commit has no say with: a newer commit had its own."""
    if commit.echoes or commit.full:
        overruled = session.commits > 0
    else:
        overruled = commit.sequence is not None and any(
            session.last_sequence_by_field.get(field, -1) > commit.sequence
            for field in ("lesson_status", "success_status")
        )
    if not overruled:
        return _NO_WORDS
    return _FAILED if policy.result is _BEST else SETTLED_SUCCESS


_NO_WORDS: frozenset[SuccessStatus] = frozenset()
_FAILED = frozenset({SuccessStatus.FAILED})


_EXIT = frozenset({"exit"})


def _cleared(session: SessionState, commit: Commit, cleared: frozenset[str]) -> frozenset[str]:
    """Return the fields that a commit empties: those it set itself, not those its player was not loaded with."""
    cleared = cleared - _EXIT
    if not commit.echoes or session.number == 1:
        return cleared
    return frozenset(field for field in cleared if in_mask(field, session.asserted_fields))

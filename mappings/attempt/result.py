"""The result of an attempt: success and the score that belongs to it, one pair.

A status carries the score that its content had reported by then. What of several results is the attempt's is for the
mapping document to say (`StatusPolicy.result`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from mappings.attempt.policy import ResultPolicy, StatusPolicy
from mappings.attempt.state import SessionState
from mappings.cmi.snapshot import (
    SCORE_FIELDS,
    SETTLED_SUCCESS,
    CompletionStatus,
    LessonStatus,
    ScoreFields,
    Snapshot,
    SuccessStatus,
    in_mask,
)

# bound once: looking up a member of an enum costs more than what it is compared with
_PASSED, _FAILED, _UNKNOWN = SuccessStatus.PASSED, SuccessStatus.FAILED, SuccessStatus.UNKNOWN
_BEST = ResultPolicy.BEST
_UNPASSED = frozenset({_FAILED, _UNKNOWN})
_COMPLETED = CompletionStatus.COMPLETED
_NO_SCORE = dict.fromkeys(SCORE_FIELDS)
_NO_RESULT: dict[str, Any] = {**_NO_SCORE, "success_status": None, "lesson_status": None}


def success_word(
    session: SessionState, incoming: Snapshot, snapshot: Snapshot, *, echoes: bool
) -> SuccessStatus | None:
    """Return what a commit says of success.

    A SCORM 1.2 status without a part on success (`incomplete`, `completed`) is a word on it only where another score
    comes with it: that score is not the one of what was said before. A client that echoes all it holds says `unknown`
    where it was merely not loaded with what was reached before: likewise, but where this session had said more.
    """
    if incoming.success_status in SETTLED_SUCCESS:
        return incoming.success_status
    if incoming.success_status is None and incoming.lesson_status is None:
        return None
    if snapshot.success_status not in SETTLED_SUCCESS:
        return _UNKNOWN
    if incoming.success_status is not None and not (
        echoes and session.number > 1 and not in_mask("success_status", session.asserted_fields)
    ):
        return _UNKNOWN
    scored = incoming.score_raw is not None or incoming.score_scaled is not None
    return _UNKNOWN if scored and score_fields(snapshot) != score_fields(incoming) else None


def keeps_passed(snapshot: Snapshot, word: SuccessStatus | None, policy: StatusPolicy) -> bool:
    """Return whether a passed result stays as it is, whatever the commit says of success and score."""
    return policy.result is _BEST and snapshot.success_status == _PASSED and word in _UNPASSED


def without_result(incoming: Snapshot) -> Snapshot:
    """Return what a commit says but for success, status and score."""
    return replace(incoming, **_NO_RESULT)


def score_fields(snapshot: Snapshot) -> ScoreFields:
    """Return the score as it was said."""
    return snapshot.score_raw, snapshot.score_min, snapshot.score_max, snapshot.score_scaled


def with_score(snapshot: Snapshot, fields: ScoreFields) -> Snapshot:
    """Return a snapshot with another score."""
    return replace(snapshot, **dict(zip(SCORE_FIELDS, fields, strict=True)))


def raised_by(snapshot: Snapshot, incoming: Snapshot, overruled: frozenset[str]) -> SuccessStatus | None:
    """Return the success status that an older commit raises the attempt to, None where it raises nothing.

    What newer words overruled still stands where they came with the same score: they said nothing of it then.
    """
    if incoming.success_status in overruled and score_fields(incoming) != score_fields(snapshot):
        return None
    if incoming.success_status == _PASSED and snapshot.success_status != _PASSED:
        return _PASSED
    if incoming.success_status == _FAILED and snapshot.success_status not in SETTLED_SUCCESS:
        return _FAILED
    return None


_LOW: dict[LessonStatus | None, int] = {
    None: -1,
    LessonStatus.NOT_ATTEMPTED: 0,
    LessonStatus.BROWSED: 1,
    LessonStatus.INCOMPLETE: 2,
}
_OF_SUCCESS: dict[SuccessStatus | None, LessonStatus] = {_PASSED: LessonStatus.PASSED, _FAILED: LessonStatus.FAILED}
_LESSON_COMPLETED, _LESSON_INCOMPLETE = LessonStatus.COMPLETED, LessonStatus.INCOMPLETE


def with_lesson_status(before: Snapshot, snapshot: Snapshot, incoming: Snapshot) -> Snapshot:
    """Return a snapshot whose SCORM 1.2 status agrees with what it says of completion and success."""
    if snapshot.lesson_status is None and incoming.lesson_status is None:
        return snapshot
    status = _OF_SUCCESS.get(snapshot.success_status)
    if status is None:
        if snapshot.completion_status == _COMPLETED:
            status = _LESSON_COMPLETED
        else:
            status = max((before.lesson_status, incoming.lesson_status), key=lambda word: _LOW.get(word, -1))
            if status not in _LOW:
                status = _LESSON_INCOMPLETE
    return snapshot if status == snapshot.lesson_status else replace(snapshot, lesson_status=status)

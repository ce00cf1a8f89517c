"""What marks decide: the mastery score, the scaled passing score and the completion threshold.

Sources: SCORM 1.2 RTE 3.4.4 (`cmi.core.lesson_status`, `cmi.student_data.mastery_score`), SCORM 2004 RTE 4th edition
4.2.4, 4.2.5, 4.2.17 and 4.2.22. SCORM 1.2's marks decide at the end of a session for credit, SCORM 2004's at any
commit.
"""

from __future__ import annotations

from msgspec.structs import replace

from mappings.attempt.policy import PassMarks, StatusPolicy
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.cmi.scores import score
from mappings.cmi.snapshot import CompletionStatus, LessonStatus, Snapshot, SuccessStatus

_NEVER, _WHEN_SILENT = PassMarks.NEVER, PassMarks.WHEN_SILENT
_PASSED, _FAILED = SuccessStatus.PASSED, SuccessStatus.FAILED
_COMPLETED, _INCOMPLETE = CompletionStatus.COMPLETED, CompletionStatus.INCOMPLETE
OPEN_COMPLETION = frozenset({None, CompletionStatus.UNKNOWN, CompletionStatus.NOT_ATTEMPTED})
"""What the content says of completion where it leaves it to marks."""
_OPEN_SUCCESS = frozenset({None, SuccessStatus.UNKNOWN})
_NEVER_SET = frozenset({None, LessonStatus.NOT_ATTEMPTED})


def success_by_passing_score(
    attempt: AttemptState, before: Snapshot, incoming: Snapshot, word: SuccessStatus | None, policy: StatusPolicy
) -> SuccessStatus | None:
    """Return the success that SCORM 2004's passing score decides, None where it decides nothing."""
    mark = before.scaled_passing_score if incoming.scaled_passing_score is None else incoming.scaled_passing_score
    if mark is None or policy.marks is _NEVER:
        return None
    scaled = before.score_scaled if incoming.score_scaled is None else incoming.score_scaled
    if scaled is None:
        return None
    silent = word in _OPEN_SUCCESS and (
        attempt.success_by_passing_score or attempt.snapshot.success_status in _OPEN_SUCCESS
    )
    if policy.marks is _WHEN_SILENT and not silent:
        return None
    return _PASSED if scaled >= mark else _FAILED


def with_completion(
    attempt: AttemptState, snapshot: Snapshot, incoming: Snapshot, policy: StatusPolicy
) -> Snapshot | None:
    """Return the snapshot with the completion that SCORM 2004's threshold decides, None where it decides nothing."""
    mark, measure = snapshot.completion_threshold, snapshot.progress_measure
    if policy.marks is _NEVER or mark is None or measure is None:
        return None
    silent = incoming.completion_status in OPEN_COMPLETION and (
        attempt.completion_by_threshold or attempt.snapshot.completion_status in OPEN_COMPLETION
    )
    if policy.marks is _WHEN_SILENT and not silent:
        return None
    if attempt.snapshot.completion_status == _COMPLETED:
        return None
    return replace(snapshot, completion_status=_COMPLETED if measure >= mark else _INCOMPLETE)


def decides_at_end(snapshot: Snapshot, session: SessionState, ended: Ending | None, policy: StatusPolicy) -> bool:
    """Return whether SCORM 1.2's rules for the end of a session apply."""
    version = snapshot.scorm_version or session.launch.scorm_version
    return ended == Ending.TERMINATED and version == "1.2" and session.for_credit and policy.marks is not _NEVER


def status_at_end(snapshot: Snapshot, policy: StatusPolicy) -> LessonStatus | None:
    """Return the SCORM 1.2 status that a session for credit ends with, None where the content's own stands.

    A score is measured by the mastery score where the content left success open, but not where it said that it is not
    done; a status that was never set becomes `completed`.
    """
    mark, value = snapshot.mastery_score, score(snapshot)
    if mark is not None and value is not None and value.raw is not None:
        status = snapshot.lesson_status
        left_open = (
            status in _NEVER_SET or status == LessonStatus.COMPLETED
        ) and snapshot.success_status in _OPEN_SUCCESS
        if policy.marks is PassMarks.ALWAYS or left_open:
            return LessonStatus.PASSED if value.raw >= mark else LessonStatus.FAILED
    # with a mark but no score, a status that was never set is told as the standard has it, too
    is_unset = snapshot.lesson_status in _NEVER_SET and snapshot.completion_status in OPEN_COMPLETION
    return LessonStatus.COMPLETED if is_unset else None

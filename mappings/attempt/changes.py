"""What a commit altered: the differences of two snapshots and the turns of a session, in the order told to an LRS."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from operator import is_not
from typing import Any

import msgspec

from mappings.attempt.state import Ending, SessionState
from mappings.cmi.comments import Comment, new_comments
from mappings.cmi.interactions import Interaction, answer, interaction
from mappings.cmi.objectives import Objective, objectives
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import SETTLED_SUCCESS, CompletionStatus, Interactions, Snapshot, SuccessStatus
from mappings.cmi.tree import from_json, scalar
from mappings.described_enum import DescribedEnum


class Trigger(DescribedEnum):
    """A trigger that a rule can have, in the order in which one commit's changes are told."""

    ATTEMPT_STARTED = "attempt.started", "the first commit of a new attempt"
    SESSION_RESUMED = (
        "session.resumed",
        "the first commit of a session that continues an attempt (by cmi.entry, too), or that had been closed as idle",
    )
    INTERACTION_ANSWERED = "interaction.answered", "an interaction got a response, or its response or result changed"
    OBJECTIVE_SCORED = "objective.scored", "the score of an objective became known or changed"
    OBJECTIVE_PROGRESSED = "objective.progressed", "the progress measure of an objective changed (SCORM 2004)"
    OBJECTIVE_COMPLETED = "objective.completed", "an objective became completed (in SCORM 1.2, passed implies it)"
    OBJECTIVE_PASSED = "objective.passed", "an objective became passed"
    OBJECTIVE_FAILED = "objective.failed", "an objective became failed"
    COMMENT_MADE = "comment.made", "the learner made a comment"
    SCORE_CHANGED = "score.changed", "the score became known or changed"
    PROGRESS_CHANGED = "progress.changed", "cmi.progress_measure changed (SCORM 2004)"
    LOCATION_CHANGED = (
        "location.changed",
        "the learner's position in the content (cmi.location) became known or changed",
    )
    COMPLETION_COMPLETED = "completion.completed", "the attempt became completed (in SCORM 1.2, passed implies it)"
    SUCCESS_PASSED = "success.passed", "the attempt became passed"
    SUCCESS_FAILED = "success.failed", "the attempt became failed"
    SESSION_SUSPENDED = "session.suspended", "the session ended with exit = suspend"
    SESSION_TERMINATED = "session.terminated", "the session ended otherwise"
    SESSION_ABANDONED = "session.abandoned", "the session never signalled its end, and had no commits for a long time"
    COURSE_COMPLETED = (
        "course.completed",
        "the learner completed the last of the activities that the LMS listed as `course.activities`",
    )


ABOUT_ITEMS: frozenset[Trigger] = frozenset(
    trigger for trigger in Trigger if trigger.startswith(("interaction.", "objective."))
)
"""Triggers whose changes are about an interaction or an objective."""

# bound once: looking up a member of an enum costs more than building a change
_ATTEMPT_STARTED = Trigger.ATTEMPT_STARTED
_SESSION_RESUMED = Trigger.SESSION_RESUMED
_INTERACTION_ANSWERED = Trigger.INTERACTION_ANSWERED
_OBJECTIVE_SCORED = Trigger.OBJECTIVE_SCORED
_OBJECTIVE_PROGRESSED = Trigger.OBJECTIVE_PROGRESSED
_OBJECTIVE_COMPLETED = Trigger.OBJECTIVE_COMPLETED
_OBJECTIVE_PASSED = Trigger.OBJECTIVE_PASSED
_OBJECTIVE_FAILED = Trigger.OBJECTIVE_FAILED
_COMMENT_MADE = Trigger.COMMENT_MADE
_SCORE_CHANGED = Trigger.SCORE_CHANGED
_PROGRESS_CHANGED = Trigger.PROGRESS_CHANGED
_LOCATION_CHANGED = Trigger.LOCATION_CHANGED
_COMPLETION_COMPLETED = Trigger.COMPLETION_COMPLETED
_SUCCESS_PASSED = Trigger.SUCCESS_PASSED
_SUCCESS_FAILED = Trigger.SUCCESS_FAILED
_COMPLETED, _PASSED, _FAILED = CompletionStatus.COMPLETED, SuccessStatus.PASSED, SuccessStatus.FAILED
_OPEN_COMPLETION = frozenset({None, CompletionStatus.UNKNOWN, CompletionStatus.NOT_ATTEMPTED})
_OPEN_SUCCESS = frozenset({None, SuccessStatus.UNKNOWN})

About = Interaction | Objective | Comment


class Change(msgspec.Struct, frozen=True, gc=False):
    """One thing that a commit altered.

    Attributes:
        before: the value before, where it has values.
        after: the value after.
        about: the interaction, objective or comment where it is not about the attempt as a whole.
        at: when it happened where that is known better than by the commit, in milliseconds since the epoch; else 0.
        duration: of a session's end, the centiseconds of it that no end has told yet; None where no time was told.
        retold: a session's end that was told before, and is so no more.
    """

    trigger: Trigger
    before: Any = None
    after: Any = None
    about: About | None = None
    at: int = 0
    duration: int | None = None
    retold: bool = False


def find_changes(
    before: Snapshot,
    after: Snapshot,
    *,
    last_score: Score | None = None,
    started_at: int | None = None,
    resumed_at: int | None = None,
) -> tuple[Change, ...]:
    """Return the changes from one snapshot to the next, in the order of `Trigger`; none for equal ones.

    Args:
        before: the snapshot before the commit.
        after: the one after it.
        last_score: the last score that was possible.
        started_at: that the attempt began, when, in milliseconds since the epoch; 0 with the commit, None not at all.
        resumed_at: likewise, that the session goes on with the attempt.
    """
    changes: list[Change] = []
    if started_at is not None:
        changes.append(Change(_ATTEMPT_STARTED, at=started_at))
    if resumed_at is not None:
        changes.append(Change(_SESSION_RESUMED, at=resumed_at))
    if after is not before:
        if after.interactions is not before.interactions:
            changes += _answers(before.interactions or {}, after.interactions or {})
        if after.objectives is not before.objectives:
            changes += _objectives(before, after)
        if after.comments != before.comments or after.comments_from_learner is not before.comments_from_learner:
            changes += [
                Change(_COMMENT_MADE, after=comment.text, about=comment, at=comment.at)
                for comment in new_comments(before, after)
            ]
        _add_status(before, after, last_score, changes)
    return tuple(changes)


def ending_change(ended: Ending, session: SessionState, *, retold: bool = False) -> Change:
    """Return the change that a session's end is. It tells the time that no end of it has told yet."""
    duration = session.time_spent - session.emitted_time if session.time_known else None
    return Change(_ENDINGS[ended], duration=duration, retold=retold)


_ENDINGS: dict[Ending, Trigger] = {
    Ending.SUSPENDED: Trigger.SESSION_SUSPENDED,
    Ending.TERMINATED: Trigger.SESSION_TERMINATED,
    Ending.ABANDONED: Trigger.SESSION_ABANDONED,
}


ABOUT_SESSIONS: frozenset[Trigger] = frozenset({Trigger.SESSION_RESUMED, *_ENDINGS.values()})
"""Triggers of a session's turns, which can come again once its end is taken back or told anew."""


def _add_status(before: Snapshot, after: Snapshot, last_score: Score | None, changes: list[Change]) -> None:
    old, new = last_score or score(before), score(after)
    if new is not None and new != old:
        changes.append(Change(_SCORE_CHANGED, old, new))
    if after.progress_measure is not None and after.progress_measure != before.progress_measure:
        changes.append(Change(_PROGRESS_CHANGED, before.progress_measure, after.progress_measure))
    if after.location and after.location != before.location:
        changes.append(Change(_LOCATION_CHANGED, before.location, after.location))
    if after.completion_status == _COMPLETED and before.completion_status != _COMPLETED:
        changes.append(Change(_COMPLETION_COMPLETED, before.completion_status, after.completion_status))
    if after.success_status != before.success_status:
        if after.success_status == _PASSED:
            changes.append(Change(_SUCCESS_PASSED, before.success_status, after.success_status))
        elif after.success_status == _FAILED:
            changes.append(Change(_SUCCESS_FAILED, before.success_status, after.success_status))


def _answers(before: Interactions, after: Interactions) -> Iterator[Change]:
    # in one go, as most of many answers are the ones known before
    for index in compress(after, map(is_not, after.values(), map(before.get, after))):
        item, earlier = from_json(after[index]), from_json(before.get(index))
        new = answer(item)
        old = answer(earlier) if earlier is not None else None
        if new is not None and new != old:
            yield Change(_INTERACTION_ANSWERED, old, new, interaction(item))


def _untouched(old: Objective, new: Objective) -> bool:
    """Return whether a first score is the nought that content sets up an objective with."""
    return (
        old.score is None
        and not (new.score and (new.score.raw or new.score.scaled))
        and new.success_status in _OPEN_SUCCESS
        and new.completion_status in _OPEN_COMPLETION
        and not new.progress_measure
    )


def _objectives(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    earlier_items, now = before.objectives or {}, after.objectives or {}
    if before.scorm_version == after.scorm_version:
        # most of many are the ones known before
        altered = {index: item for index, item in now.items() if earlier_items.get(index) is not item}
        ids = {scalar(item.get("id")) for item in altered.values()}
        ids |= {scalar(earlier_items[index].get("id")) for index in altered if index in earlier_items}
        now = {index: item for index, item in now.items() if index in altered or scalar(item.get("id")) in ids}
        earlier_items = {index: item for index, item in earlier_items.items() if scalar(item.get("id")) in ids}
    earlier = objectives(earlier_items, before.scorm_version)
    for objective_id, new in objectives(now, after.scorm_version).items():
        old = earlier.get(objective_id) or Objective(objective_id)
        if new == old:
            continue
        if new.score is not None and new.score != old.score and not _untouched(old, new):
            yield Change(_OBJECTIVE_SCORED, old.score, new.score, new)
        if new.progress_measure is not None and new.progress_measure != old.progress_measure:
            yield Change(_OBJECTIVE_PROGRESSED, old.progress_measure, new.progress_measure, new)
        if new.completion_status == _COMPLETED and old.completion_status != _COMPLETED:
            yield Change(_OBJECTIVE_COMPLETED, old.completion_status, new.completion_status, new)
        if new.success_status == _PASSED and old.success_status != _PASSED:
            yield Change(_OBJECTIVE_PASSED, old.success_status, new.success_status, new)
        if new.success_status == _FAILED and old.success_status not in SETTLED_SUCCESS:
            yield Change(_OBJECTIVE_FAILED, old.success_status, new.success_status, new)

"""What a commit altered: the differences of two snapshots and the turns of a session, in the order told to an LRS."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from operator import is_not
from typing import Any, Literal

import msgspec

from mappings.attempt.state import Ending
from mappings.cmi.comments import Comment, new_comments
from mappings.cmi.interactions import Interaction, answer, interaction
from mappings.cmi.objectives import Objective, objectives
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import Interactions, Snapshot
from mappings.cmi.tree import from_json, scalar

Trigger = Literal[
    "attempt.started",
    "session.resumed",
    "interaction.answered",
    "objective.scored",
    "objective.progressed",
    "objective.completed",
    "objective.passed",
    "objective.failed",
    "comment.made",
    "score.changed",
    "progress.changed",
    "location.changed",
    "completion.completed",
    "success.passed",
    "success.failed",
    "session.suspended",
    "session.terminated",
    "session.abandoned",
]

TRIGGERS: dict[Trigger, str] = {
    "attempt.started": "the first commit of a new attempt",
    "session.resumed": "the first commit of a session that continues an attempt, or whose cmi.entry says so",
    "interaction.answered": "an interaction got a response or a result, or another one than before",
    "objective.scored": "the score of an objective became known or another one",
    "objective.progressed": "the progress measure of an objective changed (SCORM 2004)",
    "objective.completed": "an objective became completed (in SCORM 1.2, passed implies it)",
    "objective.passed": "an objective became passed",
    "objective.failed": "an objective became failed",
    "comment.made": "the learner made a comment",
    "score.changed": "the score became known or another one",
    "progress.changed": "cmi.progress_measure changed (SCORM 2004)",
    "location.changed": "where the learner is in the content (cmi.location) became known or another one",
    "completion.completed": "the attempt became completed (in SCORM 1.2, passed implies it)",
    "success.passed": "the attempt became passed",
    "success.failed": "the attempt became failed",
    "session.suspended": "the session ended with exit = suspend",
    "session.terminated": "the session ended otherwise",
    "session.abandoned": "the session never said that it ended, and nothing has come for a long time",
}
"""All triggers a rule can have, with what they mean, in the order in which one commit's changes are told."""

ABOUT_ITEMS: frozenset[Trigger] = frozenset(
    trigger for trigger in TRIGGERS if trigger.startswith(("interaction.", "objective."))
)
"""Triggers whose changes are about an interaction or an objective."""

About = Interaction | Objective | Comment


class Change(msgspec.Struct, frozen=True, gc=False):
    """One thing that a commit altered.

    `before` and `after` are the values where it has values; `about` is the interaction, objective or comment where it
    is not about the attempt as a whole.
    """

    trigger: Trigger
    before: Any = None
    after: Any = None
    about: About | None = None


def find_changes(
    before: Snapshot,
    after: Snapshot,
    *,
    told: Score | None = None,
    started: bool = False,
    resumed: bool = False,
    ended: Ending | None = None,
) -> tuple[Change, ...]:
    """Give the changes from one snapshot to the next, in the order of `TRIGGERS`; none for equal ones.

    The keywords tell what no snapshot shows: the last score that was possible, and the turns of the session.
    """
    found: list[Change] = []
    if started:
        found.append(Change("attempt.started"))
    if resumed:
        found.append(Change("session.resumed"))
    if after is not before:
        if after.interactions is not before.interactions:
            found += _answers(before.interactions or {}, after.interactions or {})
        if after.objectives is not before.objectives:
            found += _objectives(before, after)
        if after.comments != before.comments or after.comments_from_learner is not before.comments_from_learner:
            found += [Change("comment.made", after=one.text, about=one) for one in new_comments(before, after)]
        found += _status(before, after, told)
    if ended is not None:
        found.append(Change(_ENDINGS[ended]))
    return tuple(found)


_ENDINGS: dict[Ending, Trigger] = {
    "suspended": "session.suspended",
    "terminated": "session.terminated",
    "abandoned": "session.abandoned",
}


def _status(before: Snapshot, after: Snapshot, told: Score | None) -> Iterator[Change]:
    old, new = told or score(before), score(after)
    if new is not None and new != old:
        yield Change("score.changed", old, new)
    if after.progress_measure is not None and after.progress_measure != before.progress_measure:
        yield Change("progress.changed", before.progress_measure, after.progress_measure)
    if after.location and after.location != before.location:
        yield Change("location.changed", before.location, after.location)
    if after.completion_status == "completed" and before.completion_status != "completed":
        yield Change("completion.completed", before.completion_status, after.completion_status)
    if after.success_status != before.success_status:
        if after.success_status == "passed":
            yield Change("success.passed", before.success_status, after.success_status)
        elif after.success_status == "failed":
            yield Change("success.failed", before.success_status, after.success_status)


def _answers(before: Interactions, after: Interactions) -> Iterator[Change]:
    # in one go, as most of many answers are the ones known before
    for index in compress(after, map(is_not, after.values(), map(before.get, after))):
        item, earlier = from_json(after[index]), from_json(before.get(index))
        new = answer(item)
        old = answer(earlier) if earlier is not None else None
        if new is not None and new != old:
            yield Change("interaction.answered", old, new, interaction(item))


def _objectives(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    known, now = before.objectives or {}, after.objectives or {}
    if before.scorm_version == after.scorm_version:
        # most of many are the ones known before
        altered = {index: item for index, item in now.items() if known.get(index) is not item}
        ids = {scalar(item.get("id")) for item in altered.values()}
        ids |= {scalar(known[index].get("id")) for index in altered if index in known}
        now = {index: item for index, item in now.items() if index in altered or scalar(item.get("id")) in ids}
        known = {index: item for index, item in known.items() if scalar(item.get("id")) in ids}
    earlier = objectives(known, before.scorm_version)
    for own, new in objectives(now, after.scorm_version).items():
        old = earlier.get(own) or Objective(own)
        if new == old:
            continue
        if new.score is not None and new.score != old.score:
            yield Change("objective.scored", old.score, new.score, new)
        if new.progress_measure is not None and new.progress_measure != old.progress_measure:
            yield Change("objective.progressed", old.progress_measure, new.progress_measure, new)
        if new.completion_status == "completed" and old.completion_status != "completed":
            yield Change("objective.completed", old.completion_status, new.completion_status, new)
        if new.success_status == "passed" and old.success_status != "passed":
            yield Change("objective.passed", old.success_status, new.success_status, new)
        if new.success_status == "failed" and old.success_status not in {"failed", "passed"}:
            yield Change("objective.failed", old.success_status, new.success_status, new)

"""What a commit altered: the differences of two snapshots and the turns of a session, in the order told to an LRS."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mappings.attempt.state import Ending
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import Snapshot

Trigger = Literal[
    "attempt.started",
    "session.resumed",
    "score.changed",
    "progress.changed",
    "completion.completed",
    "success.passed",
    "success.failed",
    "session.suspended",
    "session.terminated",
]

TRIGGERS: dict[Trigger, str] = {
    "attempt.started": "the first commit of a new attempt",
    "session.resumed": "the first commit of a session that continues a suspended attempt",
    "score.changed": "the score became known or another one",
    "progress.changed": "cmi.progress_measure changed (SCORM 2004)",
    "completion.completed": "the attempt became completed (in SCORM 1.2, passed implies it)",
    "success.passed": "the attempt became passed",
    "success.failed": "the attempt became failed",
    "session.suspended": "the session ended with exit = suspend",
    "session.terminated": "the session ended otherwise",
}
"""All triggers a rule can have, with what they mean, in the order in which one commit's changes are told."""


class Change(msgspec.Struct, frozen=True):
    """One thing that a commit altered, with the values before and after where it has values."""

    trigger: Trigger
    before: Any = None
    after: Any = None


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
        old, new = told or score(before), score(after)
        if new is not None and new != old:
            found.append(Change("score.changed", old, new))
        if after.progress_measure is not None and after.progress_measure != before.progress_measure:
            found.append(Change("progress.changed", before.progress_measure, after.progress_measure))
        if after.completion_status == "completed" and before.completion_status != "completed":
            found.append(Change("completion.completed", before.completion_status, after.completion_status))
        if after.success_status != before.success_status:
            if after.success_status == "passed":
                found.append(Change("success.passed", before.success_status, after.success_status))
            elif after.success_status == "failed":
                found.append(Change("success.failed", before.success_status, after.success_status))
    if ended == "suspended":
        found.append(Change("session.suspended"))
    elif ended == "terminated":
        found.append(Change("session.terminated"))
    return tuple(found)

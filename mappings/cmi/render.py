"""The snapshot as CMI again: what the next session's player is loaded with.

The tree is nested and of text, as players load it (scorm-again's `loadFromJSON(cmi, "cmi")`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mappings.cmi.snapshot import SETTLED_SUCCESS, CompletionStatus, ScormVersion, Snapshot
from mappings.cmi.times import duration, timespan
from mappings.cmi.tree import from_json

_SCORM_12: Mapping[str, str] = {
    "core.lesson_status": "lesson_status",
    "core.lesson_location": "location",
    "core.score.raw": "score_raw",
    "core.score.min": "score_min",
    "core.score.max": "score_max",
    "suspend_data": "suspend_data",
    "launch_data": "launch_data",
    "comments": "comments",
    "student_data.mastery_score": "mastery_score",
    "student_data.max_time_allowed": "max_time_allowed",
    "student_data.time_limit_action": "time_limit_action",
    "student_preference.audio": "audio_level",
    "student_preference.language": "language",
    "student_preference.speed": "delivery_speed",
    "student_preference.text": "audio_captioning",
}
_SCORM_2004: Mapping[str, str] = {
    "completion_status": "completion_status",
    "success_status": "success_status",
    "score.scaled": "score_scaled",
    "score.raw": "score_raw",
    "score.min": "score_min",
    "score.max": "score_max",
    "progress_measure": "progress_measure",
    "location": "location",
    "suspend_data": "suspend_data",
    "launch_data": "launch_data",
    "completion_threshold": "completion_threshold",
    "scaled_passing_score": "scaled_passing_score",
    "max_time_allowed": "max_time_allowed",
    "time_limit_action": "time_limit_action",
    "learner_preference.audio_level": "audio_level",
    "learner_preference.language": "language",
    "learner_preference.delivery_speed": "delivery_speed",
    "learner_preference.audio_captioning": "audio_captioning",
}


class LaunchValues(msgspec.Struct, frozen=True, gc=False):
    """What the LMS says of a launch: `entry` is `ab-initio`, `resume` or empty, `total_time` centiseconds so far."""

    learner_id: str
    learner_name: str
    entry: str
    total_time: int
    mode: str | None = None
    credit: str | None = None


def render(snapshot: Snapshot, version: ScormVersion, launch: LaunchValues) -> dict[str, Any]:
    """Return the tree below `cmi` for a session that starts now.

    An attempt that was begun in the other version is told in this one's words where both have them. Mode and credit are
    always told, so that players do their part (SCORM 1.2 RTE 3.4.4: a mastery score decides in a session for credit).
    """
    mode, credit = launch.mode or "normal", launch.credit or "credit"
    if version == "1.2":
        cmi = _tree(snapshot, _SCORM_12)
        core = cmi.setdefault("core", {})
        if "lesson_status" not in core:
            core["lesson_status"] = _lesson_status(snapshot)
        core |= {
            "student_id": launch.learner_id,
            "student_name": launch.learner_name,
            "entry": launch.entry,
            "lesson_mode": mode,
            "credit": credit,
            "total_time": timespan(launch.total_time),
        }
    else:
        cmi = _tree(snapshot, _SCORM_2004)
        cmi |= {
            "learner_id": launch.learner_id,
            "learner_name": launch.learner_name,
            "entry": launch.entry,
            "mode": mode,
            "credit": credit,
            "total_time": duration(launch.total_time),
        }
        if snapshot.comments_from_learner:
            cmi["comments_from_learner"] = snapshot.comments_from_learner
        # SCORM 2004 keeps them over an attempt's sessions, and content restores answers from them; SCORM 1.2's are
        # write-only
        if snapshot.interactions and snapshot.scorm_version == "2004":
            cmi["interactions"] = {index: from_json(item) for index, item in snapshot.interactions.items()}
    if snapshot.objectives:
        cmi["objectives"] = snapshot.objectives
    return cmi


def _tree(snapshot: Snapshot, elements: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, field in elements.items():
        value = getattr(snapshot, field)
        if value is None:
            continue
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = str(value)
    return tree


_BEGUN = frozenset({CompletionStatus.COMPLETED, CompletionStatus.INCOMPLETE})


def _lesson_status(snapshot: Snapshot) -> str:
    if snapshot.success_status in SETTLED_SUCCESS:
        return str(snapshot.success_status)
    if snapshot.completion_status in _BEGUN:
        return str(snapshot.completion_status)
    return "not attempted"

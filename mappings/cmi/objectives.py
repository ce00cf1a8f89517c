"""Objectives with their own status, score and progress, read from what was sent of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mappings.cmi import values
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import CompletionStatus, Item, LessonStatus, Number, ScormVersion, Snapshot, SuccessStatus
from mappings.cmi.tree import scalar
from mappings.cmi.values import LESSON_STATUS, BadValue, Reader


class Objective(msgspec.Struct, frozen=True, gc=False):
    """One objective. None means «not set»."""

    id: str
    description: str = ""
    completion_status: CompletionStatus | None = None
    success_status: SuccessStatus | None = None
    score: Score | None = None
    progress_measure: Number | None = None


def objectives(items: Mapping[str, Item] | None, version: ScormVersion | None) -> dict[str, Objective]:
    """Read all objectives that have an id, by that id; values that cannot be used are left out."""
    by_id: dict[str, Objective] = {}
    for item in (items or {}).values():
        objective_id = scalar(item.get("id"))
        if objective_id:
            by_id[objective_id] = _objective(objective_id, item, version)
    return by_id


def descriptions(items: Mapping[str, Item] | None) -> dict[str, str]:
    """Return the descriptions of the objectives that have one, by id."""
    return {
        objective_id: text
        for item in (items or {}).values()
        if (objective_id := scalar(item.get("id"))) and (text := scalar(item.get("description")))
    }


def _objective(objective_id: str, item: Item, version: ScormVersion | None) -> Objective:
    status: LessonStatus | None = _read(item, "status", values.lesson_status)
    completion, success = (None, None) if status is None else LESSON_STATUS[status]
    parts = item.get("score")
    marks = parts if isinstance(parts, dict) else {}
    return Objective(
        id=objective_id,
        description=scalar(item.get("description")) or "",
        completion_status=_read(item, "completion_status", values.completion_status) or completion,
        success_status=_read(item, "success_status", values.success_status) or success,
        score=score(
            Snapshot(
                scorm_version=version,
                score_raw=_read(marks, "raw", values.number),
                score_min=_read(marks, "min", values.number),
                score_max=_read(marks, "max", values.number),
                score_scaled=_read(marks, "scaled", values.scaled),
            )
        ),
        progress_measure=_read(item, "progress_measure", values.share),
    )


def _read(item: Mapping[str, Any], name: str, reader: Reader) -> Any:
    text = scalar(item.get(name))
    try:
        return reader(text) if text else None
    except BadValue:
        return None

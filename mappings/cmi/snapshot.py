"""What is known of an attempt's CMI data: one frozen value, the same for SCORM 1.2 and SCORM 2004.

Fields carry the names of SCORM 2004, which has a field for everything SCORM 1.2 can say but `lesson_status`. None
means «not set»: the same type serves for what one commit says and for what all commits of an attempt said together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

ScormVersion = Literal["1.2", "2004"]
Number = int | float


class LessonStatus(StrEnum):
    """SCORM 1.2's one status of completion and success (RTE 3.4.4), from the least to the most."""

    NOT_ATTEMPTED = "not attempted"
    """It was not begun."""
    BROWSED = "browsed"
    """It was looked at, and not done."""
    INCOMPLETE = "incomplete"
    """It was begun, and not done."""
    COMPLETED = "completed"
    """It was done."""
    FAILED = "failed"
    """It was not mastered."""
    PASSED = "passed"
    """It was mastered, and so is done."""


class CompletionStatus(StrEnum):
    """How far the content was done (SCORM 2004 RTE 4.2.4), from the least to the most."""

    UNKNOWN = "unknown"
    """The content does not say."""
    NOT_ATTEMPTED = "not attempted"
    """It was not begun."""
    INCOMPLETE = "incomplete"
    """It was begun, and not done."""
    COMPLETED = "completed"
    """It was done."""


class SuccessStatus(StrEnum):
    """Whether the learner mastered the content (SCORM 2004 RTE 4.2.22), from the least to the most."""

    UNKNOWN = "unknown"
    """The content does not say."""
    FAILED = "failed"
    """It was not mastered."""
    PASSED = "passed"
    """It was mastered."""


SETTLED_SUCCESS = frozenset({SuccessStatus.PASSED, SuccessStatus.FAILED})
"""What says something of success."""

Item = dict[str, Any]
"""One interaction, objective or comment as sent: element name -> text, or -> index -> its own elements."""

Interactions = dict[str, msgspec.Raw]
"""Index -> an interaction as JSON. Clients send hundreds with every commit: most are known, which their bytes show."""


class Snapshot(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """CMI values of one commit, or of an attempt so far.

    Scores and measures are plain numbers, times are whole centiseconds. `lesson_status` is SCORM 1.2's own word, which
    `completion_status` and `success_status` are derived from (`passed` implies completed; `failed` says nothing of
    completion: whether a failed attempt is complete is for the mapping document to say).
    """

    scorm_version: ScormVersion | None = None
    lesson_status: LessonStatus | None = None
    completion_status: CompletionStatus | None = None
    success_status: SuccessStatus | None = None
    score_raw: Number | None = None
    score_min: Number | None = None
    score_max: Number | None = None
    score_scaled: Number | None = None
    progress_measure: Number | None = None
    location: str | None = None
    suspend_data: str | None = None
    launch_data: str | None = None
    mode: str | None = None
    credit: str | None = None
    entry: str | None = None
    exit: str | None = None
    session_time: int | None = None
    total_time: int | None = None
    completion_threshold: Number | None = None
    scaled_passing_score: Number | None = None
    mastery_score: Number | None = None
    max_time_allowed: str | None = None
    time_limit_action: str | None = None
    audio_level: Number | None = None
    language: str | None = None
    delivery_speed: Number | None = None
    audio_captioning: Number | None = None
    nav_request: str | None = None
    comments: str | None = None
    comments_from_learner: dict[str, Item] | None = None
    comments_from_lms: dict[str, Item] | None = None
    objectives: dict[str, Item] | None = None
    interactions: Interactions | None = None


ScoreFields = tuple[Number | None, Number | None, Number | None, Number | None]
"""`score_raw`, `score_min`, `score_max`, `score_scaled` of a snapshot."""

SCORE_FIELDS = ("score_raw", "score_min", "score_max", "score_scaled")

SESSION_FIELDS = frozenset({"entry", "exit", "nav_request", "mode", "credit"})
"""Fields that speak of one session only and are forgotten when the next one starts."""

COLLECTIONS = ("comments_from_learner", "comments_from_lms", "objectives", "interactions")
"""Fields that hold numbered items and are merged item by item."""

EMPTY = Snapshot()


def says_items(snapshot: Snapshot) -> bool:
    """Return whether a commit brings items of any collection."""
    return bool(
        snapshot.interactions or snapshot.objectives or snapshot.comments_from_learner or snapshot.comments_from_lms
    )


_BITS = {name: 1 << place for place, name in enumerate(Snapshot.__struct_fields__)}


def fields_mask(snapshot: Snapshot) -> int:
    """Return the fields that are set, a bit each, in the order of the struct's fields: those to come go at its end."""
    mask = 0
    for value, bit in zip(msgspec.structs.astuple(snapshot), _BITS.values(), strict=True):
        if value is not None:
            mask |= bit
    return mask


def in_mask(field: str, mask: int) -> bool:
    """Return whether a mask has a field."""
    return bool(mask & _BITS[field])


def at_launch(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without what spoke of the previous session only."""
    return msgspec.structs.replace(snapshot, **dict.fromkeys(SESSION_FIELDS))

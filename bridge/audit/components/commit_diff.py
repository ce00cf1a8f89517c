"""What a commit changed: the difference between the response it got and the one that the commit before it got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from bridge.audit.components.json_view import truncate_text
from bridge.audit.components.statement_view import format_duration
from mappings.cmi.snapshot import SuccessStatus
from mappings.cmi.warnings import WarningCode
from storage.queries.timeline import TimelineCommit

_ATTEMPT_FIELDS = (
    ("status", "Status"),
    ("completion_status", "Completion"),
    ("success_status", "Success"),
    ("score", "Score"),
    ("progress_measure", "Progress"),
    ("total_time", "Time spent"),
)
_ENROLLMENT_FIELDS = (
    ("completion_status", "Best completion"),
    ("success_status", "Best success"),
    ("best_score", "Best score"),
)
_SCORE_PARTS = ("raw", "min", "max", "scaled")
_NAMED_BY_CONTENT = frozenset(
    {WarningCode.UNKNOWN_ELEMENT, WarningCode.MISPLACED_ELEMENT, WarningCode.BAD_INDEX, WarningCode.UNKNOWN_KEY}
)


class FieldChange(NamedTuple):
    """A field that a commit changed, in words; None where there was no value."""

    field: str
    before: str | None
    after: str | None


class CommitDiff(NamedTuple):
    """What a commit changed, and which values could not be used (code, element, value, message).

    `warnings` are the first of `warning_count` many.
    """

    changes: tuple[FieldChange, ...] = ()
    warnings: tuple[dict[str, str], ...] = ()
    warning_count: int = 0


class CommitResponseParts(msgspec.Struct):
    """What is read of a commit's response; the statements in it are skipped."""

    attempt: dict[str, Any] = {}
    enrollment: dict[str, Any] = {}
    progress: dict[str, Any] = {}
    warnings: list[dict[str, Any]] = []


_decode = msgspec.json.Decoder(CommitResponseParts).decode


def commit_diffs(
    commits: Sequence[TimelineCommit], before: str | None, *, sees_cmi: bool, max_warnings: int
) -> list[CommitDiff]:
    """Return the diff of each of an attempt's commits, which are in the order they were received.

    `before` is the response to the commit before the first of them, None where there is none. Bookmarks and the values
    that could not be used are the content's own: they are left out unless `sees_cmi`.
    """
    previous: CommitResponseParts | None = CommitResponseParts() if before is None else _decode(before)
    diffs = []
    for commit in commits:
        if commit.response is None:  # a duplicate changed nothing; what an old commit did may be known no more
            diffs.append(CommitDiff())
            previous = None if commit.duplicate_of is None else previous
            continue
        response = _decode(commit.response)
        warnings = tuple(
            {name: truncate_text(str(value)) for name, value in warning.items()}
            for warning in response.warnings[:max_warnings]
        )
        if not sees_cmi:
            warnings = tuple(_redact(warning) for warning in warnings)
        changes = () if previous is None else tuple(_changes(previous, response, sees_cmi=sees_cmi))
        diffs.append(CommitDiff(changes, warnings, len(response.warnings)))
        previous = response
    return diffs


def _redact(warning: dict[str, str]) -> dict[str, str]:
    """Return a warning without what content wrote: a name that is no element's can be anything."""
    element = "" if warning["code"] in _NAMED_BY_CONTENT else warning["element"]
    return warning | {"value": "", "message": "", "element": element}


def _changes(before: CommitResponseParts, after: CommitResponseParts, *, sees_cmi: bool) -> Iterable[FieldChange]:
    fields = [("attempt", name, label) for name, label in _ATTEMPT_FIELDS]
    fields += [("enrollment", name, label) for name, label in _ENROLLMENT_FIELDS]
    if sees_cmi:
        fields.append(("progress", "location", "Bookmark"))
    for part, name, label in fields:
        old, new = (_format(name, getattr(response, part).get(name)) for response in (before, after))
        if old != new and not (old is None and new == SuccessStatus.UNKNOWN):
            yield FieldChange(label, old, new)


def _format(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        return ", ".join(f"{part} {value[part]}" for part in _SCORE_PARTS if part in value)
    if name == "progress_measure":
        return f"{value * 100:.4g} %"
    return format_duration(value) if name == "total_time" else truncate_text(str(value))

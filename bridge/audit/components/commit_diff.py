"""What a commit changed: read off the answer that it got and the one that the commit before it got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from bridge.audit.components.json_view import truncate_text
from bridge.audit.components.statement_view import format_duration
from mappings.cmi.warnings import WarningCode
from storage.queries.timeline import TimelineCommit

_OF_ATTEMPT = (
    ("status", "Status"),
    ("completion_status", "Completion"),
    ("success_status", "Success"),
    ("score", "Score"),
    ("progress_measure", "Progress"),
    ("total_time", "Time spent"),
)
_OF_ENROLLMENT = (
    ("completion_status", "Best completion"),
    ("success_status", "Best success"),
    ("best_score", "Best score"),
)
_SCORE = ("raw", "min", "max", "scaled")


class Altered(NamedTuple):
    """One thing that a commit altered, in words; None where there was nothing."""

    what: str
    before: str | None
    after: str | None


class CommitOutcome(NamedTuple):
    """What came of a commit: what it altered, and which values could not be used (code, element, value, message).

    `warnings` are the first of `all_warnings` many.
    """

    altered: tuple[Altered, ...] = ()
    warnings: tuple[dict[str, str], ...] = ()
    all_warnings: int = 0


class _Reply(msgspec.Struct):
    """What is read of an answer; the statements in it are passed over."""

    attempt: dict[str, Any] = {}
    enrollment: dict[str, Any] = {}
    progress: dict[str, Any] = {}
    warnings: list[dict[str, Any]] = []


_decode = msgspec.json.Decoder(_Reply).decode


def outcomes(
    commits: Sequence[TimelineCommit], before: str | None, *, sees_cmi: bool, most_warnings: int
) -> list[CommitOutcome]:
    """Return what came of each of an attempt's commits, which are in the order they were received.

    `before` is the answer to the one before the first of them, None where there is none. Bookmarks and the values that
    could not be used are content's own: they are left out unless `sees_cmi`.
    """
    known = _Reply() if before is None else _decode(before)
    found = []
    for one in commits:
        if one.response is None:  # a duplicate changed nothing
            found.append(CommitOutcome())
            continue
        now = _decode(one.response)
        warnings = tuple(
            {name: truncate_text(str(value)) for name, value in told.items()} for told in now.warnings[:most_warnings]
        )
        if not sees_cmi:
            warnings = tuple(_without_content(told) for told in warnings)
        found.append(CommitOutcome(tuple(_altered(known, now, sees_cmi=sees_cmi)), warnings, len(now.warnings)))
        known = now
    return found


def _without_content(warning: dict[str, str]) -> dict[str, str]:
    """Leave out of a warning what content wrote: a name that is no element's can be anything."""
    named = {} if warning["code"] in _NAMED_BY_CONTENT else {"element": warning["element"]}
    return warning | {"value": "", "message": "", "element": ""} | named


_NAMED_BY_CONTENT = frozenset(
    {WarningCode.UNKNOWN_ELEMENT, WarningCode.MISPLACED_ELEMENT, WarningCode.BAD_INDEX, WarningCode.UNKNOWN_KEY}
)


def _altered(before: _Reply, after: _Reply, *, sees_cmi: bool) -> Iterable[Altered]:
    parts = [("attempt", name, what) for name, what in _OF_ATTEMPT]
    parts += [("enrollment", name, what) for name, what in _OF_ENROLLMENT]
    if sees_cmi:
        parts.append(("progress", "location", "Bookmark"))
    for part, name, what in parts:
        old, new = (_said(name, getattr(told, part).get(name)) for told in (before, after))
        if old != new and not (old is None and new == "unknown"):
            yield Altered(what, old, new)


def _said(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        return ", ".join(f"{part} {value[part]}" for part in _SCORE if part in value)
    if name == "progress_measure":
        return f"{value * 100:.4g} %"
    return format_duration(value) if name == "total_time" else truncate_text(str(value))

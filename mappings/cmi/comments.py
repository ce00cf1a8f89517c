"""What learners wrote: SCORM 1.2's one growing text, SCORM 2004's list of comments."""

from __future__ import annotations

from datetime import datetime

import msgspec

from mappings.cmi.snapshot import Item, Snapshot
from mappings.cmi.tree import scalar


class Comment(msgspec.Struct, frozen=True, gc=False):
    """One comment of the learner's. `cmi` holds location and timestamp where SCORM 2004 content gave them.

    `at` is that timestamp in milliseconds since the epoch; 0 where it tells no moment (none, or one without a zone).
    """

    id: str
    text: str
    cmi: dict[str, str] = {}
    at: int = 0


def new_comments(before: Snapshot, after: Snapshot) -> list[Comment]:
    """Return the comments that came with a commit.

    SCORM 1.2's text is told by what was added to it where it grew, whole where it became another.
    """
    comments: list[Comment] = []
    old, new = before.comments or "", after.comments or ""
    if new != old:
        text = (new.removeprefix(old)).strip()
        if text:
            comments.append(Comment("comments", text))
    earlier = before.comments_from_learner or {}
    for index, item in (after.comments_from_learner or {}).items():
        text = _text(item)
        if text and text != _text(earlier.get(index, {})):
            extra = {name: value for name in ("location", "timestamp") if (value := scalar(item.get(name)))}
            comments.append(Comment(index, text, extra, _moment(extra.get("timestamp"))))
    return comments


def _moment(text: str | None) -> int:
    """Return a SCORM 2004 `time(second,10,0)` (RTE 4th edition 4.1.1.7) as milliseconds since the epoch."""
    try:
        at = datetime.fromisoformat(text) if text else None
        return 0 if at is None or at.tzinfo is None else max(0, int(at.timestamp() * 1000))
    except (ValueError, OverflowError):
        return 0


def _text(item: Item) -> str:
    return (scalar(item.get("comment")) or "").strip()

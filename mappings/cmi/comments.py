"""What learners wrote: SCORM 1.2's one growing text, SCORM 2004's list of comments."""

from __future__ import annotations

import msgspec

from mappings.cmi.snapshot import Item, Snapshot
from mappings.cmi.tree import scalar


class Comment(msgspec.Struct, frozen=True, gc=False):
    """One comment of the learner's. `cmi` holds location and timestamp where SCORM 2004 content gave them."""

    id: str
    text: str
    cmi: dict[str, str] = {}


def new_comments(before: Snapshot, after: Snapshot) -> list[Comment]:
    """Give the comments that came with a commit.

    SCORM 1.2's text is told by what was added to it where it grew, whole where it became another.
    """
    found: list[Comment] = []
    old, new = before.comments or "", after.comments or ""
    if new != old:
        text = (new.removeprefix(old)).strip()
        if text:
            found.append(Comment("comments", text))
    earlier = before.comments_from_learner or {}
    for index, item in (after.comments_from_learner or {}).items():
        text = _text(item)
        if text and text != _text(earlier.get(index, {})):
            extra = {name: value for name in ("location", "timestamp") if (value := scalar(item.get(name)))}
            found.append(Comment(index, text, extra))
    return found


def _text(item: Item) -> str:
    return (scalar(item.get("comment")) or "").strip()

"""Merging what a commit says into what is known of its attempt.

A key that is absent changes nothing, so full snapshots and deltas both work. Completion never goes back, whichever
order commits arrive in. Success and score are one pair, which `mappings.attempt.result` decides about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from operator import ne
from typing import Any

import msgspec
from msgspec.structs import astuple

from mappings.cmi import values
from mappings.cmi.snapshot import (
    SESSION_FIELDS,
    CompletionStatus,
    Interactions,
    Item,
    LessonStatus,
    Snapshot,
    SuccessStatus,
)
from mappings.cmi.tree import as_json, from_json, scalar
from mappings.cmi.tree import item as clean

_RANKS: Mapping[str, Sequence[str]] = {
    "lesson_status": tuple(LessonStatus),
    "completion_status": tuple(CompletionStatus),
    "success_status": tuple(SuccessStatus),
}
_ONLY_UP: Mapping[str, Mapping[str, int]] = {
    field: {word: rank for rank, word in enumerate(words)} for field, words in _RANKS.items()
}
_LATCHED = _ONLY_UP.keys()
_TIMES = frozenset({"session_time", "total_time"})  # added up per session (mappings.attempt.session_time), never merged
_FIELDS = Snapshot.__struct_fields__


_NOTHING: frozenset[str] = frozenset()


def merge(
    snapshot: Snapshot,
    incoming: Snapshot,
    *,
    older: bool = False,
    cleared: frozenset[str] = _NOTHING,
    clears_items: bool = False,
    altered: Mapping[str, Any] | None = None,
) -> Snapshot:
    """Return the attempt's snapshot after a commit.

    Args:
        snapshot: the one before it.
        incoming: what the commit says.
        older: the commit was sent before one already merged: it fills in what is not known yet and may still raise a
            status, but replaces nothing, and says nothing of the session.
        cleared: fields that it empties.
        clears_items: an empty element of an interaction, objective or comment empties what is known of it.
        altered: its interactions by `altered_interactions`, where they were looked for already.
    """
    changed: dict[str, Any] = {}
    for field in cleared:
        if field not in _LATCHED and getattr(snapshot, field) is not None:
            changed[field] = None
    for field, value, before in zip(_FIELDS, astuple(incoming), astuple(snapshot), strict=True):
        if value is None or value == before or field in _TIMES:
            continue
        if field not in _SPECIAL:
            if before is None or not older:
                changed[field] = value
        elif field == "interactions":
            sent = altered_interactions(snapshot, incoming) if altered is None else altered
            interactions = _merge_interactions(before or {}, sent, older=older, clears=clears_items)
            if interactions is not None:
                changed[field] = interactions
        elif field in _MERGERS:
            merged = _MERGERS[field](before or {}, value, older=older, clears=clears_items)
            if merged is not None:
                changed[field] = merged
        elif _replaces(field, value, before, older=older):
            changed[field] = value
    return msgspec.structs.replace(snapshot, **changed) if changed else snapshot


def _replaces(field: str, value: Any, before: Any, *, older: bool) -> bool:
    if field in _LATCHED:
        upward = older or field == "completion_status"
        return not upward or before is None or _ONLY_UP[field][value] > _ONLY_UP[field][before]
    if field == "scorm_version":  # content mixes up elements, not versions
        return before is None
    return field in SESSION_FIELDS and not older


def raises_status(snapshot: Snapshot, incoming: Snapshot) -> bool:
    """Return whether a commit carries a completion or success status that is further than what is known."""
    for field, ranks in _ONLY_UP.items():
        value, before = getattr(incoming, field), getattr(snapshot, field)
        if value is not None and ranks[value] > (-1 if before is None else ranks[before]):
            return True
    return False


def _merge_items(
    items: Mapping[str, Item], incoming: Mapping[str, Any], *, older: bool, clears: bool
) -> dict[str, Item] | None:
    """Return the merged collection, or None where the commit says nothing new."""
    changed: dict[str, Item] = {}
    for index, sent in incoming.items():
        before = items.get(index)
        if before == sent:
            continue
        after = _merge_item(before or {}, clean(sent), older=older, clears=clears)
        if after != before and after:
            changed[index] = after
    return {**items, **changed} if changed else None


def altered_interactions(before: Snapshot, incoming: Snapshot) -> Mapping[str, Any]:
    """Return the interactions of a commit that are not known by the same bytes, each decoded, by index."""
    sent, earlier = incoming.interactions, before.interactions or {}
    if not sent:
        return {}
    return {index: from_json(sent[index]) for index in compress(sent, map(ne, sent.values(), map(earlier.get, sent)))}


def _merge_interactions(
    interactions: Interactions, altered: Mapping[str, Any], *, older: bool, clears: bool
) -> Interactions | None:
    """Merge altered interactions as `_merge_items` does, but into ones that are JSON."""
    changed: Interactions = {}
    for index, sent in altered.items():
        before = from_json(interactions.get(index)) or {}
        after = _merge_item(before, clean(sent), older=older, clears=clears)
        if after != before:
            changed[index] = as_json(after)
    return {**interactions, **changed} if changed else None


def _merge_objectives(
    objectives: Mapping[str, Item], incoming: Mapping[str, Any], *, older: bool, clears: bool
) -> dict[str, Item] | None:
    """Merge objectives as `_merge_items` does, but each with what is known of its id, at whichever index that was.

    What an objective reached, it never loses.
    """
    by_id = {
        objective_id: (index, item) for index, item in objectives.items() if (objective_id := scalar(item.get("id")))
    }
    changed: dict[str, Item] = {}
    for sent_index, sent in incoming.items():
        index, before = sent_index, objectives.get(sent_index)
        if before == sent:
            continue
        new = clean(sent)
        objective_id = new.get("id")
        if objective_id and (before is None or before.get("id") not in (None, "", objective_id)):
            if older and before is not None and objective_id not in by_id:
                continue  # the index is another objective's now
            at, before = by_id.get(objective_id, (index, None))
            index = at if older else index
        after = _latch(before or {}, new, _merge_item(before or {}, new, older=older, clears=clears))
        if after and after != objectives.get(index):
            changed[index] = after
    return {**objectives, **changed} if changed else None


_MERGERS: Mapping[str, Callable[..., dict[str, Any] | None]] = {
    "comments_from_learner": _merge_items,
    "comments_from_lms": _merge_items,
    "objectives": _merge_objectives,
}


_SPECIAL = frozenset({*_LATCHED, *_MERGERS, "interactions", *SESSION_FIELDS, *_TIMES, "scorm_version"})
"""Fields that are not simply replaced by what is said last."""


def _latch(item: Item, incoming: Item, merged: Item) -> Item:
    for name, (field, read) in _STATUSES.items():
        before, now = _rank(field, read, item.get(name)), _rank(field, read, incoming.get(name))
        if name in merged and max(before, now) >= 0:
            merged[name] = item[name] if before >= now else incoming[name]
    return merged


_STATUSES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "status": ("lesson_status", values.lesson_status),
    "completion_status": ("completion_status", values.completion_status),
    "success_status": ("success_status", values.success_status),
}


def _rank(field: str, read: Callable[[str], str], word: object) -> int:
    """Return how far a status word goes, -1 for none."""
    try:
        return _ONLY_UP[field][read(word)] if isinstance(word, str) and word else -1
    except values.BadValue:
        return -1


def _merge_item(item: Item, incoming: Item, *, older: bool, clears: bool) -> Item:
    if not item:
        return incoming
    merged = dict(item)
    for key, value in incoming.items():
        before = item.get(key)
        if isinstance(value, dict):
            if not isinstance(before, dict) and before not in (None, "") and (older or not value):
                continue
            below = before if isinstance(before, dict) else {}
            merged[key] = _merge_item(below, value, older=older, clears=clears)
        elif before in (None, "") or ((value != "" or (clears and key != "id")) and not older):
            merged[key] = value
    return merged

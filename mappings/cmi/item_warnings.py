"""What is wrong with interactions, objectives and comments, of those that a commit brought or altered.

Clients repeat hundreds of items with every commit: what is known by the same bytes is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from mappings.cmi import scores, values
from mappings.cmi.names import KEYWORDS, warn_of_unknown
from mappings.cmi.snapshot import COLLECTIONS, Item, Snapshot, says_items
from mappings.cmi.tree import MAX_ITEMS, from_json, is_index, scalar
from mappings.cmi.values import BadValue, Reader
from mappings.cmi.warnings import NOT_A_GROUP, NOT_TEXT, NUL_REMOVED, CmiWarning, WarningCode, is_full, warn

_Readers: TypeAlias = "Mapping[str, Reader | str | _Readers | None]"
"""By name: what reads a value, None for text that is taken as it is, the one element that the items of a collection
have, or a group of elements."""

_COMMENT: _Readers = {"comment": None, "location": None, "timestamp": None}
_ITEMS: Mapping[str, _Readers] = {
    "interactions": {
        "id": None,
        "type": values.interaction_type,
        "description": None,
        "learner_response": None,
        "student_response": None,
        "result": values.result,
        "weighting": None,
        "latency": values.time,
        "time": None,
        "timestamp": None,
        "objectives": "id",
        "correct_responses": "pattern",
    },
    "objectives": {
        "id": None,
        "description": None,
        "status": values.lesson_status,
        "success_status": values.success_status,
        "completion_status": values.completion_status,
        "progress_measure": values.share,
        "score": {"raw": values.number, "min": values.number, "max": values.number, "scaled": values.scaled},
    },
    "comments_from_learner": _COMMENT,
    "comments_from_lms": _COMMENT,
}


def _unknown(_value: str) -> object:
    """Stand for the reader of an element that SCORM does not have."""
    raise BadValue(WarningCode.UNKNOWN_ELEMENT, "is unknown")


def item_warnings(before: Snapshot, incoming: Snapshot, altered: Mapping[str, Any]) -> Sequence[CmiWarning]:
    """Return what cannot be used of the items that a commit brought, where they are not known with the same content.

    `altered` are the interactions to look at.
    """
    if not says_items(incoming):
        return ()
    warnings: list[CmiWarning] = []
    for name in COLLECTIONS:
        sent = getattr(incoming, name)
        if not sent:
            continue
        earlier = getattr(before, name) or {}
        for index, item in altered.items() if name == "interactions" else sent.items():
            if name != "interactions" and item == earlier.get(index):
                continue
            if not _is_sound(item, _ITEMS[name]):
                _check(item, _ITEMS[name], f"cmi.{name}.n", f"cmi.{name}.{index}", warnings)
            if is_full(warnings):
                break
    return warnings


def unnamed(
    before: Snapshot, after: Snapshot, altered: Mapping[str, Any] | None, *, settled: bool, ended: bool
) -> Sequence[CmiWarning]:
    """Return the interactions and objectives between two snapshots that have no id, and impossible objective scores.

    Content that sets one element at a time may set the id last: nothing is said until it is `settled`. Where the
    session has `ended`, all objectives are looked at. `altered` are the interactions to look at, as they were sent,
    None for all that differ.
    """
    looks_at_objectives = after.objectives is not before.objectives or (ended and after.objectives)
    looks_at_interactions = after.interactions is not before.interactions and (
        altered is None or not all(map(_is_named, altered.values()))
    )
    if not settled or not (looks_at_objectives or looks_at_interactions):
        return ()
    warnings: list[CmiWarning] = []
    for name, index, item in (*_new_interactions(before, after, altered), *_new_objectives(before, after, whole=ended)):
        if is_full(warnings):
            break
        path = f"cmi.{name}.{index}"
        if not scalar(item.get("id")) and any(item.values()):
            what = name.removesuffix("s")
            warnings.append(
                warn(WarningCode.MISSING_ID, f"{path}.id", "", f"is needed: an {what} without an id is not reported")
            )
        elif name == "objectives" and isinstance(item.get("score"), dict):
            score_warning = _score_finding(item["score"], after, f"{path}.score")
            if score_warning is not None:
                warnings.append(score_warning)
    return warnings


def _is_named(sent: object) -> bool:
    """Return whether an item was sent with an id, which no other commit takes away."""
    return isinstance(sent, dict) and isinstance(sent.get("id"), str) and bool(sent["id"].strip("\0"))


def _new_interactions(
    before: Snapshot, after: Snapshot, altered: Mapping[str, Any] | None
) -> Iterator[tuple[str, str, Item]]:
    now, earlier = after.interactions or {}, before.interactions or {}
    if now is not earlier:
        for index in now if altered is None else altered:
            item = None if now.get(index) == earlier.get(index) else from_json(now.get(index))
            if isinstance(item, dict):
                yield "interactions", index, item


def _new_objectives(before: Snapshot, after: Snapshot, *, whole: bool) -> Iterator[tuple[str, str, Item]]:
    now, earlier = after.objectives or {}, before.objectives or {}
    if whole or now is not earlier:
        for index, item in now.items():
            if item is not earlier.get(index) or (whole and not item.get("id")):
                yield "objectives", index, item


def _score_finding(parts: Mapping[str, Any], snapshot: Snapshot, path: str) -> CmiWarning | None:
    raw, low, high = (_number(parts.get(name)) for name in ("raw", "min", "max"))
    if raw is None or scores.is_possible(snapshot.scorm_version, raw, low, high):
        return None
    return scores.score_warning(
        Snapshot(scorm_version=snapshot.scorm_version, score_raw=raw, score_min=low, score_max=high), path
    )


def _number(value: object) -> Any:
    try:
        text = scalar(value)
        return values.number(text) if text else None
    except BadValue:
        return None


def _is_sound(item: object, readers: _Readers) -> bool:
    """Return whether there is nothing to say of an item or a group, as of nearly all; where not, it is looked into."""
    if type(item) is not dict:
        return False
    for key, value in item.items():
        if not value:
            continue
        reader = readers.get(key, _unknown)
        if reader is None or callable(reader):
            if type(value) is not str or "\0" in value:
                return False
            if reader is not None and value not in values.known_to(reader) and not _reads(reader, value):
                return False
        elif not _fits(value, reader):
            return False
    return True


def _fits(value: object, reader: str | _Readers) -> bool:
    if not isinstance(reader, str):
        return _is_sound(value, reader)
    if type(value) is not dict:
        return False
    for index, part in value.items():
        if not is_index(index) or type(part) is not dict:
            return False
        for key, text in part.items():
            if text and (key != reader or type(text) is not str or "\0" in text):
                return False
    return True


def _reads(reader: Reader, value: str) -> bool:
    try:
        reader(value)
    except BadValue:
        return False
    return True


def _check(item: object, readers: _Readers, group: str, path: str, warnings: list[CmiWarning]) -> None:
    """Warn of all that cannot be used in an item or a group. `group` is its name in the data model."""
    if not isinstance(item, dict):
        if item:
            warnings.append(warn(WarningCode.NOT_A_GROUP, path, item, NOT_A_GROUP))
        return
    for key, value in item.items():
        if is_full(warnings):
            return
        reader, here = readers.get(key, _unknown), f"{path}.{key}"
        if reader is _unknown:
            if key not in KEYWORDS:
                warn_of_unknown(key, value, group, path, warnings)
        elif reader is None or callable(reader):
            _check_value(value, reader, here, warnings)
        elif isinstance(reader, str):
            _check_collection(value, reader, f"{group}.{key}.n", here, warnings)
        else:
            _check(value, reader, f"{group}.{key}", here, warnings)


def _check_value(value: object, reader: Reader | None, path: str, warnings: list[CmiWarning]) -> None:
    text = value if isinstance(value, str) else scalar(value)
    if text is None:
        if value:
            warnings.append(warn(WarningCode.NOT_TEXT, path, value, NOT_TEXT))
        return
    if "\0" in text:
        warnings.append(warn(WarningCode.NUL_REMOVED, path, text, NUL_REMOVED))
        text = text.replace("\0", "")
    if reader is not None and text.strip():
        try:
            reader(text)
        except BadValue as bad:
            warnings.append(warn(bad.code, path, text, str(bad)))


def _check_collection(value: object, element: str, group: str, path: str, warnings: list[CmiWarning]) -> None:
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict):
        if value:
            warnings.append(warn(WarningCode.NOT_A_GROUP, path, value, NOT_A_GROUP))
        return
    for index, item in value.items():
        if is_full(warnings):
            return
        if is_index(index):
            _check(item, {element: None}, group, f"{path}.{index}", warnings)
        else:
            _warn_of_index(index, item, path, warnings)


def check_indices(collection: Mapping[str, object], name: str, warnings: list[CmiWarning]) -> None:
    """Warn of what is in a collection under something that is no index."""
    for index, item in collection.items():
        if not is_index(index) and not is_full(warnings):
            _warn_of_index(index, item, f"cmi.{name}", warnings)


def _warn_of_index(index: str, item: object, path: str, warnings: list[CmiWarning]) -> None:
    """Warn of one of these, unless it is a keyword of SCORM's or says nothing."""
    if index in KEYWORDS or item in ("", None, {}, []):
        return
    warnings.append(
        warn(
            WarningCode.BAD_INDEX,
            f"{path}.{index}",
            index,
            f"is no index: items are numbered from 0 to {MAX_ITEMS - 1}",
        )
    )

"""Reading one commit's CMI tree into a snapshot of what the commit says, with a warning for each bad value.

Tables of elements: SCORM 1.2 RTE (ADL SCORM Version 1.2, section 3.4) and SCORM 2004 RTE (4th edition, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from mappings.cmi import values
from mappings.cmi.item_warnings import check_indices
from mappings.cmi.names import check_names, names, warn_of_unknown
from mappings.cmi.snapshot import COLLECTIONS, Interactions, ScormVersion, Snapshot
from mappings.cmi.tree import MAX_ITEMS, as_json, from_json, items, scalar
from mappings.cmi.values import LESSON_STATUS, BadValue, Reader
from mappings.cmi.warnings import NOT_A_GROUP, NOT_TEXT, NUL_REMOVED, CmiWarning, WarningCode, warn


class ParsedCmi(msgspec.Struct, frozen=True, gc=False):
    """What one commit says. `snapshot.scorm_version` is None when none of its elements tells the version.

    `cleared` are the fields that it has an empty value for.
    """

    snapshot: Snapshot
    warnings: tuple[CmiWarning, ...] = ()
    cleared: frozenset[str] = frozenset()


_Field: TypeAlias = tuple[str, Reader | None]
_Table: TypeAlias = Mapping[str, "_Field | _Table"]

_TEXT = None
"""Text is taken as it is: location, suspend data and the like are the content's own."""
_SCORE: _Table = {
    "raw": ("score_raw", values.number),
    "min": ("score_min", values.number),
    "max": ("score_max", values.number),
    "scaled": ("score_scaled", values.scaled),
}
_CORE: _Table = {
    "lesson_status": ("lesson_status", values.lesson_status),
    "lesson_location": ("location", _TEXT),
    "lesson_mode": ("mode", values.mode),
    "credit": ("credit", values.credit),
    "entry": ("entry", values.entry),
    "exit": ("exit", values.exit_),
    "score": _SCORE,
    "session_time": ("session_time", values.time),
    "total_time": ("total_time", values.time),
}
_SCORM_12: _Table = {
    "core": _CORE,
    "student_data": {
        "mastery_score": ("mastery_score", values.number),
        "max_time_allowed": ("max_time_allowed", _TEXT),
        "time_limit_action": ("time_limit_action", _TEXT),
    },
    "student_preference": {
        "audio": ("audio_level", values.number),
        "language": ("language", _TEXT),
        "speed": ("delivery_speed", values.number),
        "text": ("audio_captioning", values.number),
    },
    "comments": ("comments", _TEXT),
}
_SCORM_2004: _Table = {
    "completion_status": ("completion_status", values.completion_status),
    "success_status": ("success_status", values.success_status),
    "score": _SCORE,
    "progress_measure": ("progress_measure", values.share),
    "location": ("location", _TEXT),
    "mode": ("mode", values.mode),
    "credit": ("credit", values.credit),
    "entry": ("entry", values.entry),
    "exit": ("exit", values.exit_),
    "session_time": ("session_time", values.time),
    "total_time": ("total_time", values.time),
    "completion_threshold": ("completion_threshold", values.share),
    "scaled_passing_score": ("scaled_passing_score", values.scaled),
    "max_time_allowed": ("max_time_allowed", _TEXT),
    "time_limit_action": ("time_limit_action", _TEXT),
    "learner_preference": {
        "audio_level": ("audio_level", values.number),
        "language": ("language", _TEXT),
        "delivery_speed": ("delivery_speed", values.number),
        "audio_captioning": ("audio_captioning", values.number),
    },
}
_EITHER: _Table = {
    "suspend_data": ("suspend_data", _TEXT),
    "launch_data": ("launch_data", _TEXT),
}


class _NameGroup(NamedTuple):
    """Elements and groups of elements whose names begin with `path`; `unread` is what else SCORM has there.

    An element has the snapshot's field, its reader, and what that is known to return.
    """

    path: str
    elements: Mapping[str, tuple[str, Reader | None, Mapping[str, object]]]
    groups: Mapping[str, _NameGroup]
    unread: frozenset[str]


def _group(path: str, table: _Table) -> _NameGroup:
    return _NameGroup(
        path,
        {
            key: (*entry, {} if entry[1] is None else values.known_to(entry[1]))
            for key, entry in table.items()
            if isinstance(entry, tuple)
        },
        {key: _group(f"{path}{key}.", entry) for key, entry in table.items() if not isinstance(entry, tuple)},
        names(path.removesuffix(".")) - table.keys(),
    )


_CMI = _group("cmi.", {**_SCORM_12, **_SCORM_2004, **_EITHER})

_TELLING_12 = ("core", "student_data", "student_preference", "comments")
_TELLING_2004 = frozenset(_SCORM_2004) - {"max_time_allowed", "time_limit_action"} | {
    "learner_id",
    "learner_name",
    "comments_from_learner",
}


def parse_cmi(tree: Mapping[str, Any], *, declared: ScormVersion | None = None) -> ParsedCmi:
    """Read a commit's tree, `{"cmi": {…}, "adl": {…}}`.

    Values that are absent or null say nothing; empty ones are told as `cleared`. Unknown elements and bad values are
    left out and warned of: a commit is never refused for one. Items are looked at when they are merged
    (`mappings.cmi.item_warnings`). `declared` is the version the client named, which wins over what the elements look
    like.
    """
    cmi = tree.get("cmi")
    fields: dict[str, Any] = {}
    warnings: list[CmiWarning] = []
    cleared: set[str] = set()
    if len(tree) > 1 or not isinstance(cmi, dict):
        _check_roots(tree, warnings)
    if isinstance(cmi, dict):
        _walk(cmi, _CMI, fields, warnings, cleared)
        if not cmi.keys().isdisjoint(COLLECTIONS):
            for name in COLLECTIONS:
                if name in cmi:
                    _take_items(name, cmi[name], fields, warnings)
        comments = fields.get("comments")
        if comments is not None and "\0" in comments:
            # a statement tells them
            warnings.append(warn(WarningCode.NUL_REMOVED, "cmi.comments", comments, NUL_REMOVED))
            fields["comments"] = comments.replace("\0", "")
        fields["scorm_version"] = declared or _version(cmi)
    elif declared:
        fields["scorm_version"] = declared
    if "adl" in tree and (request := _nav_request(tree["adl"])):
        fields["nav_request"] = request
    status = fields.get("lesson_status")
    if status is not None:
        completion, success = LESSON_STATUS[status]
        if completion is not None:
            fields.setdefault("completion_status", completion)
        if success is not None:
            fields.setdefault("success_status", success)
    return ParsedCmi(Snapshot(**fields), tuple(warnings), frozenset(cleared) if cleared else _NONE)


_NONE: frozenset[str] = frozenset()


def _walk(
    branch: Mapping[str, Any],
    group: _NameGroup,
    fields: dict[str, Any],
    warnings: list[CmiWarning],
    cleared: set[str],
) -> None:
    path, elements, groups, unread = group
    for key, value in branch.items():
        element = elements.get(key)
        if not value and (value == "" or value is None):
            if value == "" and element is not None:
                cleared.add(element[0])
            continue
        if element is None:
            if key in groups:
                _walk_group(value, groups[key], fields, warnings, cleared)
            elif key not in unread:
                warn_of_unknown(key, value, path[:-1], path[:-1], warnings)
            continue
        field, reader, cached = element
        text = value if isinstance(value, str) else scalar(value)
        if text is None:
            if value:
                warnings.append(warn(WarningCode.NOT_TEXT, path + key, value, NOT_TEXT))
            continue
        if reader is None:
            fields[field] = text
            continue
        try:
            fields[field] = cached.get(text) or reader(text)
        except BadValue as bad:
            if text.strip():
                warnings.append(warn(bad.code, path + key, text, str(bad)))


def _walk_group(
    value: object, group: _NameGroup, fields: dict[str, Any], warnings: list[CmiWarning], cleared: set[str]
) -> None:
    if isinstance(value, dict):
        _walk(value, group, fields, warnings, cleared)
    elif value:
        name = group.path.removesuffix(".")
        warnings.append(warn(WarningCode.NOT_A_GROUP, name, value, NOT_A_GROUP))


def _check_roots(tree: Mapping[str, Any], warnings: list[CmiWarning]) -> None:
    """Warn of what does not belong beside `cmi`: `core.lesson_status` among full names, a misspelt `adl.nav.reqest`."""
    for name, value in tree.items():
        if name == "cmi":
            if value and not isinstance(value, dict):
                warnings.append(warn(WarningCode.NOT_A_GROUP, name, value, NOT_A_GROUP))
        elif name == "adl":
            if isinstance(value, dict):
                check_names(value, name, name, warnings)
                if isinstance(value.get("nav"), dict):
                    check_names(value["nav"], "adl.nav", "adl.nav", warnings)
        elif name not in _FOREIGN:
            warn_of_unknown(name, value, "", "", warnings)


_FOREIGN = frozenset({"nav", "ssp"})
"""Extensions that content uses of other run-time environments."""


def _take_items(name: str, collection: object, fields: dict[str, Any], warnings: list[CmiWarning]) -> None:
    if name == "comments_from_lms" and isinstance(collection, str) and collection:
        parsed_items = {"0": {"comment": collection}}  # one text in SCORM 1.2
    else:
        parsed_items = items(collection)
    if parsed_items:
        fields[name] = _each_as_json(parsed_items) if name == "interactions" else parsed_items
    if isinstance(collection, (dict, list)):
        if len(collection) > MAX_ITEMS:
            message = f"has more than {MAX_ITEMS} items; the rest is left out"
            warnings.append(warn(WarningCode.TOO_MANY, f"cmi.{name}", "", message))
        elif isinstance(collection, dict) and parsed_items is not collection:
            check_indices(collection, name, warnings)
    elif collection and not parsed_items:
        warnings.append(warn(WarningCode.NOT_A_GROUP, f"cmi.{name}", collection, NOT_A_GROUP))


def _each_as_json(collection: dict[str, Any]) -> Interactions:
    if {*map(type, collection.values())} == {Raw}:  # as most of many come: there is nothing to do
        return collection
    return {index: as_json(item) for index, item in collection.items()}


def _version(cmi: Mapping[str, Any]) -> ScormVersion | None:
    if not cmi.keys().isdisjoint(_TELLING_12) and any(map(cmi.get, _TELLING_12)):
        return "1.2"
    if not _TELLING_2004.isdisjoint(cmi):
        return "2004"
    interactions = map(from_json, items(cmi.get("interactions")).values())
    if any(isinstance(interaction, dict) and interaction.get("student_response") for interaction in interactions):
        return "1.2"
    return None


def _nav_request(adl: object) -> str | None:
    nav = adl.get("nav") if isinstance(adl, dict) else None
    request = nav.get("request") if isinstance(nav, dict) else None
    return request if isinstance(request, str) and request not in {"", "_none_"} else None

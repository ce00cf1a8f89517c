"""The bridge's own format: one JSON body that tells session, learner, activity and CMI data."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, get_args

import msgspec

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner, validate_launch
from bridge.commit_model.launch_fields import (
    parse_attributes,
    parse_course_activities,
    parse_description,
    parse_email,
)
from bridge.errors import MalformedBody, MalformedField
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest
from bridge.formats.lenient_json import LONG
from mappings.attempt.commit import Commit
from mappings.attempt.launch import Credit, LaunchData, Mode
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.spelling import nearest
from mappings.cmi.tree import Tree, is_full, unflatten
from mappings.cmi.warnings import CmiWarning, WarningCode, limited, warn
from mappings.cmi.warnings import is_full as is_full_list
from mappings.xapi.iris import is_iri, sendable_iri
from mappings.xapi.validation.syntax import UUID_PATTERN

MARKS = frozenset({"sequence", "terminated", "committed_at", "scorm_version", "learner", "activity"})
"""Keys beside `cmi` that only this format has."""

_Text = str | int
_Number = str | int | float
_T = TypeVar("_T")


class LearnerFields(msgspec.Struct, forbid_unknown_fields=True):
    """A learner as bodies describe one."""

    id: _Text
    name: str | None = None
    email: str | None = None
    attributes: dict[str, Any] | None = None


class ActivityFields(msgspec.Struct, forbid_unknown_fields=True):
    """An activity as bodies describe one."""

    id: _Text
    name: str | None = None
    type: str | None = None
    description: str | None = None


class CourseFields(msgspec.Struct, forbid_unknown_fields=True):
    """A course as bodies describe one."""

    id: _Text
    name: str | None = None
    description: str | None = None
    activities: list[_Text] | None = None


class OpenSessionBody(msgspec.Struct):
    """What a body tells of the session it opens."""

    learner: LearnerFields | _Text | None = None
    activity: ActivityFields | _Text | None = None
    course: CourseFields | _Text | None = None
    session_id: str | None = None
    scorm_version: str | float | int | None = None
    attempt: int | None = None
    mode: str | None = None
    credit: str | None = None
    mastery_score: _Number | None = None
    scaled_passing_score: _Number | None = None
    completion_threshold: _Number | None = None
    launch_data: str | None = None
    max_time_allowed: _Text | None = None
    time_limit_action: str | None = None
    registration: str | None = None
    user: LearnerFields | _Text | None = None


class CommitBody(msgspec.Struct):
    """What a body tells of its commit."""

    cmi: dict[str, Any] | None = None
    cmi_data: dict[str, Any] | None = None
    adl: dict[str, Any] | None = None
    sequence: int | None = None
    terminated: bool | None = None
    committed_at: str | None = None
    scorm_version: str | float | int | None = None


class AllInOneBody(OpenSessionBody, forbid_unknown_fields=True):
    """A body with all of it, as posted to the address that opens sessions by itself."""

    cmi: dict[str, Any] | None = None
    cmi_data: dict[str, Any] | None = None
    adl: dict[str, Any] | None = None
    sequence: int | None = None
    terminated: bool | None = None
    committed_at: str | None = None
    of_a_postback: Any = msgspec.field(default=msgspec.UNSET, name="registrationCompletion")


class _Order(msgspec.Struct):
    """What tells whose commit a body is, as JSON; all else of it is skipped."""

    session_id: msgspec.Raw = msgspec.Raw()
    learner: msgspec.Raw = msgspec.Raw()
    user: msgspec.Raw = msgspec.Raw()
    activity: msgspec.Raw = msgspec.Raw()


_decode_order = msgspec.json.Decoder(_Order).decode


def _keys(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


_OPENING_KEYS = _keys(OpenSessionBody)
_OF_PLAYERS = frozenset({
    "activityId", "commitSequence", "completionStatus", "courseId", "globalObjectives", "learnerId", "learnerName",
    "runtimeData", "scoId", "score", "successStatus", "totalTimeSeconds",
})  # fmt: skip
"""What scorm-again adds to its commits when it is set up so."""
_COMMIT_KEYS = _keys(AllInOneBody) | _OF_PLAYERS
_GROUP_KEYS = {
    "learner": _keys(LearnerFields),
    "user": _keys(LearnerFields),
    "activity": _keys(ActivityFields),
    "course": _keys(CourseFields),
}

_decode_whole = msgspec.json.Decoder(AllInOneBody).decode


def parse_all_in_one(body: bytes) -> AllInOneBody | None:
    """Parse a usual body in one step: it can be taken for its JSON below, and then the dictionaries are never built.

    None is for one to be looked at more closely: long, strange, wrong or something else.
    """
    if len(body) >= LONG:
        return None
    try:
        fields = _decode_whole(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return fields if fields.of_a_postback is msgspec.UNSET else None


def order_key(body: bytes) -> tuple[bytes, ...]:
    """Return what bodies of one session have in common, at little cost; empty where that cannot be known."""
    try:
        # halves of characters are mended where a body is parsed: what is only skipped must not fail of them
        order = _decode_order(body.replace(rb"\\", b"").replace(rb"\u", b"") if rb"\u" in body else body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    return (
        (bytes(order.session_id),)
        if order.session_id
        else tuple(map(bytes, (order.learner, order.user, order.activity)))
    )


class LaunchRequest(NamedTuple):
    """A session to open: the launch, the session's id where the body has one, and what was odd about the body."""

    launch: Launch
    session_id: str | None
    warnings: tuple[CmiWarning, ...]


def parse_open_session(body: object, *, lms_id: int) -> LaunchRequest:
    """Parse a body that opens a session and does nothing else.

    Raises:
        MalformedBody: a field is missing or of the wrong type.
        MalformedField: an id is empty or has control characters, a type is no IRI.
    """
    opening = parse_launch(body, lms_id=lms_id)
    unknown = unknown_keys(body, _OPENING_KEYS) if isinstance(body, dict) else []
    return opening._replace(warnings=limited(unknown, opening.warnings))


def parse_launch(body: object, *, lms_id: int, activity_id: str | None = None) -> LaunchRequest:
    """Parse who, what and which session from a body that must tell them; of its keys, only those in these are checked.

    `activity_id` is the activity that the address names. `user` is another word for `learner`.

    Raises:
        MalformedBody: a field is missing or of the wrong type.
        MalformedField: an id is empty or has control characters, a type is no IRI.
    """
    fields, warnings = (body, []) if isinstance(body, AllInOneBody) else _read_loose(body)
    learner = fields.learner if fields.learner is not None else fields.user
    who = learner if isinstance(learner, LearnerFields) else learner is not None and LearnerFields(learner)
    what = fields.activity if isinstance(fields.activity, ActivityFields) else None
    if what is None and (fields.activity is not None or activity_id is not None):
        what = ActivityFields(activity_id if activity_id is not None else fields.activity)  # type: ignore[arg-type]  # one of them is set
    if not who:
        raise MalformedBody('The body does not name the learner: {"learner": {"id": "…", "name": "…"}} is needed.')
    if what is None:
        raise MalformedBody('The body does not name the activity: {"activity": {"id": "…", "name": "…"}} is needed.')
    course = (
        fields.course
        if isinstance(fields.course, CourseFields)
        else fields.course is not None and CourseFields(fields.course)
    )
    if what.type is not None and not is_iri(sendable_iri(what.type)):
        raise MalformedField(
            f"activity.type must be an IRI such as http://adlnet.gov/expapi/activities/lesson, not {what.type[:60]!r}."
        )
    if fields.attempt is not None and not 1 <= fields.attempt < 1_000_000:
        raise MalformedField(f"attempt must be a number from 1, not {fields.attempt}.")
    version = _version(fields.scorm_version)
    launch = Launch(
        lms_id=lms_id,
        learner=LaunchLearner(str(who.id), who.name or "", parse_email(who.email), parse_attributes(who.attributes)),
        activity=LaunchActivity(
            str(what.id) if activity_id is None else activity_id,
            what.name or "",
            what.type or "",
            parse_description(what.description),
        ),
        course=LaunchCourse(
            str(course.id),
            course.name or "",
            parse_description(course.description),
            parse_course_activities(course.activities),
        )
        if course
        else LaunchCourse("", ""),
        scorm_version=version,
        attempt_number=fields.attempt,
        data=_launch_data(fields, version),
    )
    launch, of_names = validate_launch(launch)
    return LaunchRequest(launch, fields.session_id or None, (*warnings, *of_names))


def unknown_keys(body: Mapping[str, object], known_keys: Collection[str], inside: str = "") -> list[CmiWarning]:
    """Return a warning for each key of an object that is not one of the known ones.

    Their values are not repeated: they can be anything, an address of the learner's too.
    """
    warnings: list[CmiWarning] = []
    for key, value in body.items():
        if key in known_keys or value in (None, "", {}, []) or is_full_list(warnings):
            continue
        meant = nearest(key, known_keys)
        message = "is not a key that is taken here" + ("" if meant is None else f"; did you mean {meant}?")
        warnings.append(warn(WarningCode.UNKNOWN_KEY, inside + key, "", message))
    return warnings


def _read_loose(body: object) -> tuple[OpenSessionBody, list[CmiWarning]]:
    """Parse a body whose groups may have unknown keys."""
    warnings: list[CmiWarning] = []
    if isinstance(body, dict):
        body = dict(body)
        for name, keys in _GROUP_KEYS.items():
            group = body.get(name)
            if isinstance(group, dict) and not keys.issuperset(group):
                warnings += unknown_keys(group, keys, f"{name}.")
                body[name] = {key: value for key, value in group.items() if key in keys}
    return _convert(body, OpenSessionBody), warnings


def _launch_data(fields: OpenSessionBody, version: ScormVersion | None) -> LaunchData:
    if fields.mode is fields.credit is fields.mastery_score is fields.scaled_passing_score is None and (
        fields.completion_threshold is fields.launch_data is fields.max_time_allowed is fields.time_limit_action is None
        and not fields.registration
    ):
        return _BARE[version]
    return LaunchData(
        scorm_version=version,
        mode=_word("mode", fields.mode, get_args(Mode)),
        credit=_word("credit", fields.credit, get_args(Credit)),
        mastery_score=_number("mastery_score", fields.mastery_score, None),
        scaled_passing_score=_number("scaled_passing_score", fields.scaled_passing_score, (-1, 1)),
        completion_threshold=_number("completion_threshold", fields.completion_threshold, (0, 1)),
        launch_data=fields.launch_data or None,
        max_time_allowed=None if fields.max_time_allowed is None else str(fields.max_time_allowed) or None,
        time_limit_action=fields.time_limit_action or None,
        registration=_registration(fields.registration),
    )


_BARE: dict[ScormVersion | None, LaunchData] = {
    version: LaunchData(scorm_version=version) for version in (None, "1.2", "2004")
}


def _word(name: str, value: str | None, allowed: Sequence[str]) -> Any:
    if value is None or value == "" or value in allowed:
        return value or None
    raise MalformedField(f"{name} must be one of {', '.join(allowed)}, not {value[:60]!r}.")


DECIMAL = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?", re.ASCII)
"""A number as text, as SCORM has it."""


def _number(name: str, value: str | float | None, bounds: tuple[int, int] | None) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if DECIMAL.fullmatch(value) is None:
            raise MalformedField(f"{name} must be a number, not {value[:60]!r}.")
        value = float(value)
    if not abs(value) <= MAX_MARK or (bounds is not None and not bounds[0] <= value <= bounds[1]):
        low, high = bounds or (-MAX_MARK, MAX_MARK)
        raise MalformedField(f"{name} must lie between {low} and {high}, not {value!r:.60}.")
    return int(value) if float(value).is_integer() else value


MAX_MARK = 999_999_999
"""A mastery score beyond all scores."""


def _registration(value: str | None) -> str | None:
    if not value:
        return None
    if UUID_PATTERN.fullmatch(value) is None:
        raise MalformedField(f"registration must be a UUID, not {value[:60]!r}.")
    return value.lower()


def has_launch(body: object) -> bool:
    """Return whether a body names a learner, which makes it one that can open its session."""
    if isinstance(body, AllInOneBody):
        return body.learner is not None or body.user is not None
    return isinstance(body, dict) and (body.get("learner") is not None or body.get("user") is not None)


def parse_commit(body: object, request: CommitRequest) -> Commit:
    """Parse the commit of a body in this format. `cmi_data` is another word for `cmi`.

    Raises:
        MalformedBody: it has no CMI data, or a field of the wrong type.
        MalformedField: a field has a value that cannot be used.
    """
    warnings: tuple[CmiWarning, ...] = ()
    if isinstance(body, dict) and not _COMMIT_KEYS.issuperset(body):
        warnings = tuple(unknown_keys(body, _COMMIT_KEYS))
    fields = body if isinstance(body, AllInOneBody) else _convert(body, CommitBody)
    cmi = fields.cmi if fields.cmi is not None else fields.cmi_data
    if cmi is None:
        raise MalformedBody('The body has no CMI data: {"cmi": {…}} is needed, flat or nested.')
    if fields.sequence is not None and not 0 <= fields.sequence < 1 << 62:
        raise MalformedField(f"sequence must be a number from 0, not {fields.sequence}.")
    tree = _tree(cmi, fields.adl)
    return Commit(
        wire_format="native",
        tree=tree,
        echoes=is_full(tree),
        scorm_version=_version(fields.scorm_version),
        sequence=fields.sequence,
        terminated=request.has_final_flag if fields.terminated is None else fields.terminated,
        beacon=request.beacon,
        committed_at=None if fields.committed_at is None else _time(fields.committed_at),
        warnings=warnings,
    )


def _tree(cmi: dict[str, Any], adl: dict[str, Any] | None) -> Tree:
    if isinstance(cmi.get("cmi"), dict):  # one cmi too many, as from JSON.stringify({cmi: api.cmi})
        cmi = cmi["cmi"]
    if "." not in "".join(cmi):
        tree = {"cmi": cmi}
    elif any(key.startswith(("cmi.", "adl.")) for key in cmi):
        tree = unflatten(cmi)
    else:
        tree = {"cmi": unflatten(cmi)}
    if adl is not None:
        tree["adl"] = unflatten(adl) if any("." in key for key in adl) else adl
    return tree


@lru_cache(maxsize=64, typed=True)
def _version(value: str | float | None) -> ScormVersion | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) > 60:
        raise MalformedField(f'scorm_version must be "1.2" or "2004", not {value[:60]!r}.')
    text = str(value).strip().lower().removeprefix("scorm").strip(" _-")
    if text in {"1.2", "12"}:
        return "1.2"
    if text.startswith(("2004", "1.3")):
        return "2004"
    raise MalformedField(f'scorm_version must be "1.2" or "2004", not {value!r}.')


def _time(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise MalformedField(f"committed_at must have a time zone, as in 2026-01-31T12:00:00Z, not {text[:60]!r}.")
        return max(0, int(at.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise MalformedField(
            f"committed_at must be a time as in 2026-01-31T12:00:00Z (RFC 3339), not {text[:60]!r}."
        ) from None


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or not _is_own(content):
        return None
    return FormatRequest(commit=parse_commit(content, request))


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    return FormatRequest(commit=parse_commit(body.json, request)) if isinstance(body.json, dict) else None


def _convert(body: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.convert(_whole(body, "learner", "user", "activity", "course"), kind)
    except msgspec.ValidationError as error:
        raise MalformedBody(f"The body is not what is taken here: {error}.") from None


def _whole(value: object, *inside: str) -> object:
    """Return whole numbers as such where they are written 2.0, here and in the objects of these names.

    To JSON they are the same, and some languages write them so. What is CMI data is left alone.
    """
    if isinstance(value, dict):
        return {
            key: part if isinstance(part, dict) and key not in inside else _whole(part) for key, part in value.items()
        }
    return int(value) if isinstance(value, float) and value.is_integer() else value


FORMAT = Format(
    name="native",
    description='the bridge\'s own JSON: {"cmi": {…}, "sequence": 3, "terminated": false}',
    detect=_detect,
    parse=_parse,
)


def _is_own(content: dict[str, Any]) -> bool:
    """Return whether a body is not just scorm-again's `{"cmi": {…}}`, which says no more and has no dotted names."""
    cmi = content.get("cmi")
    if cmi is None:
        return "cmi_data" in content
    dotted = isinstance(cmi, dict) and any("." in key and not key.startswith("cmi.") for key in cmi)
    return dotted or bool(MARKS & content.keys())

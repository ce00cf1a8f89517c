"""The component schemas of the OpenAPI document: JSON Schema, derived from the types of bodies and responses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import msgspec

from bridge.commit_model.launch import MAX_ID_BYTES
from bridge.commit_model.launch_fields import (
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTES,
    MAX_COURSE_ACTIVITIES,
    MAX_COURSE_ACTIVITIES_BYTES,
)
from bridge.commit_model.response_types import ENUMS
from bridge.formats import native
from bridge.http import responses
from bridge.http.browser_sessions import BrowserSessionBody
from bridge.recordings.calls import CallsBody
from bridge.webhooks import event_types

Schema = dict[str, Any]

_REF = "#/components/schemas/{name}"

TEXT: Schema = {"type": "string"}
UUID: Schema = {"type": "string", "format": "uuid"}
ID: Schema = {
    "type": "string",
    "pattern": r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
    r"[^\x00-\x1f\x7f]*$",
    "maxLength": MAX_ID_BYTES,
    "description": f"Not blank, no control characters, at most {MAX_ID_BYTES} bytes in UTF-8.",
}
_ENUM_NAMES = {tuple(values): name for name, values in ENUMS.items()}
_NULL: Schema = {"type": "null"}
_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_OBJECT: Schema = {"type": "object", "additionalProperties": True}
_IDS = (ID, _INTEGER)
_COURSE_ID: Schema = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$", "maxLength": MAX_ID_BYTES}
_NAME: Schema = {
    "type": "string",
    "maxLength": MAX_ID_BYTES,
    "description": f"At most {MAX_ID_BYTES} bytes in UTF-8; control characters are replaced by spaces.",
}
_ATTRIBUTES: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "additionalProperties": {
        "anyOf": [{"type": "string", "maxLength": MAX_ATTRIBUTE_BYTES}, _NUMBER, {"type": "boolean"}, _NULL],
        "description": f"At most {MAX_ATTRIBUTE_BYTES} bytes in UTF-8.",
    },
    "maxProperties": MAX_ATTRIBUTES,
}
_ACTIVITY_LIST: Schema = {
    "type": "array",
    "items": {"anyOf": [*_IDS]},
    "maxItems": MAX_COURSE_ACTIVITIES,
    "description": "The ids of the activities that make the course up for the learner; the course is completed when all"
    f" of them are. At most {MAX_COURSE_ACTIVITIES_BYTES} bytes in all.",
}
_TYPE_IRI: Schema = {
    "type": "string",
    "pattern": r"^[a-z]+://[a-z]+(\.[a-z]+)*(/[A-Za-z0-9._~-]+)*$",
    "description": "an IRI",
}
_VERSION: Schema = {
    # in one enum of text and numbers, generators of clients see no type
    "anyOf": [{"type": "string", "enum": ["1.2", "2004", ""]}, {"const": 1.2}, {"const": 2004}, _NULL],
    "examples": ["1.2", "2004"],
}


FIELD_DESCRIPTIONS = {
    "activity": "What is played: its id, or an object.",
    "adl": "What SCORM 2004 has beside `cmi`, such as `adl.nav`.",
    "attempt": "The attempt's number; without one, the latest attempt is resumed or a new one begins.",
    "cmi": "CMI data, nested or flat: everything, or only what changed.",
    "cmi_data": "Stands for `cmi`.",
    "committed_at": "When the player committed, by its clock; without it, the time of arrival counts.",
    "completion_threshold": "SCORM 2004: the progress from which the activity counts as completed.",
    "course": "The course of the activity: its id, or an object. Without one, the activity is a course of its own.",
    "credit": "Whether results count.",
    "launch_data": "What the content gets as launch data.",
    "learner": "Who plays it: their id, or an object.",
    "mastery_score": "SCORM 1.2: the raw score from which the activity counts as passed.",
    "max_time_allowed": "The time limit that the content is told.",
    "mode": "`review` and `browse` show an attempt and record nothing.",
    "registration": "The LMS's UUID for the learner's enrollment in the course; statements have it.",
    "scaled_passing_score": "SCORM 2004: the scaled score from which the activity counts as passed.",
    "scorm_version": "Without it, the version is detected from the data.",
    "sequence": "1, 2, 3 and so on in each session: tells which of two commits is newer, and makes repeating safe.",
    "session_id": "The session; one that is unknown is opened under this id.",
    "terminated": "Whether this commit ends the session.",
    "time_limit_action": "What the content is told to do when the time is up.",
    "user": "Stands for `learner`.",
}
"""What fields of bodies mean, where their schema does not say it."""


def ref(name: str) -> Schema:
    """Return a reference to a component schema."""
    return {"$ref": _REF.format(name=name)}


def nullable(*schemas: Schema) -> Schema:
    """Return the schema of what is null or meets one of these schemas."""
    return {"anyOf": [*schemas, _NULL]}


def components() -> dict[str, Schema]:
    """Return all component schemas by name."""
    schemas: dict[str, Schema] = _with_named_enums(_bodies() | _responses())
    return schemas | {name: _enum(name, values) for name, values in ENUMS.items()}


def _enum(name: str, values: Iterable[str]) -> Schema:
    schema: Schema = {"title": name, "type": "string", "enum": [*values]}
    return schema | ({"description": values.__doc__} if isinstance(values, type) else {})


def _with_named_enums(value: Any) -> Any:
    """Return a schema in which references stand for known enums: each client gets one type of each."""
    if isinstance(value, list):
        return [_with_named_enums(part) for part in value]
    if not isinstance(value, dict):
        return value
    name = _ENUM_NAMES.get(tuple(value["enum"])) if value.get("type") == "string" and "enum" in value else None
    return {key: _with_named_enums(part) for key, part in value.items()} if name is None else ref(name)


def _responses() -> dict[str, Schema]:
    schemas, defaults = _derive([*responses.RESPONSES, *event_types.EVENTS])
    for name, names in defaults.items():
        # a default is written as any other value; what may be absent has none
        schemas[name]["required"] = [*names, *schemas[name].get("required", ())]
    return schemas


def _derive(types: Iterable[type[msgspec.Struct]]) -> tuple[dict[str, Schema], dict[str, list[str]]]:
    """Return the schemas of types and of all that they consist of, and by schema the fields that have a default.

    The defaults themselves are taken out: generators of clients would ask for such fields in requests.
    """
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    defaults: dict[str, list[str]] = {}
    for name, schema in schemas.items():
        for field, part in schema.get("properties", {}).items():
            if "default" in part:
                del part["default"]
                defaults.setdefault(name, []).append(field)
    return schemas, defaults


def _bodies() -> dict[str, Schema]:
    schemas, _ = _derive([native.OpenSessionBody, native.CommitBody])
    browser_schemas, _ = _derive([BrowserSessionBody])
    schemas |= _browser_bodies(browser_schemas)
    calls_schemas, _ = _derive([CallsBody])
    schemas |= calls_schemas
    _describe_groups(schemas)
    opening = schemas.pop("OpenSessionBody")["properties"] | _opening_properties()
    committing = schemas.pop("CommitBody")["properties"] | {
        **dict.fromkeys(("cmi", "cmi_data", "adl"), nullable(_OBJECT)),
        "sequence": nullable({"type": "integer", "minimum": 0, "maximum": (1 << 62) - 1}),
        "committed_at": nullable({"type": "string", "format": "date-time"}),
        "scorm_version": _VERSION,
    }
    # `user` stands for `learner`, and `cmi_data` for `cmi`: it is read only where the other is absent
    learner = {"anyOf": [*_IDS, ref("LearnerFields")]}
    learners = ({"learner": learner}, {"learner": _NULL, "user": learner})
    data = ({"cmi": _OBJECT}, {"cmi": _NULL, "cmi_data": _OBJECT})
    launches = [learner_schema | other for learner_schema, other in product(learners, data)]
    return schemas | {
        "OpenSessionBody": _object(opening, learners, ["activity"], "Who plays what."),
        "AllInOneBody": _object(
            opening | committing, launches, ["activity"], "CMI data with the launch that it belongs to."
        ),
        "SessionCommitBody": _object(
            committing | {"session_id": UUID, "learner": _NULL, "user": _NULL},
            data,
            ["session_id"],
            "CMI data of a session that is known.",
        ),
        "ProgressBody": _object(
            opening | committing | {"activity": nullable(TEXT, _INTEGER, ref("AddressedActivityFields"))},
            launches,
            [],
            "CMI data with the launch that it belongs to; the activity is the one in the address.",
        ),
    }


def _browser_bodies(derived: dict[str, Schema]) -> dict[str, Schema]:
    """Return the schemas of what pages send. They are strict: what is not known is refused."""
    learner, opening = derived["BrowserLearnerFields"], derived["BrowserSessionBody"]
    groups = {name: derived[f"{name}Fields"] | {"title": f"Browser{name}Fields"} for name in ("Activity", "Course")}
    for name, group in groups.items():
        group["properties"] = group["properties"] | {
            "id": {"anyOf": [ID if name == "Activity" else _COURSE_ID, _INTEGER]},
            "name": nullable(_NAME),
        }
    groups["Activity"]["properties"]["type"] = nullable(_TYPE_IRI)
    groups["Course"]["properties"]["activities"] = nullable(_ACTIVITY_LIST)
    learner["properties"] = {
        "id": {"anyOf": [*_IDS]},
        "sha256": {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$", "description": "SHA-256 of the id, in its place."},
        "name": nullable(_NAME),
    }
    learner["oneOf"] = [{"required": ["id"]}, {"required": ["sha256"]}]
    opening["properties"] |= {
        "key": {"type": "string", "description": "The browser key: `pk_…`."},
        "learner": {"anyOf": [*_IDS, ref("BrowserLearnerFields")], "description": FIELD_DESCRIPTIONS["learner"]},
        "activity": {"anyOf": [*_IDS, ref("BrowserActivityFields")], "description": FIELD_DESCRIPTIONS["activity"]},
        "course": nullable(_COURSE_ID, _INTEGER, ref("BrowserCourseFields"))
        | {"description": FIELD_DESCRIPTIONS["course"]},
        "scorm_version": _VERSION | {"description": FIELD_DESCRIPTIONS["scorm_version"]},
        "mode": nullable({"type": "string", "enum": ["browse", "normal", "review", ""]}),
        "credit": nullable({"type": "string", "enum": ["credit", "no-credit", ""]}),
        "launch_id": nullable({"type": "string", "pattern": "^[A-Za-z0-9_-]{8,100}$"})
        | {"description": "Random text of the page for this launch: with the same one it gets the same session."},
    }
    return {
        "BrowserLearnerFields": learner,
        "BrowserActivityFields": groups["Activity"],
        "BrowserCourseFields": groups["Course"],
        "BrowserSessionBody": opening,
    }


def _describe_groups(schemas: dict[str, Schema]) -> None:
    """Add what is checked after the types: the structs take it, and readers refuse it in words."""
    for name in ("LearnerFields", "ActivityFields", "CourseFields"):
        schemas[name]["properties"] |= {"id": {"anyOf": [*_IDS]}, "name": nullable(_NAME)}
        # unknown keys are warned of, not refused
        schemas[name].pop("additionalProperties", None)
    schemas["CourseFields"]["properties"] |= {
        "id": {"anyOf": [_COURSE_ID, _INTEGER]},
        "activities": nullable(_ACTIVITY_LIST),
    }
    activity = schemas["ActivityFields"]
    activity["properties"]["type"] = nullable(_TYPE_IRI)
    schemas["LearnerFields"]["properties"]["attributes"] = nullable(_ATTRIBUTES)
    schemas["AddressedActivityFields"] = activity | {
        "title": "AddressedActivityFields",
        "properties": activity["properties"] | {"id": {"anyOf": [TEXT, _INTEGER]}},
        "description": "What a body says of the activity in the address; its id is not used.",
    }


def _opening_properties() -> dict[str, Schema]:
    return {
        "activity": {"anyOf": [*_IDS, ref("ActivityFields")]},
        "course": nullable(_COURSE_ID, _INTEGER, ref("CourseFields")),
        "session_id": nullable(UUID, {"const": ""}),
        "scorm_version": _VERSION,
        "attempt": nullable({"type": "integer", "minimum": 1, "maximum": 999_999}),
        "registration": nullable(UUID, {"const": ""}),
        "mode": nullable({"type": "string", "enum": ["browse", "normal", "review", ""]}),
        "credit": nullable({"type": "string", "enum": ["credit", "no-credit", ""]}),
        "mastery_score": nullable(
            {"type": "number", "minimum": -native.MAX_MARK, "maximum": native.MAX_MARK}, _decimal("[0-9]{1,9}")
        ),
        "scaled_passing_score": nullable({"type": "number", "minimum": -1, "maximum": 1}, _decimal("0")),
        "completion_threshold": nullable(
            {"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^(0(\.[0-9]{1,9})?)?$"}
        ),
    }


def _decimal(whole: str) -> Schema:
    """Return the schema of a number as text; an empty one says nothing."""
    return {"type": "string", "pattern": rf"^(-?{whole}(\.[0-9]{{1,9}})?)?$"}


def _object(
    properties: dict[str, Schema], alternatives: Sequence[dict[str, Schema]], required: list[str], description: str
) -> Schema:
    """Return an object that has at least one of some sets of properties, those that must not be null.

    The sets stand where generators of clients do not look, who would take them for types of their own.
    """
    described = {
        name: schema
        if "description" in schema or name not in FIELD_DESCRIPTIONS
        # nothing may stand beside a reference for generators of clients
        else ({"anyOf": [schema]} if "$ref" in schema else schema) | {"description": FIELD_DESCRIPTIONS[name]}
        for name, schema in properties.items()
    }
    sets = [
        {"properties": alternative, "required": [name for name, schema in alternative.items() if schema != _NULL]}
        for alternative in alternatives
    ]
    return {
        "type": "object",
        "description": description,
        "properties": described,
        "required": required,
        "allOf": [{"anyOf": sets}],
    }

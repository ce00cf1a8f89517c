"""The shapes that bodies and answers have, as the API description tells them: JSON Schema (2020-12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, get_args

import msgspec

from bridge.commit_model.launch import LONGEST_ID
from bridge.commit_model.launch_fields import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES
from bridge.errors import BridgeError
from bridge.formats import native
from bridge.http.backlog import COUNT_LIMIT
from bridge.system_alarms import AlarmCode
from mappings.attempt.commit import Disposition
from mappings.cmi.warnings import CmiWarning

Shape = dict[str, Any]

CODES_OF_ADDRESSES = ("no-such-address", "method-not-allowed", "bad-request", "unreadable-request", "request-timeout")
"""Codes of problems that no error of the bridge has: the request came to no handler."""

TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
COUNT: Shape = {"type": "integer", "maximum": COUNT_LIMIT, "description": f"{COUNT_LIMIT} means that many or more."}
NUMBER: Shape = {"type": "number"}
TRUTH: Shape = {"type": "boolean"}
ANY_OBJECT: Shape = {"type": "object"}
UUID: Shape = {"type": "string", "format": "uuid"}
TIME: Shape = {"type": "string", "format": "date-time"}
DURATION: Shape = {"type": "string", "description": "ISO 8601, as in PT5M30.5S"}
ID: Shape = {
    "type": "string",
    "pattern": r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
    r"[^\x00-\x1f\x7f]*$",
    "maxLength": LONGEST_ID,
    "description": f"Not blank, no control characters, at most {LONGEST_ID} bytes in UTF-8.",
}
COURSE_ID: Shape = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$", "maxLength": LONGEST_ID}
NAME: Shape = {
    "type": "string",
    "maxLength": LONGEST_ID,
    "description": f"At most {LONGEST_ID} bytes in UTF-8; control characters are replaced by spaces.",
}
_NULL: Shape = {"type": "null"}
ATTRIBUTES: Shape = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "additionalProperties": {
        "anyOf": [{"type": "string", "maxLength": MAX_ATTRIBUTE_BYTES}, NUMBER, TRUTH, _NULL],
        "description": f"At most {MAX_ATTRIBUTE_BYTES} bytes in UTF-8.",
    },
    "maxProperties": MAX_ATTRIBUTES,
}

_COMMIT_URL = {
    "type": "string",
    "format": "uri",
    "description": "Where the player posts commits to; it carries its own permission. For scorm-again: `{ lmsCommitUrl:"
    ' commit_url, autocommit: true, useAsynchronousCommits: true, asyncModeBeaconBehavior: "on-terminate" }`. Browsers'
    " refuse its synchronous commits while a page goes away.",
}


def ref(name: str) -> Shape:
    """Refer to a shape of `shapes`."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(*shapes: Shape) -> Shape:
    """Give the shape of what may be null."""
    return {"anyOf": [*shapes, _NULL]}


def many(shape: Shape) -> Shape:
    """Give the shape of a list."""
    return {"type": "array", "items": shape}


def shapes() -> dict[str, Shape]:
    """Give all shapes by name."""
    return _requests() | _answers()


def _requests() -> dict[str, Shape]:
    _, made = msgspec.json.schema_components(
        [native.OpenSessionBody, native.CommitBody, CmiWarning], ref_template="#/components/schemas/{name}"
    )
    # what is checked after the types: the structs take it, and readers refuse it in words
    ids = [ID, WHOLE]
    for name in ("LearnerFields", "ActivityFields", "CourseFields"):
        made[name]["properties"] |= {"id": {"anyOf": ids}, "name": maybe(NAME)}
        # unknown keys are warned of, not refused
        made[name].pop("additionalProperties", None)
    made["CourseFields"]["properties"]["id"] = {"anyOf": [COURSE_ID, WHOLE]}
    made["ActivityFields"]["properties"]["type"] = maybe(
        {"type": "string", "pattern": r"^[a-z]+://[a-z]+(\.[a-z]+)*(/[A-Za-z0-9._~-]+)*$", "description": "an IRI"}
    )
    made["LearnerFields"]["properties"]["attributes"] = maybe(ATTRIBUTES)
    version = {"anyOf": [{"enum": ["1.2", "2004", "", 1.2, 2004]}, _NULL], "examples": ["1.2", "2004"]}
    opening = made.pop("OpenSessionBody")["properties"] | {
        "activity": {"anyOf": [*ids, ref("ActivityFields")]},
        "course": maybe(COURSE_ID, WHOLE, ref("CourseFields")),
        "session_id": {"anyOf": [UUID, {"const": ""}, _NULL]},
        "scorm_version": version,
        "attempt": maybe({"type": "integer", "minimum": 1, "maximum": 999_999}),
        "registration": {"anyOf": [UUID, {"const": ""}, _NULL], "description": "of the learner in the course"},
        "mode": maybe({"type": "string", "enum": ["browse", "normal", "review", ""]}),
        "credit": maybe({"type": "string", "enum": ["credit", "no-credit", ""]}),
        "mastery_score": maybe(
            {"type": "number", "minimum": -native.MAX_MARK, "maximum": native.MAX_MARK}, _decimal("[0-9]{1,9}")
        ),
        "scaled_passing_score": maybe({"type": "number", "minimum": -1, "maximum": 1}, _decimal("0")),
        "completion_threshold": maybe(
            {"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^(0(\.[0-9]{1,9})?)?$"}
        ),
    }
    committing = made.pop("CommitBody")["properties"] | {
        "sequence": maybe({"type": "integer", "minimum": 0, "maximum": (1 << 62) - 1}),
        "committed_at": maybe(TIME),
        "scorm_version": version,
    }
    # a second word for a thing counts, and is looked at, only where the first is not used
    who = {"anyOf": [*ids, ref("LearnerFields")]}
    learners = [{"learner": who}, {"learner": _NULL, "user": who}]
    data = [{"cmi": ANY_OBJECT}, {"cmi": _NULL, "cmi_data": ANY_OBJECT}]
    activity = {"activity": opening["activity"]}
    of_session = _one_of(
        committing | {"learner": _NULL, "user": _NULL, "session_id": UUID}, [{"session_id": UUID} | one for one in data]
    )
    made["LooseActivity"] = made["ActivityFields"] | {
        "properties": made["ActivityFields"]["properties"] | {"id": {"anyOf": [TEXT, WHOLE]}},
        "description": "Its id is not used.",
    }
    in_address = {"activity": maybe(TEXT, WHOLE, ref("LooseActivity"))}
    return made | {
        "Opening": _one_of(opening, [activity | one for one in learners]),
        "Commit": {
            "anyOf": [
                _one_of(opening | committing, [activity | one | other for one, other in product(learners, data)]),
                of_session,
            ],
            "description": "A whole launch and its CMI data, or CMI data of a session that is known.",
        },
        "Progress": {
            "anyOf": [
                _one_of(opening | committing | in_address, [one | other for one, other in product(learners, data)]),
                of_session,
            ],
            "description": "As Commit; the activity is in the address.",
        },
    }


def _decimal(whole: str) -> Shape:
    """Return a number as text; an empty one says nothing."""
    return {"type": "string", "pattern": rf"^(-?{whole}(\.[0-9]{{1,9}})?)?$"}


def _one_of(properties: dict[str, Shape], needed: Sequence[dict[str, Shape]]) -> Shape:
    """Give an object that needs all of at least one of these sets of properties, those that must not be null."""
    return {
        "type": "object",
        "properties": properties,
        "anyOf": [
            {"properties": one, "required": [name for name, shape in one.items() if shape != _NULL]} for one in needed
        ],
    }


def _answers() -> dict[str, Shape]:
    status = {"type": "string", "enum": ["unknown", "not attempted", "incomplete", "completed"]}
    success = {"type": "string", "enum": ["unknown", "passed", "failed"]}
    ended = maybe({"type": "string", "enum": ["suspended", "terminated", "abandoned"]})
    attempt = {
        "id": UUID,
        "number": {"type": "integer", "minimum": 1},
        "status": {"type": "string", "enum": ["active", "suspended", "terminated", "abandoned"]},
        "scorm_version": maybe(TEXT),
        "completion_status": status,
        "success_status": success,
        "score": maybe(ref("Score")),
        "progress_measure": maybe(NUMBER),
        "total_time": DURATION,
    }
    entry = {"type": "string", "enum": ["ab-initio", "resume", ""]}
    session = {
        "session_id": UUID,
        "entry": entry,
        "started_at": TIME,
        "last_commit_at": maybe(TIME),
        "ended_at": maybe(TIME),
        "ended": ended,
    }
    commit = {
        "number": WHOLE,
        "received_at": TIME,
        "format": TEXT,
        "disposition": ref("Disposition"),
    }
    ways = many(ref("Delivery"))
    statement = {"id": UUID, "verb": TEXT, "rule": TEXT, "commit": WHOLE, "deliveries": ways}
    document = {"name": TEXT, "resource": TEXT, "commit": WHOLE, "deliveries": ways}
    whose = {"attempt": ref("Attempt"), "enrollment": ref("Enrollment")}
    pause = _object({"since": TIME, "automatic": TRUTH})
    alarm = _object({"code": {"enum": [str(one) for one in AlarmCode]}, "since": TIME, "detail": TEXT})
    ready = _object({"status": {"const": "ready"}, "targets": many(TEXT), "alarms": many(alarm)})
    # left out where they have not been counted yet
    ready["properties"] |= {
        "waiting": _by_target(COUNT),
        "waiting_documents": _by_target(COUNT),
        "paused": _by_target(pause),
        "target_alarms": many(_object({"target": TEXT, "requests": TEXT, "state": TEXT, "since": TIME})),
        "counted_at": TIME,
        "notice": TEXT,
    }
    following = maybe(TEXT) | {"description": "what to ask with `…_after` for more of them, null where there are none"}
    places = dict.fromkeys(("commits", "statements"), following)
    parts = {"commits": commit, "statements": statement, "documents": document}
    return {
        "Disposition": {"type": "string", "enum": [*get_args(Disposition)]},
        "Score": {"type": "object", "properties": dict.fromkeys(("scaled", "raw", "min", "max"), NUMBER)},
        "Attempt": _object(attempt),
        "Enrollment": _object(
            {
                "registration": UUID,
                "learner": _object({"id": TEXT, "name": TEXT}),
                "activity": _object({"id": TEXT, "name": TEXT}),
                "course": _object({"id": TEXT, "name": TEXT, "registration": UUID}),
                "total_attempts": WHOLE,
                "completion_status": status,
                "success_status": success,
                "best_score": maybe(ref("Score")),
                "total_time": DURATION,
                "first_commit_at": maybe(TIME),
                "last_commit_at": maybe(TIME),
            }
        ),
        "Delivery": _object(
            {
                "target": maybe(TEXT),
                "state": {
                    "type": "string",
                    "enum": ["waiting", "delivered", "dead", "quarantined", "discarded"],
                },
                "tries": WHOLE,
            }
        ),
        "Opened": _success(
            {"session_id": UUID, "commit_url": _COMMIT_URL, **whose, "cmi": ANY_OBJECT}
            | {"attempt": _object(attempt | {"entry": entry}), "warnings": many(ref("CmiWarning"))}
        ),
        "Committed": _success(
            {
                "session_id": UUID,
                "commit": WHOLE,
                "disposition": ref("Disposition"),
                **whose,
                "progress": _object(
                    {
                        "completed": TRUTH,
                        "passed": maybe(TRUTH),
                        "score": maybe(NUMBER),
                        "measure": maybe(NUMBER),
                        "location": maybe(TEXT),
                    }
                ),
                "statements": many(_object({"id": UUID, "verb": TEXT, "rule": TEXT})),
                "warnings": many(ref("CmiWarning")),
            },
            {
                "omitted": _object({"statements": WHOLE, "warnings": WHOLE})
                | {"description": "how many of each are not listed; absent where all are"}
            },
        ),
        "Session": _success(
            session
            | whose
            | {"cmi": ANY_OBJECT, "next": _object(places)}
            | {name: many(_object(part)) for name, part in parts.items()}
        ),
        "WholeAttempt": _success(
            {"started_at": TIME, "last_commit_at": maybe(TIME), **whose, "cmi": ANY_OBJECT}
            | {"sessions": many(_object(session)), "next": _object(places | {"sessions": following})}
            | {name: many(_object({"session_id": UUID} | part)) for name, part in parts.items()}
        ),
        "Enrollments": _success(
            {
                "enrollments": many(ref("Enrollment")),
                "next": maybe(TEXT) | {"description": "what to send as `after` for more"},
            }
        ),
        "Alive": _object({"status": {"const": "alive"}}),
        "Ready": ready,
        "Unready": _object({"status": {"enum": ["draining", "unavailable"]}, "reason": TEXT}),
        "Problem": _object(
            {
                "type": {"type": "string", "format": "uri"},
                "title": TEXT,
                "status": WHOLE,
                "detail": TEXT,
                "code": {"type": "string", "enum": sorted({*_codes(BridgeError), *CODES_OF_ADDRESSES})},
                "result": {"const": False},
                "errorCode": {"const": 101},
            }
        ),
    }


def _object(properties: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Shape:
    """Give an object that has all of these, and may have the optional ones."""
    return {"type": "object", "properties": {**properties, **(optional or {})}, "required": [*properties]}


def _success(properties: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Shape:
    return _object({"result": {"const": True}, "errorCode": {"const": 0}, **properties}, optional)


def _by_target(shape: Shape) -> Shape:
    return {"type": "object", "additionalProperties": shape}


def _codes(kind: type[BridgeError]) -> Iterator[str]:
    for one in kind.__subclasses__():
        if "code" in vars(one):
            yield one.code
        yield from _codes(one)

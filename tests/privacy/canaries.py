"""Canaries: words that stand for what is said of a person, and bodies of every wire format with them in place."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from bridge.settings import PseudonymKeySettings

LEARNER_ID = "zq-learner"
NAME = "Zq-name"
EMAIL = "zq-mail@people.example.org"
ATTRIBUTE = "zq-attribute"
COMMENT = "zq-comment"
RESPONSE = "zq-response"
SUSPEND_DATA = "zq-suspend"
LOCATION = "zq-location"
IDEMPOTENCY_KEY = "zq-idempotency"
QUERY = "zq-query"
PATH = "zq-path"
HEADER = "zq-header"
ADDRESS = "203.0.113.77"
ACCOUNT = "zq-account"
PASSWORD = "zq-password-of-a-person"
TARGET_PASSWORD = "zq-password-of-a-target"
PSEUDONYM_KEY = "zq-pseudonym-key-of-32-characters"

KINDS = {
    "id": LEARNER_ID,
    "name": NAME,
    "e-mail": "zq-mail",
    "attribute": ATTRIBUTE,
    "comment": COMMENT,
    "response": RESPONSE,
    "suspend data": SUSPEND_DATA,
    "location": LOCATION,
    "idempotency key": IDEMPOTENCY_KEY,
    "query": QUERY,
    "path": PATH,
    "header": HEADER,
    "address": ADDRESS,
    "account": ACCOUNT,
    "password": "zq-password",
    "pseudonym key": PSEUDONYM_KEY,
}
"""What is looked for, by its name in docs/privacy.md; tokens are added when they are known."""

HEADERS = {
    "User-Agent": HEADER,
    "Referer": f"https://lms.example.org/{HEADER}",
    "Cookie": f"lms={HEADER}",
    "X-Learner": HEADER,
    "X-Forwarded-For": ADDRESS,
}
LEARNER: dict[str, Any] = {"id": LEARNER_ID, "name": NAME, "email": EMAIL, "attributes": {"office": ATTRIBUTE}}

ELEMENTS = {
    "cmi.core.student_id": LEARNER_ID,
    "cmi.core.student_name": NAME,
    "cmi.core.lesson_status": "incomplete",
    "cmi.core.lesson_location": LOCATION,
    "cmi.core.exit": "suspend",
    "cmi.suspend_data": SUSPEND_DATA,
    "cmi.comments": COMMENT,
    "cmi.interactions.0.id": "Q1",
    "cmi.interactions.0.type": "fill-in",
    "cmi.interactions.0.student_response": RESPONSE,
    "cmi.interactions.0.result": "correct",
}
"""SCORM 1.2's, as players send them: what the LMS said of the learner comes back with it."""

_AICC_PARAM = (
    f"[Core]\r\nStudent_ID={LEARNER_ID}\r\nStudent_Name={NAME}\r\nLesson_Location={LOCATION}\r\nLesson_Status=I,S\r\n"
    f"Time=00:05:30\r\n[Core_Lesson]\r\n{SUSPEND_DATA}\r\n[Comments]\r\n<1>{COMMENT}<e.1>\r\n"
)
_AICC_INTERACTIONS = (
    '"course_id","student_id","lesson_id","date","time","interaction_id","objective_id","type_interaction",'
    '"correct_response","student_response","result","weighting","latency"\r\n'
    f'"C","{LEARNER_ID}","L","2026/01/02","10:20:30","Q1","","F","a","{RESPONSE}","C","1","00:00:12"\r\n'
)


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _aicc(command: str, data: str) -> bytes:
    values = {"command": command, "version": "4.0", "session_id": "SID", "AICC_Data": data}
    return urlencode(values, quote_via=quote).encode()


def _moodle_name(element: str) -> str:
    return element.replace(".0.", "_0.").replace(".", "__")


_ILIAS_NODE = [
    {17: "incomplete", 19: 5, 24: "suspend", 27: NAME, 28: LOCATION, 39: SUSPEND_DATA}.get(place) for place in range(43)
]

BODIES: dict[str, list[bytes]] = {
    "native": [_json({"cmi": ELEMENTS, "learner": LEARNER, "sequence": 1})],
    "scorm-again": [_json(ELEMENTS)],
    "moodle": [
        urlencode({"id": "4", "scoid": "7"} | {_moodle_name(name): value for name, value in ELEMENTS.items()}).encode()
    ],
    "openedx": [_json([{"name": name, "value": value} for name, value in ELEMENTS.items()])],
    "aicc": [_aicc("PutParam", _AICC_PARAM), _aicc("PutInteractions", _AICC_INTERACTIONS)],
    "rpc": [_json({"method": "SetValue", "parameters": [name, value]}) for name, value in ELEMENTS.items()],
    "sakai": [_json({"method": "SetValue", "arguments": [name, value]}) for name, value in ELEMENTS.items()],
    "elements": [_json({"elements": ELEMENTS})],
    "single": [_json({"cmi": {name: value}}) for name, value in ELEMENTS.items()],
    "ilias": [_json({"cmi": [[5, name, value] for name, value in ELEMENTS.items()], "hash": "h"})],
    "ilias-2004": [
        _json(
            {
                "node": [_ILIAS_NODE],
                "interaction": [["0", 88, None, "Q1", None, RESPONSE, "correct", None, "fill-in"]],
                "comment": [[None, 88, COMMENT]],
                "now_global_status": 1,
                "p": LEARNER_ID,
            }
        )
    ],
    "chamilo": [
        urlencode(
            {"lid": 1, "uid": LEARNER_ID, "vid": 1, "iid": 9, "status": "incomplete", "loc": LOCATION}
            | {"core_exit": "suspend", "suspend": SUSPEND_DATA, "interact[0]": f"[Q1,fill-in,,,,{RESPONSE},correct]"}
        ).encode()
    ],
    "hyperf": [
        _json(
            {
                "student_id": LEARNER_ID,
                "student_name": NAME,
                "session": {"session_time": "00:02:00", "suspend_data": SUSPEND_DATA, "comments": COMMENT},
                "lesson": {"status": "incomplete", "location": LOCATION, "mode": "normal", "exit": "suspend"},
                "interactions": [{"id": "Q1", "type": "fill-in", "learner_response": [RESPONSE], "result": "correct"}],
            }
        )
    ],
}
"""Commits to a session that is open, by format; SCORM Cloud's opens its own."""

POSTBACK = _json(
    {
        "id": "R-1",
        "instance": 0,
        "updated": "2025-12-31T23:00:00.000Z",
        "registrationCompletion": "INCOMPLETE",
        "course": {"id": "C-1", "title": "A course", "version": 0},
        "learner": {"id": LEARNER_ID, "firstName": NAME, "lastName": NAME, "email": EMAIL},
        "activityDetails": {
            "id": "I-1",
            "runtime": {
                "completionStatus": "incomplete",
                "exit": "Suspend",
                "location": LOCATION,
                "suspendData": SUSPEND_DATA,
                "runtimeInteractions": [
                    {"id": "Q1", "type": "FillIn", "learnerResponse": RESPONSE, "result": "Correct"}
                ],
                "learnerComments": [{"value": COMMENT}],
            },
        },
    }
)


def key_settings(path: str) -> PseudonymKeySettings:
    """Return a pseudonym key that is the canary, from a file."""
    return PseudonymKeySettings(id="k1", key_file=path)

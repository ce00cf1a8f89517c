"""What each route takes and answers, as the API description tells it: one entry for each method of each address."""

from __future__ import annotations

from typing import Any

from bridge.formats import BY_NAME
from bridge.http import request_body
from bridge.http.openapi_shapes import ID, TEXT, UUID, Shape, ref

Operation = dict[str, Any]

JSON = "application/json"
PROBLEM = "application/problem+json"
_LMS: list[dict[str, list[str]]] = [{"lmsToken": []}]
_PLAYER: list[dict[str, list[str]]] = [{"commitToken": []}, {"lmsToken": []}]
_POSTBACK: list[dict[str, list[str]]] = [{"lmsToken": []}, {"lmsPassword": []}]
_REFUSALS = {
    400: "The request cannot be understood.",
    401: "No valid token came with it.",
    404: "There is no such thing, or it is another LMS's.",
    408: "The body took too long to arrive.",
    409: "The session is another learner's, activity's or course's.",
    413: "The body is larger than 1 MiB, unpacked.",
    415: "The body is compressed in a way that is not taken.",
    422: "The Idempotency-Key is that of another commit.",
    429: "More was sent or asked in so short a time than may be; the same request succeeds after Retry-After seconds.",
    503: "Nothing was stored; the same request may succeed after Retry-After seconds.",
}
_READING = (400, 401, 429, 503)
_OPENING = (400, 401, 404, 408, 409, 413, 415, 429, 503)
_WRITING = (*_OPENING, 422)
_ANY_ID: Shape = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$"}
_PLACE: Shape = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key is the same commit: it is answered as at first and has no second effect. With another"
    " body it is refused.",
    "schema": {"type": "string", "maxLength": request_body.LONGEST_KEY},
}
_KEY_OF_ANY = _KEY | {
    "description": f"{_KEY['description']} At most {request_body.LONGEST_KEY} characters, where there is something to"
    " store.",
    "schema": TEXT,
}


def refusals() -> dict[str, Any]:
    """Give the answers that many operations share, by their names."""
    headers = {
        401: {"WWW-Authenticate": {"schema": TEXT, "required": True}},
        429: _RETRY_AFTER,
        503: _RETRY_AFTER,
    }
    problem = {PROBLEM: {"schema": ref("Problem")}}
    return {
        f"Refusal{status}": {
            "description": text,
            "headers": headers.get(status, {}),
            "content": problem,
        }
        for status, text in _REFUSALS.items()
    }


def _path(name: str, schema: Shape, description: str = "") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema} | (
        {"description": description} if description else {}
    )


def _asked(name: str, schema: Shape, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _operation(
    name: str,
    summary: str,
    answer: dict[str, Any],
    *,
    refused: tuple[int, ...] = (),
    security: list[dict[str, list[str]]] | None = None,
    parameters: tuple[dict[str, Any], ...] = (),
    body: dict[str, Any] | None = None,
) -> Operation:
    told: Operation = {
        "operationId": name,
        "summary": summary,
        "security": security or [],
        "parameters": [*parameters],
        "responses": {"200": answer}
        | {str(status): {"$ref": f"#/components/responses/Refusal{status}"} for status in refused},
    }
    if body is not None:
        told["requestBody"] = body
    return told


def _answer(text: str, shape: str) -> dict[str, Any]:
    return {"description": text, "content": {JSON: {"schema": ref(shape)}}}


def _body(shape: str) -> dict[str, Any]:
    return {
        "required": True,
        "description": "Read as JSON whatever its Content-Type says; gzip and deflate are unpacked.",
        "content": {JSON: {"schema": ref(shape)}},
    }


_SESSION = _path("session_id", UUID)
_COMMIT = {"cmi": {"core": {"lesson_status": "completed", "score": {"raw": "85"}}}, "sequence": 3, "terminated": True}
_POSTBACK_BODY = {
    "id": "registration-1",
    "registrationCompletion": "COMPLETED",
    "registrationSuccess": "PASSED",
    "learner": {"id": "u42"},
    "course": {"id": "c7"},
}


def _any_body(example: dict[str, Any]) -> dict[str, Any]:
    return {
        "required": True,
        "description": "Recognised from the body whatever its Content-Type says. See docs/formats.md.",
        "content": {JSON: {"schema": {}, "example": example}, "*/*": {"schema": {}}},
    }


_IN_ITS_WORDS = {
    "description": "Stored, or what was asked for, in the words of the format, of which some refuse with 200, too.",
    "content": {JSON: {"schema": {}}, "text/plain": {"schema": TEXT}},
}


def _door(operation: Operation) -> Operation:
    """Give the operation of an address whose refusals are in the words of the format, as far as it is known."""
    for status in ("400", "401", "404", "408", "409", "413", "415", "422", "429", "503"):
        operation["responses"][status] = {
            "description": _REFUSALS[int(status)],
            "content": {PROBLEM: {"schema": ref("Problem")}, JSON: {"schema": {}}, "text/plain": {"schema": TEXT}},
        }
    return operation


def _commits(name: str) -> Operation:
    return _door(
        _operation(
            name,
            "Post a commit in any known format to an open session.",
            _IN_ITS_WORDS,
            security=_PLAYER,
            parameters=(_SESSION, _KEY_OF_ANY),
            body=_any_body(_COMMIT),
        )
    )


def _format_commits(name: str, *, asks: bool = False) -> Operation:
    return _door(
        _operation(
            name,
            "Ask what a session holds, in a format's own way." if asks else "Post a commit in one format.",
            _IN_ITS_WORDS,
            security=_PLAYER,
            parameters=(
                _path("format", {"type": "string", "enum": [*BY_NAME]}),
                _SESSION,
                *(() if asks else (_KEY_OF_ANY,)),
            ),
            body=None if asks else _any_body(_COMMIT),
        )
    )


def _progress(name: str) -> Operation:
    return _operation(
        name,
        "Post a commit with everything in it; the activity is in the address.",
        _answer("Stored.", "Committed"),
        refused=_WRITING,
        security=_LMS,
        parameters=(_path("topic_id", ID, "The activity's id."), _KEY),
        body=_body("Progress"),
    )


def _places(*lists: str) -> tuple[Operation, ...]:
    return tuple(
        _asked(f"{name}_after", _PLACE, f"What `next.{name}` of the answer before said: more of them.")
        for name in lists
    )


def operations() -> dict[str, dict[str, Operation]]:
    """Give address -> method -> operation."""
    return {
        "/v1/sessions": {
            "post": _operation(
                "openSession",
                "Open a session and get the address its player posts commits to.",
                _answer("The session is open, or was open already.", "Opened"),
                refused=_OPENING,
                security=_LMS,
                body=_body("Opening"),
            )
        },
        "/v1/sessions/{session_id}": {
            "get": _operation(
                "getSession",
                "Ask for state, resume data, commits, statements and documents of a session, and where they are.",
                _answer("The session.", "Session"),
                refused=(*_READING, 404),
                security=_LMS,
                parameters=(_SESSION, *_places("commits", "statements")),
            )
        },
        "/v1/sessions/{session_id}/commits": {"post": _commits("postCommit"), "put": _commits("putCommit")},
        "/v1/formats/{format}/sessions/{session_id}/commits": {
            "post": _format_commits("postFormatCommit"),
            "put": _format_commits("putFormatCommit"),
            "get": _format_commits("getFormatState", asks=True),
        },
        "/v1/formats/scorm-cloud": {
            "post": _operation(
                "postScormCloudResults",
                "Post a SCORM Cloud registration postback, as JSON or as a form with it in the field `data`.",
                _answer("Stored.", "Committed"),
                refused=_WRITING,
                security=_POSTBACK,
                parameters=(_KEY,),
                body=_any_body(_POSTBACK_BODY),
            )
        },
        "/v1/commits": {
            "post": _operation(
                "postAllInOne",
                "Post a commit with session, learner and activity in it; a SCORM Cloud postback is taken, too.",
                _answer("Stored.", "Committed"),
                refused=_WRITING,
                security=_LMS,
                parameters=(_KEY,),
                body=_body("Commit"),
            )
        },
        "/v1/attempts/{attempt_id}": {
            "get": _operation(
                "getAttempt",
                "Ask for state, resume data, sessions, commits, statements and documents of an attempt.",
                _answer("The attempt.", "WholeAttempt"),
                refused=(*_READING, 404),
                security=_LMS,
                parameters=(
                    _path("attempt_id", UUID, "As `attempt.id` in answers."),
                    *_places("sessions", "commits", "statements"),
                ),
            )
        },
        "/v1/enrollments": {
            "get": _operation(
                "getEnrollments",
                "Ask for the gradebook, a hundred enrollments at a time, in the order they began.",
                _answer("Enrollments.", "Enrollments"),
                refused=_READING,
                security=_LMS,
                parameters=(
                    _asked("learner", _ANY_ID, "Only this learner's."),
                    _asked("activity", _ANY_ID, "Only those in this activity."),
                    _asked("course", _ANY_ID, "Only those in this course; empty for those without one."),
                    _asked("after", _PLACE, "What `next` of the page before said."),
                ),
            )
        },
        "/scorm/progress/{topic_id}/": {"post": _progress("postProgress")},
        "/scorm/progress/{topic_id}": {"post": _progress("postProgressWithoutSlash")},
        "/healthz": {"get": _operation("isAlive", "Ask whether the process answers.", _answer("It does.", "Alive"))},
        "/readyz": {
            "get": _ready(_operation("isReady", "Ask whether commits can be stored.", _answer("They can.", "Ready")))
        },
        "/openapi.json": {
            "get": _operation(
                "getDescription",
                "Ask for this description.",
                {"description": "An OpenAPI 3.1 document.", "content": {JSON: {"schema": {"type": "object"}}}},
            )
        },
    }


def _ready(operation: Operation) -> Operation:
    operation["responses"]["503"] = _answer("They cannot, or the process is about to stop.", "Unready")
    return operation

"""The paths of the OpenAPI document: what each operation takes and responds with."""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.commit_model.response_types import CommitResponse, SuccessResponse
from bridge.formats import BY_NAME
from bridge.http import request_body
from bridge.http.mirror import LABELS, MIRROR_FORMATS
from bridge.http.openapi_schemas import ID, TEXT, UUID, Schema, ref
from bridge.http.responses import (
    MAX_PAGE_SIZE,
    AttemptResponse,
    BrowserSessionResponse,
    CourseResponse,
    EnrollmentsResponse,
    LivenessResponse,
    ProblemResponse,
    ReadinessResponse,
    ServiceResponse,
    SessionOpenedResponse,
    SessionResponse,
    UnreadyResponse,
)

Operation = dict[str, Any]
Paths = dict[str, dict[str, Operation]]

TAGS = (
    {"name": "sessions", "description": "Open sessions, and read what became of them."},
    {"name": "commits", "description": "Store commits, in any format."},
    {"name": "results", "description": "Read attempts and the gradebook."},
    {"name": "service", "description": "The bridge itself: health, metrics and this document."},
)

JSON = "application/json"
PROBLEM = "application/problem+json"
_LMS: list[dict[str, list[str]]] = [{"lmsToken": []}]
_PLAYER: list[dict[str, list[str]]] = [{"commitToken": []}, {"lmsToken": []}]
_POSTBACK: list[dict[str, list[str]]] = [{"lmsToken": []}, {"lmsPassword": []}]
_PROBLEMS = {
    400: "The request cannot be understood.",
    401: "No valid token came with it.",
    403: "It is not for whoever asks, or the token does not have the scope that is needed.",
    404: "There is no such thing, or it is another LMS's.",
    408: "The body took too long to arrive.",
    409: "The session is another learner's, activity's or course's.",
    410: "The learner was erased, and is refused.",
    413: "The body is larger than 1 MiB, unpacked.",
    415: "The body is compressed in a way that is not taken.",
    422: "The Idempotency-Key is that of another commit.",
    429: "More was sent or asked in so short a time than may be; the same request succeeds after Retry-After seconds.",
    503: "Nothing was stored; the same request may succeed after Retry-After seconds.",
}
_READING = (400, 401, 403, 429, 503)
_OPENING = (400, 401, 403, 404, 408, 409, 410, 413, 415, 429, 503)
_OPENING_IN_BROWSERS = (400, 401, 403, 408, 413, 415, 429, 503)
_WRITING = (*_OPENING, 422)
_ANY_ID: Schema = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$"}
_PLACE: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_CURSOR: Schema = {"type": "string", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"}
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}}
_AUTHENTICATE = {"WWW-Authenticate": {"schema": TEXT, "required": True}}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key is the same commit: it is answered as at first and has no second effect. With another"
    " body it is refused.",
    "schema": {"type": "string", "maxLength": request_body.MAX_KEY_LENGTH},
}
_KEY_OF_ANY = _KEY | {
    "description": f"{_KEY['description']} At most {request_body.MAX_KEY_LENGTH} characters, where there is something"
    " to store.",
    "schema": TEXT,
}


def problem_responses() -> dict[str, Any]:
    """Return the responses that many operations share, by name."""
    headers = {
        401: _AUTHENTICATE,
        403: _AUTHENTICATE,
        429: _RETRY_AFTER,
        503: _RETRY_AFTER,
    }
    problem = {PROBLEM: {"schema": ref(ProblemResponse.__name__)}}
    return {
        f"Problem{status}": {
            "description": text,
            "headers": headers.get(status, {}),
            "content": problem,
        }
        for status, text in _PROBLEMS.items()
    }


def _path(name: str, schema: Schema, description: str = "") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema} | (
        {"description": description} if description else {}
    )


def _query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _operation(
    name: str,
    summary: str,
    response: dict[str, Any],
    *,
    problems: tuple[int, ...] = (),
    security: list[dict[str, list[str]]] | None = None,
    parameters: tuple[dict[str, Any], ...] = (),
    body: dict[str, Any] | None = None,
) -> Operation:
    operation: Operation = {
        "operationId": name,
        "summary": summary,
        "security": security or [],
        "parameters": [*parameters],
        "responses": {"200": response}
        | {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in problems},
    }
    if body is not None:
        operation["requestBody"] = body
    return operation


def _response(description: str, response: type[msgspec.Struct]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": ref(response.__name__)}}}


def _body(*schemas: str, example: dict[str, Any]) -> dict[str, Any]:
    references = [ref(schema) for schema in schemas]
    return {
        "required": True,
        "description": "Read as JSON whatever its Content-Type says; gzip and deflate are unpacked.",
        "content": {
            JSON: {"schema": references[0] if len(references) == 1 else {"anyOf": references}, "example": example}
        },
    }


_SESSION = _path("session_id", UUID)
_COMMIT = {"cmi": {"core": {"lesson_status": "completed", "score": {"raw": "85"}}}, "sequence": 3, "terminated": True}
_LAUNCH = {
    "learner": {"id": "u42", "name": "Ada Lovelace"},
    "activity": {"id": "235", "name": "Lesson 1"},
    "course": {"id": "c7"},
    "scorm_version": "1.2",
}
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
        "description": "JSON, a form or text, detected from the body itself: docs/formats.md has all formats.",
        # a second media type here makes generated Python clients fail, as one without a schema is not told apart
        "content": {JSON: {"schema": {}, "example": example}},
    }


def _browser_body() -> dict[str, Any]:
    body = _body("BrowserSessionBody", example={"key": "pk_…", "learner": {"id": "u42"}, "activity": {"id": "235"}})
    body["description"] += " As `text/plain`, browsers send it without a preflight. At most 16 KiB."
    return body


def _calls_body() -> dict[str, Any]:
    call = [1, 0, 2, 1, "SetValue", ["cmi.core.lesson_status", "passed"], "true", ""]
    body = _body("CallsBody", example={"started_at": 1_767_225_600_000, "made": 1, "calls": [call]})
    body["description"] += " As `text/plain`, browsers send it without a preflight. At most 64 KiB."
    return body


_FORMAT_RESPONSE = {
    "description": "Stored, or what was asked for, as the format's client expects it. Some refuse with 200, too.",
    "content": {JSON: {"schema": {}}, "text/plain": {"schema": TEXT}, "text/javascript": {"schema": TEXT}},
}


def _with_format_problems(operation: Operation) -> Operation:
    """Return the operation of an address that refuses in the words of the format, as far as it is known."""
    for status in _WRITING:
        operation["responses"][f"{status}"] = {
            "description": _PROBLEMS[status],
            "content": {
                PROBLEM: {"schema": ref(ProblemResponse.__name__)},
                JSON: {"schema": {}},
                "text/plain": {"schema": TEXT},
                "text/javascript": {"schema": TEXT},
            },
        }
    return operation


def _commits(name: str) -> Operation:
    return _with_format_problems(
        _operation(
            name,
            "Store a commit in any known format, of an open session.",
            _FORMAT_RESPONSE,
            security=_PLAYER,
            parameters=(_SESSION, _KEY_OF_ANY),
            body=_any_body(_COMMIT),
        )
    )


def _format_commits(name: str, *, asks: bool = False) -> Operation:
    return _with_format_problems(
        _operation(
            name,
            "Read what a session holds, in a format's own way." if asks else "Store a commit in one format.",
            _FORMAT_RESPONSE,
            security=_PLAYER,
            parameters=(
                _path("format", {"type": "string", "enum": [*BY_NAME]}),
                _SESSION,
                *(() if asks else (_KEY_OF_ANY,)),
            ),
            body=None if asks else _any_body(_COMMIT),
        )
    )


def _mirror() -> Operation:
    labels = [
        {"name": f"X-Mirror-{name.title()}", "in": "header", "schema": TEXT, "description": f"The {name}'s id."}
        for name in LABELS
    ]
    operation = _operation(
        "postMirrored",
        "Take what an LMS's proxy mirrors of its players' requests; it is stored once it has been answered.",
        {"description": "Taken. What is wrong with it is seen on the audit pages."},
        problems=(*_OPENING_IN_BROWSERS, 404),
        security=_LMS,
        parameters=(_path("format", {"type": "string", "enum": [*MIRROR_FORMATS]}), *labels, _KEY_OF_ANY),
        body=_any_body(_COMMIT),
    )
    operation["responses"]["204"] = operation["responses"].pop("200")
    return operation


def _progress(name: str) -> Operation:
    return _operation(
        name,
        "Store a commit with its launch; the activity is in the address.",
        _response("Stored.", CommitResponse),
        problems=_WRITING,
        security=_LMS,
        parameters=(_path("topic_id", ID, "The activity's id."), _KEY),
        body=_body("ProgressBody", "SessionCommitBody", example={"user": "u42", "cmi_data": _COMMIT["cmi"]}),
    )


def _cursors(*lists: str) -> tuple[Operation, ...]:
    return tuple(
        _query(f"{name}_after", _PLACE, f"`next.{name}` of the response before: continue the list there.")
        for name in lists
    )


def paths() -> Paths:
    """Return address -> method -> operation."""
    by_tag = {
        "sessions": _session_paths(),
        "commits": _commit_paths(),
        "results": _result_paths(),
        "service": _service_paths(),
    }
    for tag, operations in by_tag.items():
        for methods in operations.values():
            for operation in methods.values():
                operation["tags"] = [tag]
    return {path: methods for operations in by_tag.values() for path, methods in operations.items()}


def _session_paths() -> Paths:
    return {
        "/v1/sessions": {
            "post": _operation(
                "openSession",
                "Open a session and get the address its player posts commits to.",
                _response("The session is open, or was open already.", SessionOpenedResponse),
                problems=_OPENING,
                security=_LMS,
                body=_body("OpenSessionBody", example=_LAUNCH),
            )
        },
        "/v1/browser/sessions": {
            "post": _operation(
                "openBrowserSession",
                "Open a session from a page of the LMS, with a browser key; `Origin` must be one of the key's.",
                _response("The session may be committed to. This is all that is ever said.", BrowserSessionResponse),
                problems=_OPENING_IN_BROWSERS,
                body=_browser_body(),
            )
        },
        "/v1/sessions/{session_id}": {
            "get": _operation(
                "getSession",
                "Read state, resume data, commits, statements and documents of a session, and their deliveries.",
                _response("The session.", SessionResponse),
                problems=(*_READING, 404),
                security=_LMS,
                parameters=(_SESSION, *_cursors("commits", "statements")),
            )
        },
    }


def _commit_paths() -> Paths:
    return {
        "/v1/sessions/{session_id}/commits": {"post": _commits("postCommit"), "put": _commits("putCommit")},
        "/v1/sessions/{session_id}/calls": {
            "post": _operation(
                "postCalls",
                "Record calls of SCORM's API, at the commit URL of a session that a page opened, with `calls` for"
                " `commits`.",
                _response("Taken. What was recorded already, or is more than is kept, is left out.", SuccessResponse),
                problems=(400, 401, 403, 408, 413, 415, 429, 503),
                security=[{"commitToken": []}],
                parameters=(_SESSION,),
                body=_calls_body(),
            )
        },
        "/v1/formats/{format}/sessions/{session_id}/commits": {
            "post": _format_commits("postFormatCommit"),
            "put": _format_commits("putFormatCommit"),
            "get": _format_commits("getFormatState", asks=True),
        },
        "/v1/formats/scorm-cloud": {
            "post": _operation(
                "postScormCloudResults",
                "Store a SCORM Cloud registration postback, as JSON or as a form with it in the field `data`.",
                _response("Stored.", CommitResponse),
                problems=_WRITING,
                security=_POSTBACK,
                parameters=(_KEY,),
                body=_any_body(_POSTBACK_BODY),
            )
        },
        "/v1/mirror/{format}": {"post": _mirror()},
        "/v1/commits": {
            "post": _operation(
                "postAllInOne",
                "Store a commit with session, learner and activity in it; a SCORM Cloud postback is taken, too.",
                _response("Stored.", CommitResponse),
                problems=_WRITING,
                security=_LMS,
                parameters=(_KEY,),
                body=_body("AllInOneBody", "SessionCommitBody", example=_LAUNCH | _COMMIT),
            )
        },
        "/scorm/progress/{topic_id}/": {"post": _progress("postProgress")},
        "/scorm/progress/{topic_id}": {"post": _progress("postProgressWithoutSlash")},
    }


def _result_paths() -> Paths:
    return {
        "/v1/attempts/{attempt_id}": {
            "get": _operation(
                "getAttempt",
                "Read state, resume data, sessions, commits, statements and documents of an attempt.",
                _response("The attempt.", AttemptResponse),
                problems=(*_READING, 404),
                security=_LMS,
                parameters=(
                    _path("attempt_id", UUID, "As `attempt.id` in responses."),
                    *_cursors("sessions", "commits", "statements"),
                ),
            )
        },
        "/v1/courses/{course_id}": {
            "get": _operation(
                "getCourse",
                "Read where a learner stands over the activities of a course, and whether all of them are completed.",
                _response("The standing.", CourseResponse),
                problems=(*_READING, 404),
                security=_LMS,
                parameters=(
                    _path("course_id", ID, "The LMS's id of the course; one with slashes, such as an IRI, is encoded."),
                    _query("learner", ID, "Whose.") | {"required": True},
                ),
            )
        },
        "/v1/enrollments": {
            "get": _operation(
                "getEnrollments",
                "Read the gradebook, and what has changed in it since: those enrollments first that changed first.",
                _response("Enrollments.", EnrollmentsResponse),
                problems=_READING,
                security=_LMS,
                parameters=(
                    _query("learner", _ANY_ID, "Only this learner's."),
                    _query("activity", _ANY_ID, "Only those in this activity."),
                    _query("course", _ANY_ID, "Only those in this course; empty for those without one."),
                    _query(
                        "completion",
                        ref("CompletionStatus"),
                        "Only those with this completion, the best of all attempts.",
                    ),
                    _query("since", _CURSOR, "`next` of an earlier response: only what has changed after it."),
                    _query("limit", _LIMIT, "Enrollments at most; 100 unless it is given."),
                ),
            )
        },
    }


def _service_paths() -> Paths:
    return {
        "/": {
            "get": _operation(
                "describeService",
                "Read what this service is, and where to go from here. Query parameters are ignored.",
                {
                    "description": "A page where `Accept` names `text/html`, otherwise JSON.",
                    "content": {
                        JSON: {"schema": ref(ServiceResponse.__name__)},
                        "text/html": {"schema": TEXT},
                    },
                },
            )
        },
        "/healthz": {
            "get": _operation(
                "isAlive",
                "Check whether the process responds. Query parameters are ignored.",
                _response("It does.", LivenessResponse),
            )
        },
        "/readyz": {"get": _readiness()},
        "/tap.js": {"get": _tap()},
        "/metrics": {
            "get": _operation(
                "getMetrics",
                "Read metrics, as Prometheus does. Who may is a setting; query parameters are ignored.",
                {
                    "description": "Prometheus's text format, or OpenMetrics where `Accept` asks for it.",
                    "content": {"text/plain": {"schema": TEXT}, "application/openmetrics-text": {"schema": TEXT}},
                },
                problems=(401, 403, 404),
                security=[{}, {"metricsToken": []}],
            )
        },
        "/openapi.json": {
            "get": _operation(
                "getDescription",
                "Read this document.",
                {
                    "description": "An OpenAPI 3.1 document.",
                    "content": {JSON: {"schema": {"type": "object", "additionalProperties": True}}},
                },
                problems=(400,),
            )
        },
    }


def _tap() -> Operation:
    operation = _operation(
        "getTap",
        "Load the script that reports from an LMS's pages.",
        {
            "description": "The script: for a year where `v` is its version, else for an hour.",
            "headers": {"ETag": {"schema": TEXT, "required": True}},
            "content": {"text/javascript": {"schema": TEXT}},
        },
        problems=(400,),
        parameters=(_query("v", TEXT, "The version that is wanted; the one that there is is sent in any case."),),
    )
    operation["responses"]["304"] = {"description": "The browser has it already."}
    return operation


def _readiness() -> Operation:
    operation = _operation(
        "isReady",
        "Check whether commits can be stored. Query parameters are ignored.",
        _response("They can.", ReadinessResponse),
    )
    operation["responses"]["503"] = _response("They cannot, or the process is about to stop.", UnreadyResponse)
    return operation

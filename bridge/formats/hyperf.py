"""hyperf-scorm's normalised commits: `{"student_id", "lesson": {…}, "session": {…}, "score", "interactions": […]}`.

Its player reads times and responses by SCORM 2004's rules even where content speaks SCORM 1.2, so that some arrive as 0
or empty; those say nothing. The end of a session is posted to an address of its own, `{"action": "terminate"}`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.errors import BridgeError
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import SUCCEEDED, Format, FormatRequest, FormatResponse, SessionData, json_response
from mappings.attempt.commit import Commit
from mappings.cmi.times import CENTISECONDS, MAX_TIME, duration
from mappings.cmi.tree import MAX_ITEMS, Tree, scalar

_MAX_ITEMS = MAX_ITEMS + 1
"""More than are kept of a collection, so that it is warned of."""
_LESSON = {
    "location": "lesson_location",
    "mode": "lesson_mode",
    "entry": "entry",
    "exit": "exit",
    "credit": "credit",
}
_SESSION = ("suspend_data", "launch_data", "comments", "comments_from_lms")
_INTERACTION = {
    "id": "id",
    "type": "type",
    "description": "description",
    "result": "result",
    "weighting": "weighting",
    "interaction_timestamp": "timestamp",
}


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or not isinstance(content.get("lesson"), dict):
        return None
    if not isinstance(content.get("session"), dict):
        return None
    return FormatRequest(
        commit=Commit(wire_format="hyperf", tree=_tree(content), scorm_version="1.2", beacon=request.beacon)
    )


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    if isinstance(body.json, dict) and body.json.get("action") == "terminate":
        return FormatRequest(commit=Commit(wire_format="hyperf", tree={}, terminated=True))
    return _detect(request, body)


def _tree(content: dict[str, Any]) -> Tree:
    lesson, session = content["lesson"], content["session"]
    core: Tree = {ours: lesson[theirs] for theirs, ours in _LESSON.items() if theirs in lesson}
    if lesson.get("status") != "unknown":
        core["lesson_status"] = lesson.get("status")
    if content.get("score") is not None:
        core["score"] = {"raw": content["score"]}
    core["session_time"] = _time(session.get("session_time_seconds")) or _time(session.get("session_time"))
    core["total_time"] = _time(session.get("total_time"))
    cmi: Tree = {name: session[name] for name in _SESSION if name in session}
    answered = content.get("interactions")
    if isinstance(answered, list):
        cmi["interactions"] = {
            str(index): _interaction(interaction) for index, interaction in enumerate(answered[:_MAX_ITEMS])
        }
    return {"cmi": cmi | {"core": core}}


def _interaction(source: Any) -> Tree:
    if not isinstance(source, dict):
        return {}
    item: Tree = {ours: source[theirs] for theirs, ours in _INTERACTION.items() if theirs in source}
    response, pattern = _joined(source.get("learner_response")), _joined(source.get("correct_response"))
    if response:
        item["learner_response"] = response
    if pattern:
        item["correct_responses"] = {"0": {"pattern": pattern}}
    latency = _time(source.get("latency_seconds"))
    if latency:
        item["latency"] = latency
    if isinstance(source.get("objectives"), list):
        item["objectives"] = {str(index): part for index, part in enumerate(source["objectives"][:_MAX_ITEMS])}
    return item


def _joined(parts: Any) -> str:
    return "[,]".join(scalar(part) or "" for part in parts) if isinstance(parts, list) else scalar(parts) or ""


def _time(value: Any) -> str:
    """Return a time that can be a number of seconds; 0 is what its player makes of a time it cannot read."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return duration(int(value * CENTISECONDS)) if 0 < value * CENTISECONDS <= MAX_TIME else ""
    return value if isinstance(value, str) else ""


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    response = json_response(format_request, commit_response, data)
    answer = SUCCEEDED | msgspec.json.decode(response.body) | {"status": 200, "success": True}
    return FormatResponse(msgspec.json.encode(answer))


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all calls
    answer = {"status": error.status, "success": False, "message": error.detail, "result": False, "errorCode": 101}
    return FormatResponse(msgspec.json.encode(answer), status=error.status)


FORMAT = Format(
    name="hyperf",
    description='normalised JSON: {"lesson": {"status": "passed", …}, "session": {…}, "interactions": […]}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

"""Sakai's SCORM player: single calls of SCORM's API, `{"method": "SetValue", "arguments": ["cmi.…", …], "scoId": "…"}`.

Each call waits for the one before, but for Terminate, which is sent as the page closes and says again what the browser
may not have sent any more: score, completion and success. All SCOs of a package post to the address of its launch.

Source: Sakai, `scorm-rest-launcher.js` and `ScormController.java`.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from bridge.errors import BridgeError
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, checked_sco_id, json_response
from bridge.formats.rpc import error_code_of, parse_call, result_of
from mappings.cmi.tree import scalar, unflatten

_SAID_AGAIN = {
    "hintScoreScaled": "cmi.score.scaled",
    "hintCompletionStatus": "cmi.completion_status",
    "hintSuccessStatus": "cmi.success_status",
}


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or not isinstance(content.get("method"), str):
        return None
    return _parse(request, body) if "arguments" in content else None


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or "method" not in content:
        return None
    sco = checked_sco_id(content.get("scoId"), "scoId")
    values = content.get("arguments")
    call = parse_call("sakai", str(content["method"]), values if isinstance(values, list) else [])
    if call.commit is None:
        return replace(call, sco=sco)
    tree = call.commit.tree
    if call.commit.terminated:
        said_again = {name: scalar(content.get(field)) for field, name in _SAID_AGAIN.items()}
        tree = unflatten({name: value for name, value in said_again.items() if value})
    commit = replace(call.commit, tree=tree, scorm_version="2004", beacon=request.beacon)
    return replace(call, commit=commit, sco=sco)


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    if format_request.requested == ():
        return json_response(format_request, commit_response, data)
    return _response(result_of(format_request, data), "0")


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all calls
    # the player shows the message, and returns false to the content, for any status that is an error
    return _response("false", error_code_of(error), error.detail, status=error.status, message=error.detail)


def _response(value: str, code: str, diagnostic: str = "", *, status: int = 200, **more: str) -> FormatResponse:
    # a session that is said to have ended makes the player leave its page
    answer = {"value": value, "errorCode": code, "diagnostic": diagnostic, "sessionEnded": False}
    return FormatResponse(msgspec.json.encode(answer | more), status=status)


FORMAT = Format(
    name="sakai",
    description='calls such as {"method": "SetValue", "arguments": ["cmi.location", "3"], "scoId": "item-1"}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

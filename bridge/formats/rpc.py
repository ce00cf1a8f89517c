"""SCORM's API calls posted one by one, as wagtail-lms does: `{"method": "SetValue", "parameters": ["cmi.…", "…"]}`.

Calls are posted without waiting for the one before, so they arrive in any order. Everything in the answer is text.
Terminate ends the session; content of SCORM 1.2 played by wagtail-lms never gets to call it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.errors import BadRequest, BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, json_response, requested_version
from mappings.attempt.commit import Commit
from mappings.cmi.tree import scalar, unflatten

_RESULTS = {
    "initialize": "true",
    "terminate": "true",
    "commit": "true",
    "setvalue": "true",
    "getlasterror": "0",
    "geterrorstring": "",
    "getdiagnostic": "",
}
_SAME = {"finish": "terminate"}
GENERAL_EXCEPTION = "101"
INVALID_ARGUMENT = "201"


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or not isinstance(content.get("method"), str):
        return None
    return _parse(request, body) if "parameters" in content else None


def _parse(_request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or "method" not in content:
        return None
    parameters = content.get("parameters")
    return parse_call("rpc", str(content["method"]), parameters if isinstance(parameters, list) else [])


def parse_call(wire_format: str, method: str, parameters: list[Any]) -> FormatRequest:
    """Parse a call of SCORM's API, by whichever version's name.

    Raises:
        MalformedBody: it has no such method, or the method needs other parameters.
    """
    command = method.strip().lower().removeprefix("lms")
    command = _SAME.get(command, command)
    if command == "getvalue":
        name = _name(method, parameters)
        return FormatRequest(command=command, requested=(name,), version=requested_version((name,)))
    if command not in _RESULTS:
        raise MalformedBody(f"{method[:40]!r} is no method of SCORM's API.")
    values: dict[str, str] = {}
    if command == "setvalue":
        if len(parameters) < 2:
            raise MalformedBody("SetValue needs two parameters: the element's name and its value.")
        values = {_name(method, parameters): scalar(parameters[1]) or ""}
    elif command not in {"commit", "terminate"}:
        return FormatRequest(command=command)
    is_last = command == "terminate"
    commit = Commit(wire_format=wire_format, tree=unflatten(values), terminated=is_last, settled=command != "setvalue")
    return FormatRequest(command=command, commit=commit)


def result_of(format_request: FormatRequest, data: SessionData | None) -> str:
    """Return what a call returns to the content, which was understood and stored where there was something to store."""
    if format_request.requested and data is not None:
        return data.value(format_request.requested[0])
    return _RESULTS.get(format_request.command, "true")


def error_code_of(error: BridgeError) -> str:
    """Return SCORM's code of an error: of the call itself, or of all else."""
    return INVALID_ARGUMENT if isinstance(error, BadRequest) else GENERAL_EXCEPTION


def _name(method: str, parameters: list[Any]) -> str:
    if not parameters or not isinstance(parameters[0], str) or not parameters[0]:
        raise MalformedBody(f"{method[:40]} needs the name of an element as its first parameter.")
    return parameters[0]


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    if format_request.requested == ():
        return json_response(format_request, commit_response, data)
    return _response(result_of(format_request, data), "0")


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all calls
    return _response("false", error_code_of(error), detail=error.detail)


def _response(result: str, code: str, **more: str) -> FormatResponse:
    return FormatResponse(msgspec.json.encode({"result": result, "errorCode": code, **more}))


FORMAT = Format(
    name="rpc",
    description='calls such as {"method": "SetValue", "parameters": ["cmi.core.lesson_status", "passed"]}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

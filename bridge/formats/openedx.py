"""The SCORM XBlock of Open edX (`openedx-scorm-xblock`): `scorm_set_values`, `scorm_set_value`, `scorm_get_value`.

A list of `{"name", "value"}`, or one alone, in the order in which content set them; one without a value asks for it.
Commit, Finish and Terminate send nothing: there is no last commit.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.errors import BodyTooComplex, BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, json_response, requested_version
from mappings.attempt.commit import Commit
from mappings.cmi.tree import unflatten

_SUCCESS = {"result": "success"}
_ELEMENTS = ("cmi.", "adl.")
MAX_QUESTIONS = 1_000
"""Values asked for in one post."""
MAX_ANSWER_LENGTH = 2 * 1024 * 1024
"""Characters of all values in one answer: twice as many as a commit can hold."""
_LIST, _ONE = "list", "one"


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict) or not isinstance(first.get("name"), str):
        return None
    return _parse(request, body) if first["name"].startswith(_ELEMENTS) else None


def _parse(_request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, list) and not (isinstance(content, dict) and "name" in content):
        return None
    command, parts = (_LIST, content) if isinstance(content, list) else (_ONE, [content])
    names = [_name(part, number) for number, part in enumerate(parts)]
    if not parts:
        return FormatRequest(count=0, command=command)
    if all("value" not in part for part in parts):
        if len(parts) > MAX_QUESTIONS:
            raise BodyTooComplex(f"{len(parts)} values are asked for; ask for at most {MAX_QUESTIONS} at once.")
        return FormatRequest(
            requested=tuple(names), version=requested_version(names), count=len(parts), command=command
        )
    tree = unflatten((name, part["value"]) for name, part in zip(names, parts, strict=True) if "value" in part)
    # content that has gone on to something else is done with its last interaction
    settled = not names[-1].startswith("cmi.interactions.")
    return FormatRequest(
        commit=Commit(wire_format="openedx", tree=tree, settled=settled),
        count=len(parts),
        command=command,
    )


def _name(part: Any, number: int) -> str:
    name = part.get("name") if isinstance(part, dict) else None
    if not isinstance(name, str):
        raise MalformedBody(f'Number {number} of the values has no name: {{"name": "cmi.…", "value": "…"}} is needed.')
    return name


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    if format_request.requested is None:
        return _each([_SUCCESS] * format_request.count, format_request)
    if not format_request.requested or data is None:
        return json_response(format_request, commit_response, data)
    values: dict[str, str] = {}
    length = 0
    for name in format_request.requested:
        if name not in values:
            values[name] = data.value(name)
        length += len(values[name])
        if length > MAX_ANSWER_LENGTH:
            raise BodyTooComplex("What is asked for is too long to be answered at once; ask for fewer values.")
    return _each([{"value": values[name]} for name in format_request.requested], format_request)


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:
    count = 1 if format_request is None else max(1, format_request.count)
    results: list[dict[str, str]] = [{"result": "error", "detail": error.detail}, *[{"result": "error"}] * (count - 1)]
    return msgspec.structs.replace(_each(results, format_request), status=error.status)


def _each(results: list[dict[str, str]], format_request: FormatRequest | None) -> FormatResponse:
    is_single = format_request is not None and format_request.command == _ONE
    return FormatResponse(msgspec.json.encode(results[0] if is_single else results))


FORMAT = Format(
    name="openedx",
    description='a list of {"name": "cmi.…", "value": "…"}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

"""The SCORM XBlock of Open edX (`openedx-scorm-xblock`): `scorm_set_values`, `scorm_set_value`, `scorm_get_value`.

A list of `{"name", "value"}`, or one alone, in the order in which content set them; one without a value asks for it.
Commit, Finish and Terminate send nothing: there is no last commit.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.errors import BodyTooComplex, BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.format import Call, Format, Reply, State, asked_version, json_reply
from bridge.formats.post import Post
from mappings.attempt.commit import Commit
from mappings.cmi.tree import nest

_SUCCESS = {"result": "success"}
_ELEMENTS = ("cmi.", "adl.")
MAX_QUESTIONS = 1_000
"""Values asked for in one post."""
MAX_ANSWER_LENGTH = 2 * 1024 * 1024
"""Characters of all values in one answer: twice as many as a commit can hold."""
_LIST, _ONE = "list", "one"


def _recognise(post: Post, body: Body) -> Call | None:
    told = body.json
    first = told[0] if isinstance(told, list) and told else told
    if not isinstance(first, dict) or not isinstance(first.get("name"), str):
        return None
    return _read(post, body) if first["name"].startswith(_ELEMENTS) else None


def _read(_post: Post, body: Body) -> Call | None:
    told = body.json
    if not isinstance(told, list) and not (isinstance(told, dict) and "name" in told):
        return None
    command, parts = (_LIST, told) if isinstance(told, list) else (_ONE, [told])
    names = [_name(part, number) for number, part in enumerate(parts)]
    if not parts:
        return Call(count=0, command=command)
    if all("value" not in part for part in parts):
        if len(parts) > MAX_QUESTIONS:
            raise BodyTooComplex(f"{len(parts)} values are asked for; ask for at most {MAX_QUESTIONS} at once.")
        return Call(asks=tuple(names), version=asked_version(names), count=len(parts), command=command)
    tree = nest((name, part["value"]) for name, part in zip(names, parts, strict=True) if "value" in part)
    # content that has gone on to something else is done with its last interaction
    settled = not names[-1].startswith("cmi.interactions.")
    return Call(
        commit=Commit(wire_format="openedx", tree=tree, settled=settled),
        count=len(parts),
        command=command,
    )


def _name(part: Any, number: int) -> str:
    name = part.get("name") if isinstance(part, dict) else None
    if not isinstance(name, str):
        raise MalformedBody(f'Number {number} of the values has no name: {{"name": "cmi.…", "value": "…"}} is needed.')
    return name


def _reply(call: Call, answer: bytes | None, state: State | None) -> Reply:
    if call.asks is None:
        return _each([_SUCCESS] * call.count, call)
    if not call.asks or state is None:
        return json_reply(call, answer, state)
    values: dict[str, str] = {}
    length = 0
    for name in call.asks:
        if name not in values:
            values[name] = state.value(name)
        length += len(values[name])
        if length > MAX_ANSWER_LENGTH:
            raise BodyTooComplex("What is asked for is too long to be answered at once; ask for fewer values.")
    return _each([{"value": values[name]} for name in call.asks], call)


def _refusal(error: BridgeError, call: Call | None) -> Reply:
    count = 1 if call is None else max(1, call.count)
    told: list[dict[str, str]] = [{"result": "error", "detail": error.detail}, *[{"result": "error"}] * (count - 1)]
    return msgspec.structs.replace(_each(told, call), status=error.status)


def _each(told: list[dict[str, str]], call: Call | None) -> Reply:
    one = call is not None and call.command == _ONE
    return Reply(msgspec.json.encode(told[0] if one else told))


FORMAT = Format(
    name="openedx",
    shape='a list of {"name": "cmi.…", "value": "…"}',
    recognise=_recognise,
    read=_read,
    reply=_reply,
    refusal=_refusal,
)

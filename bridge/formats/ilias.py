"""ILIAS's SCORM 1.2 player (`storeScorm.php`): `{"cmi": [[sco, "cmi.core.lesson_status", "passed"], …], …}`.

Only what changed is sent. The player takes nothing but the text `ok` for a success.
"""

from __future__ import annotations

from typing import Any

from bridge.errors import BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.format import Call, Format, Reply, State, json_reply
from bridge.formats.post import Post
from mappings.attempt.commit import Commit
from mappings.cmi.tree import nest

_SCO_NAME_VALUE = 3


def _recognise(post: Post, body: Body) -> Call | None:
    told = body.json.get("cmi") if isinstance(body.json, dict) else None
    return _read(post, body) if isinstance(told, list) and told and isinstance(told[0], list) else None


def _read(post: Post, body: Body) -> Call | None:
    told = body.json.get("cmi") if isinstance(body.json, dict) else None
    if not isinstance(told, list):
        return None
    tree = nest(_pair(part, number) for number, part in enumerate(told))
    return (
        Call(commit=Commit(wire_format="ilias", tree=tree, scorm_version="1.2", beacon=post.beacon)) if told else Call()
    )


def _pair(part: Any, number: int) -> tuple[str, Any]:
    if not isinstance(part, list) or len(part) != _SCO_NAME_VALUE or not isinstance(part[1], str):
        raise MalformedBody(f'Number {number} of the values is not [sco, "cmi.…", value].')
    return part[1], part[2]


def _reply(call: Call, answer: bytes | None, state: State | None) -> Reply:
    return json_reply(call, answer, state) if call.asks is not None else Reply(b"ok", "text/plain")


def _refusal(error: BridgeError, call: Call | None) -> Reply:  # noqa: ARG001 -- the same for all calls
    return Reply(f"error: {error.detail}".encode(), "text/plain", error.status)


FORMAT = Format(
    name="ilias",
    shape='a list of what changed: {"cmi": [[5, "cmi.core.lesson_status", "passed"], …]}',
    recognise=_recognise,
    read=_read,
    reply=_reply,
    refusal=_refusal,
)

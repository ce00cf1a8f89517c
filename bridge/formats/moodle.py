"""Moodle's SCORM player (`mod/scorm/request.js` posting to `datamodel.php`), SCORM 1.2 and SCORM 2004.

A form whose fields are element names with the full stops rewritten: `cmi__interactions_0__id` (SCORM 1.2),
`cmi__interactions__0__id` (SCORM 2004). Each post has what changed (1.2) or what differs from the launch (2004). Only
Finish and Terminate send `total_time`, which is how the last commit is known; a beacon alone is not the last one, as
the player also falls back to one when a request fails. The player evaluates a third line of the answer as JavaScript,
so there never is one.
"""

from __future__ import annotations

import re

from bridge.errors import BridgeError
from bridge.formats.body import Body
from bridge.formats.format import Call, Format, Reply, State, json_reply
from bridge.formats.post import Post
from mappings.attempt.commit import Commit
from mappings.cmi.tree import Tree, nest

_ITEM = re.compile(r"_(\d+)(?=\.)", re.ASCII)


def element(field: str) -> str:
    """Give the element that a field is named for."""
    return _ITEM.sub(r".\1", field.replace("__", "."))


def _recognise(post: Post, body: Body) -> Call | None:
    told = [(element(name), value) for name, value in body.form if name.startswith(("cmi__", "adl__"))]
    if not told:
        return None
    fields = {name for name, _ in body.form}
    tree = nest(told)
    return Call(
        commit=Commit(
            wire_format="moodle",
            tree=tree,
            terminated=_tells_total_time(tree),
            beacon=post.beacon or "unloading" in fields or post.query.get("api") == "beacon",
        )
    )


def _read(post: Post, body: Body) -> Call | None:
    call = _recognise(post, body)
    # a commit of nothing: Moodle's player posts one when nothing has changed
    return Call() if call is None and "scoid" in dict(body.form) else call


def _tells_total_time(tree: Tree) -> bool:
    cmi = tree.get("cmi")
    if not isinstance(cmi, dict):
        return False
    core = cmi.get("core")
    return bool(cmi.get("total_time") or (isinstance(core, dict) and core.get("total_time")))


def _reply(call: Call, answer: bytes | None, state: State | None) -> Reply:
    return json_reply(call, answer, state) if call.asks is not None else Reply(b"true\n0", "text/plain")


def _refusal(error: BridgeError, call: Call | None) -> Reply:  # noqa: ARG001 -- Moodle has one word for all errors
    return Reply(b"false\n101", "text/plain")


FORMAT = Format(
    name="moodle",
    shape="a form with fields such as cmi__core__lesson_status",
    recognise=_recognise,
    read=_read,
    reply=_reply,
    refusal=_refusal,
)

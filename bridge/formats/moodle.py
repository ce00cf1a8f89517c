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
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, json_response
from mappings.attempt.commit import Commit
from mappings.cmi.tree import Tree, unflatten

_ITEM = re.compile(r"_(\d+)(?=\.)", re.ASCII)


def element(field: str) -> str:
    """Return the element that a field is named for."""
    return _ITEM.sub(r".\1", field.replace("__", "."))


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    values = [(element(name), value) for name, value in body.form if name.startswith(("cmi__", "adl__"))]
    if not values:
        return None
    fields = {name for name, _ in body.form}
    tree = unflatten(values)
    return FormatRequest(
        commit=Commit(
            wire_format="moodle",
            tree=tree,
            terminated=_tells_total_time(tree),
            beacon=request.beacon or "unloading" in fields or request.query.get("api") == "beacon",
        )
    )


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    format_request = _detect(request, body)
    # a commit of nothing: Moodle's player posts one when nothing has changed
    return FormatRequest() if format_request is None and "scoid" in dict(body.form) else format_request


def _tells_total_time(tree: Tree) -> bool:
    cmi = tree.get("cmi")
    if not isinstance(cmi, dict):
        return False
    core = cmi.get("core")
    return bool(cmi.get("total_time") or (isinstance(core, dict) and core.get("total_time")))


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    return (
        json_response(format_request, commit_response, data)
        if format_request.requested is not None
        else FormatResponse(b"true\n0", "text/plain")
    )


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- Moodle has one word for all errors
    return FormatResponse(b"false\n101", "text/plain")


FORMAT = Format(
    name="moodle",
    description="a form with fields such as cmi__core__lesson_status",
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

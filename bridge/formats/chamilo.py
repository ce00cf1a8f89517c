"""Chamilo's SCORM player (`lp_ajax_save_item.php`): a form with short names, `lid=1&uid=7&vid=3&iid=9&status=passed`.

Each post has what the content has set since it was loaded. Interactions are lists in brackets without any quoting,
whose last character the player cuts off. The answer is evaluated as JavaScript, so there is none.

The form says who the learner is (`uid`), which whoever posts it can change: it counts nowhere but in what the LMS's own
proxy mirrors.

Source: Chamilo, `scorm_api.php` and `lp_ajax_save_item.php`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.errors import BridgeError
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, checked_sco_id, json_response
from mappings.attempt.commit import Commit
from mappings.cmi.tree import Tree, is_index, unflatten

_FIELDS_OF_EACH = ("lid", "uid", "vid", "iid")
_ELEMENTS = {
    "status": "cmi.core.lesson_status",
    "s": "cmi.core.score.raw",
    "max": "cmi.core.score.max",
    "min": "cmi.core.score.min",
    "t": "cmi.core.session_time",
    "loc": "cmi.core.lesson_location",
    "suspend": "cmi.suspend_data",
    "core_exit": "cmi.core.exit",
}
_NOT_SET = frozenset({"", "undefined", "null"})
_NO_VALUE = {"s": "-1", "max": "-1", "min": "-1", "core_exit": "none"}
_INTERACTION = re.compile(r"interact\[(\d{1,6})\]", re.ASCII)
_PARTS = ("id", "type", "time", "weighting", "correct_responses", "student_response", "result")
"""Parts of an interaction in their order. The last one, `latency`, comes without its end, so it says another time."""
_COMMA = "@.|@"


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    fields = dict(body.form)
    return _commit(request, fields) if all(name in fields for name in _FIELDS_OF_EACH) else None


def _commit(request: CommitRequest, fields: Mapping[str, str]) -> FormatRequest:
    tree = unflatten(
        (name, fields[field]) for field, name in _ELEMENTS.items() if _is_set(field, fields.get(field, ""))
    )
    interactions = {
        match.group(1): _interaction(value)
        for name, value in fields.items()
        if (match := _INTERACTION.fullmatch(name)) is not None and is_index(match.group(1))
    }
    if interactions:
        tree.setdefault("cmi", {})["interactions"] = interactions
    return FormatRequest(
        commit=Commit(
            wire_format="chamilo",
            tree=tree,
            scorm_version="1.2",
            terminated=True if fields.get("finishSignalReceived") == "1" else None,
            beacon=request.beacon or "multipart" in request.content_type,
        ),
        sco=checked_sco_id(fields["iid"], "iid"),
        learner=fields["uid"],
        course=fields.get("course_id", ""),
    )


def _is_set(field: str, value: str) -> bool:
    if field == "t" and ":" not in value:
        return False  # of items that are no SCOs: when they were opened
    return value not in _NOT_SET and value != _NO_VALUE.get(field)


def _interaction(text: str) -> Tree:
    values = [part.replace(_COMMA, ",") for part in text.strip()[1:-1].split(",", len(_PARTS))]
    interaction: Tree = {name: value for name, value in zip(_PARTS, values, strict=False) if value not in _NOT_SET}
    if "correct_responses" in interaction:
        interaction["correct_responses"] = {"0": {"pattern": interaction["correct_responses"]}}
    return interaction


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    if format_request.requested is not None:
        return json_response(format_request, commit_response, data)
    return FormatResponse(b"", "text/javascript")


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all calls
    # whatever is in it, it is nothing but one line of comment to who evaluates it
    return FormatResponse(f"// error: {' '.join(error.detail.split())}".encode(), "text/javascript", error.status)


FORMAT = Format(
    name="chamilo",
    description="a form with the fields lid, uid, vid and iid, and what changed, such as status and s",
    detect=_detect,
    respond=_respond,
    respond_error=_respond_error,
)

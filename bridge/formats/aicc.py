"""AICC's HACP: a form with `command`, `session_id` and `aicc_data`, answered in text.

GetParam asks for the session's data, PutParam and the other Put commands tell what happened, ExitAU ends the session.
`Time` counts the session from its start, again with every PutParam. Clients disagree on the case of names, on line
endings, and on whether to encode the data. Sources: AICC CMI001 (CMI Guidelines for Interoperability) 4.0, appendix A,
and what clients send.
"""

from __future__ import annotations

import re
from typing import Any

from bridge.errors import (
    BadRequest,
    BridgeError,
    ContentTooLarge,
    MalformedBody,
    MalformedSessionId,
    Unavailable,
    Unprocessable,
)
from bridge.formats import aicc_data
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData
from bridge.forms import percent_decode
from mappings.attempt.commit import Commit
from mappings.cmi.tree import Tree, items, scalar
from mappings.cmi.values import BadValue, time

_PUTS = {
    "putparam": aicc_data.read_param,
    "putinteractions": aicc_data.read_interactions,
    "putobjectives": aicc_data.read_objectives,
    "putcomments": aicc_data.read_comments,
}
_KEPT_BY_NOBODY = frozenset({"putpath", "putperformance"})
_DATA = re.compile(r"(?:^|&)aicc_data=", re.IGNORECASE | re.ASCII)
_SUCCESSFUL = "error=0\r\nerror_text=Successful\r\n"
_LETTERS = {"passed": "P", "completed": "C", "failed": "F", "incomplete": "I", "browsed": "B", "not attempted": "N"}


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    names = {name.lower() for name, _ in body.form}
    return _parse(request, body) if {"command", "session_id"} <= names else None


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    fields = {name.lower(): value for name, value in body.form}
    if "command" not in fields:
        return None
    command = fields["command"].strip().lower()
    if command == "getparam":
        return FormatRequest(command=command, requested=(), version="1.2")
    if command in _KEPT_BY_NOBODY:
        return FormatRequest(command=command)
    if command == "exitau":
        return FormatRequest(command=command, commit=_commit({}, terminated=True, request=request))
    if command not in _PUTS:
        raise MalformedBody(f"{fields['command'][:40]!r} is no command of HACP.")
    data = _data(body, fields.get("aicc_data", ""))
    if not data.strip():
        return FormatRequest(command=command)
    return FormatRequest(command=command, commit=_commit(_PUTS[command](data), terminated=False, request=request))


def _commit(tree: Tree, *, terminated: bool, request: CommitRequest) -> Commit:
    return Commit(wire_format="aicc", tree=tree, scorm_version="1.2", terminated=terminated, beacon=request.beacon)


def _data(body: Body, decoded: str) -> str:
    """Return the data; where it came without the encoding a form needs, it is all that follows its name."""
    match = _DATA.search(body.text)
    raw = body.text[match.end() :] if match else ""
    if "\n" in raw.strip() or raw.lstrip().startswith(("[", '"')):
        return percent_decode(raw)
    return decoded


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:  # noqa: ARG001 -- AICC has one success
    if format_request.requested is None or data is None:
        return _text(_SUCCESSFUL)
    return _text(f"{_SUCCESSFUL}version=4.0\r\naicc_data={_param(data.cmi)}")


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all commands
    of_command = isinstance(error, (BadRequest, ContentTooLarge, Unprocessable, Unavailable)) and not isinstance(
        error, MalformedSessionId
    )
    code, name = (1, "Invalid Command") if of_command else (3, "Invalid Session ID")
    return _text(f"error={code}\r\nerror_text={name}: {_line(error.detail)}\r\n")


def _text(text: str) -> FormatResponse:
    return FormatResponse(text.encode(), "text/plain")


def _param(cmi: Tree) -> str:
    core = _group(cmi, "core")
    score, student, preference = _group(core, "score"), _group(cmi, "student_data"), _group(cmi, "student_preference")
    status = _LETTERS.get(scalar(core.get("lesson_status")) or "", "N")
    scores = [_line(score.get(part)) for part in ("raw", "max", "min")]
    lines = [
        "[Core]",
        f"Student_ID={_line(core.get('student_id'))}",
        f"Student_Name={_line(core.get('student_name'))}",
        f"Lesson_Location={_line(core.get('lesson_location'))}",
        f"Credit={_line(core.get('credit')) or 'credit'}",
        f"Lesson_Status={status}, {_line(core.get('entry'))}",
        f"Score={','.join(scores).rstrip(',')}",
        f"Time={_time(core.get('total_time'))}",
        f"Lesson_Mode={_line(core.get('lesson_mode')) or 'normal'}",
        "[Core_Lesson]",
        scalar(cmi.get("suspend_data")) or "",
        "[Core_Vendor]",
        scalar(cmi.get("launch_data")) or "",
        "[Objectives_Status]",
        *_objectives(cmi),
        "[Student_Data]",
        f"Mastery_Score={_line(student.get('mastery_score'))}",
        f"Max_Time_Allowed={_line(student.get('max_time_allowed'))}",
        f"Time_Limit_Action={_line(student.get('time_limit_action'))}",
        "[Student_Preferences]",
        f"Audio={_line(preference.get('audio'))}",
        f"Language={_line(preference.get('language'))}",
        f"Speed={_line(preference.get('speed'))}",
        f"Text={_line(preference.get('text'))}",
    ]
    return "".join(f"{line}\r\n" for line in lines if line)


def _objectives(cmi: Tree) -> list[str]:
    lines: list[str] = []
    for index, objective in items(cmi.get("objectives")).items():
        if not isinstance(objective, dict) or not objective.get("id"):
            continue
        number = int(index) + 1
        status = _LETTERS.get(scalar(objective.get("status")) or "", "N")
        score = _group(objective, "score")
        lines += [
            f"J_ID.{number}={_line(objective['id'])}",
            f"J_Score.{number}={_line(score.get('raw'))}",
            f"J_Status.{number}={status}",
        ]
    return lines


def _group(branch: Tree, name: str) -> Tree:
    group = branch.get(name)
    return group if isinstance(group, dict) else {}


def _line(value: Any) -> str:
    """Return a value as what fits behind an equals sign: a line break in it would begin another name."""
    return " ".join((scalar(value) or "").split())


def _time(value: Any) -> str:
    """Return a time as AICC has it, in whole seconds."""
    try:
        seconds = time(scalar(value) or "") // 100
    except BadValue:
        seconds = 0
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


FORMAT = Format(
    name="aicc",
    description="a form with command, session_id and aicc_data",
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

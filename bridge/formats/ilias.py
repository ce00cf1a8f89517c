"""ILIAS's SCORM 1.2 player (`storeScorm.php`): `{"cmi": [["5", "cmi.core.lesson_status", "passed"], …], …}`.

Only what changed is sent, to one address for all SCOs of a package: each value names its SCO, and what one SCO left
behind comes with the next one's. `totalTimeCentisec` is the time of all SCOs together. The player takes nothing but the
text `ok` for a success.

Source: ILIAS, `basisAPI.js`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from bridge.errors import BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, checked_sco_id, json_response
from mappings.attempt.commit import Commit
from mappings.cmi.times import CENTISECONDS, MAX_TIME
from mappings.cmi.tree import Tree, scalar, unflatten

MAX_SCOS = 100
"""SCOs that one post may have values of; each may open a session."""

_SCO_NAME_VALUE = 3


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    values = body.json.get("cmi") if isinstance(body.json, dict) else None
    return _parse(request, body) if isinstance(values, list) and values and isinstance(values[0], list) else None


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    values = body.json.get("cmi") if isinstance(body.json, dict) else None
    if not isinstance(values, list):
        return None
    by_sco: dict[str, list[Any]] = {}
    for number, part in enumerate(values):
        by_sco.setdefault(_sco(part, number), []).append(part)
    if len(by_sco) > MAX_SCOS:
        raise MalformedBody(f"The body has values of {len(by_sco)} SCOs; at most {MAX_SCOS} are taken at once.")
    calls = [
        FormatRequest(
            commit=_commit(request, parts, body.json.get("totalTimeCentisec") if len(by_sco) == 1 else None),
            sco=sco,
            payload=None if len(by_sco) == 1 else msgspec.json.encode({"cmi": parts}),
        )
        for sco, parts in by_sco.items()
    ]
    if not calls:
        return FormatRequest()
    learner, course, launch = launch_words(request, body.json)
    return replace(calls[0], others=tuple(calls[1:]), learner=learner, course=course, launch=launch)


def launch_words(request: CommitRequest, content: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return whose, of which course and of which launch a player of ILIAS says that its post is."""
    launch = scalar(content.get("hash")) or ""
    return scalar(content.get("p")) or "", request.query.get("ref_id", ""), launch if launch != "0" else ""


def _sco(part: Any, number: int) -> str:
    if not isinstance(part, list) or len(part) != _SCO_NAME_VALUE or not isinstance(part[1], str):
        raise MalformedBody(f'Number {number} of the values is not [sco, "cmi.…", value].')
    return checked_sco_id(part[0], f"Number {number} of the values")


def _commit(request: CommitRequest, parts: list[Any], package_time: object) -> Commit:
    tree = unflatten((name, value) for _, name, value in parts)
    core = tree["cmi"].get("core") if isinstance(tree.get("cmi"), dict) else None
    tells_time = isinstance(core, dict) and ("total_time" in core or "session_time" in core)
    total_time = None if tells_time else _time(package_time)
    if total_time is not None:
        tree = _with_total_time(tree, total_time)
    return Commit(
        wire_format="ilias",
        tree=tree,
        scorm_version="1.2",
        beacon=request.beacon,
        tells_package_time=total_time is not None,
    )


def _with_total_time(tree: Tree, total_time: str) -> Tree:
    cmi = tree.get("cmi")
    cmi = cmi if isinstance(cmi, dict) else {}
    core = cmi.get("core")
    core = core if isinstance(core, dict) else {}
    return tree | {"cmi": cmi | {"core": core | {"total_time": total_time}}}


def _time(centiseconds: object) -> str | None:
    """Return a time as SCORM 1.2 has it, None for one that says nothing: none yet, or none that can be."""
    if isinstance(centiseconds, bool) or not isinstance(centiseconds, (int, float)):
        return None
    if not 1 <= centiseconds <= MAX_TIME:
        return None
    seconds, hundredths = divmod(int(centiseconds), CENTISECONDS)
    return f"{seconds // 3600:04}:{seconds // 60 % 60:02}:{seconds % 60:02}.{hundredths:02}"


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    return (
        json_response(format_request, commit_response, data)
        if format_request.requested is not None
        else FormatResponse(b"ok", "text/plain")
    )


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all calls
    return FormatResponse(f"error: {error.detail}".encode(), "text/plain", error.status)


FORMAT = Format(
    name="ilias",
    description='a list of what changed: {"cmi": [[5, "cmi.core.lesson_status", "passed"], …]}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)

"""Everything a player knows in one flat map, as scormhost puts it: `{"elements": {"cmi.core.lesson_status": "…"}}`.

Its commits wait for one another, so they arrive in order, the last ones often with the same bytes. None says that it is
the last: at the end it only sets `exit`, always to `suspend` in SCORM 1.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bridge.errors import MalformedBody
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import SUCCEEDED, Format, FormatRequest, FormatResponse, SessionData, json_response
from mappings.attempt.commit import Commit
from mappings.cmi.tree import scalar, unflatten

_ELEMENTS = ("cmi.", "adl.")


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    elements = body.json.get("elements") if isinstance(body.json, dict) else None
    if not isinstance(elements, dict) or not any(name.startswith(_ELEMENTS) for name in elements):
        return None
    return _parse(request, body)


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    if not isinstance(body.json, dict) or "elements" not in body.json:
        return None
    elements = body.json["elements"]
    if not isinstance(elements, dict) or not elements:
        raise MalformedBody('elements must map names to values: {"elements": {"cmi.core.lesson_status": "passed"}}.')
    return FormatRequest(commit=Commit(wire_format="elements", tree=unflatten(elements), beacon=request.beacon))


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    if format_request.requested is None or data is None:
        return json_response(format_request, commit_response, data)
    return FormatResponse(msgspec.json.encode(SUCCEEDED | {"elements": dict(flat(data.cmi))}))


def flat(tree: Mapping[str, Any], path: str = "cmi") -> Iterator[tuple[str, str]]:
    """Return a tree's values by their dotted names."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}.{name}")
        elif (text := scalar(value)) is not None:
            yield f"{path}.{name}", text


FORMAT = Format(
    name="elements",
    description='a map of everything that is known: {"elements": {"cmi.core.lesson_status": "passed", …}}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
)

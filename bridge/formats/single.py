"""Elements posted as they are set, as EscolaLMS does: `{"cmi": {"cmi.core.lesson_status": "passed"}}`.

Its player posts every SetValue without waiting for the one before, so they arrive in any order; on Commit and Finish it
posts the whole tree to the same address, which is scorm-again's own format.
"""

from __future__ import annotations

from bridge.formats import scorm_again
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest
from mappings.attempt.commit import Commit
from mappings.cmi.tree import unflatten

_ELEMENTS = ("cmi.", "adl.")


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    elements = body.json.get("cmi") if isinstance(body.json, dict) else None
    if not isinstance(elements, dict) or not any(name.startswith(_ELEMENTS) for name in elements):
        return None
    return FormatRequest(
        commit=Commit(
            wire_format="single",
            tree=unflatten(elements),
            terminated=True if request.has_final_flag else None,
            settled=len(elements) > 1,
            beacon=request.beacon,
        )
    )


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    format_request = _detect(request, body)
    if format_request is None and isinstance(body.json, dict) and body.json.get("cmi"):
        return scorm_again.FORMAT.detect(request, body)
    return format_request


FORMAT = Format(
    name="single",
    description='one element at a time: {"cmi": {"cmi.core.lesson_status": "passed"}}',
    detect=_detect,
    parse=_parse,
)

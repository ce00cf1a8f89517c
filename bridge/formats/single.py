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


def _detect(post: CommitRequest, body: Body) -> FormatRequest | None:
    told = body.json.get("cmi") if isinstance(body.json, dict) else None
    if not isinstance(told, dict) or not any(name.startswith(_ELEMENTS) for name in told):
        return None
    return FormatRequest(
        commit=Commit(
            wire_format="single",
            tree=unflatten(told),
            terminated=True if post.has_final_flag else None,
            settled=len(told) > 1,
            beacon=post.beacon,
        )
    )


def _read(post: CommitRequest, body: Body) -> FormatRequest | None:
    call = _detect(post, body)
    if call is None and isinstance(body.json, dict) and body.json.get("cmi"):
        return scorm_again.FORMAT.detect(post, body)
    return call


FORMAT = Format(
    name="single",
    description='one element at a time: {"cmi": {"cmi.core.lesson_status": "passed"}}',
    detect=_detect,
    read=_read,
)

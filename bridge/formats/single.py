"""Elements posted as they are set, as EscolaLMS does: `{"cmi": {"cmi.core.lesson_status": "passed"}}`.

Its player posts every SetValue without waiting for the one before, so they arrive in any order; on Commit and Finish it
posts the whole tree to the same address, which is scorm-again's own format.
"""

from __future__ import annotations

from bridge.formats import scorm_again
from bridge.formats.body import Body
from bridge.formats.format import Call, Format
from bridge.formats.post import Post
from mappings.attempt.commit import Commit
from mappings.cmi.tree import nest

_ELEMENTS = ("cmi.", "adl.")


def _recognise(post: Post, body: Body) -> Call | None:
    told = body.json.get("cmi") if isinstance(body.json, dict) else None
    if not isinstance(told, dict) or not any(name.startswith(_ELEMENTS) for name in told):
        return None
    return Call(
        commit=Commit(
            wire_format="single",
            tree=nest(told),
            terminated=True if post.flagged else None,
            settled=len(told) > 1,
            beacon=post.beacon,
        )
    )


def _read(post: Post, body: Body) -> Call | None:
    call = _recognise(post, body)
    if call is None and isinstance(body.json, dict) and body.json.get("cmi"):
        return scorm_again.FORMAT.recognise(post, body)
    return call


FORMAT = Format(
    name="single",
    shape='one element at a time: {"cmi": {"cmi.core.lesson_status": "passed"}}',
    recognise=_recognise,
    read=_read,
)

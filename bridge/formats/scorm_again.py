"""scorm-again's commits: `json`, `flattened` and `params`, bare or in the envelope of common fields.

The envelope (`renderCommonCommitFields`) holds the CMI data in `runtimeData`: nested, flat or a list of texts; its
summary fields are lossy (SCORM 1.2's `failed` becomes `incomplete`) and not used. `commitSequence` counts per loaded
page. Which field or address parameter marks the last commit is for the LMS developer to choose, so any unknown one that
is true does. In a wrapper (`requestHandler`) there can be all sorts of things beside the commit: there only a field
that is named for it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from bridge.formats import params
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest
from mappings.attempt.commit import Commit
from mappings.cmi.tree import Tree, is_full, unflatten

_KNOWN = frozenset({"cmi", "adl", "runtimeData", "score", "globalObjectives"})
_COUNTS = ("commitSequence", "sequence")
_LAST = re.compile(r"terminat|finish|final|unload|^(?:is_?)?last", re.IGNORECASE)


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    if body.text and not body.form:
        return _of_text(body.text, body, request) if body.text.startswith(params.ELEMENTS) else None
    content = body.json
    if isinstance(content, dict):
        return _of_object(content, body, request)
    if any(name.startswith(params.ELEMENTS) for name, _ in body.form):
        return _call("params", params.tree_of(body.form), dict(body.form), body, request)
    return None


def _of_object(content: dict[str, Any], body: Body, request: CommitRequest) -> FormatRequest | None:
    if "runtimeData" in content:
        return _call("common", _tree(content["runtimeData"]), content, body, request)
    if isinstance(content.get("cmi"), dict):
        return _call("json", _tree(content), content, body, request)
    if any(key.startswith("cmi.") for key in content):
        return _call("flattened", _tree(content), content, body, request)
    return None


def _of_text(text: str, body: Body, request: CommitRequest) -> FormatRequest | None:
    parsed = params.split(text)
    beside = {"commitSequence": parsed.sequence, "terminated": parsed.marked}
    return _call("params", parsed.tree, beside, body, request)


def _call(
    kind: str, tree: Tree | None, beside: Mapping[str, Any], body: Body, request: CommitRequest
) -> FormatRequest | None:
    if tree is None:
        return None
    wrapper = dict(_fields(body.wrapper))
    whole = is_full(tree)
    counts = [beside.get("commitSequence"), *(wrapper.get(name) for name in _COUNTS)]
    return FormatRequest(
        commit=Commit(
            wire_format=f"scorm-again-{kind}",
            tree=tree,
            full=whole,
            echoes=whole,
            sequence=next(filter(_is_count, counts), None),
            restarts=True,
            terminated=_is_last(request, beside, wrapper),
            beacon=request.beacon,
        )
    )


def _is_last(request: CommitRequest, beside: Mapping[str, Any], wrapper: Mapping[str, Any]) -> bool | None:
    if request.has_final_flag or any(
        value is True for key, value in beside.items() if key not in _KNOWN and not key.startswith("cmi.")
    ):
        return True
    flags = [value for key, value in wrapper.items() if isinstance(value, bool) and _LAST.search(key)]
    return any(flags) if flags else None


def _fields(wrapper: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return the fields of a wrapper and of the groups in it, such as `meta`."""
    for key, value in wrapper.items():
        if isinstance(value, dict):
            yield from value.items()
        else:
            yield key, value


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _tree(data: object) -> Tree | None:
    if isinstance(data, list):
        return params.tree_of_texts(data) or None
    if isinstance(data, str):
        return params.split(data).tree or None
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("cmi"), dict):
        return {key: data[key] for key in ("cmi", "adl") if key in data}
    flat = {key: value for key, value in data.items() if key.startswith(params.ELEMENTS)}
    return unflatten(flat) if flat else None


FORMAT = Format(
    name="scorm-again",
    description=(
        'scorm-again\'s json, flattened or params: {"cmi": {…}}, {"cmi.core.lesson_status": "…"} or cmi.…=…&cmi.…=…'
    ),
    detect=_detect,
)

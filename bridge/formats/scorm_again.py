"""scorm-again's commits: `json` and `flattened`, bare or in the envelope of common fields.

The envelope (`renderCommonCommitFields`) holds the CMI data in `runtimeData`; its summary fields are lossy (SCORM 1.2's
`failed` becomes `incomplete`) and not used. `commitSequence` counts per loaded page. Which field or address parameter
marks the last commit is for the LMS developer to choose, so any unknown one that is true does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from bridge.formats.post import Post
from mappings.attempt.commit import Commit
from mappings.cmi.tree import Tree, nest

_KNOWN = frozenset({"cmi", "adl", "runtimeData", "score", "globalObjectives"})


def recognise(body: Mapping[str, Any], post: Post) -> Commit | None:
    """Give the commit of a JSON object that scorm-again sent, None for any other object."""
    if "runtimeData" in body:
        return _commit("scorm-again-common", body["runtimeData"], body, post)
    if isinstance(body.get("cmi"), dict):
        return _commit("scorm-again-json", body, body, post)
    if any(key.startswith("cmi.") for key in body):
        return _commit("scorm-again-flattened", body, body, post)
    return None


def _commit(wire_format: str, data: object, envelope: Mapping[str, Any], post: Post) -> Commit | None:
    tree = _tree(data)
    if tree is None:
        return None
    sequence = envelope.get("commitSequence")
    marked = post.flagged or any(
        value is True for key, value in envelope.items() if key not in _KNOWN and not key.startswith("cmi.")
    )
    return Commit(
        wire_format=wire_format,
        tree=tree,
        full=_is_full(tree),
        sequence=sequence if _is_count(sequence) else None,
        restarts=True,
        terminated=True if marked else None,
        beacon=post.beacon,
    )


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _tree(data: object) -> Tree | None:
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("cmi"), dict):
        return {key: data[key] for key in ("cmi", "adl") if key in data}
    flat = {key: value for key, value in data.items() if key.startswith(("cmi.", "adl."))}
    return nest(flat) if flat else None


def _is_full(tree: Tree) -> bool:
    """Tell whether it is a snapshot of everything: it then has groups that content hardly ever sets."""
    cmi = tree.get("cmi")
    if not isinstance(cmi, dict):
        return False
    core = cmi.get("core")
    if isinstance(core, dict):
        return {"session_time", "entry", "credit"} <= core.keys() and "student_data" in cmi
    return {"session_time", "entry", "credit", "learner_preference"} <= cmi.keys()

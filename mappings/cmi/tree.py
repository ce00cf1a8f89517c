"""CMI data as nested dictionaries, whichever way it was sent.

Players send trees (`{"core": {"score": {"raw": "85"}}}`) or flat names (`{"cmi.core.score.raw": "85"}`), and number
the items of a collection with keys `"0"`, `"1"` … or send a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import msgspec

MAX_DEPTH = 8
"""More parts than the longest element name in SCORM has (`cmi.interactions.n.correct_responses.n.pattern`)."""

MAX_ITEMS = 2_000
"""Items that are kept of a collection; SCORM asks for 250. What is beyond stays in the journal."""
_INDICES = frozenset(map(str, range(MAX_ITEMS)))
MAX_LEAF_LENGTH = 64_000
"""Characters kept of one element of an item; SCORM asks for 4,000."""

Tree = dict[str, Any]

_encode = msgspec.json.Encoder().encode
# a number beyond all range is not set
_decode = msgspec.json.Decoder(float_hook=lambda text: number if isfinite(number := float(text)) else None).decode


def unflatten(flat: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Tree:
    """Build the tree from dotted names: `cmi.core.exit` becomes `{"cmi": {"core": {"exit": …}}}`.

    A later name wins over an earlier one that it contradicts. Empty collections (`{}`, or the text
    `[object Object]` that a careless client makes of them) say nothing and are left out.
    """
    tree: Tree = {}
    for name, value in flat.items() if isinstance(flat, Mapping) else flat:
        if value in (None, {}, "[object Object]"):
            continue
        # what is deeper than any element stays one name, which is no element's
        *path, leaf = name.split(".", MAX_DEPTH)
        branch = tree
        for part in path:
            below = branch.get(part)
            if not isinstance(below, dict):
                if value == "" and below:
                    break
                below = branch[part] = {}
            branch = below
        else:
            if value != "" or not isinstance(branch.get(leaf), dict):
                branch[leaf] = value
    return tree


def is_full(tree: Mapping[str, Any]) -> bool:
    """Return whether a tree is a player's snapshot of everything: it then has groups that content hardly ever sets."""
    cmi = tree.get("cmi")
    if not isinstance(cmi, dict):
        return False
    core = cmi.get("core")
    if isinstance(core, dict):
        return {"session_time", "entry", "credit"} <= core.keys() and "student_data" in cmi
    return {"session_time", "entry", "credit", "learner_preference"} <= cmi.keys()


def items(collection: object) -> dict[str, Any]:
    """Return a collection as index -> item, whether sent as an object with number keys or as a list.

    Keys that are no index (`_count`, `_children`) are SCORM keywords, not items.
    """
    if isinstance(collection, list):
        return {str(index): item for index, item in enumerate(collection[:MAX_ITEMS])}
    if isinstance(collection, dict):
        if collection.keys() <= _INDICES:
            return collection
        return {key: item for key, item in collection.items() if is_index(key)}
    return {}


def is_index(key: str) -> bool:
    """Return whether a key numbers an item that is kept."""
    return key in _INDICES or (key.isascii() and key.isdigit() and _fits(key))


def _fits(index: str) -> bool:
    return len(index) < 5 and int(index) < MAX_ITEMS


def scalar(value: object) -> str | None:
    """Return a value as SCORM's text: numbers and booleans are written out, anything else is «not set»."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return None


NULL = msgspec.Raw(b"null")


def as_json(value: object) -> msgspec.Raw:
    """Return an item as JSON, which it may be already. One that is nested without end is cut to what an item can be."""
    if isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.Raw(_encode(value))
    except RecursionError:
        return msgspec.Raw(_encode(item(value)))


def from_json(value: object) -> Any:
    """Return the value of what may be JSON still; None where it cannot be read (a number of thousands of digits)."""
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        return _decode(value)
    except msgspec.MsgspecError:
        return None


def item(sent: object) -> dict[str, Any]:
    """Return an interaction, objective or comment with text leaves and its own numbered collections, nothing deeper."""
    value = from_json(sent)
    if not isinstance(value, dict):
        return {}
    clean: dict[str, Any] = {}
    for key, part in value.items():
        if type(part) is str and len(part) <= MAX_LEAF_LENGTH and "\0" not in part:  # as nearly all are
            clean[key] = part
        elif (leaf := scalar(part)) is not None:
            clean[key] = _cut(leaf)
        elif key == "score" and isinstance(part, dict):
            clean[key] = _leaves(part)
        elif isinstance(part, (dict, list)):
            clean[key] = {index: _leaves(below) for index, below in items(part).items() if isinstance(below, dict)}
    return clean


def _leaves(value: Mapping[str, object]) -> dict[str, str]:
    leaves: dict[str, str] = {}
    for key, part in value.items():
        if type(part) is str and len(part) <= MAX_LEAF_LENGTH and "\0" not in part:
            leaves[key] = part
        elif (leaf := scalar(part)) is not None:
            leaves[key] = _cut(leaf)
    return leaves


def _cut(leaf: str) -> str:
    """Return text cut to its length, without NUL: no LRS that keeps JSON in PostgreSQL takes one."""
    return leaf[:MAX_LEAF_LENGTH] if "\0" not in leaf else leaf.replace("\0", "")[:MAX_LEAF_LENGTH]

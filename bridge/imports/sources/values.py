"""Reading what sources store: times, trees of CMI data, versions."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import Tree, unflatten

MAX_SECONDS = 100_000_000_000
"""The largest number that is taken for seconds since the epoch; a larger one is milliseconds."""


def milliseconds(value: Any) -> int | None:
    """Return a time in milliseconds since the epoch: of a number, a date or a text; None where it is none.

    A text without a zone is UTC.
    """
    if isinstance(value, bool) or value in (None, ""):
        return None
    if isinstance(value, datetime):
        return _of_datetime(value)
    if isinstance(value, date):
        return _of_datetime(datetime(value.year, value.month, value.day, tzinfo=UTC))
    try:
        return _of_number(float(value))
    except (TypeError, ValueError):
        pass
    try:
        return _of_datetime(datetime.fromisoformat(str(value).strip()))
    except ValueError:
        return None


def _of_number(value: float) -> int | None:
    if not 0 < value < MAX_SECONDS * 1000:
        return None
    return round(value * 1000 if value < MAX_SECONDS else value)


def _of_datetime(value: datetime) -> int | None:
    stamp = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return round(stamp * 1000) if stamp > 0 else None


def text_of(value: Any) -> str:
    """Return an id or a name as text, empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def tree_of(value: Any) -> Tree | None:
    """Return CMI data, nested or by full names, as the tree `{"cmi": {…}}`; None where it is none."""
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict) or not value:
        return None
    if any("." in key for key in value):
        value = unflatten(value)
    tree = value if isinstance(value.get("cmi"), dict) else {"cmi": value}
    return {name: tree[name] for name in ("cmi", "adl") if isinstance(tree.get(name), dict)}


def version_of(value: Any) -> ScormVersion | None:
    """Return the version that a word of a source means, None where it tells none: AICC's data model is 1.2's."""
    word = text_of(value).lower()
    if "1.2" in word or "aicc" in word or word == "12":
        return "1.2"
    return "2004" if "2004" in word or "1.3" in word else None


def with_session_time(tree: Tree) -> Tree:
    """Return a tree whose total time is its session's: of an attempt in one session, which is all that is known."""
    cmi = tree["cmi"]
    groups = [cmi, cmi["core"]] if isinstance(cmi.get("core"), dict) else [cmi]
    for group in groups:
        total = group.pop("total_time", None)
        if total:
            group["session_time"] = total
    return tree

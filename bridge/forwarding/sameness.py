"""Telling whether the statement an LRS has is the one that was sent (xAPI Data 2.3.1, Statement Immutability)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


def is_same(sent: str, stored: str) -> bool:
    """Compare a statement as sent with one as an LRS gives it back.

    What an LRS may add or rewrite does not count: `stored`, `authority`, `version`, definitions, displays, and another
    spelling of the same instant.
    """
    try:
        theirs = msgspec.json.decode(stored)
    except (msgspec.MsgspecError, RecursionError):
        return False
    ours = msgspec.json.decode(sent)
    return isinstance(theirs, dict) and _essence(ours) == _essence(theirs)


def _essence(statement: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: value for key, value in statement.items() if key not in {"stored", "authority", "version", "attachments"}
    }
    if isinstance(kept.get("timestamp"), str):
        kept["timestamp"] = _instant(kept["timestamp"])
    if isinstance(kept.get("id"), str):
        kept["id"] = kept["id"].lower()
    return {key: _bare(value) for key, value in kept.items()}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _kept(key, part)
            for key, part in value.items()
            if key not in {"definition", "display"} and not (key == "objectType" and part in {"Activity", "Agent"})
        }
    if isinstance(value, list):
        return [_bare(part) for part in value]
    return value


def _kept(key: str, part: Any) -> Any:
    if key == "extensions":
        return part
    if key == "registration" and isinstance(part, str):
        return part.lower()
    if key == "member" and isinstance(part, list):
        return sorted((_bare(one) for one in part), key=lambda one: msgspec.json.encode(one, order="sorted"))
    return _bare(part)


def _instant(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def is_statement(text: str, statement_id: str) -> bool:
    """Tell whether an answer is the statement of this id, and not a page that somebody put in front of the LRS."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("id", "")).lower() == statement_id.lower()

"""Telling whether the statement an LRS has is the one that was sent (xAPI Data 2.3.1, Statement Immutability)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


def find(answer: str, statement_id: str) -> dict[str, Any] | None:
    """Find a statement in an LRS's answer to the question for its id.

    Some LRSs answer with a list, as they do to other questions, and an empty one where xAPI asks for 404. None where
    the statement is not in it, as in a page that somebody put in front of the LRS.
    """
    try:
        told = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, RecursionError):
        return None
    listed = told.get("statements") if isinstance(told, dict) else None
    for one in listed if isinstance(listed, list) else [told]:
        if isinstance(one, dict) and str(one.get("id", "")).lower() == statement_id.lower():
            return one
    return None


def is_same(sent: str | bytes, stored: dict[str, Any]) -> bool:
    """Compare a statement as sent with one as an LRS gives it back.

    What an LRS may add or rewrite does not count: `stored`, `authority`, `version`, definitions, displays, and another
    spelling of the same instant.
    """
    return _essence(msgspec.json.decode(sent)) == _essence(stored)


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

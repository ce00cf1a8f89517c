"""Detects a statement of another history of this database, which an LRS has under an id of ours.

Ids are UUIDv5 of an attempt's random UUID, and bytes are frozen before they are sent, so whatever an LRS has under one
of our ids was made of that attempt. Where it has another timestamp, it was made in a history that this database does
not know: it was restored from an older backup, or a copy of it sends to the same LRS.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec


def is_diverged(sent: str | bytes, stored: dict[str, Any]) -> bool:
    """Return whether a statement that an LRS has differs from the one sent in its timestamp or verb."""
    ours = msgspec.json.decode(sent)
    return _verb(ours) != _verb(stored) or _is_another_moment(ours.get("timestamp"), stored.get("timestamp"))


def _verb(statement: dict[str, Any]) -> Any:
    verb = statement.get("verb")
    return verb.get("id") if isinstance(verb, dict) else verb


def _is_another_moment(ours: Any, theirs: Any) -> bool:
    mine, other = _instant(ours), _instant(theirs)
    if mine is None or other is None:
        return False
    # an LRS may cut a timestamp to whole seconds or milliseconds; it never moves one
    precision = 1.0 if other.microsecond == 0 else 0.001
    return abs((mine - other).total_seconds()) >= precision


def _instant(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)

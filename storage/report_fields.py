"""What the views of reports read of a statement, kept beside its frame, which no database can look into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class _ReportedDefinition(msgspec.Struct):
    type: str | None = None


class _ReportedObject(msgspec.Struct):
    id: str | None = None
    definition: _ReportedDefinition | None = None


class _ReportedScore(msgspec.Struct, omit_defaults=True):
    scaled: float | int | None = None
    raw: float | int | None = None
    min: float | int | None = None
    max: float | int | None = None


class _ReportedResult(msgspec.Struct, omit_defaults=True):
    completion: bool | None = None
    success: bool | None = None
    score: _ReportedScore | None = None
    duration: str | None = None


class _ReportedStatement(msgspec.Struct):
    object: _ReportedObject | None = None
    result: _ReportedResult | None = None
    timestamp: datetime | None = None


class ReportFields(NamedTuple):
    """Columns of a statement in a frame; `result` is JSON, `timestamp` in milliseconds since the epoch."""

    object_id: str | None = None
    object_type: str | None = None
    result: str | None = None
    timestamp: int | None = None


_decode = msgspec.json.Decoder(_ReportedStatement).decode
_encode = msgspec.json.Encoder().encode


def report_fields(body: bytes) -> ReportFields | None:
    """Return what views read of a statement's JSON; None where it is not shaped as they expect, and is to stay JSON."""
    try:
        statement = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if b"\\u0000" in body or (statement.timestamp is not None and statement.timestamp.tzinfo is None):
        return None
    target, result = statement.object, statement.result
    object_type = None if target is None or target.definition is None else target.definition.type
    return ReportFields(
        None if target is None else target.id,
        object_type,
        None if result is None or result == _ReportedResult() else _encode(result).decode(),
        None if statement.timestamp is None else (statement.timestamp - _EPOCH) // _MILLISECOND,
    )

"""Statements that void others (xAPI Data, 2.3.2): known by the ids of those, so that no statement is voided twice."""

from __future__ import annotations

import uuid

import msgspec

from mappings.xapi.timestamps import rfc3339
from mappings.xapi.validation import Edition, check_statement

VOIDED = "http://adlnet.gov/expapi/verbs/voided"


class Voiding(msgspec.Struct, frozen=True, gc=False):
    """A statement that voids another one: its id, its body as JSON, and why it must not be sent, if it must not."""

    id: str
    body: str
    problem: str | None


class _Reference(msgspec.Struct):
    id: str


class _VoidingParts(msgspec.Struct):
    object: _Reference


class _Parts(msgspec.Struct):
    actor: msgspec.Raw
    context: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_parts = msgspec.json.Decoder(_Parts).decode
_decode_voiding = msgspec.json.Decoder(_VoidingParts).decode


def voiding_id(statement_id: str) -> str:
    """Return the id of the statement that voids another one."""
    return str(uuid.uuid5(uuid.UUID(statement_id), "voided"))


def voided_id(body: str) -> str:
    """Return the id of the statement that a voiding one, given as JSON, voids."""
    return _decode_voiding(body).object.id


def void(statement_id: str, body: str, at: int) -> Voiding:
    """Build the statement that voids one, dated in milliseconds since the epoch.

    Its actor and context are those of `body`: the statement itself, or another one about the same attempt.
    """
    parts = _decode_parts(body)
    new_id = voiding_id(statement_id)
    statement = {
        "id": new_id,
        "actor": parts.actor,
        "verb": {"id": VOIDED, "display": {"en-US": "voided"}},
        "object": {"objectType": "StatementRef", "id": statement_id},
        "timestamp": rfc3339(at),
    }
    if parts.context is not msgspec.UNSET:
        statement["context"] = parts.context
    encoded = msgspec.json.encode(statement)
    decoded = msgspec.json.decode(encoded)
    faults = [fault for edition in Edition for fault in check_statement(decoded, "statement", edition)]
    return Voiding(new_id, encoded.decode(), "; ".join(dict.fromkeys(faults)) or None)


ERASER = "scorm-xapi-bridge"
"""The account, at the LMS's home page, that voids the statements of erased learners."""


def void_for_erasure(statement_id: str, home_page: str, at: int) -> str:
    """Build the statement that voids one of an erased learner, as JSON, dated in milliseconds since the epoch.

    Nothing in it is about the learner, unlike in other voiding statements: it cannot be voided itself.
    """
    statement = {
        "id": str(uuid.uuid5(uuid.UUID(statement_id), "erased")),
        "actor": {"objectType": "Agent", "account": {"homePage": home_page, "name": ERASER}},
        "verb": {"id": VOIDED, "display": {"en-US": "voided"}},
        "object": {"objectType": "StatementRef", "id": statement_id},
        "timestamp": rfc3339(at),
    }
    return msgspec.json.encode(statement).decode()

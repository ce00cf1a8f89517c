"""The states that rows can be in, each defined once. Their values are what is stored, shown and accepted."""

from __future__ import annotations

from enum import StrEnum


class AttemptStatus(StrEnum):
    """Where an attempt is."""

    ACTIVE = "active"
    """Its latest session is open."""
    SUSPENDED = "suspended"
    """The learner left it to go on later."""
    TERMINATED = "terminated"
    """The content ended it."""
    ABANDONED = "abandoned"
    """Nothing came from its latest session any more."""


class DeliveryState(StrEnum):
    """Where a statement or a document is on its way to one target; a document is never quarantined or discarded."""

    WAITING = "waiting"
    """It is to be sent, or sent again."""
    DELIVERED = "delivered"
    """The LRS has it."""
    DEAD = "dead"
    """The LRS refused it for good."""
    QUARANTINED = "quarantined"
    """Every LRS would refuse it: it is never sent."""
    DISCARDED = "discarded"
    """People gave it up."""


class RequestKind(StrEnum):
    """What a request to an LRS is for: each has permissions of its own there."""

    STATEMENTS = "statements"
    """Storing statements."""
    VOIDING = "voiding"
    """Storing statements that void others."""
    READING = "reading"
    """Reading a statement back, to see whether the LRS has what it would not take again."""
    DOCUMENTS = "documents"
    """Reading and writing state and profile documents."""


class AlarmState(StrEnum):
    """What is the matter."""

    NOT_ALLOWED = "not-allowed"
    """The LRS does not let the bridge in (401, or 403 for everything)."""
    REFUSING = "refusing"
    """The LRS refuses one statement after the other and takes none."""
    UNREACHABLE = "unreachable"
    """The LRS, or the way to it, is in trouble."""
    FAULT = "fault"
    """The bridge itself fails over what it is to send."""

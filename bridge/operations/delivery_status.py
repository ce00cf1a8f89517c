"""The next step of a delivery, described for people."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from bridge.clock import format_timestamp
from storage import deliveries, pauses
from storage.deliveries import Delivery
from storage.states import DeliveryState

MAX_BLOCKING = 20
"""Blocking statements that are listed."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What happens next to a delivery.

    Attributes:
        description: as the end of a sentence.
        blocking: ids of the statements of the same attempt that must arrive before, in their order; the first ones.
        blocking_count: the number of all of them.
    """

    description: str
    blocking: tuple[str, ...] = ()
    blocking_count: int = 0


_SETTLED = {
    DeliveryState.DELIVERED: "nothing, the LRS has stored it",
    DeliveryState.DISCARDED: "nothing, it was discarded",
    DeliveryState.QUARANTINED: "nothing, every LRS would refuse it",
    DeliveryState.DEAD: "nothing, the LRS refused it; a retry sends it again",
}


def next_step(connection: Connection, delivery: Delivery, now: int) -> NextStep:
    """Return the next step of a delivery; `now` is in milliseconds since the epoch."""
    if delivery.state != DeliveryState.WAITING:
        return NextStep(_SETTLED[DeliveryState(delivery.state)])
    if not delivery.target:
        return NextStep("it waits for a [[targets]] section that names an LRS")
    first, count = deliveries.ahead(connection, delivery, MAX_BLOCKING)
    blocking = tuple(first)
    pause = pauses.current(connection).get(delivery.target)
    if pause is not None and not pause.automatic:
        description = f"it waits, as {pause.by} paused {delivery.target}: {pause.reason}"
        return NextStep(description, blocking, count)
    if blocking:
        statements = "statement" if count == 1 else "statements"
        description = f"it waits for {count} earlier {statements} of its attempt, the first is {blocking[0]}"
        return NextStep(description, blocking, count)
    if delivery.not_before > now:
        return NextStep(f"it is sent again after {format_timestamp(delivery.not_before)}")
    return NextStep("it is sent as soon as a worker of the target is free")

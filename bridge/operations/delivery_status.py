"""What happens next to a delivery, in words: for pages and commands alike."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from bridge.clock import format_timestamp
from storage import deliveries, pauses
from storage.deliveries import Delivery

AHEAD = 20
"""Statements ahead that are named."""


class Next(NamedTuple):
    """What happens next. `ahead` are the statements of the same attempt that must arrive before, in their order.

    They are the first ones of `all_ahead` many.
    """

    words: str
    ahead: tuple[str, ...] = ()
    all_ahead: int = 0


_SETTLED = {
    "delivered": "nothing, the LRS has it",
    "discarded": "nothing, people gave it up",
    "quarantined": "nothing, every LRS would refuse it",
    "dead": "nothing, the LRS refused it; once it would take it, a retry sends it again",
}


def next_of(connection: Connection, one: Delivery, now: int) -> Next:
    """Tell what happens next; `now` is in milliseconds since the epoch."""
    if one.state != "waiting":
        return Next(_SETTLED[one.state])
    if not one.target:
        return Next("it waits for a [[targets]] section that names an LRS")
    first, number = deliveries.ahead(connection, one, AHEAD)
    before = tuple(first)
    pause = pauses.current(connection).get(one.target)
    if pause is not None and not pause.automatic:
        return Next(f"it waits, as {pause.by} paused {one.target}: {pause.reason}", before, number)
    if before:
        return Next(f"it waits for {number} earlier of its attempt, the first of them {before[0]}", before, number)
    if one.not_before > now:
        return Next(f"it is tried again after {format_timestamp(one.not_before)}")
    return Next("it is tried as soon as the target's senders come to it")

"""How targets do, and pausing them: for pages and commands alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from bridge.target_settings import TargetSettings
from storage import acts, deliveries, documents, pauses
from storage.acts import Act
from storage.deliveries import Counts
from storage.pauses import Pause


class TargetState(NamedTuple):
    """What a target's deliveries come to.

    `name` is empty for what waits while no LRS is configured, `endpoint` None for a target that is not any more.
    `state` is flowing, paused, not let in, or not configured. `oldest_waiting` is when the statement that waits
    longest was made, in milliseconds since the epoch.
    """

    name: str
    endpoint: str | None
    state: str
    waiting: int
    waiting_documents: int
    dead: int
    quarantined: int
    oldest_waiting: int | None
    pause: Pause | None


def overview(connection: Connection, targets: Sequence[TargetSettings]) -> list[TargetState]:
    """Give each target that is configured, or that anything waits for."""
    endpoints = {one.name: one.endpoint for one in targets}
    counts, changed, paused = (
        deliveries.by_target(connection),
        documents.waiting(connection),
        pauses.current(connection),
    )
    names = [*endpoints, *sorted({*counts, *changed, *paused} - endpoints.keys())]
    return [
        _one(name, endpoints.get(name), counts.get(name, Counts(0, 0, 0, None)), changed.get(name, 0), paused.get(name))
        for name in names
    ]


def pause(connection: Connection, name: str, *, by: str, reason: str, now: int) -> bool:
    """Let a target get nothing until `resume`, and keep who did it; False where people have paused it already."""
    if not pauses.begin(connection, Pause(name, now, by, reason, automatic=False)):
        return False
    acts.add(connection, Act(now, by, "pause", name, 1, reason))
    return True


def resume(connection: Connection, name: str, *, by: str, reason: str, now: int) -> bool:
    """End a target's pause, and keep who did it; False where it is not paused."""
    if not pauses.end(connection, name):
        return False
    acts.add(connection, Act(now, by, "resume", name, 1, reason))
    return True


def _one(name: str, endpoint: str | None, counts: Counts, changed: int, paused: Pause | None) -> TargetState:
    if paused is not None:
        state = "not let in" if paused.automatic else "paused"
    else:
        state = "flowing" if endpoint is not None else "not configured"
    return TargetState(
        name, endpoint, state, counts.waiting, changed, counts.dead, counts.quarantined, counts.oldest, paused
    )

"""How targets do, and pausing them: for pages and commands alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from bridge.target_settings import TargetSettings
from storage import acts, pauses
from storage.acts import Act
from storage.audit.pages import Count
from storage.audit.queues import Queue, queues
from storage.pauses import Pause


class TargetState(NamedTuple):
    """What a target's deliveries come to.

    `name` is empty for what waits while no LRS is configured, `endpoint` None for a target that is not any more.
    `state` is flowing, paused, not let in, or not configured. `oldest_waiting` is when the statement that waits
    longest was made, in milliseconds since the epoch. `diverged` are those of the dead that met a statement of another
    history of this database at the LRS. Nothing is counted further than `queues.COUNTED`.
    """

    name: str
    endpoint: str | None
    state: str
    waiting: Count
    waiting_documents: Count
    dead: Count
    dead_documents: Count
    quarantined: Count
    oldest_waiting: int | None
    pause: Pause | None
    diverged: Count = Count(0)


def overview(connection: Connection, targets: Sequence[TargetSettings]) -> list[TargetState]:
    """Give each target that is configured, or that anything waits for."""
    endpoints = {one.name: one.endpoint for one in targets}
    waits, paused = queues(connection), pauses.current(connection)
    names = [*endpoints, *sorted({*waits, *paused} - endpoints.keys())]
    return [_one(name, endpoints.get(name), waits.get(name, Queue()), paused.get(name)) for name in names]


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


def _one(name: str, endpoint: str | None, queue: Queue, paused: Pause | None) -> TargetState:
    if paused is not None:
        state = "not let in" if paused.automatic else "paused"
    else:
        state = "flowing" if endpoint is not None else "not configured"
    return TargetState(
        name,
        endpoint,
        state,
        queue.waiting,
        queue.waiting_documents,
        queue.dead,
        queue.dead_documents,
        queue.quarantined,
        queue.oldest,
        paused,
        queue.diverged,
    )

"""A target's pause as its senders see it: looked up now and then, begun when the LRS does not let the bridge in."""

from __future__ import annotations

import asyncio

import structlog

from bridge.clock import Now
from bridge.database import Database
from bridge.forwarding.outcomes import Outcome, Reply
from storage import pauses
from storage.pauses import Pause

log = structlog.get_logger(__name__)

LOOK = 1.0
"""Seconds between looks: a pause that people begin holds after so many."""
BY = "scorm-bridge"


class Pauses:
    """Shared by all senders of a process. `now` gives milliseconds since the epoch."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now
        self._known: dict[str, Pause] = {}
        self._looked_at: float | None = None
        self._looking = asyncio.Lock()

    async def holds(self, target: str) -> bool:
        """Tell whether people have paused a target."""
        async with self._looking:
            time = asyncio.get_running_loop().time()
            if self._looked_at is None or time - self._looked_at >= LOOK:
                self._known = await self._database.read(pauses.current)
                self._looked_at = time
        known = self._known.get(target)
        return known is not None and not known.automatic

    async def failed(self, target: str, outcome: Outcome, reply: Reply) -> None:
        """Note trouble with a target. Where it does not let the bridge in, pause it, and raise an alarm once."""
        if outcome is not Outcome.NOT_ALLOWED or target in self._known:
            return
        made = Pause(target, self._now(), BY, f"the LRS answered {reply.status}: {reply.text[:500]}", automatic=True)
        self._known[target] = made
        if await self._database.write(pauses.begin, made):
            log.error(
                "target_paused",
                target=target,
                status=reply.status,
                consequence="nothing is lost: everything for it waits, and it is tried now and then",
                remedy="mend its credentials in the settings or at the LRS; it goes on by itself then",
            )

    async def succeeded(self, target: str) -> None:
        """Note that a target lets the bridge in: a pause that the bridge began ends."""
        known = self._known.get(target)
        if known is not None and known.automatic:
            del self._known[target]
            if await self._database.write(pauses.end, target, automatic_only=True):
                log.info("target_resumed", target=target)

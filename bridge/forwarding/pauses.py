"""A target's pause as its senders see it: looked up now and then, begun when the LRS does not let the bridge in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.database import Database, describe
from bridge.forwarding.outcomes import Outcome, Reply
from bridge.watch import Watch
from storage import pauses
from storage.pauses import Pause

log = structlog.get_logger(__name__)

LOOK = 0.5
"""Seconds between looks: a pause that another process begins holds after so many."""
BY = "scorm-bridge"


class Pauses(Watch):
    """Shared by all senders of a process, which hold everything back until it has looked once.

    `now` gives milliseconds since the epoch; `wake` lets senders look when something is not held back any more.
    """

    def __init__(self, database: Database, now: Now, wake: Callable[[], None]) -> None:
        super().__init__(LOOK)
        self._database = database
        self._now = now
        self._wake = wake
        self._known: dict[str, Pause] = {}
        self._is_sure = False
        self._looking = asyncio.Lock()

    def holds(self, target: str) -> bool:
        """Tell whether people have paused a target, as far as this process knows."""
        known = self._known.get(target)
        return not self._is_sure or (known is not None and not known.automatic)

    async def look(self) -> bool:
        """Learn what is paused now."""
        # one after the other: the later look must not end with what the earlier one read
        async with self._looking:
            before, self._known = self._known, await self._database.read(pauses.current)
            was_sure, self._is_sure = self._is_sure, True
        if not was_sure or any(not self.holds(target) for target, one in before.items() if not one.automatic):
            self._wake()
        return False

    async def follow_at_once(self) -> None:
        """Learn what this process has just changed: when this returns, no request is begun that a pause forbids.

        If the database does not answer any more, everything is held back until it does.
        """
        try:
            await self.look()
        except DBAPIError as error:
            self._is_sure = False
            log.error("pauses_not_read", error=describe(error))  # noqa: TRY400 -- its own words hold rows' values

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

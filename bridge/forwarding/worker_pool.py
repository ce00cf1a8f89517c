"""The senders of a process: those run whose leases it holds, so that processes share the forwarding out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import structlog

from bridge.database import DATABASE_ERRORS, Database, describe
from storage import leases
from storage.leases import Shares

log = structlog.get_logger(__name__)

LASTS = 15.0
"""Seconds that a lease lasts, and so the longest that a killed process's work rests."""
LOOK = 1.0
"""Seconds between looks for leases that others hold."""
STOP_GRACE = 3.0
"""Seconds that a stopping bridge waits for what is on its way to an LRS. What is cancelled then is sent again later."""
HANDOVER_GRACE = 10.0
"""The same where another process takes over: less than a lease lasts, which is not renewed meanwhile."""


class Worker(Protocol):
    """Something that sends to a target until it is stopped. It is not started again."""

    async def run(self) -> None:
        """Send until `stop`. No fault ends it."""

    def stop(self) -> None:
        """Send nothing more after what is on its way."""

    def wake(self) -> None:
        """Look now: something was stored."""


class WorkerPool:
    """Runs a sender for each lease that this process holds.

    Args:
        database: where the leases are.
        senders: name of the lease -> makes the sender.
        owner: what this process is known by: a UUID of its own.
        lasts: seconds that a lease lasts; it is renewed three times in these.
    """

    def __init__(
        self, database: Database, senders: Mapping[str, Callable[[], Worker]], *, owner: str, lasts: float = LASTS
    ) -> None:
        self._database = database
        self._senders = senders
        self._owner = owner
        self._lasts = lasts
        self._running: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._stopping = asyncio.Event()

    def wake(self) -> None:
        """Let all senders look now: something was stored."""
        for sender, _ in self._running.values():
            sender.wake()

    def stop(self) -> None:
        """Send nothing more after what is on its way."""
        self._stopping.set()

    async def run(self) -> None:
        """Renew the leases and let those work who have one, until `stop`. No fault ends it."""
        while not self._stopping.is_set():
            try:
                await self._share()
            except DATABASE_ERRORS as error:
                # those who work go on: they send only what they can claim, which asks for the lease as well
                log.error("leases_not_renewed", error=describe(error))  # noqa: TRY400 -- its own words hold values
            except Exception:
                log.exception("leases_not_renewed")
            with contextlib.suppress(TimeoutError):
                # what somebody else holds may be free any moment
                most = self._lasts if len(self._running) == len(self._senders) else LOOK
                async with asyncio.timeout(min(self._lasts / 3, most)):
                    await self._stopping.wait()
        await self._rest(list(self._running), STOP_GRACE)
        with contextlib.suppress(*DATABASE_ERRORS):  # it runs out by itself
            await self._database.write(leases.give_back, owner=self._owner)

    async def _share(self) -> None:
        shares: Shares = await self._database.write(
            leases.share_out, owner=self._owner, names=self._senders.keys(), lasts=int(self._lasts * 1000)
        )
        lost = self._running.keys() - shares.held
        over = lost | shares.excess
        if over:
            await self._rest(over, min(HANDOVER_GRACE, self._lasts / 2))
        if shares.excess:
            await self._database.write(leases.give_back, owner=self._owner, names=shares.excess)
        for name in shares.held - shares.excess - self._running.keys():
            sender = self._senders[name]()
            self._running[name] = (sender, asyncio.create_task(sender.run()))

    async def _rest(self, names: Collection[str], grace: float) -> None:
        """Stop senders and wait for what they have on its way, for so many seconds; then cancel it."""
        ended = [self._running.pop(name) for name in list(names) if name in self._running]
        for sender, _ in ended:
            sender.stop()
        tasks = [task for _, task in ended]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            if late:
                log.warning("sends_cancelled", senders=len(late), consequence="they are sent again, under the same ids")
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

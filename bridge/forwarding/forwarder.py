"""The forwarder: takes one target's deliveries from the outbox, in order, and sends them until it has them all.

Nothing is marked while it is on its way. A process that dies leaves its deliveries waiting; they are sent again, under
the ids they had, and the LRS stores them once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.database import Database, describe
from bridge.forwarding.backoff import delay
from bridge.forwarding.outcomes import Outcome, Reply, classify, retry_after
from bridge.forwarding.sameness import find, is_same
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport
from storage import outbox
from storage.outbox import Claimed, Settlement, Try

log = structlog.get_logger(__name__)

MOST_TOGETHER = 50
MOST_BYTES = 512 * 1024
POLL = 1.0
"""Seconds between looks at an empty outbox: statements of other processes are not announced."""


class Forwarder:
    """Forwards to one target. `random` gives numbers from 0 to 1; `added` is set when statements were stored.

    Every forwarder has an `added` of its own, as it clears it. The one that `adopts` takes statements that wait for no
    target in particular, as processes without targets make them.
    """

    def __init__(
        self,
        database: Database,
        target: Target,
        transport: Transport,
        *,
        now: Now,
        random: Callable[[], float],
        added: asyncio.Event,
        adopts: bool = False,
    ) -> None:
        self._database = database
        self._target = target
        self._transport = transport
        self._now = now
        self._random = random
        self._added = added
        self._adopts = adopts
        self._adopted_at = 0
        self._stopping = asyncio.Event()
        self._failures = 0

    def stop(self) -> None:
        """Send nothing more after what is on its way."""
        self._stopping.set()
        self._added.set()

    async def run(self) -> None:
        """Forward until `stop`. No fault of database or LRS ends it."""
        while not self._stopping.is_set():
            try:
                rested = await self._round()
            except Exception as error:
                self._failures += 1
                known = isinstance(error, DBAPIError)  # whose own words hold rows' values
                log.error(  # noqa: TRY400 -- likewise
                    "forwarding_interrupted",
                    target=self._target.name,
                    error=describe(error),
                    exc_info=None if known else error,
                )
                rested = delay(self._failures, self._random)
            if rested:
                await self._rest(rested)

    async def _round(self) -> float:
        """Send what may be sent now, at most one batch; give the seconds to leave the LRS alone."""
        self._added.clear()
        if self._adopts and abs(self._now() - self._adopted_at) >= POLL * 1000:
            self._adopted_at = self._now()
            if await self._database.read(outbox.has_unassigned):
                await self._database.write(outbox.assign_waiting, self._target.name)
        claimed = await self._database.read(
            outbox.claim, self._target.name, now=self._now(), most=MOST_TOGETHER, most_bytes=MOST_BYTES
        )
        if not claimed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._added.wait()
            return 0.0
        return await self._send(claimed)

    async def _send(self, batch: Sequence[Claimed]) -> float:
        started = self._now()
        reply = await self._transport.post([one.body for one in batch])
        outcome = classify(reply, [one.statement_id for one in batch])
        if outcome is Outcome.CONFLICT and len(batch) == 1:
            outcome, reply = await self._compare(batch[0], reply)
        if outcome is Outcome.DELIVERED:
            self._failures = 0
            await self._settle(batch, "delivered", started, outcome, reply)
            return 0.0
        if outcome in {Outcome.RETRY, Outcome.NOT_ALLOWED}:
            return await self._wait(batch, started, outcome, reply)
        self._failures = 0
        if len(batch) == 1:
            await self._settle(batch, "dead", started, outcome, reply)
            log.error("statement_dead", target=self._target.name, statement=batch[0].statement_id, status=reply.status)
            return 0.0
        await self._settle(batch, "waiting", started, outcome, reply)
        half = len(batch) // 2
        # the second half may hold later statements of the first half's attempts: it goes only when that one is settled
        rested = await self._send(batch[:half])
        if rested or self._stopping.is_set():
            return rested
        return await self._send(batch[half:])

    async def _compare(self, one: Claimed, refusal: Reply) -> tuple[Outcome, Reply]:
        """Look what the LRS has under an id it would not take again; somebody may have voided it there."""
        for voided in (False, True):
            reply = await self._transport.get(one.statement_id, voided=voided)
            stored = find(reply.text, one.statement_id) if reply.status == 200 else None
            if stored is not None:
                return (Outcome.DELIVERED if is_same(one.body, stored) else Outcome.CONFLICT), refusal
            if reply.status != 404:
                break
        return Outcome.RETRY, reply

    async def _wait(self, batch: Sequence[Claimed], started: int, outcome: Outcome, reply: Reply) -> float:
        self._failures += 1
        seconds = delay(self._failures, self._random, retry_after(reply, self._now()))
        await self._settle(batch, "waiting", started, outcome, reply, not_before=self._now() + int(seconds * 1000))
        log.warning(
            "target_in_trouble",
            target=self._target.name,
            outcome=outcome.value,
            status=reply.status,
            # what an LRS answers can hold learners' data; it is kept with the try
            fault=reply.text[:200] if reply.status is None else None,
            failures=self._failures,
            wait=round(seconds, 1),
        )
        return max(seconds, 0.001)

    async def _settle(
        self,
        batch: Sequence[Claimed],
        state: str,
        started: int,
        outcome: Outcome,
        reply: Reply,
        *,
        not_before: int = 0,
    ) -> None:
        now = self._now()
        done = Try(self._target.name, started, max(0, now - started), outcome.value, reply.status, reply.text)
        settled_at = None if state == "waiting" else now
        settlements = [Settlement(one.id, state, not_before, settled_at) for one in batch]
        await self._database.write(outbox.settle, done, settlements)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

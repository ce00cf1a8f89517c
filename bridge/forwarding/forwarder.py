"""The forwarder: takes one target's deliveries from the outbox, in order, and sends them until it has them all.

Nothing is marked while it is on its way. A process that dies leaves its deliveries waiting; they are sent again, under
the ids they had, and the LRS stores them once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from bridge.clock import Now
from bridge.database import Database
from bridge.forwarding.outcomes import Outcome, Reply, classify
from bridge.forwarding.rounds import POLL, SHORTEST, Rounds
from bridge.forwarding.sameness import find, is_same
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport
from storage import outbox
from storage.outbox import Claimed, Settlement, Try

log = structlog.get_logger(__name__)

MOST_TOGETHER = 50
MOST_BYTES = 512 * 1024


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
        self._rounds = Rounds(target.name, random=random, added=added)
        self._adopts = adopts
        self._adopted_at = 0

    def stop(self) -> None:
        """Send nothing more after what is on its way."""
        self._rounds.stop()

    async def run(self) -> None:
        """Forward until `stop`. No fault of database or LRS ends it."""
        await self._rounds.run(self._round)

    async def _round(self) -> float:
        """Send what may be sent now, at most one batch; give the seconds to leave the LRS alone."""
        if self._adopts and abs(self._now() - self._adopted_at) >= POLL * 1000:
            self._adopted_at = self._now()
            if await self._database.read(outbox.has_unassigned):
                await self._database.write(outbox.assign_waiting, self._target.name)
        claimed = await self._database.read(
            outbox.claim, self._target.name, now=self._now(), most=MOST_TOGETHER, most_bytes=MOST_BYTES
        )
        if not claimed:
            await self._rounds.wait()
            return 0.0
        return await self._send(claimed)

    async def _send(self, batch: Sequence[Claimed]) -> float:
        started = self._now()
        reply = await self._transport.post([one.body for one in batch])
        outcome = classify(reply, [one.statement_id for one in batch])
        if outcome is Outcome.CONFLICT and len(batch) == 1:
            outcome, reply = await self._compare(batch[0], reply)
        if outcome is Outcome.DELIVERED:
            self._rounds.succeeded()
            await self._settle(batch, "delivered", started, outcome, reply)
            return 0.0
        if outcome in {Outcome.RETRY, Outcome.NOT_ALLOWED}:
            return await self._wait(batch, started, outcome, reply)
        self._rounds.succeeded()
        if len(batch) == 1:
            await self._settle(batch, "dead", started, outcome, reply)
            log.error("statement_dead", target=self._target.name, statement=batch[0].statement_id, status=reply.status)
            return 0.0
        await self._settle(batch, "waiting", started, outcome, reply)
        half = len(batch) // 2
        # the second half may hold later statements of the first half's attempts: it goes only when that one is settled
        rested = await self._send(batch[:half])
        if rested or self._rounds.stopping:
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
        seconds = self._rounds.failed(outcome, reply, self._now())
        await self._settle(batch, "waiting", started, outcome, reply, not_before=self._now() + int(seconds * 1000))
        return seconds or SHORTEST

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

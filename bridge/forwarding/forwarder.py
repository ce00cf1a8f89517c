"""The forwarder: takes one shard of a target's deliveries from the outbox, in order, and sends them.

Nothing is marked while it is on its way. A process that dies leaves its deliveries waiting; they are sent again, under
the ids they had, and the LRS stores them once. All of an attempt is in one shard, which one process at a time holds the
lease of; should two send it all the same, as when a process was frozen, each sends it in the attempt's order from what
is not settled yet, so that nothing arrives before what comes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import structlog

from bridge.clock import Now
from bridge.database import Database
from bridge.forwarding.backoff import FIRST, delay
from bridge.forwarding.outcomes import Outcome, Reply, classify
from bridge.forwarding.rounds import Rounds, Way
from bridge.forwarding.sameness import find, is_same
from storage import outbox
from storage.outbox import Claimed, Part, Settlement, Try

log = structlog.get_logger(__name__)

MOST_TOGETHER = 50
MOST_BYTES = 512 * 1024
ALONE = 7
"""Tries after which a statement goes by itself: more than it takes to find the one of a batch that breaks an LRS."""


class Forwarder(Rounds):
    """Forwards one shard.

    Args:
        database: where the outbox is.
        part: which target, which shard, and under which lease.
        way: to the target, shared by all that send statements to it.
        now: milliseconds since the epoch.
        random: gives numbers from 0 to 1.
        adopts: also takes statements that wait for no target in particular, as processes without targets make them.
        unwanted_rules: whose statements it does not take then.
    """

    def __init__(
        self,
        database: Database,
        part: Part,
        way: Way,
        *,
        now: Now,
        random: Callable[[], float],
        adopts: bool = False,
        unwanted_rules: Collection[str] = (),
    ) -> None:
        super().__init__(part.target, way, now=now)
        self._database = database
        self._part = part
        self._random = random
        self._adopts = adopts
        self._unwanted_rules = unwanted_rules
        self._most = MOST_TOGETHER

    async def _round(self) -> bool:
        """Send what may be sent now, at most one batch; tell whether there was anything."""
        if self._adopts and self._may_look() and await self._database.read(outbox.has_unassigned):
            await self._database.write(outbox.assign_waiting, self._part.target, self._unwanted_rules)
        claimed = await self._database.read(
            outbox.claim, self._part, now=self._now(), most=self._most, most_bytes=MOST_BYTES
        )
        if claimed:
            await self._send(_together(claimed))
        return bool(claimed)

    async def _send(self, batch: Sequence[Claimed]) -> bool:
        """Send a batch and note what came of it; tell whether the LRS took or refused it, being well."""
        started = self._now()
        reply = await self._transport.post([one.body for one in batch])
        outcome = classify(reply, [one.statement_id for one in batch])
        if outcome is Outcome.CONFLICT and len(batch) == 1:
            outcome, reply = await self._compare(batch[0], reply)
        if outcome in {Outcome.RETRY, Outcome.BROKE, Outcome.NOT_ALLOWED}:
            await self._wait(batch, started, outcome, reply)
            return False
        self._breaker.succeeded()
        await self._pauses.succeeded(self._target)
        if outcome is Outcome.DELIVERED:
            self._most = min(MOST_TOGETHER, 2 * self._most)
            await self._settle(batch, "delivered", started, outcome, reply)
            return True
        if len(batch) == 1:
            await self._settle(batch, "dead", started, outcome, reply)
            log.error("statement_dead", target=self._part.target, statement=batch[0].statement_id, status=reply.status)
            return True
        await self._settle(batch, "waiting", started, outcome, reply)
        half = len(batch) // 2
        if outcome is Outcome.TOO_LARGE:
            self._most = half
        # the second half may hold later statements of the first half's attempts: it goes only when that one is settled
        return await self._send(batch[:half]) and not self._stopping.is_set() and await self._send(batch[half:])

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

    async def _wait(self, batch: Sequence[Claimed], started: int, outcome: Outcome, reply: Reply) -> None:
        """Leave the LRS alone for a while.

        Some LRSs break on a statement that they should refuse. Whether it is that or the LRS cannot be told, so the
        statement is never given up; but the batch is halved until it stands alone, and then only its attempt waits.
        """
        seconds = self._breaker.failed(outcome, reply, self._now())
        await self._pauses.failed(self._target, outcome, reply)
        if outcome is Outcome.BROKE:
            self._most = max(1, len(batch) // 2)
            if len(batch) == 1:
                seconds = max(seconds, delay(batch[0].tries + 1, self._random), FIRST)
        await self._settle(batch, "waiting", started, outcome, reply, not_before=self._now() + int(seconds * 1000))

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
        done = Try(self._part.target, started, max(0, now - started), outcome.value, reply.status, reply.text)
        settled_at = None if state == "waiting" else now
        settlements = [Settlement(one.id, state, not_before, settled_at) for one in batch]
        await self._database.write(outbox.settle, done, settlements)


def _together(claimed: Sequence[Claimed]) -> Sequence[Claimed]:
    """Give those of the first deliveries that go in one request: one that was tried often goes by itself."""
    for at, one in enumerate(claimed):
        if one.tries >= ALONE:
            return claimed[: max(1, at)]
    return claimed

"""The forwarder: takes one shard of a target's deliveries from the outbox, in order, and sends them.

Nothing is marked while it is on its way. A process that dies leaves its deliveries waiting; they are sent again, under
the ids they had, and the LRS stores them once. All of an attempt is in one shard, which one process at a time holds the
lease of; should two send it all the same, as when a process was frozen, each sends it in the attempt's order from what
is not settled yet, so that nothing arrives before what comes before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import structlog

from bridge.clock import Now
from bridge.database import Database
from bridge.forwarding.backoff import FIRST, delay
from bridge.forwarding.batches import Batch, Queue
from bridge.forwarding.divergence import is_diverged
from bridge.forwarding.outcomes import Outcome, Reply, classify
from bridge.forwarding.rounds import Rounds, Way
from bridge.forwarding.sameness import find, is_same
from bridge.forwarding.transport import HeldBackError
from storage import outbox
from storage.outbox import Claimed, Page, Part, Settlement, Try

log = structlog.get_logger(__name__)

MOST_TOGETHER = 50
"""Statements in a request."""
REQUESTS = 8
"""That a claim is for, and so the most whose answers are noted together."""
MOST_CLAIMED_BYTES = 1024 * 1024
"""Bytes of statements that a claim is for: twice what goes in a request at most."""
FRESH = 1.0
"""Seconds that what was claimed may be sent. Leases and discards are heard of with the next claim."""


class Noting(NamedTuple):
    """The noting of what came of some deliveries, which is under way."""

    ids: Sequence[int]
    task: asyncio.Task[None]


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
        self._answered: list[Settlement] = []
        self._noting: Noting | None = None
        self._size = MOST_CLAIMED_BYTES // MOST_TOGETHER
        """Bytes of a statement, as they were lately: a claim should not be for much more than is kept of it."""

    async def _round(self) -> bool:
        """Send what may be sent now, for a second at most; tell whether there was anything."""
        if self._adopts and self._may_look() and await self._database.read(outbox.has_unassigned):
            await self._database.write(outbox.assign_waiting, self._part.target, self._unwanted_rules)
            self._way.wake()
        until = asyncio.get_running_loop().time() + FRESH
        self._answered, self._noting = [], None
        page = await self._claim(())
        found = bool(page.claimed)
        ahead: asyncio.Task[Page] | None = None
        try:
            while page.claimed:
                # the next page is read while this one is sent; what comes of it decides whether it is good for anything
                if len(page.claimed) > self._most:
                    ahead = asyncio.create_task(self._claim(page.claimed))
                try:
                    goes_on = await self._send_all(Queue(page), until)
                except HeldBackError:
                    goes_on = found = False
                await self._note()
                if not goes_on or ahead is None or self._pauses.holds(self._target):
                    break
                page, ahead = await ahead, None
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
            await self._noted()
        return found

    async def _claim(self, sending: Sequence[Claimed]) -> Page:
        """Claim what comes after what is being sent or noted now."""
        on_their_way = [one.id for one in sending]
        if self._noting is not None:
            on_their_way += self._noting.ids
        most = max(self._most, min(REQUESTS * self._most, MOST_CLAIMED_BYTES // self._size))
        page = await self._database.read(
            outbox.claim,
            self._part,
            now=self._now(),
            most=most,
            most_bytes=MOST_CLAIMED_BYTES,
            on_their_way=on_their_way,
        )
        if page.claimed:
            self._size = max(1, len(page.bodies) // len(page.claimed))
        return page

    async def _send_all(self, queue: Queue, until: float) -> bool:
        """Send what was claimed as long as all of it is settled, but no longer than `until`; tell whether all was."""
        time = asyncio.get_running_loop().time
        while (batch := queue.take(self._most)) is not None:
            if not await self._send(batch) or not self._breaker.is_closed or self._stopping.is_set() or time() > until:
                return False
        return True

    async def _note(self) -> None:
        """Begin to note the answers that are not noted yet, after those before them."""
        await self._noted()
        if self._answered:
            answered, self._answered = self._answered, []
            ids = [one for settlement in answered for one in settlement.delivery_ids]
            self._noting = Noting(ids, asyncio.create_task(self._database.write(outbox.settle, answered)))

    async def _noted(self) -> None:
        """Wait until what is being noted is noted."""
        if self._noting is not None:
            noting, self._noting = self._noting, None
            await noting.task

    async def _send(self, batch: Batch) -> bool:
        """Send a batch; tell whether all of it is settled, which is then still to be noted."""
        started = self._now()
        reply = await self._transport.post(batch.body)
        outcome = classify(reply, batch.statement_ids)
        if outcome is Outcome.CONFLICT and len(batch.claimed) == 1:
            outcome, reply = await self._compare(batch, reply)
        if outcome in {Outcome.RETRY, Outcome.BROKE, Outcome.NOT_ALLOWED}:
            await self._wait(batch, started, outcome, reply)
            return False
        self._breaker.succeeded()
        await self._pauses.succeeded(self._target)
        if outcome is Outcome.DELIVERED:
            self._most = min(MOST_TOGETHER, 2 * self._most)
            self._answer(batch, "delivered", started, outcome, reply)
            return True
        if len(batch.claimed) == 1:
            self._answer(batch, "dead", started, outcome, reply)
            statement_id = batch.claimed[0].statement_id
            log.error("statement_dead", target=self._part.target, statement=statement_id, status=reply.status)
            if outcome is Outcome.DIVERGED:
                log.error(
                    "history_diverged",
                    target=self._part.target,
                    statement=statement_id,
                    consequence="the LRS has another statement under this id: this database was restored from an older"
                    " backup, or a copy of it sends to the same LRS",
                    remedy="where it was restored: scorm-bridge deliveries reissue --target " + self._part.target,
                )
            return True
        self._answer(batch, "waiting", started, outcome, reply)
        await self._note()
        await self._noted()
        first, second = batch.halves()
        if outcome is Outcome.TOO_LARGE:
            self._most = len(first.claimed)
        # the second half may hold later statements of the first half's attempts: it goes only when that one is settled
        return await self._send(first) and not self._stopping.is_set() and await self._send(second)

    async def _compare(self, single: Batch, refusal: Reply) -> tuple[Outcome, Reply]:
        """Look what the LRS has under an id it would not take again; somebody may have voided it there."""
        (statement_id,) = single.statement_ids
        for voided in (False, True):
            reply = await self._transport.get(statement_id, voided=voided)
            stored = find(reply.text, statement_id) if reply.status == 200 else None
            if stored is not None:
                if is_same(single.body[1:-1], stored):
                    return Outcome.DELIVERED, refusal
                return (Outcome.DIVERGED if is_diverged(single.body[1:-1], stored) else Outcome.CONFLICT), refusal
            if reply.status != 404:
                break
        return Outcome.RETRY, reply

    async def _wait(self, batch: Batch, started: int, outcome: Outcome, reply: Reply) -> None:
        """Leave the LRS alone for a while.

        Some LRSs break on a statement that they should refuse. Whether it is that or the LRS cannot be told, so the
        statement is never given up; but the batch is halved until it stands alone, and then only its attempt waits.
        """
        seconds = self._breaker.failed(outcome, reply, self._now())
        await self._pauses.failed(self._target, outcome, reply)
        if outcome is Outcome.BROKE:
            self._most = max(1, len(batch.claimed) // 2)
            if len(batch.claimed) == 1:
                # not by all its tries: those while the LRS was away say nothing of it
                broke = await self._database.read(outbox.tries_with, batch.claimed[0].id, outcome.value)
                seconds = max(seconds, delay(broke + 1, self._random), FIRST)
        not_before = self._now() + int(seconds * 1000)
        self._answer(batch, "waiting", started, outcome, reply, not_before=not_before)

    def _answer(
        self, batch: Batch, state: str, started: int, outcome: Outcome, reply: Reply, *, not_before: int = 0
    ) -> None:
        now = self._now()
        done = Try(self._part.target, started, max(0, now - started), outcome.value, reply.status, reply.text)
        settled_at = None if state == "waiting" else now
        self._answered.append(Settlement(done, [one.id for one in batch.claimed], state, not_before, settled_at))

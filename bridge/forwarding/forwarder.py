"""The forwarder: takes one shard of a target's deliveries from the outbox, in order, and sends them.

Nothing is marked while it is on its way. A process that dies leaves its deliveries waiting; they are sent again, under
the ids they had, and the LRS stores them once. All of an attempt is in one shard, which one process at a time holds the
lease of; should two send it all the same, as when a process was frozen, each sends it in the attempt's order from what
is not settled yet, so that nothing arrives before what comes before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_place
from bridge.forwarding.backoff import AWAY, FIRST, LONGEST, delay
from bridge.forwarding.batches import Batch, BatchSplitter
from bridge.forwarding.channel import TargetChannel, reply_text
from bridge.forwarding.divergence import is_diverged
from bridge.forwarding.isolation import Failure
from bridge.forwarding.outcomes import Outcome, Reply, classify, may_be_of_one, retry_after, speaks_of_duplicate
from bridge.forwarding.polling_worker import PollingWorker
from bridge.forwarding.statement_equality import Comparison, Equality, compare, find
from bridge.forwarding.transport import TargetPausedError
from storage import outbox
from storage.outbox import ClaimedBatch, ClaimedDelivery, Settlement, ShardLease, Try
from storage.target_alarms import AlarmState, RequestKind

log = structlog.get_logger(__name__)

MOST_TOGETHER = 50
"""Statements in a request."""
REQUESTS = 8
"""That a claim is for, and so the most whose answers are noted together."""
MOST_CLAIMED_BYTES = 1024 * 1024
"""Bytes of statements that a claim is for: twice what goes in a request at most."""
MAX_SUSPECTED = 10_000
"""Deliveries of batches that failed; beyond, only those of the last one are remembered."""
MAX_UNVERIFIED = 3
"""Tries after which a statement that cannot be read back, because that is forbidden, is given up."""
MAX_LIGHT = 3
"""Failures by itself from which on a statement waits for a second at least."""
VOIDING = b'"http://adlnet.gov/expapi/verbs/voided"'
FRESH = 1.0
"""Seconds that what was claimed may be sent. Leases and discards are heard of with the next claim."""


class PendingSettlement(NamedTuple):
    """The noting of what came of some deliveries, which is under way."""

    ids: Sequence[int]
    task: asyncio.Task[None]


class Forwarder(PollingWorker):
    """Forwards one shard.

    Args:
        database: where the outbox is.
        part: which target, which shard, and under which lease.
        channel: to the target, shared by all that send statements to it.
        now: milliseconds since the epoch.
        random: gives numbers from 0 to 1.
        adopts: also takes statements that wait for no target in particular, as processes without targets make them.
        unwanted_rules: whose statements it does not take then.
    """

    def __init__(
        self,
        database: Database,
        part: ShardLease,
        channel: TargetChannel,
        *,
        now: Now,
        random: Callable[[], float],
        adopts: bool = False,
        unwanted_rules: Collection[str] = (),
    ) -> None:
        super().__init__(channel, now=now, random=random)
        self._database = database
        self._part = part
        self._adopts = adopts
        self._unwanted_rules = unwanted_rules
        self._most = MOST_TOGETHER
        self._limits: dict[int, int] = {}
        """Delivery -> how many may go in one request, for those of a batch that failed: one of them may be to blame."""
        self._answered: list[Settlement] = []
        self._noting: PendingSettlement | None = None
        self._size = MOST_CLAIMED_BYTES // MOST_TOGETHER
        """Bytes of a statement, as they were lately: a claim should not be for much more than is kept of it."""

    async def _round(self) -> bool:
        """Send what may be sent now, for a second at most; tell whether there was anything."""
        if self._adopts and self._may_look() and await self._database.read(outbox.has_unassigned):
            await self._database.write(outbox.assign_waiting, self._part.target, self._unwanted_rules)
            self._channel.wake()
        until = asyncio.get_running_loop().time() + FRESH
        self._answered, self._noting = [], None
        page = await self._claim(())
        found = bool(page.claimed)
        ahead: asyncio.Task[ClaimedBatch] | None = None
        try:
            while page.claimed:
                # the next page is read while this one is sent; what comes of it decides whether it is good for anything
                if len(page.claimed) > self._most:
                    ahead = asyncio.create_task(self._claim(page.claimed))
                try:
                    goes_on = await self._send_all(BatchSplitter(page), until)
                except TargetPausedError:
                    goes_on = found = False
                await self._note()
                if not goes_on or ahead is None or self._pauses.holds(self._target):
                    break
                page, ahead = await ahead, None
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
            # what was answered is noted although what came after it failed or was cancelled
            await self._note()
            await self._noted()
        return found

    async def _claim(self, sending: Sequence[ClaimedDelivery]) -> ClaimedBatch:
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

    async def _send_all(self, queue: BatchSplitter, until: float) -> bool:
        """Send what was claimed as long as all of it is settled, but no longer than `until`; tell whether all was."""
        time = asyncio.get_running_loop().time
        while (batch := queue.take(self._allowed(), self._limits)) is not None:
            if not await self._send(batch) or not self._breaker.is_closed or self._stopping.is_set() or time() > until:
                return False
        return True

    async def _note(self) -> None:
        """Begin to note the answers that are not noted yet, after those before them."""
        await self._noted()
        if self._answered:
            answered, self._answered = self._answered, []
            ids = [one for settlement in answered for one in settlement.delivery_ids]
            self._noting = PendingSettlement(ids, asyncio.create_task(self._database.write(outbox.settle, answered)))

    async def _noted(self) -> None:
        """Wait until what is being noted is noted."""
        if self._noting is not None:
            noting, self._noting = self._noting, None
            await noting.task

    async def _send(self, batch: Batch) -> bool:
        """Send a batch; tell whether all of it is settled, which is then still to be noted."""
        started = self._now()
        outcome, reply = await self._exchange(batch)
        is_single = len(batch.claimed) == 1
        if outcome in {Outcome.DELIVERED, Outcome.EQUIVALENT}:
            await self._delivered(batch, started, outcome, reply)
            return True
        if outcome in {Outcome.RETRY, Outcome.BROKE, Outcome.NOT_ALLOWED}:
            if not may_be_of_one(reply, outcome):
                seconds = await self._channel.failed(outcome, reply)
                if outcome is Outcome.NOT_ALLOWED:
                    seconds = min(seconds, AWAY)  # the breaker waits longer: what is let in then need not
                self._answer(batch, "waiting", started, outcome, reply, seconds=seconds)
            elif is_single:
                await self._wait_by_itself(batch, started, outcome, reply)
            else:
                await self._suspect(batch, started, outcome, reply)
            return False
        if outcome is Outcome.FAULT:
            self._breaker.gave_up()  # it says nothing of the LRS
        elif not (is_single and outcome is Outcome.REFUSED):
            await self._channel.answered()
        if is_single:
            return await self._settle_single(batch, started, outcome, reply)
        self._answer(batch, "waiting", started, outcome, reply)
        await self._note()
        await self._noted()
        first, second = batch.halves()
        if outcome is Outcome.TOO_LARGE:
            self._most = len(first.claimed)
        # the second half may hold later statements of the first half's attempts: it goes only when that one is settled
        return await self._send(first) and not self._stopping.is_set() and await self._send(second)

    def _allowed(self) -> int:
        """Return how many statements may go in one request; one, as long as the LRS refuses everything."""
        is_refusing = self._channel.alarms.state(self._target, RequestKind.STATEMENTS) is AlarmState.REFUSING
        return 1 if is_refusing else self._most

    async def _delivered(self, batch: Batch, started: int, outcome: Outcome, reply: Reply) -> None:
        self._most = min(MOST_TOGETHER, 2 * self._most)
        self._progressed()
        self._forget(batch)
        await self._channel.passed()
        alarms = self._channel.alarms
        if alarms.state(self._target, RequestKind.VOIDING) is not None and VOIDING in batch.body:
            await alarms.end(self._target, RequestKind.VOIDING)
        self._answer(batch, "delivered", started, outcome, reply)

    async def _settle_single(self, single: Batch, started: int, outcome: Outcome, reply: Reply) -> bool:
        """Give up a statement that the LRS does not take, unless that says nothing of it; return whether it is."""
        (claimed,) = single.claimed
        isolation = self._channel.isolation
        waits = outcome in {Outcome.FAULT, Outcome.UNVERIFIED}
        if outcome is Outcome.REFUSED:
            known = self._channel.alarms.state(self._target, RequestKind.STATEMENTS)
            waits = not isolation.refused(claimed.attempt_id, is_refusing=known is AlarmState.REFUSING)
            if waits:
                await self._channel.alarms.begin(
                    self._target, RequestKind.STATEMENTS, AlarmState.REFUSING, reply_text(reply)
                )
                await self._channel.failed(outcome, reply)
            else:
                await self._channel.answered()
        if waits:
            failure = isolation.failed(claimed.id, claimed.attempt_id, says_nothing_of_others=True)
            is_forbidden = self._channel.alarms.state(self._target, RequestKind.READING) is not None
            # reading may be forbidden for a moment only; what cannot be read yet, because it is new, is waited for
            if outcome is not Outcome.UNVERIFIED or not is_forbidden or failure.failures < MAX_UNVERIFIED:
                self._wait_for(single, started, outcome, reply, failure)
                return False
        self._forget(single)
        self._answer(single, "dead", started, outcome, reply)
        log.error("statement_dead", target=self._target, statement=claimed.statement_id, status=reply.status)
        if outcome is Outcome.DIVERGED:
            log.error(
                "history_diverged",
                target=self._target,
                statement=claimed.statement_id,
                consequence="the LRS has another statement under this id: this database was restored from an older"
                " backup, or a copy of it sends to the same LRS",
                remedy=f"where it was restored: scorm-bridge deliveries reissue --target {self._target}",
            )
        return True

    def _forget(self, batch: Batch) -> None:
        """Forget what was suspected of deliveries that are settled."""
        for claimed in batch.claimed:
            self._limits.pop(claimed.id, None)
            self._channel.isolation.forget(claimed.id)

    async def _exchange(self, batch: Batch) -> tuple[Outcome, Reply]:
        """Send a batch and return what came of it; an error that nobody foresaw is one of these statements' own."""
        try:
            reply = await self._transport.post(batch.body)
            outcome = classify(reply, batch.statement_ids)
            if len(batch.claimed) == 1 and (
                outcome is Outcome.CONFLICT or reply.status == 500 or speaks_of_duplicate(reply)
            ):
                outcome, reply = await self._compare(batch, outcome, reply)
        except (TargetPausedError, *DATABASE_ERRORS):
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no fault stops what comes after it
            self._report_fault(error, statements=len(batch.claimed), first=batch.claimed[0].statement_id)
            return Outcome.FAULT, Reply(None, f"the bridge failed over it: {describe_place(error)}")
        return outcome, reply

    async def _compare(self, single: Batch, outcome: Outcome, refusal: Reply) -> tuple[Outcome, Reply]:
        """Look what the LRS has under an id it would not take again; somebody may have voided it there.

        LRSs answer 409 to what they know, or 400 or 500; lost answers let them be sent it again.
        """
        (statement_id,) = single.statement_ids
        reply = refusal
        for voided in (False, True):
            reply = await self._transport.get(statement_id, voided=voided)
            if reply.is_truncated:
                return Outcome.CONFLICT, _with_reason(refusal, "the LRS has another statement under this id", reply)
            if reply.status in {200, 404}:
                await self._channel.alarms.end(self._target, RequestKind.READING)
            stored = find(reply.text, statement_id) if reply.status == 200 else None
            if stored is not None:
                return _verdict(compare(single.body[1:-1], stored), single, stored, refusal)
            if reply.status != 404:
                break
        if outcome is not Outcome.CONFLICT and not speaks_of_duplicate(refusal):
            return outcome, refusal
        if reply.status in {401, 403}:
            await self._channel.alarms.begin(
                self._target, RequestKind.READING, AlarmState.NOT_ALLOWED, reply_text(reply)
            )
        elif outcome is Outcome.REFUSED:
            return outcome, refusal
        said = "the LRS says that it has this statement, and it cannot be read back to be compared"
        return Outcome.UNVERIFIED, _with_reason(refusal, said, reply)

    async def _suspect(self, batch: Batch, started: int, outcome: Outcome, reply: Reply) -> None:
        """Let a batch that failed go again in halves: one of its statements may be to blame, or the LRS."""
        is_known = any(claimed.id in self._limits for claimed in batch.claimed)
        half = max(1, len(batch.claimed) // 2)
        self._limits |= {claimed.id: half for claimed in batch.claimed}
        if len(self._limits) > MAX_SUSPECTED:
            self._limits = {claimed.id: half for claimed in batch.claimed}
        # while it is looked for, those who wait for the LRS do not wait longer each time
        seconds = await self._channel.failed(outcome, reply, longest=FIRST if is_known else None, is_sure=False)
        self._answer(batch, "waiting", started, outcome, reply, seconds=seconds)

    async def _wait_by_itself(self, single: Batch, started: int, outcome: Outcome, reply: Reply) -> None:
        """Let one statement wait, with what comes after it in its attempt; the target, where nothing passes."""
        (claimed,) = single.claimed
        is_voiding = outcome is Outcome.NOT_ALLOWED and VOIDING in single.body
        failure = self._channel.isolation.failed(claimed.id, claimed.attempt_id, says_nothing_of_others=is_voiding)
        if failure.is_everything:
            await self._channel.failed(outcome, reply)
        else:
            self._breaker.gave_up()
            if is_voiding:
                await self._channel.alarms.begin(
                    self._target, RequestKind.VOIDING, AlarmState.NOT_ALLOWED, reply_text(reply)
                )
            elif not failure.is_alone and (outcome is not Outcome.NOT_ALLOWED or failure.may_be_permission):
                await self._channel.failed_alone(outcome, reply, failures=failure.failures)
        self._wait_for(single, started, outcome, reply, failure)

    def _wait_for(self, single: Batch, started: int, outcome: Outcome, reply: Reply, failure: Failure) -> None:
        """Let one statement wait, longer each time that it failed by itself."""
        # unless others pass, it may be the LRS that is away: that is tried every minute
        longest = LONGEST if failure.is_alone else AWAY
        asked = retry_after(reply, self._now())
        # an answer that was lost on the way once or twice is nothing to wait long for
        is_light = outcome is Outcome.UNVERIFIED or (failure.failures < MAX_LIGHT and outcome is not Outcome.BROKE)
        least = 0.0 if is_light else FIRST
        seconds = max(least, delay(failure.failures, self._random, asked, longest=longest))
        self._answer(single, "waiting", started, outcome, reply, seconds=seconds)

    def _answer(
        self, batch: Batch, state: str, started: int, outcome: Outcome, reply: Reply, *, seconds: float = 0.0
    ) -> None:
        """Keep what came of a batch, to be noted; `seconds` are to be waited before the next try."""
        now = self._now()
        not_before = now + int(seconds * 1000) if seconds else 0
        done = Try(self._part.target, started, max(0, now - started), outcome.value, reply.status, reply.text)
        settled_at = None if state == "waiting" else now
        self._answered.append(Settlement(done, [one.id for one in batch.claimed], state, not_before, settled_at))


def _verdict(comparison: Comparison, single: Batch, stored: dict[str, Any], refusal: Reply) -> tuple[Outcome, Reply]:
    """Return what a comparison with the statement that the LRS has means."""
    said = f"it answered {refusal.status}: {refusal.text}"
    if comparison.equality is Equality.DIFFERENT:
        words = f"the LRS has another statement under this id: {comparison.difference}; {said}"
        outcome = Outcome.DIVERGED if is_diverged(single.body[1:-1], stored) else Outcome.CONFLICT
        return outcome, replace(refusal, text=words)
    if comparison.equality is Equality.EQUIVALENT:
        return Outcome.EQUIVALENT, replace(refusal, text=f"the LRS has it: {comparison.difference}; {said}")
    return Outcome.DELIVERED, refusal


def _with_reason(refusal: Reply, words: str, reply: Reply) -> Reply:
    """Put in front of an LRS's refusal what came of looking into it."""
    looked = reply.text if reply.status is None else f"{reply.status} {reply.text[:500]}"
    return replace(refusal, text=f"{words} ({looked}); it answered {refusal.status}: {refusal.text}")

"""The statement forwarder: claims one shard of a target's deliveries from the outbox, in order, and sends them.

Nothing is marked while it is being sent. A process that dies leaves its deliveries waiting; they are sent again, under
the ids they had, and the LRS stores them once. All of an attempt is in one shard, which one process at a time holds the
lease of; should two send it all the same, as when a process was frozen, each sends it in the attempt's order from what
is not settled yet, so that nothing arrives before what comes before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_error_place
from bridge.forwarding.backoff import BASE_DELAY, MAX_DELAY, MAX_OUTAGE_DELAY, backoff_delay
from bridge.forwarding.batches import Batch, BatchSplitter
from bridge.forwarding.channel import TargetChannel, reply_text
from bridge.forwarding.divergence import is_diverged
from bridge.forwarding.isolation import Failure
from bridge.forwarding.outcomes import Reply, classify, find_statement, may_be_of_one, retry_after, speaks_of_duplicate
from bridge.forwarding.polling_worker import PollingWorker
from bridge.forwarding.transport import TargetPausedError
from mappings.xapi.statement_equality import Comparison, Equality, compare
from storage import outbox, unassigned
from storage.outbox import ClaimedBatch, ClaimedDelivery, Settlement, ShardLease, Try
from storage.states import AlarmState, DeliveryState, RequestKind, TryOutcome

log = structlog.get_logger(__name__)

BATCH_SIZE = 50
"""Statements in a request."""
REQUESTS_PER_CLAIM = 8
"""Requests that a claim is for, and so the maximum whose results are stored together."""
MAX_CLAIM_BYTES = 1024 * 1024
"""Bytes of statements that a claim is for: twice the maximum of a request."""
MAX_SUSPECTED = 10_000
"""Deliveries of failed batches that are remembered; beyond, only those of the last batch are."""
MAX_UNVERIFIED = 3
"""Tries after which a statement that must not be read back becomes dead."""
MAX_IMMEDIATE_FAILURES = 3
"""Failures by itself from which on a statement waits for `BASE_DELAY` at least."""
VOIDING = b'"http://adlnet.gov/expapi/verbs/voided"'
CLAIM_TTL = 1.0
"""Seconds for which what was claimed may be sent. The next claim respects leases and discards since."""


class PendingSettlement(NamedTuple):
    """Results of deliveries that are being stored."""

    delivery_ids: Sequence[int]
    task: asyncio.Task[None]


class Forwarder(PollingWorker):
    """Forwards one shard.

    Args:
        database: where the outbox is.
        part: which target, which shard, and under which lease.
        channel: to the target, shared by all workers that send statements to it.
        now: returns milliseconds since the epoch.
        random: returns numbers from 0 to 1.
        assign: also takes over statements that wait for no target yet, as processes without targets store them, some
            of them at a time; None for not to.
    """

    def __init__(
        self,
        database: Database,
        part: ShardLease,
        channel: TargetChannel,
        *,
        now: Now,
        random: Callable[[], float],
        assign: Callable[[Connection], int] | None = None,
    ) -> None:
        super().__init__(channel, now=now, random=random)
        self._database = database
        self._part = part
        self._assign = assign
        self._batch_size = BATCH_SIZE
        self._limits: dict[int, int] = {}
        """Maximum size of a request with a delivery, for those of a batch that failed: one of them may be at fault."""
        self._results: list[Settlement] = []
        self._settling: PendingSettlement | None = None
        self._statement_size = MAX_CLAIM_BYTES // BATCH_SIZE
        """Bytes of a statement on average lately, by which the next claim is limited."""

    async def _poll_once(self) -> bool:
        """Send what may be sent now, for `CLAIM_TTL` at most; return whether there was anything."""
        if self._assign is not None and self._may_assign():
            while not self._stopping.is_set() and await self._database.read(unassigned.any_waits):
                await self._database.write(self._assign)
                self._channel.wake()
        until = asyncio.get_running_loop().time() + CLAIM_TTL
        self._results, self._settling = [], None
        page = await self._claim(())
        has_work = bool(page.claimed)
        self._found_little = len(page.claimed) < self._batch_size
        ahead: asyncio.Task[ClaimedBatch] | None = None
        try:
            while page.claimed:
                # the next page is read while this one is sent; it is used if all of this one is settled
                if len(page.claimed) > self._batch_size:
                    ahead = asyncio.create_task(self._claim(page.claimed))
                try:
                    is_settled = await self._send_all(BatchSplitter(page), until)
                except TargetPausedError:
                    is_settled = has_work = False
                await self._begin_settling()
                if not is_settled or ahead is None or self._pauses.is_paused(self._target):
                    break
                page, ahead = await ahead, None
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
            # results are stored although what came after them failed or was cancelled
            await self._begin_settling()
            await self._finish_settling()
        return has_work

    async def _claim(self, sending: Sequence[ClaimedDelivery]) -> ClaimedBatch:
        """Claim what comes after what is being sent or settled now."""
        in_flight = [delivery.id for delivery in sending]
        if self._settling is not None:
            in_flight += self._settling.delivery_ids
        count = max(
            self._batch_size, min(REQUESTS_PER_CLAIM * self._batch_size, MAX_CLAIM_BYTES // self._statement_size)
        )
        page = await self._database.read(
            outbox.claim,
            self._part,
            now=self._now(),
            limit=count,
            most_bytes=MAX_CLAIM_BYTES,
            on_their_way=in_flight,
        )
        if page.claimed:
            self._statement_size = max(1, len(page.bodies) // len(page.claimed))
        return page

    async def _send_all(self, batches: BatchSplitter, until: float) -> bool:
        """Send what was claimed as long as all of it is settled, but no longer than `until`; return whether all is."""
        time = asyncio.get_running_loop().time
        while (batch := batches.take(self._max_batch_size(), self._limits)) is not None:
            if not await self._send(batch) or not self._breaker.is_closed or self._stopping.is_set() or time() > until:
                return False
        return True

    async def _begin_settling(self) -> None:
        """Begin to store the results that are not stored yet, after those before them."""
        await self._finish_settling()
        if self._results:
            results, self._results = self._results, []
            ids = [delivery_id for settlement in results for delivery_id in settlement.delivery_ids]
            self._settling = PendingSettlement(ids, asyncio.create_task(self._database.write(outbox.settle, results)))

    async def _finish_settling(self) -> None:
        """Wait until the results that are being stored are."""
        if self._settling is not None:
            settling, self._settling = self._settling, None
            await settling.task

    async def _send(self, batch: Batch) -> bool:
        """Send a batch; return whether all of it is settled; its results are still to be stored then."""
        started = self._now()
        with self._channel.tracing.span("send statements") as span:
            span.set_attribute("scorm_bridge.target", self._target)
            span.set_attribute("scorm_bridge.statements", len(batch.claimed))
            outcome, reply = await self._exchange(batch)
            span.set_attribute("scorm_bridge.outcome", outcome)
        is_single = len(batch.claimed) == 1
        if outcome in {TryOutcome.DELIVERED, TryOutcome.EQUIVALENT}:
            await self._delivered(batch, started, outcome, reply)
            return True
        if outcome in {TryOutcome.RETRY, TryOutcome.BROKE, TryOutcome.NOT_ALLOWED}:
            if not may_be_of_one(reply, outcome):
                seconds = await self._channel.record_failure(outcome, reply)
                if outcome is TryOutcome.NOT_ALLOWED:
                    seconds = min(
                        seconds, MAX_OUTAGE_DELAY
                    )  # the breaker waits longer, once it closes the delivery need not
                self._add_result(batch, DeliveryState.WAITING, started, outcome, reply, seconds=seconds)
            elif is_single:
                await self._wait_by_itself(batch, started, outcome, reply)
            else:
                await self._suspect(batch, started, outcome, reply)
            return False
        if outcome is TryOutcome.FAULT:
            self._breaker.release()  # it says nothing about the LRS
        elif not (is_single and outcome is TryOutcome.REFUSED):
            await self._channel.record_response()
        if is_single:
            return await self._settle_single(batch, started, outcome, reply)
        self._add_result(batch, DeliveryState.WAITING, started, outcome, reply)
        await self._begin_settling()
        await self._finish_settling()
        first, second = batch.halves()
        if outcome is TryOutcome.TOO_LARGE:
            self._batch_size = len(first.claimed)
        # the second half may hold later statements of the first half's attempts: it goes only when that one is settled
        return await self._send(first) and not self._stopping.is_set() and await self._send(second)

    def _max_batch_size(self) -> int:
        """Return the maximum number of statements in a request; one, as long as the LRS refuses everything."""
        is_refusing = self._channel.alarms.state(self._target, RequestKind.STATEMENTS) is AlarmState.REFUSING
        return 1 if is_refusing else self._batch_size

    async def _delivered(self, batch: Batch, started: int, outcome: TryOutcome, reply: Reply) -> None:
        self._batch_size = min(BATCH_SIZE, 2 * self._batch_size)
        self._record_progress()
        self._forget(batch)
        await self._channel.record_success()
        alarms = self._channel.alarms
        if alarms.state(self._target, RequestKind.VOIDING) is not None and VOIDING in batch.body:
            await alarms.end(self._target, RequestKind.VOIDING)
        self._add_result(batch, DeliveryState.DELIVERED, started, outcome, reply)

    async def _settle_single(self, single: Batch, started: int, outcome: TryOutcome, reply: Reply) -> bool:
        """Return up a statement that the LRS does not take, unless that says nothing of it; return whether it is."""
        (claimed,) = single.claimed
        isolation = self._channel.isolation
        waits = outcome in {TryOutcome.FAULT, TryOutcome.UNVERIFIED}
        if outcome is TryOutcome.REFUSED:
            alarm_state = self._channel.alarms.state(self._target, RequestKind.STATEMENTS)
            waits = not isolation.record_refusal(claimed.attempt_id, is_refusing=alarm_state is AlarmState.REFUSING)
            if waits:
                await self._channel.alarms.begin(
                    self._target, RequestKind.STATEMENTS, AlarmState.REFUSING, reply_text(reply)
                )
                await self._channel.record_failure(outcome, reply)
            else:
                await self._channel.record_response()
        if waits:
            failure = isolation.record_failure(claimed.id, claimed.attempt_id, says_nothing_of_others=True)
            is_forbidden = self._channel.alarms.state(self._target, RequestKind.READING) is not None
            # reading may be forbidden only temporarily; what cannot be read yet, because it is new, waits
            if outcome is not TryOutcome.UNVERIFIED or not is_forbidden or failure.failures < MAX_UNVERIFIED:
                self._wait_for(single, started, outcome, reply, failure)
                return False
        self._forget(single)
        self._add_result(single, DeliveryState.DEAD, started, outcome, reply)
        log.error("statement_dead", target=self._target, statement=claimed.statement_id, status=reply.status)
        if outcome is TryOutcome.DIVERGED:
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
        """Forget what is remembered of deliveries that are settled."""
        for claimed in batch.claimed:
            self._limits.pop(claimed.id, None)
            self._channel.isolation.forget(claimed.id)

    async def _exchange(self, batch: Batch) -> tuple[TryOutcome, Reply]:
        """Send a batch and return the outcome; an unexpected error counts as one of these statements' own."""
        try:
            reply = await self._transport.post(batch.body)
            outcome = classify(reply, batch.statement_ids)
            if len(batch.claimed) == 1 and (
                outcome is TryOutcome.CONFLICT or reply.status == 500 or speaks_of_duplicate(reply)
            ):
                outcome, reply = await self._compare(batch, outcome, reply)
        except (TargetPausedError, *DATABASE_ERRORS):
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
            self._report_fault(error, statements=len(batch.claimed), first=batch.claimed[0].statement_id)
            return TryOutcome.FAULT, Reply(None, f"the bridge failed over it: {describe_error_place(error)}")
        return outcome, reply

    async def _compare(self, single: Batch, outcome: TryOutcome, refusal: Reply) -> tuple[TryOutcome, Reply]:
        """Compare with what the LRS has under an id that it refuses; somebody may have voided the statement there.

        LRSs answer 409 to what they have, or 400 or 500; it is sent again where an answer was lost.
        """
        (statement_id,) = single.statement_ids
        reply = refusal
        for voided in (False, True):
            reply = await self._transport.get(statement_id, voided=voided)
            if reply.is_truncated:
                return TryOutcome.CONFLICT, _with_reason(refusal, "the LRS has another statement under this id", reply)
            if reply.status in {200, 404}:
                await self._channel.alarms.end(self._target, RequestKind.READING)
            stored = find_statement(reply.text, statement_id) if reply.status == 200 else None
            if stored is not None:
                return _verdict(compare(single.body[1:-1], stored), single, stored, refusal)
            if reply.status != 404:
                break
        if outcome is not TryOutcome.CONFLICT and not speaks_of_duplicate(refusal):
            return outcome, refusal
        if reply.status in {401, 403}:
            await self._channel.alarms.begin(
                self._target, RequestKind.READING, AlarmState.NOT_ALLOWED, reply_text(reply)
            )
        elif outcome is TryOutcome.REFUSED:
            return outcome, refusal
        reason = "the LRS says that it has this statement, and it cannot be read back to be compared"
        return TryOutcome.UNVERIFIED, _with_reason(refusal, reason, reply)

    async def _suspect(self, batch: Batch, started: int, outcome: TryOutcome, reply: Reply) -> None:
        """Let a batch that failed be sent again in halves: one of its statements may be at fault, or the LRS."""
        is_known = any(claimed.id in self._limits for claimed in batch.claimed)
        half = max(1, len(batch.claimed) // 2)
        self._limits |= {claimed.id: half for claimed in batch.claimed}
        if len(self._limits) > MAX_SUSPECTED:
            self._limits = {claimed.id: half for claimed in batch.claimed}
        # while the one at fault is looked for, the breaker does not wait longer each time
        seconds = await self._channel.record_failure(
            outcome, reply, max_delay=BASE_DELAY if is_known else None, is_sure=False
        )
        self._add_result(batch, DeliveryState.WAITING, started, outcome, reply, seconds=seconds)

    async def _wait_by_itself(self, single: Batch, started: int, outcome: TryOutcome, reply: Reply) -> None:
        """Let one statement wait, with what comes after it in its attempt; or the target, where everything fails."""
        (claimed,) = single.claimed
        is_voiding = outcome is TryOutcome.NOT_ALLOWED and VOIDING in single.body
        failure = self._channel.isolation.record_failure(
            claimed.id, claimed.attempt_id, says_nothing_of_others=is_voiding
        )
        if failure.is_target_wide:
            await self._channel.record_failure(outcome, reply)
        else:
            self._breaker.release()
            if is_voiding:
                await self._channel.alarms.begin(
                    self._target, RequestKind.VOIDING, AlarmState.NOT_ALLOWED, reply_text(reply)
                )
            elif not failure.is_isolated and (outcome is not TryOutcome.NOT_ALLOWED or failure.may_be_permission):
                await self._channel.record_isolated_failure(outcome, reply, failures=failure.failures)
        self._wait_for(single, started, outcome, reply, failure)

    def _wait_for(self, single: Batch, started: int, outcome: TryOutcome, reply: Reply, failure: Failure) -> None:
        """Let one statement wait, longer with each failure of its own."""
        # unless others succeed, the LRS may be unreachable, which is probed every minute
        max_delay = MAX_DELAY if failure.is_isolated else MAX_OUTAGE_DELAY
        requested = retry_after(reply, self._now())
        # an answer that was lost once or twice is no reason to wait long
        is_immediate = outcome is TryOutcome.UNVERIFIED or (
            failure.failures < MAX_IMMEDIATE_FAILURES and outcome is not TryOutcome.BROKE
        )
        min_delay = 0.0 if is_immediate else BASE_DELAY
        seconds = max(min_delay, backoff_delay(failure.failures, self._random, requested, max_delay=max_delay))
        self._add_result(single, DeliveryState.WAITING, started, outcome, reply, seconds=seconds)

    def _add_result(
        self, batch: Batch, state: str, started: int, outcome: TryOutcome, reply: Reply, *, seconds: float = 0.0
    ) -> None:
        """Add the result of a batch, which is stored later; the next try is after `seconds`."""
        now = self._now()
        not_before = now + int(seconds * 1000) if seconds else 0
        self._channel.count_tries(outcome, len(batch.claimed), max(0, now - started))
        done = Try(self._part.target, started, max(0, now - started), outcome, reply.status, reply.text)
        settled_at = None if state == DeliveryState.WAITING else now
        self._results.append(
            Settlement(done, [delivery.id for delivery in batch.claimed], state, not_before, settled_at)
        )


def _verdict(comparison: Comparison, single: Batch, stored: dict[str, Any], refusal: Reply) -> tuple[TryOutcome, Reply]:
    """Return the outcome of a comparison with the statement that the LRS has."""
    answer = f"it answered {refusal.status}: {refusal.text}"
    if comparison.equality is Equality.DIFFERENT:
        words = f"the LRS has another statement under this id: {comparison.difference}; {answer}"
        outcome = TryOutcome.DIVERGED if is_diverged(single.body[1:-1], stored) else TryOutcome.CONFLICT
        return outcome, replace(refusal, text=words)
    if comparison.equality is Equality.EQUIVALENT:
        return TryOutcome.EQUIVALENT, replace(refusal, text=f"the LRS has it: {comparison.difference}; {answer}")
    return TryOutcome.DELIVERED, refusal


def _with_reason(refusal: Reply, words: str, reply: Reply) -> Reply:
    """Return an LRS's refusal with a reason in front, and the answer that led to it."""
    detail = reply.text if reply.status is None else f"{reply.status} {reply.text[:500]}"
    return replace(refusal, text=f"{words} ({detail}); it answered {refusal.status}: {refusal.text}")

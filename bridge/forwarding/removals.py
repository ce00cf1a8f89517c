"""The removal forwarder: lets a target void the statements and delete the documents of erased learners.

A removal waits until the target has answered for it, for ever. A request that another process had on its way when the
learner was erased may arrive after it: a statement is then voided all the same, as xAPI has it (Data 2.3.2), and a
document is deleted once more when no request can be on its way any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_error_place
from bridge.forwarding.backoff import BASE_DELAY, MAX_DELAY, backoff_delay
from bridge.forwarding.channel import TargetChannel, reply_text
from bridge.forwarding.documents import conditions_of
from bridge.forwarding.outcomes import (
    Reply,
    classify,
    classify_document,
    find_statement,
    may_be_of_one,
    retry_after,
    speaks_of_duplicate,
)
from bridge.forwarding.polling_worker import PollingWorker
from bridge.forwarding.transport import TargetPausedError
from storage import removals
from storage.erasure_tables import STATEMENTS
from storage.outbox import ShardLease
from storage.removals import ClaimedRemoval
from storage.states import AlarmState, RequestKind, TryOutcome

log = structlog.get_logger(__name__)

BATCH_SIZE = 50
"""Removals that are claimed at once, and voiding statements in a request."""
IN_FLIGHT_TTL = 600_000
"""Milliseconds after which no request can be on its way any more that was begun before an erasure."""
MAX_READS = 5
"""Reads of a document that others write too, before it waits for a while."""
_TROUBLE = {TryOutcome.RETRY, TryOutcome.BROKE, TryOutcome.NOT_ALLOWED}
"""Outcomes that say something of the target, unless they may be about one removal."""


class _VoidedReference(msgspec.Struct):
    """The object of a voiding statement."""

    id: str


class _SentVoiding(msgspec.Struct):
    """What is read of a voiding statement: its id, and the one that it voids."""

    id: str
    object: _VoidedReference


_decode_voiding = msgspec.json.Decoder(_SentVoiding).decode
_decode_parameters = msgspec.json.Decoder(dict[str, str]).decode


class RemovalForwarder(PollingWorker):
    """Forwards a target's removals; the parameters are those of `Forwarder`."""

    def __init__(
        self, database: Database, part: ShardLease, channel: TargetChannel, *, now: Now, random: Callable[[], float]
    ) -> None:
        super().__init__(channel, now=now, random=random)
        self._database = database
        self._part = part

    async def _poll_once(self) -> bool:
        """Remove what may be removed now; return whether there was anything."""
        claimed = await self._database.read(removals.claim, self._part, now=self._now(), limit=BATCH_SIZE)
        if not claimed:
            return False
        statements = [removal for removal in claimed if removal.resource == STATEMENTS]
        try:
            if statements and not await self._void(statements):
                return True
            for document in claimed:
                if document.resource != STATEMENTS and not await self._delete(document):
                    return True
        except TargetPausedError:
            return False
        return True

    async def _void(self, batch: Sequence[ClaimedRemoval]) -> bool:
        """Send voiding statements; return whether the target is not in trouble."""
        ids = [_decode_voiding(removal.body).id for removal in batch]
        body = f"[{','.join(removal.body for removal in batch)}]".encode()
        try:
            reply = await self._transport.post(body)
            outcome = classify(reply, ids)
            if len(batch) == 1 and (outcome is TryOutcome.CONFLICT or speaks_of_duplicate(reply)):
                outcome, reply = await self._verify(batch[0], outcome, reply)
            elif len(batch) == 1 and outcome is TryOutcome.REFUSED:
                outcome, reply = await self._look_for(batch[0], reply)
        except (TargetPausedError, *DATABASE_ERRORS):
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
            self._report_fault(error, removals=len(batch))
            outcome, reply = TryOutcome.FAULT, _fault(error)
        if outcome is TryOutcome.DELIVERED:
            await self._done(batch)
            return True
        if outcome in _TROUBLE and not may_be_of_one(reply, outcome):
            await self._trouble(batch, outcome, reply)
            return False
        if len(batch) > 1:
            for removal in batch:
                if not await self._void([removal]):
                    return False
            return True
        if outcome is TryOutcome.NOT_ALLOWED:
            await self._channel.alarms.begin(
                self._target, RequestKind.VOIDING, AlarmState.NOT_ALLOWED, reply_text(reply)
            )
        await self._wait_alone(batch[0], reply)
        return True

    async def _verify(self, removal: ClaimedRemoval, outcome: TryOutcome, refusal: Reply) -> tuple[TryOutcome, Reply]:
        """Return whether the target has this voiding statement already: the answer to it may have been lost."""
        own = _decode_voiding(removal.body)
        reply = await self._transport.get(own.id)
        stored = find_statement(reply.text, own.id) if reply.status == 200 else None
        voids = stored.get("object") if stored is not None else None
        if isinstance(voids, dict) and str(voids.get("id", "")).lower() == own.object.id:
            return TryOutcome.DELIVERED, refusal
        return outcome, refusal

    async def _look_for(self, removal: ClaimedRemoval, refusal: Reply) -> tuple[TryOutcome, Reply]:
        """Return that it is done where the target does not have the statement, and none can be on its way any more.

        xAPI asks LRSs to accept voiding statements for what they do not have; some refuse them.
        """
        if self._now() - removal.created_at < IN_FLIGHT_TTL:
            return TryOutcome.REFUSED, refusal
        statement_id = _decode_voiding(removal.body).object.id
        for is_voided in (False, True):
            reply = await self._transport.get(statement_id, voided=is_voided)
            is_there = reply.status == 200 and find_statement(reply.text, statement_id) is not None
            if is_there or reply.status not in {200, 404}:
                return TryOutcome.REFUSED, refusal
        return TryOutcome.DELIVERED, refusal

    async def _delete(self, removal: ClaimedRemoval) -> bool:
        """Delete a document; return whether the target is not in trouble."""
        try:
            outcome, reply = await self._delete_once(removal)
        except (TargetPausedError, *DATABASE_ERRORS):
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
            self._report_fault(error, removals=1)
            outcome, reply = TryOutcome.FAULT, _fault(error)
        if outcome is TryOutcome.DELIVERED:
            again_at = removal.created_at + IN_FLIGHT_TTL
            if self._now() < again_at:
                words = "deleted; to be deleted once more, in case it was being written at that moment"
                await self._channel.record_success()
                await self._database.write(removals.postpone, [removal.id], again_at, words)
            else:
                await self._done([removal])
            return True
        if outcome in _TROUBLE and not may_be_of_one(reply, outcome):
            await self._trouble([removal], outcome, reply)
            return False
        await self._wait_alone(removal, reply)
        return True

    async def _delete_once(self, removal: ClaimedRemoval) -> tuple[TryOutcome, Reply]:
        parameters = _decode_parameters(removal.body)
        outcome, reply = TryOutcome.CONFLICT, Reply(None, "others write the document all the time")
        refused: set[str] = set()
        for _ in range(MAX_READS):
            current = await self._transport.read_document(removal.resource, parameters)
            is_empty = current.status == 204 or (current.status == 200 and not current.text and not current.headers)
            if current.status == 404 or is_empty:
                return TryOutcome.DELIVERED, current
            if current.status != 200 and not current.is_truncated:
                return classify_document(current), current
            # a condition that was refused is not sent again, as long as there is another one
            conditions = conditions_of(current, is_empty=False)
            condition = next((each for each in conditions if str(each) not in refused), conditions[0])
            reply = await self._transport.delete_document(removal.resource, parameters, condition)
            outcome = TryOutcome.DELIVERED if reply.status == 404 else classify_document(reply)
            if outcome is not TryOutcome.CONFLICT:
                break
            refused.add(str(condition))
        return outcome, reply

    async def _done(self, done: Sequence[ClaimedRemoval]) -> None:
        self._record_progress()
        for removal in done:
            self._channel.isolation.forget(removal.id)
        await self._channel.record_success()
        await self._database.write(removals.settle, self._target, done)

    async def _trouble(self, waiting: Sequence[ClaimedRemoval], outcome: TryOutcome, reply: Reply) -> None:
        """Let everything wait for the target."""
        await self._channel.record_failure(outcome, reply)
        ids = [removal.id for removal in waiting]
        await self._database.write(removals.postpone, ids, 0, reply_text(reply))

    async def _wait_alone(self, removal: ClaimedRemoval, reply: Reply) -> None:
        """Let one removal wait, longer with each try; others go on."""
        self._breaker.release()
        requested = retry_after(reply, self._now())
        delay = max(BASE_DELAY, backoff_delay(removal.tries + 1, self._random, requested, max_delay=MAX_DELAY))
        log.warning("removal_refused", target=self._target, resource=removal.resource, status=reply.status)
        not_before = self._now() + int(delay * 1000)
        await self._database.write(removals.postpone, [removal.id], not_before, reply_text(reply))


def _fault(error: Exception) -> Reply:
    return Reply(None, f"the bridge failed over it: {describe_error_place(error)}")

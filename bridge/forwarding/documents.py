"""The document forwarder: updates a target's state and profile documents.

A document is read, merged with what others wrote into it, and written under the condition that nobody wrote it
meanwhile (If-Match or If-None-Match: xAPI Communication, 3.1); if somebody did, it is read again. A process that dies
leaves it waiting, and the next one finds at the LRS what it would write, or writes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import structlog
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_error_place
from bridge.forwarding.backoff import BASE_DELAY, MAX_DELAY, MAX_OUTAGE_DELAY, backoff_delay
from bridge.forwarding.channel import TargetChannel
from bridge.forwarding.outcomes import Reply, classify_document, may_be_of_one, retry_after
from bridge.forwarding.polling_worker import PollingWorker
from bridge.forwarding.transport import TargetPausedError
from storage import documents
from storage.documents import ClaimedDocument, DocumentSettlement
from storage.outbox import ShardLease, Try
from storage.states import DeliveryState, TryOutcome

log = structlog.get_logger(__name__)

JSON = "application/json"
_CODING = re.compile(r'(?:-|--|;)(?:gzip|br|deflate|zstd)"$')
"""What proxies append to an ETag when they compress."""
MAX_CONCURRENT_DOCUMENTS = 4
"""Documents that are sent to one LRS at the same time."""
MAX_CLAIMED = 16
"""Documents that a poll sends, and whose results are stored together."""
MAX_READS = 5
"""Reads of a document that others write too, before it waits for a while."""
_WAITING = {TryOutcome.RETRY, TryOutcome.BROKE, TryOutcome.NOT_ALLOWED, TryOutcome.CONFLICT, TryOutcome.FAULT}
"""Outcomes after which a document waits: it never becomes dead for trouble with the LRS or the network."""


class _DocumentResult(NamedTuple):
    """The result of sending a document. `is_of_target`: the LRS as a whole is in trouble."""

    outcome: TryOutcome
    reply: Reply
    settlement: DocumentSettlement
    is_of_target: bool


class DocumentForwarder(PollingWorker):
    """Forwards a target's documents; the parameters are those of `Forwarder`."""

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

    async def _poll_once(self) -> bool:
        """Write what may be written now, a few documents concurrently; return whether there was anything."""
        if self._assign is not None and self._may_assign():
            while not self._stopping.is_set() and await self._database.read(documents.has_unassigned):
                await self._database.write(self._assign)
        count = MAX_CLAIMED if self._breaker.is_closed else 1
        claimed = await self._database.read(documents.claim, self._part, now=self._now(), limit=count)
        self._found_little = len(claimed) < MAX_CLAIMED
        results = await self._send_all(claimed)
        troubles = [result for result in results if result.is_of_target]
        settled = [result for result in results if result.outcome not in _WAITING]
        if settled:
            self._record_progress()
        if any(result.outcome is TryOutcome.DELIVERED for result in settled):
            await self._channel.record_success()
        if troubles:
            await self._channel.record_failure(troubles[0].outcome, troubles[0].reply)
        elif settled:
            await self._channel.record_response()
        else:
            self._breaker.release()
        return bool(results)

    async def _send_all(self, claimed: Sequence[ClaimedDocument]) -> list[_DocumentResult]:
        """Update documents, until the target as a whole turns out to be in trouble, and store the results."""
        waiting, results = deque(claimed), list[_DocumentResult]()

        async def send() -> None:
            while waiting and not any(result.is_of_target for result in results):
                if (result := await self._send(waiting.popleft())) is not None:
                    results.append(result)

        try:
            sending = [send() for _ in range(MAX_CONCURRENT_DOCUMENTS)]
            errors = [error for error in await asyncio.gather(*sending, return_exceptions=True) if error is not None]
        finally:
            # results are stored although another document failed or was cancelled
            if results:
                await self._database.write(documents.settle, [result.settlement for result in results])
        if errors:
            raise errors[0]
        return results

    async def _send(self, document: ClaimedDocument) -> _DocumentResult | None:
        """Update one document; return the result, None where the target was paused meanwhile."""
        started = self._now()
        try:
            with self._channel.tracing.span("send document") as span:
                span.set_attribute("scorm_bridge.target", self._target)
                outcome, reply = await self._write(document)
                span.set_attribute("scorm_bridge.outcome", outcome)
        except TargetPausedError:
            return None
        except DATABASE_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
            self._report_fault(error, document=document.name)
            outcome, reply = TryOutcome.FAULT, Reply(None, f"the bridge failed over it: {describe_error_place(error)}")
        state = DeliveryState.DELIVERED if outcome is TryOutcome.DELIVERED else DeliveryState.DEAD
        if outcome in _WAITING:
            state = DeliveryState.WAITING
        now = self._now()
        seconds, is_of_target = 0.0, False
        if state is DeliveryState.WAITING:
            seconds, is_of_target = await self._classify_failure(document, outcome, reply)
        else:
            self._channel.isolation.forget(document.id)
        self._channel.count_tries(outcome, 1, max(0, now - started))
        done = Try(self._part.target, started, max(0, now - started), outcome, reply.status, reply.text)
        settlement = DocumentSettlement(done, document, state, now, now + int(seconds * 1000))
        if state is DeliveryState.DEAD:
            log.error("document_dead", target=self._part.target, document=document.name, status=reply.status)
        return _DocumentResult(outcome, reply, settlement, is_of_target)

    async def _classify_failure(
        self, document: ClaimedDocument, outcome: TryOutcome, reply: Reply
    ) -> tuple[float, bool]:
        """Return the seconds that a document waits by itself, and whether the target as a whole is in trouble."""
        is_own = outcome in {TryOutcome.CONFLICT, TryOutcome.FAULT}
        if not is_own and not may_be_of_one(reply, outcome):
            return 0.0, True
        failure = self._channel.isolation.record_failure(document.id, document.id, says_nothing_of_others=is_own)
        if failure.is_target_wide:
            return 0.0, True
        is_denied = outcome is TryOutcome.NOT_ALLOWED and not failure.may_be_permission
        if not (is_own or failure.is_isolated or is_denied):
            await self._channel.record_isolated_failure(outcome, reply, failures=failure.failures)
        max_delay = MAX_DELAY if failure.is_isolated else MAX_OUTAGE_DELAY
        floor = BASE_DELAY if outcome is TryOutcome.FAULT else 0.0
        requested = retry_after(reply, self._now())
        return max(floor, backoff_delay(failure.failures, self._random, requested, max_delay=max_delay)), False

    async def _write(self, document: ClaimedDocument) -> tuple[TryOutcome, Reply]:
        parameters = msgspec.json.decode(document.parameters, type=dict[str, str])
        reply, refused = Reply(None, ""), set[str]()
        for _ in range(MAX_READS):
            current = await self._transport.read_document(document.resource, parameters)
            if current.is_truncated:
                return TryOutcome.TOO_LARGE, current
            # some LRSs answer 204, or 200 without content, where xAPI asks for 404
            is_empty = current.status == 204 or (current.status == 200 and not current.text)
            content = document.content
            if current.status == 200 and not is_empty:
                try:
                    content = (
                        merge_documents(document.content, current.text)
                        if document.content_type == JSON
                        else document.content
                    )
                except TooDeepError:
                    return TryOutcome.REFUSED, Reply(200, "the document there is nested too deeply to be merged")
                if content == current.text.encode():
                    return TryOutcome.DELIVERED, current
            elif current.status != 404 and not is_empty:
                return classify_document(current), current
            # a condition that was refused is not sent again, as long as there is another one
            conditions = conditions_of(current, is_empty=is_empty or current.status == 404)
            condition = next((candidate for candidate in conditions if str(candidate) not in refused), conditions[0])
            headers = {"Content-Type": document.content_type} | condition
            reply = await self._transport.write_document(document.resource, parameters, content, headers)
            outcome = classify_document(reply)
            if outcome is not TryOutcome.CONFLICT:
                return outcome, reply
            refused.add(str(condition))
        return TryOutcome.CONFLICT, reply


class TooDeepError(ValueError):
    """A document is nested more deeply than can be read."""


def merge_documents(ours: bytes, theirs: str) -> bytes:
    """Return a document merged with the one that an LRS has: our properties replace those there, others stay.

    A list of texts, such as the attempts, keeps those that are not ours, before ours. What is not a JSON object, there
    or here, is replaced.

    Raises:
        TooDeepError: what is there may be an object, but is nested too deeply to be read.
    """
    try:
        mine = msgspec.json.decode(ours)
        other = msgspec.json.decode(theirs)
        if not isinstance(mine, dict) or not isinstance(other, dict):
            return ours
        merged = other | {name: _merge_values(value, other.get(name)) for name, value in mine.items()}
        return theirs.encode() if merged == other else msgspec.json.encode(merged)
    except msgspec.MsgspecError:
        return ours
    except RecursionError:
        if theirs.lstrip().startswith("{"):
            raise TooDeepError from None
        return ours


def _merge_values(mine: object, other: object) -> object:
    if not isinstance(mine, list) or not isinstance(other, list) or not all(isinstance(item, str) for item in mine):
        return mine
    return [item for item in other if item not in mine] + mine


def conditions_of(current: Reply, *, is_empty: bool) -> list[dict[str, str]]:
    """Return the conditions under which a document is as it was read, the likeliest first.

    A proxy that compresses makes an ETag weak, which matches nothing (RFC 9110, 13.1.1), or puts the coding behind it.
    """
    tag = next((value for name, value in current.headers.items() if name.lower() == "etag"), "")
    strong = tag.removeprefix("W/")
    tags = [_CODING.sub('"', strong), strong, tag] if tag else []
    if is_empty:
        return [{"If-None-Match": "*"}, *({"If-Match": entity_tag} for entity_tag in tags)]
    # xAPI defines it, where an LRS does not send it
    tags = tags or [f'"{hashlib.sha1(current.text.encode(), usedforsecurity=False).hexdigest()}"']
    return [{"If-Match": entity_tag} for entity_tag in dict.fromkeys(tags)]

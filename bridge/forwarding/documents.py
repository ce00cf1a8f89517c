"""The documents' forwarder: brings a target's state and profile documents up to date.

A document is read, joined with what others wrote into it, and written under the condition that nobody wrote it
meanwhile (If-Match or If-None-Match: xAPI Communication, 3.1); if somebody did, it is read again. A process that dies
leaves it waiting, and the next one finds at the LRS what it would write, or writes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec
import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_place
from bridge.forwarding.backoff import AWAY, FIRST, LONGEST, delay
from bridge.forwarding.channel import TargetChannel
from bridge.forwarding.outcomes import Outcome, Reply, classify_document, may_be_of_one, retry_after
from bridge.forwarding.polling_worker import PollingWorker
from bridge.forwarding.transport import TargetPausedError
from storage import documents
from storage.documents import ClaimedDocument
from storage.outbox import ShardLease, Try

log = structlog.get_logger(__name__)

JSON = "application/json"
_CODING = re.compile(r'(?:-|--|;)(?:gzip|br|deflate|zstd)"$')
"""What proxies put behind an ETag when they compress."""
MOST_TOGETHER = 4
"""Documents on their way to one LRS at the same time."""
MOST_READINGS = 5
"""How often a document is read anew, as others write it too, before it is left alone for a while."""
_WAITING = {Outcome.RETRY, Outcome.BROKE, Outcome.NOT_ALLOWED, Outcome.CONFLICT, Outcome.FAULT}
"""What comes of a try after which a document waits: it is never given up for trouble with the LRS or the way."""


class _Sent(NamedTuple):
    """What came of a document. `is_of_target` tells that the LRS as a whole is in trouble."""

    outcome: Outcome
    reply: Reply
    is_of_target: bool


class DocumentForwarder(PollingWorker):
    """Forwards a target's documents.

    The parameters are those of `Forwarder`; `adopts` are names, of which it takes what waits for no target yet.
    """

    def __init__(
        self,
        database: Database,
        part: ShardLease,
        channel: TargetChannel,
        *,
        now: Now,
        random: Callable[[], float],
        adopts: Collection[str] = (),
    ) -> None:
        super().__init__(channel, now=now, random=random)
        self._database = database
        self._part = part
        self._adopts = adopts

    async def _round(self) -> bool:
        """Write what may be written now, a few documents at once; tell whether there was anything."""
        if self._adopts and self._may_look():
            while not self._stopping.is_set() and await self._database.read(documents.has_unassigned):
                await self._database.write(documents.assign_waiting, self._part.target, self._adopts)
        most = MOST_TOGETHER if self._breaker.is_closed else 1
        claimed = await self._database.read(documents.claim, self._part, now=self._now(), most=most)
        sent = [result for result in await asyncio.gather(*map(self._send, claimed)) if result is not None]
        troubles = [result for result in sent if result.is_of_target]
        settled = [result for result in sent if result.outcome not in _WAITING]
        if settled:
            self._progressed()
        if any(result.outcome is Outcome.DELIVERED for result in settled):
            await self._channel.passed()
        if troubles:
            await self._channel.failed(troubles[0].outcome, troubles[0].reply)
        elif settled:
            await self._channel.answered()
        else:
            self._breaker.gave_up()
        return bool(sent)

    async def _send(self, one: ClaimedDocument) -> _Sent | None:
        """Bring one document up to date; give what came of it, None where the target was paused meanwhile."""
        started = self._now()
        try:
            outcome, reply = await self._write(one)
        except TargetPausedError:
            return None
        except DATABASE_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no fault stops what comes after it
            self._report_fault(error, document=one.name)
            outcome, reply = Outcome.FAULT, Reply(None, f"the bridge failed over it: {describe_place(error)}")
        state = "waiting" if outcome in _WAITING else "delivered" if outcome is Outcome.DELIVERED else "dead"
        now = self._now()
        seconds, is_of_target = 0.0, False
        if state == "waiting":
            seconds, is_of_target = await self._judge(one, outcome, reply)
        else:
            self._channel.isolation.forget(one.id)
        done = Try(self._part.target, started, max(0, now - started), outcome.value, reply.status, reply.text)
        not_before = now + int(seconds * 1000)
        await self._database.write(documents.settle, done, one, state, now, not_before=not_before)
        if state == "dead":
            log.error("document_dead", target=self._part.target, document=one.name, status=reply.status)
        return _Sent(outcome, reply, is_of_target)

    async def _judge(self, one: ClaimedDocument, outcome: Outcome, reply: Reply) -> tuple[float, bool]:
        """Return the seconds that a document waits by itself, and whether the target as a whole is in trouble."""
        is_own = outcome in {Outcome.CONFLICT, Outcome.FAULT}
        if not is_own and not may_be_of_one(reply, outcome):
            return 0.0, True
        failure = self._channel.isolation.failed(one.id, one.id, says_nothing_of_others=is_own)
        if failure.is_everything:
            return 0.0, True
        if not is_own and not failure.is_alone and (outcome is not Outcome.NOT_ALLOWED or failure.may_be_permission):
            await self._channel.failed_alone(outcome, reply, failures=failure.failures)
        longest = LONGEST if failure.is_alone else AWAY
        floor = FIRST if outcome is Outcome.FAULT else 0.0
        asked = retry_after(reply, self._now())
        return max(floor, delay(failure.failures, self._random, asked, longest=longest)), False

    async def _write(self, one: ClaimedDocument) -> tuple[Outcome, Reply]:
        parameters = msgspec.json.decode(one.parameters, type=dict[str, str])
        reply, refused = Reply(None, ""), set[str]()
        for _ in range(MOST_READINGS):
            found = await self._transport.read_document(one.resource, parameters)
            if found.is_truncated:
                return Outcome.TOO_LARGE, found
            # some LRSs answer 204, or 200 without content, where xAPI asks for 404
            is_empty = found.status == 204 or (found.status == 200 and not found.text)
            content = one.content
            if found.status == 200 and not is_empty:
                try:
                    content = join(one.content, found.text) if one.content_type == JSON else one.content
                except TooDeepError:
                    return Outcome.REFUSED, Reply(200, "the document there is nested too deeply to be joined with")
                if content == found.text.encode():
                    return Outcome.DELIVERED, found
            elif found.status != 404 and not is_empty:
                return classify_document(found), found
            # what was refused is not tried again, as long as there is another that may be meant
            conditions = _conditions(found, is_empty=is_empty or found.status == 404)
            condition = next((one for one in conditions if str(one) not in refused), conditions[0])
            headers = {"Content-Type": one.content_type} | condition
            reply = await self._transport.write_document(one.resource, parameters, content, headers)
            outcome = classify_document(reply)
            if outcome is not Outcome.CONFLICT:
                return outcome, reply
            refused.add(str(condition))
        return Outcome.CONFLICT, reply


class TooDeepError(ValueError):
    """A document is nested more deeply than can be read."""


def join(ours: bytes, theirs: str) -> bytes:
    """Give a document as it should be at an LRS that has another: our properties in it, and what else it has kept.

    A list of texts, such as the attempts, keeps the ones that are not ours, before ours. What is no JSON object, there
    or here, is replaced.

    Raises:
        TooDeepError: what is there may be an object, but is nested too deeply to be read.
    """
    try:
        mine = msgspec.json.decode(ours)
        other = msgspec.json.decode(theirs)
        if not isinstance(mine, dict) or not isinstance(other, dict):
            return ours
        joined = other | {name: _join(value, other.get(name)) for name, value in mine.items()}
        return theirs.encode() if joined == other else msgspec.json.encode(joined)
    except msgspec.MsgspecError:
        return ours
    except RecursionError:
        if theirs.lstrip().startswith("{"):
            raise TooDeepError from None
        return ours


def _join(mine: object, other: object) -> object:
    if not isinstance(mine, list) or not isinstance(other, list) or not all(isinstance(one, str) for one in mine):
        return mine
    return [one for one in other if one not in mine] + mine


def _conditions(found: Reply, *, is_empty: bool) -> list[dict[str, str]]:
    """Return the conditions under which a document is as it was read, the likeliest first.

    A proxy that compresses makes an ETag weak, which matches nothing (RFC 9110, 13.1.1), or puts the coding behind it.
    """
    tag = next((value for name, value in found.headers.items() if name.lower() == "etag"), "")
    strong = tag.removeprefix("W/")
    tags = [_CODING.sub('"', strong), strong, tag] if tag else []
    if is_empty:
        return [{"If-None-Match": "*"}, *({"If-Match": one} for one in tags)]
    # xAPI says what it is where an LRS does not tell it
    tags = tags or [f'"{hashlib.sha1(found.text.encode(), usedforsecurity=False).hexdigest()}"']
    return [{"If-Match": one} for one in dict.fromkeys(tags)]

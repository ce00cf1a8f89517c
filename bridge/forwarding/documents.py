"""The documents' forwarder: brings a target's state and profile documents up to date.

A document is read, joined with what others wrote into it, and written under the condition that nobody wrote it
meanwhile (If-Match or If-None-Match: xAPI Communication, 3.1); if somebody did, it is read again. A process that dies
leaves it waiting, and the next one finds at the LRS what it would write, or writes it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.database import Database, describe_place
from bridge.forwarding.backoff import FIRST, delay
from bridge.forwarding.outcomes import Outcome, Reply, classify_document
from bridge.forwarding.rounds import Rounds, Way
from bridge.forwarding.transport import HeldBackError
from storage import documents
from storage.documents import ClaimedDocument
from storage.outbox import Part, Try

log = structlog.get_logger(__name__)

JSON = "application/json"
MOST_TOGETHER = 4
"""Documents on their way to one LRS at the same time."""
MOST_READINGS = 5
"""How often a document is read anew, as others write it too, before it is left alone for a while."""
_TROUBLES = {Outcome.RETRY, Outcome.NOT_ALLOWED, Outcome.CONFLICT}
"""Of the LRS or the way to it; the document waits."""


class DocumentForwarder(Rounds):
    """Forwards a target's documents.

    The parameters are those of `Forwarder`; `adopts` are names, of which it takes what waits for no target yet.
    """

    def __init__(
        self,
        database: Database,
        part: Part,
        way: Way,
        *,
        now: Now,
        random: Callable[[], float],
        adopts: Collection[str] = (),
    ) -> None:
        super().__init__(part.target, way, now=now, random=random)
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
        told = [one for one in await asyncio.gather(*map(self._send, claimed)) if one is not None]
        troubles = [one for one in told if one[0] in _TROUBLES]
        if any(outcome is not Outcome.FAULT and outcome not in _TROUBLES for outcome, _ in told):
            self._progressed()
        if troubles:
            self._breaker.failed(*troubles[0], self._now())
            await self._pauses.failed(self._target, *troubles[0])
        elif all(outcome is Outcome.FAULT for outcome, _ in told):
            self._breaker.gave_up()
        else:
            self._breaker.succeeded()
            await self._pauses.succeeded(self._target)
        return bool(told)

    async def _send(self, one: ClaimedDocument) -> tuple[Outcome, Reply] | None:
        """Bring one document up to date; give what came of it, None where the target was paused meanwhile."""
        started = self._now()
        try:
            outcome, reply = await self._write(one)
        except HeldBackError:
            return None
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001 -- logged: no fault stops what comes after it
            self._report_fault(error, document=one.name)
            outcome, reply = Outcome.FAULT, Reply(None, f"the bridge failed over it: {describe_place(error)}")
        waits = outcome in _TROUBLES or outcome is Outcome.FAULT
        state = "waiting" if waits else "delivered" if outcome is Outcome.DELIVERED else "dead"
        now = self._now()
        not_before = now
        if outcome is Outcome.FAULT:
            not_before += int(max(FIRST, delay(one.tries + 1, self._random)) * 1000)
        done = Try(self._part.target, started, max(0, now - started), outcome.value, reply.status, reply.text)
        await self._database.write(documents.settle, done, one, state, now, not_before=not_before)
        if state == "dead":
            log.error("document_dead", target=self._part.target, document=one.name, status=reply.status)
        return outcome, reply

    async def _write(self, one: ClaimedDocument) -> tuple[Outcome, Reply]:
        parameters = msgspec.json.decode(one.parameters, type=dict[str, str])
        for _ in range(MOST_READINGS):
            found = await self._transport.read_document(one.resource, parameters)
            if found.is_truncated:
                return Outcome.TOO_LARGE, found
            if found.status == 404:
                content, condition = one.content, {"If-None-Match": "*"}
            elif found.status == 200:
                try:
                    content = join(one.content, found.text) if one.content_type == JSON else one.content
                except TooDeepError:
                    return Outcome.REFUSED, Reply(200, "the document there is nested too deeply to be joined with")
                condition = {"If-Match": _tag(found)}
                if content == found.text.encode():
                    return Outcome.DELIVERED, found
            else:
                return classify_document(found), found
            headers = {"Content-Type": one.content_type} | condition
            reply = await self._transport.write_document(one.resource, parameters, content, headers)
            outcome = classify_document(reply)
            if outcome is not Outcome.CONFLICT:
                return outcome, reply
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


def _tag(found: Reply) -> str:
    """Give a document's ETag; xAPI says what it is where an LRS does not tell it."""
    told = next((value for name, value in found.headers.items() if name.lower() == "etag"), "")
    # a proxy that compresses makes it weak, and a weak one matches nothing (RFC 9110, 13.1.1)
    return told.removeprefix("W/") or f'"{hashlib.sha1(found.text.encode(), usedforsecurity=False).hexdigest()}"'

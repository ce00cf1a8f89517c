"""What proxies mirror, between the answer and the journal: in memory, bounded, and stored in each learner's order.

A proxy ignores how a mirror answers, and sends nothing again. So what passes is waited for (a database that is away, a
full disk), and what cannot be stored is a refusal, which people see.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Iterable, Sequence
from enum import StrEnum

import structlog

from bridge.access import CommitTokens
from bridge.commits.commands import StoreCommit
from bridge.commits.service import CommitService
from bridge.errors import BridgeError, DatabaseUnavailable, DiskLow, NotProcessed, Overloaded
from bridge.formats import FormatError
from bridge.http.mirror_launch import MirroredRequest, parse_mirrored
from bridge.http.parsing_queue import ParsingQueue
from bridge.http.refusals import Refusals
from bridge.metrics import Metrics, Sample
from bridge.metrics.catalog import MIRROR_BYTES, MIRROR_LENGTH, MIRRORED

log = structlog.get_logger(__name__)

MAX_ENTRIES = 2_000
"""Mirrored requests waiting above which new ones are refused."""
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Bytes of bodies waiting above which new ones are refused."""
RETRY_AFTER = 2
BATCH_SIZE = 128
"""Requests that are stored together."""
RETRY_INTERVAL = 1.0
"""Seconds between tries to store what the database or its disk has no place for."""
STOP_TIMEOUT = 5.0
"""Seconds for which all that waits is still tried when the bridge stops."""

_PASSING = (DatabaseUnavailable, DiskLow, Overloaded)


class MirrorOutcome(StrEnum):
    """What became of a mirrored request."""

    STORED = "stored"
    """It is in the journal."""
    EMPTY = "empty"
    """It only asked, and had nothing to store."""
    REFUSED = "refused"
    """It could not be stored as it was."""
    LOST = "lost"
    """The bridge stopped before there was a database to store it in."""


class MirrorQueue:
    """Stores mirrored requests after they were answered. Used on the event loop alone."""

    def __init__(
        self, commits: CommitService, parsing: ParsingQueue, refusals: Refusals, tokens: CommitTokens, metrics: Metrics
    ) -> None:
        self._commits = commits
        self._parsing = parsing
        self._refusals = refusals
        self._tokens = tokens
        self._metrics = metrics
        self._waiting: deque[MirroredRequest] = deque()
        self._count = 0
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stops_trying_at = math.inf
        metrics.add_source(self._measure)

    def __len__(self) -> int:
        """Return how many requests wait to be stored."""
        return self._count

    def add(self, request: MirroredRequest) -> None:
        """Take a request that is answered now and stored later.

        Raises:
            Overloaded: as many wait as may.
        """
        size = len(request.commit_request.body)
        if self._count >= MAX_ENTRIES or self._bytes + size > MAX_WAITING_BYTES:
            raise Overloaded(
                "More mirrored requests are waiting than can be stored at once; this one is not stored.",
                retry_after=RETRY_AFTER,
            )
        self._waiting.append(request)
        self._count += 1
        self._bytes += size
        self._arrived.set()

    def stop(self) -> None:
        """Make `run` end when all that has been taken is stored, or lost for want of a database."""
        self._stops_trying_at = asyncio.get_running_loop().time() + STOP_TIMEOUT
        self._stopping.set()
        self._arrived.set()

    async def run(self) -> None:
        """Store what arrives until `stop`. No error ends it."""
        while True:
            await self._arrived.wait()
            batch = [self._waiting.popleft() for _ in range(min(BATCH_SIZE, len(self._waiting)))]
            if batch:
                await self._store_batch(batch)
            elif self._stopping.is_set():
                return
            else:
                self._arrived.clear()

    async def _store_batch(self, batch: Sequence[MirroredRequest]) -> None:
        """Store requests: those of a learner one after the other, those of different ones together."""
        by_learner: dict[tuple[int, str], list[tuple[MirroredRequest, list[StoreCommit]]]] = {}
        for request in batch:
            commands = await self._parse(request)
            if commands and commands[0].launch is not None:
                by_learner.setdefault(commands[0].launch.key[:2], []).append((request, commands))
        await asyncio.gather(*map(self._store_in_order, by_learner.values()))
        for request in batch:
            self._count -= 1
            self._bytes -= len(request.commit_request.body)

    async def _parse(self, request: MirroredRequest) -> list[StoreCommit]:
        """Return what a request has to store; none where it is refused, which is noted."""
        try:
            commands = await self._parsing.run(
                request.commit_request.body, lambda: parse_mirrored(request, self._tokens)
            )
        except BridgeError as error:
            self._refuse(request, error)
            return []
        except Exception:
            log.exception("mirrored_request_not_parsed", format=request.format.name, lms=request.lms.id)
            self._refuse(request, NotProcessed("The request caused an error of the bridge, which is logged."))
            return []
        if not commands:
            self._settle(request, MirrorOutcome.EMPTY)
        return commands

    async def _store_in_order(self, requests: Iterable[tuple[MirroredRequest, list[StoreCommit]]]) -> None:
        for request, commands in requests:
            try:
                await self._store(commands)
            except _PASSING as error:
                log.error(  # noqa: TRY400 -- what is wrong is the database, which is logged by itself
                    "mirrored_request_lost", format=request.format.name, lms=request.lms.id, code=error.code
                )
                self._settle(request, MirrorOutcome.LOST)
            except BridgeError as error:
                self._refuse(request, error)
            except Exception:
                log.exception("mirrored_request_not_stored", format=request.format.name, lms=request.lms.id)
                self._refuse(request, NotProcessed("The request caused an error of the bridge, which is logged."))
            else:
                self._settle(request, MirrorOutcome.STORED)

    async def _store(self, commands: Sequence[StoreCommit]) -> None:
        """Store the commits of a request; wait for what passes, but not for long while the bridge stops.

        What of them was stored before a failure is a duplicate the next time.
        """
        time = asyncio.get_running_loop().time
        while True:
            try:
                await self._commits.store_commits(commands)
            except _PASSING:
                if time() >= self._stops_trying_at:
                    raise
            else:
                return
            if self._stopping.is_set():
                await asyncio.sleep(RETRY_INTERVAL)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_INTERVAL):
                    await self._stopping.wait()

    def _refuse(self, request: MirroredRequest, error: BridgeError) -> None:
        reason = error.reason if isinstance(error, FormatError) else error
        self._refusals.note_later(request.lms.id, "POST", request.path, reason, request.format.name)
        self._settle(request, MirrorOutcome.REFUSED)

    def _settle(self, request: MirroredRequest, outcome: MirrorOutcome) -> None:
        self._metrics.count(MIRRORED, (request.format.name, outcome.value))

    def _measure(self) -> Iterable[Sample]:
        return Sample(MIRROR_LENGTH, (), self._count), Sample(MIRROR_BYTES, (), self._bytes)

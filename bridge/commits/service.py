"""The queue before the writer: requests that arrive together are stored together.

While one batch is on its way to disk the next one gathers, so one sync serves many commits under load and a lone
commit waits for nobody.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from bridge.commits import batch
from bridge.commits.open_sessions import Remembered
from bridge.commits.work import Answer, Closed, Closing, Opened, Opening, Outcome, Posting, Work
from bridge.database import Database, describe
from bridge.errors import BridgeError, DatabaseUnavailable, NotProcessed, Overloaded

log = structlog.get_logger(__name__)

MOST_TOGETHER = 128
HIGH_MARK = 2_000
"""Waiting requests above which new ones are refused, until they are fewer than `LOW_MARK` again."""
LOW_MARK = 1_000
MOST_BYTES = 64 * 1024 * 1024
"""Bytes of bodies waiting above which new requests are refused."""
CONFLICT_RETRIES = 5
RETRY_AFTER = 2

_Waiting = tuple[Work, "asyncio.Future[Outcome]"]


class CommitService:
    """Stores commits and opens sessions. `added` is called after statements were stored, to wake the forwarder."""

    def __init__(self, database: Database, setup: batch.Setup, added: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._setup = setup
        self._added = added
        self._queues: list[deque[_Waiting]] = [deque() for _ in range(database.lanes)]
        self._writers: list[asyncio.Task[None] | None] = [None] * database.lanes
        self._remembered = [Remembered() for _ in range(database.lanes)]
        self._refusing = False
        self._bytes = 0

    async def open(self, opening: Opening) -> Opened:
        """Open a session.

        Raises:
            BridgeError: what `errors` says.
        """
        opened = await self._submit(opening)
        assert isinstance(opened, Opened)  # noqa: S101 -- the batch gives an Opened for an Opening
        return opened

    async def post(self, posting: Posting) -> bytes:
        """Store a commit; when this returns it is on disk. Gives the answer as JSON.

        Raises:
            BridgeError: what `errors` says; nothing was stored then.
        """
        answer = await self._submit(posting)
        assert isinstance(answer, Answer)  # noqa: S101 -- the batch gives an Answer for a Posting
        return answer.body

    async def close(self, closing: Closing) -> bool:
        """End a session that is idle; tell whether it was.

        Raises:
            BridgeError: what `errors` says.
        """
        closed = await self._submit(closing)
        assert isinstance(closed, Closed)  # noqa: S101 -- the batch gives a Closed for a Closing
        return closed.ended

    async def drain(self) -> None:
        """Wait until everything that was accepted is stored."""
        await asyncio.gather(*(writer for writer in self._writers if writer is not None))

    def _submit(self, work: Work) -> asyncio.Future[Outcome]:
        waiting = sum(map(len, self._queues))
        if waiting >= (LOW_MARK if self._refusing else HIGH_MARK) or self._bytes >= MOST_BYTES:
            self._refusing = True
            raise Overloaded("More commits are waiting than can be stored at once; try again.", retry_after=RETRY_AFTER)
        self._refusing = False
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        lane = _lane(work, len(self._queues))
        self._queues[lane].append((work, future))
        self._bytes += _size(work)
        if self._writers[lane] is None:
            self._writers[lane] = asyncio.create_task(self._write(lane))
        return future

    async def _write(self, lane: int) -> None:
        queue = self._queues[lane]
        try:
            while queue:
                waiting = [queue.popleft() for _ in range(min(len(queue), MOST_TOGETHER))]
                await self._store(lane, waiting)
        finally:
            self._writers[lane] = None

    async def _store(self, lane: int, waiting: list[_Waiting]) -> None:
        outcomes = await self._outcomes(lane, [work for work, _ in waiting])
        self._bytes -= sum(_size(work) for work, _ in waiting)
        for (_, future), outcome in zip(waiting, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, BridgeError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._added()

    async def _outcomes(self, lane: int, works: list[Work]) -> list[Outcome | BridgeError]:
        """Do works in one transaction; where one of them spoils it, in one each. Never raises."""
        for _ in range(CONFLICT_RETRIES):
            try:
                done = await self._database.write_on(lane, lambda connection: self._run(connection, lane, works))
            except Exception as error:
                if _is_conflict(error):
                    continue
                if isinstance(error, (OperationalError, InterfaceError)):
                    # the database is in trouble for all of them: to try each would keep all waiting for each
                    log.error("commits_not_stored", commits=len(works), error=describe(error))  # noqa: TRY400 -- see it
                    unavailable = DatabaseUnavailable(
                        "The commit was not stored: the database does not answer.", retry_after=RETRY_AFTER
                    )
                    return [unavailable] * len(works)
                if len(works) == 1:
                    log.error(  # noqa: TRY400 -- see `_without_values`
                        "commit_not_processed", error=describe(error), exc_info=_without_values(error)
                    )
                    return [_not_processed()]
                break
            self._remembered[lane].keep(done.left_open)
            return done.outcomes
        if len(works) == 1:
            log.error("commit_lost_every_race")
            return [_not_processed()]
        return [outcome for work in works for outcome in await self._outcomes(lane, [work])]

    def _run(self, connection: Connection, lane: int, works: list[Work]) -> batch.Done:
        return batch.run(connection, self._setup, self._remembered[lane], works)


def _lane(work: Work, lanes: int) -> int:
    """Give the lane of a session, or of an enrollment where the session is not named: order holds within both."""
    if lanes == 1:
        return 0
    if work.session_id is not None:
        key = work.session_id
    else:
        assert work.launch is not None  # noqa: S101 -- a work without a session id has a launch
        key = "\n".join(map(str, work.launch.key))
    return zlib.crc32(key.encode()) % lanes


def _size(work: Work) -> int:
    return len(work.body) if isinstance(work, Posting) else 0


def _is_conflict(error: Exception) -> bool:
    """Tell whether the same transaction may succeed at once: another one was first, or the connection was stale."""
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


def _not_processed() -> NotProcessed:
    return NotProcessed("The commit was not stored because of an error of the bridge; it is logged.", retry_after=60)


def _without_values(error: Exception) -> Exception | None:
    """Give what may be logged in full: the database's own errors hold the values of rows."""
    return None if isinstance(error, DBAPIError) else error

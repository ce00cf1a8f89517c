"""The queue before the writer: requests that arrive together are stored together.

While one batch is on its way to disk the next one gathers, so one sync serves many commits under load and a lone
commit waits for nobody. The writer's thread takes one batch after the other by itself: the event loop, busy with what
arrives, would be slow to hand it over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from bridge.commits import batch_executor as batches
from bridge.commits.commands import (
    Answer,
    BuildDocuments,
    Closed,
    CloseIdleSession,
    Command,
    Made,
    OpenedSession,
    OpenSession,
    Outcome,
    StoreCommit,
)
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.write_queue import CommandBatch, QueuedCommand, WriteQueue
from bridge.database import Database, describe
from bridge.errors import BridgeError, DatabaseUnavailable, NotProcessed, Overloaded
from bridge.limits.admission import Admission
from bridge.write_health import WriteHealth
from storage.database_files import DatabaseFileLostError
from storage.integrity import is_damage

log = structlog.get_logger(__name__)

HIGH_MARK = 2_000
"""Waiting requests above which new ones are refused, until they are fewer than `LOW_MARK` again."""
LOW_MARK = 1_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Bytes of bodies waiting above which new requests are refused."""
CONFLICT_RETRIES = 5
RETRY_AFTER = 2


class CommitService:
    """Stores commits and opens sessions. `added` is called after statements were stored, to wake the forwarder.

    `admission` refuses what is not to be stored; `health` is told what was stored and what was not.
    """

    def __init__(
        self,
        database: Database,
        setup: CommitDependencies,
        added: Callable[[], None] = lambda: None,
        *,
        admission: Admission,
        health: WriteHealth,
    ) -> None:
        self._writer = database.commits
        self._setup = setup
        self._added = added
        self._admission = admission
        self._health = health
        # what the event loop adds and the writer's thread takes
        self._lock = threading.Lock()
        self._pending = WriteQueue(setup)
        self._writing = False
        # of the event loop alone
        self._unanswered = 0
        self._all_answered = asyncio.Event()
        self._refusing = False
        self._bytes = 0

    async def open(self, opening: OpenSession) -> OpenedSession:
        """Open a session.

        Raises:
            BridgeError: what `errors` says.
        """
        launch = opening.launch
        self._admission.admit(0, session_id=opening.session_id, lms_id=launch.lms_id, learner_id=launch.learner.id)
        opened = await self._submit(opening)
        assert isinstance(opened, OpenedSession)  # noqa: S101 -- the batch gives an Opened for an OpenSession
        return opened

    async def post(self, posting: StoreCommit) -> bytes:
        """Store a commit; when this returns it is on disk. Gives the answer as JSON.

        Raises:
            BridgeError: what `errors` says; nothing was stored then.
        """
        answer = await self._admit(posting)
        assert isinstance(answer, Answer)  # noqa: S101 -- the batch gives an Answer for a StoreCommit
        return answer.body

    async def post_all(self, postings: Sequence[StoreCommit]) -> list[bytes]:
        """Store the commits of one request in their order; return their answers.

        Raises:
            BridgeError: what `errors` says, of the first that was not stored; others may be.
        """
        futures: list[asyncio.Future[Outcome]] = []
        refused: BridgeError | None = None
        for posting in postings:
            try:
                futures.append(self._admit(posting))
            except BridgeError as error:
                refused = error
                break
        answers = []
        for outcome in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
            assert isinstance(outcome, Answer)  # noqa: S101 -- the batch gives an Answer for a StoreCommit
            answers.append(outcome.body)
        if refused is not None:
            raise refused
        return answers

    async def close(self, closing: CloseIdleSession) -> bool:
        """End a session that is idle; return whether it was.

        Raises:
            BridgeError: what `errors` says.
        """
        closed = await self._submit(closing)
        assert isinstance(closed, Closed)  # noqa: S101 -- the batch gives a Closed for a CloseIdleSession
        return closed.ended

    async def make_documents(self, making: BuildDocuments) -> int:
        """Make an attempt's documents; return how many.

        Raises:
            BridgeError: what `errors` says.
        """
        made = await self._submit(making)
        assert isinstance(made, Made)  # noqa: S101 -- the batch gives a Made for a BuildDocuments
        return made.documents

    async def drain(self) -> None:
        """Wait until everything that was accepted is stored."""
        if self._unanswered:
            await self._all_answered.wait()

    def _admit(self, posting: StoreCommit) -> asyncio.Future[Outcome]:
        launch = posting.launch
        self._admission.admit(
            len(posting.body),
            session_id=posting.session_id,
            lms_id=posting.lms_id,
            learner_id=None if launch is None else launch.learner.id,
            owner=posting.owner,
        )
        return self._submit(posting)

    def _submit(self, work: Command) -> asyncio.Future[Outcome]:
        if len(self._pending) >= (LOW_MARK if self._refusing else HIGH_MARK) or self._bytes >= MAX_WAITING_BYTES:
            self._refusing = True
            raise Overloaded("More commits are waiting than can be stored at once; try again.", retry_after=RETRY_AFTER)
        self._refusing = False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        with self._lock:
            self._pending.add(QueuedCommand(work, future))
            if not self._writing:
                self._writing = True
                # in the loop's next round: what else arrived in this one shall come with it
                loop.call_soon(self._writer.queue, self._turn, loop)
        self._bytes += _size(work)
        self._unanswered += 1
        self._all_answered.clear()
        return future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Store the batch whose turn it is, on the writer's thread; the event loop answers it meanwhile."""
        with self._lock:
            batch = self._pending.next()
            assert batch is not None  # noqa: S101 -- a turn is queued only where something waits
        try:
            outcomes = self._outcomes(batch)
        except Exception:
            log.exception("commits_not_processed")
            outcomes = [_not_processed()] * len(batch.waiting)
        with self._lock:
            self._writing = len(self._pending) > 0
            if self._writing:
                # behind what else wants to write
                self._writer.queue(self._turn, loop)
        loop.call_soon_threadsafe(self._answer, batch, outcomes)

    def _answer(self, batch: CommandBatch, outcomes: list[Outcome | BridgeError]) -> None:
        for waiting, outcome in zip(batch.waiting, outcomes, strict=True):
            self._bytes -= _size(waiting.work)
            future = waiting.future
            if future is None or future.cancelled():
                continue
            if isinstance(outcome, BridgeError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._added()
        self._unanswered -= len(batch.waiting)
        if not self._unanswered:
            self._all_answered.set()

    def _outcomes(self, batch: CommandBatch) -> list[Outcome | BridgeError]:
        """Do works in one transaction; where one of them spoils it, in one each. Never raises."""
        number = len(batch.waiting)
        for _ in range(CONFLICT_RETRIES):
            try:
                done = self._writer.transaction(batches.run, self._setup, batch)
            except Exception as error:
                with self._lock:
                    self._pending.failed()
                batch.give_up()
                if _is_conflict(error):
                    continue
                if isinstance(error, (OperationalError, InterfaceError, DatabaseFileLostError)) or is_damage(error):
                    # the database is in trouble for all of them: to try each would keep all waiting for each
                    log.error("commits_not_stored", commits=number, error=describe(error))  # noqa: TRY400 -- see it
                    self._health.not_stored(error, sum(map(_size, batch.works)))
                    unavailable = DatabaseUnavailable(
                        "The commit was not stored: the database does not answer.", retry_after=RETRY_AFTER
                    )
                    return [unavailable] * number
                if number == 1:
                    log.error(  # noqa: TRY400 -- see `_without_values`
                        "commit_not_processed", error=describe(error), exc_info=_without_values(error)
                    )
                    return [_not_processed()]
                break
            self._health.stored()
            with self._lock:
                self._pending.done(done)
            return done.outcomes
        if number == 1:
            log.error("commit_lost_every_race")
            return [_not_processed()]
        return [outcome for waiting in batch.waiting for outcome in self._outcomes(CommandBatch([waiting]))]


def _size(work: Command) -> int:
    return len(work.body) if isinstance(work, StoreCommit) else 0


def _is_conflict(error: Exception) -> bool:
    """Return whether the same transaction may succeed at once: another one was first, or the connection was stale."""
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


def _not_processed() -> NotProcessed:
    return NotProcessed("The commit was not stored because of an error of the bridge; it is logged.", retry_after=60)


def _without_values(error: Exception) -> Exception | None:
    """Return what may be logged in full: the database's own errors hold the values of rows."""
    return None if isinstance(error, DBAPIError) else error

"""The queue before the writer: requests that arrive together are stored together.

While one batch is on its way to disk the next one gathers, so one sync serves many commits under load and a lone
commit waits for nobody. The writer's thread takes one batch after the other by itself: the event loop, busy with what
arrives, would be slow to hand it over.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from bridge.commits import batch_executor
from bridge.commits.commands import (
    BuildDocuments,
    CloseIdleSession,
    Command,
    CommandResult,
    OpenedSession,
    OpenSession,
    StoreCommit,
)
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.store_commit import CommitRows
from bridge.commits.write_queue import CommandBatch, QueuedCommand, WriteQueue
from bridge.database import Database, describe_error, log_failure
from bridge.errors import BridgeError, DatabaseUnavailable, NotProcessed, Overloaded
from bridge.limits.admission import Admission
from bridge.metrics import Sample
from bridge.metrics.catalog import (
    BATCH_SIZE,
    COMMITS,
    FAILED_TRANSACTIONS,
    QUARANTINED,
    QUEUE_BYTES,
    QUEUE_LENGTH,
    STATEMENTS,
    TRANSACTION_DURATION,
)
from bridge.write_health import WriteHealth
from storage.database_files import DatabaseFileLostError
from storage.integrity import is_damage

log = structlog.get_logger(__name__)

HIGH_WATERMARK = 2_000
"""Commands waiting above which new ones are refused, until they are fewer than `LOW_WATERMARK` again."""
LOW_WATERMARK = 1_000
MAX_QUEUED_BYTES = 64 * 1024 * 1024
"""Bytes of bodies waiting above which new commands are refused."""
MAX_CONFLICTS = 5
RETRY_AFTER = 2


class CommitService:
    """Stores commits and opens sessions. `on_stored` is called after statements were stored, to wake the forwarder.

    `admission` refuses what is not to be stored; `health` learns what was stored and what was not.
    """

    def __init__(
        self,
        database: Database,
        dependencies: CommitDependencies,
        on_stored: Callable[[], None] = lambda: None,
        *,
        admission: Admission,
        health: WriteHealth,
    ) -> None:
        self._writer = database.commits
        self._dependencies = dependencies
        self._on_stored = on_stored
        self._admission = admission
        self._health = health
        # what the event loop adds and the writer's thread takes
        self._lock = threading.Lock()
        self._queue = WriteQueue(dependencies)
        self._metrics = dependencies.metrics
        self._metrics.add_source(self._measure_queue)
        self._writing = False
        # of the event loop alone
        self._unanswered = 0
        self._all_answered = asyncio.Event()
        self._refusing = False
        self._bytes = 0

    async def open_session(self, command: OpenSession) -> OpenedSession:
        """Open a session.

        Raises:
            BridgeError: what `errors` says.
        """
        launch = command.launch
        self._admission.admit(
            0,
            session_id=command.session_id,
            lms_id=launch.lms_id,
            learner_id=launch.learner.id,
            owner=command.owner,
        )
        opened = await self._submit(command)
        assert isinstance(opened, OpenedSession)  # noqa: S101 -- an OpenSession has no other result
        return opened

    async def store_commit(self, command: StoreCommit) -> bytes:
        """Store a commit and return the response to it, as JSON; when this returns it is on disk.

        Raises:
            BridgeError: what `errors` says; nothing was stored then.
        """
        response = await self._admit(command)
        assert isinstance(response, bytes)  # noqa: S101 -- a StoreCommit has no other result
        return response

    async def store_commits(self, commands: Sequence[StoreCommit]) -> list[bytes]:
        """Store the commits of one request in their order; return the responses to them.

        Raises:
            BridgeError: what `errors` says, of the first that was not stored; others may be.
        """
        futures: list[asyncio.Future[CommandResult]] = []
        refused: BridgeError | None = None
        for command in commands:
            try:
                futures.append(self._admit(command))
            except BridgeError as error:
                refused = error
                break
        responses = []
        for result in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
            assert isinstance(result, bytes)  # noqa: S101 -- a StoreCommit has no other result
            responses.append(result)
        if refused is not None:
            raise refused
        return responses

    async def close_idle_session(self, command: CloseIdleSession) -> bool:
        """End a session that is idle; return whether it was.

        Raises:
            BridgeError: what `errors` says.
        """
        return bool(await self._submit(command))

    async def build_documents(self, command: BuildDocuments) -> int:
        """Build an attempt's documents; return how many.

        Raises:
            BridgeError: what `errors` says.
        """
        count = await self._submit(command)
        assert isinstance(count, int)  # noqa: S101 -- a BuildDocuments has no other result
        return count

    async def drain(self) -> None:
        """Wait until everything that was accepted is stored."""
        if self._unanswered:
            await self._all_answered.wait()

    def _measure_queue(self) -> Iterable[Sample]:
        return Sample(QUEUE_LENGTH, (), len(self._queue)), Sample(QUEUE_BYTES, (), self._bytes)

    def _admit(self, command: StoreCommit) -> asyncio.Future[CommandResult]:
        launch = command.launch
        self._admission.admit(
            len(command.body),
            session_id=command.session_id,
            lms_id=command.lms_id,
            learner_id=None if launch is None else launch.learner.id,
            owner=command.owner,
        )
        return self._submit(command)

    def _submit(self, command: Command) -> asyncio.Future[CommandResult]:
        limit = LOW_WATERMARK if self._refusing else HIGH_WATERMARK
        if len(self._queue) >= limit or self._bytes >= MAX_QUEUED_BYTES:
            self._refusing = True
            raise Overloaded("More commits are waiting than can be stored at once; try again.", retry_after=RETRY_AFTER)
        self._refusing = False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[CommandResult] = loop.create_future()
        with self._lock:
            self._queue.add(QueuedCommand(command, future))
            if not self._writing:
                self._writing = True
                # in the loop's next round: what else arrived in this one shall come with it
                loop.call_soon(self._writer.queue, self._turn, loop)
        self._bytes += _size(command)
        self._unanswered += 1
        self._all_answered.clear()
        return future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Store the batch whose turn it is, on the writer's thread; the event loop answers it meanwhile."""
        with self._lock:
            batch = self._queue.next_batch()
            assert batch is not None  # noqa: S101 -- a turn is queued only where something waits
        try:
            self._execute(batch)
        except Exception:
            log.exception("commits_not_processed")
            _fail(batch, _not_processed())
        with self._lock:
            self._writing = len(self._queue) > 0
            if self._writing:
                # behind what else wants to write
                self._writer.queue(self._turn, loop)
        loop.call_soon_threadsafe(self._answer, batch)

    def _answer(self, batch: CommandBatch) -> None:
        for queued in batch.commands:
            self._bytes -= _size(queued.command)
            future, result = queued.future, queued.result
            if future is None or future.cancelled():
                continue
            if isinstance(result, BridgeError):
                future.set_exception(result)
            else:
                assert result is not None  # noqa: S101 -- `_execute` sets one for each
                future.set_result(result)
        self._on_stored()
        self._unanswered -= len(batch.commands)
        if not self._unanswered:
            self._all_answered.set()

    def _execute(self, batch: CommandBatch) -> None:
        """Execute commands in one transaction, and in one each where one of them spoils it. Sets a result for each."""
        count = len(batch.commands)
        for _ in range(MAX_CONFLICTS):
            started = time.perf_counter()
            try:
                with self._dependencies.tracing.span("store batch") as span:
                    span.set_attribute("scorm_bridge.commands", count)
                    result = self._writer.transaction(batch_executor.execute_batch, self._dependencies, batch)
            except Exception as error:
                with self._lock:
                    self._queue.batch_failed()
                batch.reset()
                if is_conflict(error):
                    continue
                if isinstance(error, (OperationalError, InterfaceError, DatabaseFileLostError)) or is_damage(error):
                    # the database is in trouble for all of them: to try each would keep all waiting for each
                    log_failure(log, "commits_not_stored", error, commits=count)
                    self._metrics.count(FAILED_TRANSACTIONS)
                    self._health.record_not_stored(error, sum(_size(queued.command) for queued in batch.commands))
                    unavailable = DatabaseUnavailable(
                        "The commit was not stored: the database does not answer.", retry_after=RETRY_AFTER
                    )
                    _fail(batch, unavailable)
                    return
                if count == 1:
                    log.error(  # noqa: TRY400 -- see `_without_values`
                        "commit_not_processed", error=describe_error(error), exc_info=_without_values(error)
                    )
                    _fail(batch, _not_processed())
                    return
                break
            self._health.record_stored()
            with self._lock:
                self._queue.batch_committed(result)
            self._count_stored(count, time.perf_counter() - started, result.rows)
            return
        if count == 1:
            log.error("commit_lost_every_race")
            _fail(batch, _not_processed())
            return
        for queued in batch.commands:
            self._execute(CommandBatch([queued]))

    def _count_stored(self, commands: int, seconds: float, rows: CommitRows) -> None:
        """Count what one transaction has stored: once for all of it, so that a commit's share is small."""
        metrics = self._metrics
        metrics.observe(BATCH_SIZE, commands)
        metrics.observe(TRANSACTION_DURATION, seconds)
        for labels, number in Counter((entry.wire_format, entry.disposition) for entry in rows.entries).items():
            metrics.count(COMMITS, labels, number)
        if rows.statements:
            metrics.count(STATEMENTS, (), len(rows.statements))
            quarantined = sum(statement.problem is not None for statement in rows.statements)
            if quarantined:
                metrics.count(QUARANTINED, (), quarantined)


def _fail(batch: CommandBatch, error: BridgeError) -> None:
    for queued in batch.commands:
        queued.result = error


def _size(command: Command) -> int:
    return len(command.body) if isinstance(command, StoreCommit) else 0


def is_conflict(error: Exception) -> bool:
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

"""The commands that wait for the writer, in batches, and their results where these can be computed ahead.

A commit of a session that is cached needs nothing of the database: its result is computed as it arrives, while the
writer has the batch before it on its way to disk. It counts only if, in the writer's transaction, the enrollment still
has the version it was computed from; else it is computed again there, from what is stored. Where that happens often, as
when a load balancer spreads sessions over processes, everything is left to the writer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import ne
from typing import NamedTuple

import structlog

from bridge.commit_model.state_codec import encode_state
from bridge.commits.commands import Command, CommandResult, StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.package_scos import session_of
from bridge.commits.session_cache import CachedEnrollment, CachedSession, SessionCache
from bridge.commits.store_commit import CommitRows, ends_others, store_commit
from bridge.errors import BridgeError
from mappings.attempt.ordering import needs_duplicate_lookup
from storage.attempts import Enrollment
from storage.change_set import ChangeSet

log = structlog.get_logger(__name__)

BATCH_SIZE = 128

MAX_OUTDATED_SHARE = 0.15
"""Share of the cached enrollments, as it was lately, that may be outdated; above it nothing is computed ahead."""
OUTDATED_SAMPLE = 200
"""Enrollments over which that share is taken."""

MAX_PRECOMPUTED_ITEMS = 100
"""Interactions, objectives and comments that a commit may alter and be computed ahead, on the event loop."""
MAX_PRECOMPUTED_BYTES = 64 * 1024
"""Bytes of a commit that alters such items and is computed ahead."""
MAX_PRECOMPUTED_STATE = 512 * 1024
"""Characters that an attempt's state may have as JSON where a commit to it is computed ahead."""


@dataclass(slots=True)
class QueuedCommand:
    """A command that waits, and who waits for its result; None where nobody does.

    A `result` that is there, precomputed or not, counts once the batch is committed.
    """

    command: Command
    future: asyncio.Future[CommandResult] | None = None
    result: CommandResult | BridgeError | None = None


@dataclass(slots=True)
class Precomputed:
    """What was computed ahead of an enrollment's commands in a batch, from the `version` that the enrollment had."""

    version: int
    commands: list[QueuedCommand] = field(default_factory=list)
    changes: ChangeSet = field(default_factory=ChangeSet)
    rows: CommitRows = field(default_factory=CommitRows)


@dataclass(slots=True)
class CommandBatch:
    """Commands in their order; by enrollment id, what was computed ahead, and what was cached of the others."""

    commands: list[QueuedCommand] = field(default_factory=list)
    precomputed: dict[int, Precomputed] = field(default_factory=dict)
    handed_over: dict[int, CachedEnrollment] = field(default_factory=dict)

    def remaining(self) -> list[Command]:
        """Return the commands that have no result."""
        return [queued.command for queued in self.commands if queued.result is None]

    def discard(self, enrollment_ids: Iterable[int]) -> None:
        """Discard what was computed ahead of enrollments."""
        for enrollment_id in enrollment_ids:
            precomputed = self.precomputed.pop(enrollment_id, None)
            if precomputed is not None:
                for queued in precomputed.commands:
                    queued.result = None

    def reset(self) -> None:
        """Discard all results, and everything that came from the cache."""
        for queued in self.commands:
            queued.result = None
        self.precomputed.clear()
        self.handed_over.clear()


class BatchResult(NamedTuple):
    """What is known once a batch is committed, beside the results of its commands.

    `open_enrollments` are worth caching, and of the `outdated` ones nothing that was computed ahead may be believed. Of
    the enrollments that were cached, `looked_up` many, `changed` many had been changed by another process. `rows` were
    stored.
    """

    open_enrollments: list[CachedEnrollment]
    outdated: set[int]
    looked_up: int
    changed: int
    rows: CommitRows


class WriteQueue:
    """The batches that wait, and the sessions that are cached. Used by one thread at a time."""

    def __init__(self, dependencies: CommitDependencies, cache: SessionCache | None = None) -> None:
        self._dependencies = dependencies
        self._cache = cache or SessionCache()
        self._batches: deque[CommandBatch] = deque()
        self._size = 0
        self._outdated_share = 0.0

    def __len__(self) -> int:
        """Return how many commands wait."""
        return self._size

    def add(self, queued: QueuedCommand) -> None:
        """Add a command behind all others. Once it waits, nothing that fails here keeps it from its turn."""
        if not self._batches or len(self._batches[-1].commands) >= BATCH_SIZE:
            self._batches.append(CommandBatch())
        batch = self._batches[-1]
        batch.commands.append(queued)
        self._size += 1
        try:
            self._prepare(queued, batch)
        except Exception:
            log.exception("commit_not_prepared")
            # what is cached may be half changed
            self.batch_failed()

    def _prepare(self, queued: QueuedCommand, batch: CommandBatch) -> None:
        """Compute ahead what can be, and hand over what is cached of the rest."""
        command = queued.command
        session = self._precomputable(command) if self._outdated_share <= MAX_OUTDATED_SHARE else None
        if session is None:
            self._hand_over(command, batch)
            return
        assert isinstance(command, StoreCommit)  # noqa: S101 -- nothing else is ever computed ahead
        try:
            self._precompute(session, queued, command, batch)
        except _NotPrecomputableError:
            enrollment_id = session.attempt.row.enrollment.id
            self._cache.evict([enrollment_id])
            batch.discard([enrollment_id])
        except Exception:
            # the writer tries again, and answers it alone if it fails there, too
            log.exception("commit_not_worked_out_ahead")
            enrollment_id = session.attempt.row.enrollment.id
            self._cache.evict([enrollment_id])
            batch.discard([enrollment_id])

    def next_batch(self) -> CommandBatch | None:
        """Return the batch whose turn it is; nothing is added to it any more."""
        if not self._batches:
            return None
        batch = self._batches.popleft()
        self._size -= len(batch.commands)
        return batch

    def batch_committed(self, result: BatchResult) -> None:
        """Cache what a batch left open, and nothing of what has turned out to be outdated."""
        if result.looked_up:
            weight = min(1.0, result.looked_up / OUTDATED_SAMPLE)
            self._outdated_share += weight * (result.changed / result.looked_up - self._outdated_share)
        self._cache.evict(result.outdated)
        for batch in self._batches:
            batch.discard(result.outdated)
            for enrollment_id in result.outdated:
                batch.handed_over.pop(enrollment_id, None)
        self._cache.put(result.open_enrollments)

    def batch_failed(self) -> None:
        """Discard all that is cached: a batch was not stored, and what follows may have been computed from it."""
        self._cache.clear()
        for batch in self._batches:
            batch.reset()

    def _precomputable(self, command: Command) -> CachedSession | None:
        """Return the session of a commit whose result can be computed at once."""
        if not isinstance(command, StoreCommit) or command.session_id is None:
            return None
        session = self._cache.get(command.session_id)
        if (
            session is None
            or needs_duplicate_lookup(session.state, command.received)
            or ends_others(self._dependencies, session)
        ):
            return None
        owner = session.attempt.row.enrollment
        if command.lms_id is not None and command.lms_id != owner.lms_id:
            return None
        row = session.attempt.row
        # where another attempt followed, the enrollment's best score must be looked for among all of them
        if row.number < owner.latest_attempt or len(row.state) > MAX_PRECOMPUTED_STATE:
            return None
        items = _altered_items(session, command)
        if items > MAX_PRECOMPUTED_ITEMS or (items and len(command.body) > MAX_PRECOMPUTED_BYTES):
            return None
        is_of_another_sco = bool(command.scos) and command.scos[0] not in {"", owner.sco}
        is_meant = command.launch is None or command.launch.may_mean(owner.key)
        return session if is_meant and not is_of_another_sco else None

    def _hand_over(self, command: Command, batch: CommandBatch) -> None:
        """Take what is cached of a command's enrollment out for the writer: nothing must change it meanwhile."""
        key = None if command.launch is None else command.launch.key
        enrollments = self._cache.take(command.session_id, key)
        if isinstance(command, StoreCommit) and command.scos and command.session_id is not None:
            enrollments += self._cache.take(session_of(command.session_id, command.scos[0]))
        for enrollment in enrollments:
            batch.handed_over[enrollment.row.id] = enrollment

    def _precompute(
        self, session: CachedSession, queued: QueuedCommand, command: StoreCommit, batch: CommandBatch
    ) -> None:
        attempt, row = session.attempt, session.row
        owner = attempt.row.enrollment
        precomputed = batch.precomputed.get(owner.id)
        if precomputed is None:
            precomputed = batch.precomputed[owner.id] = Precomputed(owner.version)
        precomputed.commands.append(queued)
        queued.result = store_commit(
            self._dependencies, session, command, (), _no_response, _look_at_course, precomputed.rows
        )
        attempt.row.state = encode_state(attempt.state)
        row.state = encode_state(session.state)
        precomputed.changes.enrollment(owner)
        precomputed.changes.attempt(attempt.row)
        precomputed.changes.session(row)
        self._cache.update(owner.id, ended=None if row.ended is None else row.session_id)


class _NotPrecomputableError(Exception):
    """A commit whose result depends on more than its enrollment."""


def _look_at_course(_owner: Enrollment) -> bool:
    raise _NotPrecomputableError


def _altered_items(session: CachedSession, command: StoreCommit) -> int:
    """Count the items that a commit may alter; interactions that are known by the same bytes cost nothing."""
    sent, before = command.received.parsed_cmi.snapshot, session.attempt.state.snapshot
    count = 0
    if sent.interactions:
        count += sum(map(ne, sent.interactions.values(), map((before.interactions or {}).get, sent.interactions)))
    if sent.objectives:
        count += len(sent.objectives) + len(before.objectives or ())
    if sent.comments_from_learner:
        count += len(sent.comments_from_learner)
    if sent.comments_from_lms:
        count += len(sent.comments_from_lms)
    return count


def _no_response(_number: int) -> str:
    raise AssertionError("a commit that may repeat another one is not computed ahead")

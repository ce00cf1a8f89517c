"""What waits for the writer, in batches, and worked out ahead where it can be.

A commit of a session that is remembered needs nothing of the database to be worked out: that is done as it arrives,
while the writer has the batch before it on its way to disk. It counts only if, in the writer's transaction, the
enrollment still has the version it was worked out from; else it is done again there, from what is stored. Where that
happens often, as when a load balancer spreads sessions over processes, everything is left to the writer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import ne
from typing import NamedTuple

import msgspec
import structlog

from bridge.commits.commands import Answer, Command, Outcome, StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.package_scos import session_of
from bridge.commits.session_cache import CachedEnrollment, CachedSession, SessionCache
from bridge.commits.store_commit import ends_others, post
from bridge.errors import BridgeError
from mappings.attempt.ordering import needs_duplicate_lookup
from storage.change_set import ChangeSet
from storage.journal import JournalEntry
from storage.outbox import StatementRow

log = structlog.get_logger(__name__)

MOST_TOGETHER = 128
"""Works of a batch."""

MOST_OUTDATED = 0.15
"""Share of what is remembered, as it was lately, that may be outdated; if it is more, nothing is worked out ahead."""
LATELY = 200
"""Enrollments over which that share is taken."""

MAX_ITEMS_AHEAD = 100
"""Interactions, objectives and comments that a commit may alter and be worked out ahead, on the event loop."""
MAX_BYTES_AHEAD = 64 * 1024
"""Bytes of a commit that alters such items and is worked out ahead."""
MAX_STATE_AHEAD = 512 * 1024
"""Characters that an attempt's state may have as JSON where a commit to it is worked out ahead."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Precomputed:
    """What was worked out ahead of an enrollment's works in a batch, from the `version` it had; by their places."""

    version: int
    answers: dict[int, Answer] = field(default_factory=dict)
    changed: ChangeSet = field(default_factory=ChangeSet)
    entries: list[JournalEntry] = field(default_factory=list)
    statements: list[StatementRow] = field(default_factory=list)


class QueuedCommand(NamedTuple):
    """A work that waits, and whoever waits for what comes of it; None where nobody does."""

    work: Command
    future: asyncio.Future[Outcome] | None = None


@dataclass(slots=True)
class CommandBatch:
    """Works in their order; by their enrollments' ids, what was worked out ahead, and what is remembered of others."""

    waiting: list[QueuedCommand] = field(default_factory=list)
    ahead: dict[int, Precomputed] = field(default_factory=dict)
    taken: dict[int, CachedEnrollment] = field(default_factory=dict)

    @property
    def works(self) -> list[Command]:
        """Give the works without who waits for them."""
        return [one.work for one in self.waiting]

    def answers(self, outdated: Collection[int] = ()) -> list[Outcome | BridgeError | None]:
        """Give the answers that were worked out ahead, but of outdated enrollments; None where the work is left."""
        found: list[Outcome | BridgeError | None] = [None] * len(self.waiting)
        for enrollment_id, one in self.ahead.items():
            if enrollment_id not in outdated:
                for place, answer in one.answers.items():
                    found[place] = answer
        return found

    def left(self, outdated: Collection[int] = ()) -> list[Command]:
        """Give the works that are left, those of outdated enrollments among them."""
        answers = self.answers(outdated)
        return [work for work, answer in zip(self.works, answers, strict=True) if answer is None]

    def give_up(self) -> None:
        """Leave all works, and believe nothing that is remembered."""
        self.ahead.clear()
        self.taken.clear()


class BatchResult(NamedTuple):
    """What came of a batch once it is committed.

    `outcomes` are those of its works in their order, `left_open` what is worth remembering, and `outdated` the
    enrollments of which nothing that was worked out ahead may be believed. Of the enrollments that were remembered,
    `looked_up` many, `changed` many had been changed by another process.
    """

    outcomes: list[Outcome | BridgeError]
    left_open: list[CachedEnrollment]
    outdated: set[int]
    looked_up: int
    changed: int


class WriteQueue:
    """The batches that wait, and the sessions that are remembered. Used by one thread at a time."""

    def __init__(self, setup: CommitDependencies, remembered: SessionCache | None = None) -> None:
        self._setup = setup
        self._remembered = remembered or SessionCache()
        self._batches: deque[CommandBatch] = deque()
        self._number = 0
        self._outdated = 0.0

    def __len__(self) -> int:
        """Tell how many works wait."""
        return self._number

    def add(self, waiting: QueuedCommand) -> None:
        """Let a work wait, behind all others. Once it waits, nothing that fails here keeps it from its turn."""
        if not self._batches or len(self._batches[-1].waiting) >= MOST_TOGETHER:
            self._batches.append(CommandBatch())
        batch, work = self._batches[-1], waiting.work
        batch.waiting.append(waiting)
        self._number += 1
        try:
            self._prepare(work, batch)
        except Exception:
            log.exception("commit_not_prepared")
            # what is remembered may be half changed
            self.failed()

    def _prepare(self, work: Command, batch: CommandBatch) -> None:
        """Work out ahead what can be, and hand over what is remembered of the rest."""
        session = self._ready(work) if self._outdated <= MOST_OUTDATED else None
        if session is None:
            self._take(work, batch)
            return
        assert isinstance(work, StoreCommit)  # noqa: S101 -- nothing else is ever ready
        try:
            self._work_out(session, work, batch)
        except Exception:
            # the writer tries again, and tells it alone if it fails there, too
            log.exception("commit_not_worked_out_ahead")
            owner = session.attempt.row.enrollment
            self._remembered.forget([owner.id])
            batch.ahead.pop(owner.id, None)

    def next(self) -> CommandBatch | None:
        """Give the batch whose turn it is; nothing is added to it any more."""
        if not self._batches:
            return None
        batch = self._batches.popleft()
        self._number -= len(batch.waiting)
        return batch

    def done(self, done: BatchResult) -> None:
        """Remember what a batch left open, and nothing of what has turned out to be outdated."""
        if done.looked_up:
            weight = min(1.0, done.looked_up / LATELY)
            self._outdated += weight * (done.changed / done.looked_up - self._outdated)
        self._remembered.forget(done.outdated)
        for batch in self._batches:
            for enrollment_id in done.outdated:
                batch.ahead.pop(enrollment_id, None)
                batch.taken.pop(enrollment_id, None)
        self._remembered.keep(done.left_open)

    def failed(self) -> None:
        """Believe nothing any more: a batch was not stored, and what follows may have been worked out from it."""
        self._remembered.clear()
        for batch in self._batches:
            batch.give_up()

    def _ready(self, work: Command) -> CachedSession | None:
        """Give the session of a commit that can be worked out at once."""
        if not isinstance(work, StoreCommit) or work.session_id is None:
            return None
        session = self._remembered.session(work.session_id)
        if session is None or needs_duplicate_lookup(session.state, work.arrival) or ends_others(self._setup, session):
            return None
        owner = session.attempt.row.enrollment
        if work.lms_id is not None and work.lms_id != owner.lms_id:
            return None
        row = session.attempt.row
        # where another attempt followed, the enrollment's best score must be found among all of them
        if row.number < owner.latest_attempt or len(row.state) > MAX_STATE_AHEAD:
            return None
        items = _items(session, work)
        if items > MAX_ITEMS_AHEAD or (items and len(work.body) > MAX_BYTES_AHEAD):
            return None
        of_another_sco = bool(work.scos) and work.scos[0] not in {"", owner.sco}
        meant = work.launch is None or work.launch.may_mean(owner.key)
        return session if meant and not of_another_sco else None

    def _take(self, work: Command, batch: CommandBatch) -> None:
        """Let a work that is left have what is remembered of its enrollment, which must not be worked on meanwhile."""
        key = None if work.launch is None else work.launch.key
        taken = self._remembered.take(work.session_id, key)
        if isinstance(work, StoreCommit) and work.scos and work.session_id is not None:
            taken += self._remembered.take(session_of(work.session_id, work.scos[0]))
        batch.taken |= {one.row.id: one for one in taken}

    def _work_out(self, session: CachedSession, work: StoreCommit, batch: CommandBatch) -> None:
        attempt, row = session.attempt, session.row
        owner = attempt.row.enrollment
        one = batch.ahead.get(owner.id)
        if one is None:
            one = batch.ahead[owner.id] = Precomputed(owner.version)
        done = post(self._setup, session, work, (), _no_reply)
        attempt.row.state = _encode(attempt.state).decode()
        row.state = _encode(session.state).decode()
        one.changed.enrollment(owner)
        one.changed.attempt(attempt.row)
        one.changed.session(row)
        one.answers[len(batch.waiting) - 1] = Answer(done.answer)
        one.entries.append(done.entry)
        one.statements += done.statements
        self._remembered.changed(owner.id, ended=None if row.ended is None else row.session_id)


def _items(session: CachedSession, work: StoreCommit) -> int:
    """Count the items that a commit may alter; interactions that are known by the same bytes cost nothing."""
    said, known = work.arrival.parsed_cmi.snapshot, session.attempt.state.snapshot
    count = 0
    if said.interactions:
        count += sum(map(ne, said.interactions.values(), map((known.interactions or {}).get, said.interactions)))
    if said.objectives:
        count += len(said.objectives) + len(known.objectives or ())
    if said.comments_from_learner:
        count += len(said.comments_from_learner)
    if said.comments_from_lms:
        count += len(said.comments_from_lms)
    return count


def _no_reply(_number: int) -> str:
    raise AssertionError("a commit that may repeat another one is not worked out ahead")

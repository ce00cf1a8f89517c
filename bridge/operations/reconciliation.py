"""Compares the ledger with what an LRS really has, statement by statement, in the form that this target gets.

Attempts are gone through in their order. What the LRS has under their registrations is listed page by page; what is not
in the lists, as voided statements never are, is asked for by its id, and only what the LRS then does not have is
missing. No more than a part of the ledger and some pages of the LRS are in memory.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from bridge.clock import format_timestamp
from bridge.forwarding.lrs_reader import Absence, LrsReader, Presence
from bridge.operations.lrs_comparison import (
    REPAIRED,
    Discrepancy,
    StatementVerdict,
    judge,
    judge_absence,
    may_be_there,
    registration_of,
)
from mappings.xapi.voiding import voiding_id
from storage import backfill, reconciliation
from storage.backfill import BackfillSpan
from storage.engine import reading, writing
from storage.reconciliation import LedgerEntry, StatementKey, StatementOwner
from storage.states import DeliveryState

BATCH_ATTEMPTS = 50
"""Attempts that are looked at together."""
BATCH_STATEMENTS = 1_000
"""Statements of them that are compared together, with their bodies in memory."""
REQUEUE_SIZE = 200
"""Deliveries that one transaction queues again."""
MAX_CONCURRENT_READS = 4
"""Requests that are sent to the LRS at the same time."""
MAX_STRANGERS = 2_000
"""Statements of others under a registration that are passed over, until the rest of ours is asked for by id."""
CLOCK_MARGIN = 3_600_000
"""Milliseconds that the clock of an LRS may be behind: what it stored earlier still is asked for by id."""
START = StatementKey(0, 0)
"""Before all statements."""
_Item = TypeVar("_Item")


class ReconciliationLine(msgspec.Struct, frozen=True):
    """One statement that is not at the LRS as it is in the ledger; times are RFC 3339, `position` its place there."""

    discrepancy: Discrepancy
    statement: str
    detail: str
    lms: str
    learner: str
    activity: str
    course: str
    attempt: str
    rule: str
    verb: str
    created_at: str | None
    delivery: str | None
    settled_at: str | None
    position: str


@dataclass
class ReconciliationReport:
    """What was compared.

    Attributes:
        statements: of the ledger, without those that the target must not get or does not want.
        equal: the LRS has them as they were sent, or spelled its own way.
        voided: the LRS has them as voided, as the ledger has.
        absent: that the LRS need not have, by the state of their delivery.
        unreadable: delivered so recently that the LRS may not show them yet.
        discrepancies: how many of each.
        last: up to which everything was compared.
    """

    statements: int = 0
    equal: int = 0
    voided: int = 0
    absent: Counter[DeliveryState] = field(default_factory=Counter)
    unreadable: int = 0
    discrepancies: Counter[Discrepancy] = field(default_factory=Counter)
    last: StatementKey = START


class Reconciliation:
    """Compares one target. It may be stopped at any moment, and continued behind `report.last`.

    Args:
        wants: whether the target gets what has no delivery, by mapping version, rule and body.
        after: the statement behind which the comparison begins.
    """

    def __init__(
        self,
        engine: Engine,
        target: str,
        span: BackfillSpan,
        reader: LrsReader,
        wants: Callable[[Connection, int, str, str], bool],
        after: StatementKey = START,
    ) -> None:
        self._engine = engine
        self._target = target
        self._span = span
        self._reader = reader
        self._wants = wants
        self._reads = asyncio.Semaphore(MAX_CONCURRENT_READS)
        self._missing = array("q")
        """Attempt and position of each."""
        self._unqueued = array("q")
        """Attempts of statements without a delivery."""
        self.report = ReconciliationReport(last=after)

    def count(self) -> int:
        """Return how many attempts are looked at, from the first on."""
        with reading(self._engine) as connection:
            return backfill.count_attempts(connection, self._span)

    async def run(
        self, *, progress: Callable[[int], None], on_lines: Callable[[Sequence[ReconciliationLine]], None]
    ) -> None:
        """Compare everything.

        `progress` is told how many more attempts were looked at, `on_lines` what is not at the LRS as it should be.

        Raises:
            LrsReadError: the LRS does not answer.
        """
        last = self.report.last.attempt_id - 1
        while ids := self._next_attempts(last):
            while entries := self._next_entries(ids):
                on_lines(await self._compare(entries))
                self.report.last = entries[-1].key
            progress(len(ids))
            last = ids[-1]

    def repair(self, *, progress: Callable[[int], None], fill: Callable[[Sequence[int]], int]) -> int:
        """Let what was missing be sent again, some at a time; return how many statements that is.

        `fill` queues what attempts have no delivery of, and returns how many statements that is. `progress` is told
        how many each transaction has queued.
        """
        count = 0
        keys = [StatementKey(*pair) for pair in zip(self._missing[::2], self._missing[1::2], strict=True)]
        for part in _parts(keys, REQUEUE_SIZE):
            with writing(self._engine) as connection:
                queued = reconciliation.requeue(connection, self._target, part)
            count += queued
            progress(queued)
        for attempt_ids in _parts(list(dict.fromkeys(self._unqueued)), BATCH_ATTEMPTS):
            queued = fill(attempt_ids)
            count += queued
            progress(queued)
        return count

    def _next_attempts(self, last: int) -> list[int]:
        with reading(self._engine) as connection:
            return backfill.attempt_ids(connection, self._span, after=last, limit=BATCH_ATTEMPTS)

    def _next_entries(self, ids: Sequence[int]) -> list[LedgerEntry]:
        with reading(self._engine) as connection:
            return reconciliation.entries(
                connection, self._target, ids, since=self._span.since, after=self.report.last, limit=BATCH_STATEMENTS
            )

    async def _compare(self, entries: Sequence[LedgerEntry]) -> list[ReconciliationLine]:
        """Compare statements, and return what is not as it should be, in their order."""
        verdicts: dict[StatementKey, StatementVerdict] = {}
        by_registration: dict[str, list[LedgerEntry]] = defaultdict(list)
        for entry in entries:
            if registration := registration_of(entry.body):
                by_registration[registration].append(entry)
        is_continued = entries[0].attempt_id == self.report.last.attempt_id
        since = min(entry.created_at for entry in entries) - CLOCK_MARGIN if self._span.since or is_continued else None
        empty: set[StatementKey] = set()
        await _run_all(self._list(name, its, since, verdicts, empty) for name, its in by_registration.items())
        rest = self._without_unwanted([entry for entry in entries if entry.key not in verdicts])
        self.report.statements += len(verdicts) + len(rest)
        await _run_all(self._look_up(entry, verdicts, is_listed=entry.key in empty) for entry in rest)
        return self._settle({entry.key: entry for entry in entries}, verdicts)

    async def _list(
        self,
        registration: str,
        entries: Sequence[LedgerEntry],
        since: int | None,
        verdicts: dict[StatementKey, StatementVerdict],
        empty: set[StatementKey],
    ) -> None:
        """Compare what is in the list of a registration; note all in `empty` where nothing of ours is in it."""
        awaited = {entry.id: entry for entry in entries}
        strangers = 0
        async with self._reads:
            async for page in self._reader.pages(registration, since):
                for stored in page.statements:
                    entry = awaited.pop(str(stored.get("id", "")).lower(), None)
                    if entry is None:
                        strangers += 1
                    else:
                        verdicts[entry.key] = judge(entry.body, stored, is_voided=False)
                if not awaited or strangers > MAX_STRANGERS:
                    return
                if page.is_last and since is None and len(awaited) == len(entries):
                    empty.update(entry.key for entry in entries)

    async def _look_up(
        self, entry: LedgerEntry, verdicts: dict[StatementKey, StatementVerdict], *, is_listed: bool
    ) -> None:
        """Ask for a statement that is in no list by its id."""
        answer: Presence | Absence = Absence(0)
        # a whole history that is not there is not asked for one by one
        if may_be_there(entry) and not (entry.state is None and is_listed):
            async with self._reads:
                answer = await self._reader.statement(entry.id)
        if isinstance(answer, Presence):
            verdicts[entry.key] = judge(entry.body, answer.content, is_voided=answer.is_voided)
            return
        absence = judge_absence(entry, answer.readable_until)
        if isinstance(absence, StatementVerdict):
            verdicts[entry.key] = absence
        elif absence is None:
            self.report.unreadable += 1
        else:
            self.report.absent[absence] += 1

    def _without_unwanted(self, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        with reading(self._engine) as connection:
            return [
                entry
                for entry in entries
                if entry.state is not None or self._wants(connection, entry.mapping_version_id, entry.rule, entry.body)
            ]

    def _settle(
        self, entries: dict[StatementKey, LedgerEntry], verdicts: dict[StatementKey, StatementVerdict]
    ) -> list[ReconciliationLine]:
        """Count verdicts; return what is wrong by them and not explained by what has happened here meanwhile."""
        wrong = [
            (key, verdict.discrepancy, verdict.detail)
            for key, verdict in sorted(verdicts.items())
            if verdict.discrepancy is not None
        ]
        self.report.equal += len(verdicts) - len(wrong)
        if not wrong:
            return []
        keys = [key for key, _, _ in wrong]
        with reading(self._engine) as connection:
            states = reconciliation.delivery_states(connection, self._target, keys)
            owners = reconciliation.owners(connection, sorted({key.attempt_id for key in keys}))
            voiding = reconciliation.stored_ids(
                connection, [voiding_id(entries[key].id) for key, kind, _ in wrong if kind is Discrepancy.VOIDED]
            )
        lines: list[ReconciliationLine] = []
        for key, kind, detail in wrong:
            entry, state = entries[key], states.get(key)
            owner = owners.get(key.attempt_id)
            if state is None or owner is None:  # erased meanwhile
                self.report.statements -= 1
            elif kind in REPAIRED and state != (entry.state, entry.settled_at):
                # it is being sent, or was given up
                self.report.absent[DeliveryState(state[0] or DeliveryState.WAITING)] += 1
            elif kind is Discrepancy.VOIDED and voiding_id(entry.id) in voiding:
                self.report.voided += 1
            else:
                self._note(key, kind)
                lines.append(_line(kind, detail, entry, owner))
        return lines

    def _note(self, key: StatementKey, kind: Discrepancy) -> None:
        self.report.discrepancies[kind] += 1
        if kind is Discrepancy.MISSING:
            self._missing.extend(key)
        elif kind is Discrepancy.UNQUEUED:
            self._unqueued.append(key.attempt_id)


def _line(kind: Discrepancy, detail: str, entry: LedgerEntry, owner: StatementOwner) -> ReconciliationLine:
    return ReconciliationLine(
        kind,
        entry.id,
        detail,
        owner.lms,
        owner.learner,
        owner.activity,
        owner.course,
        owner.attempt,
        entry.rule,
        entry.verb,
        format_timestamp(entry.created_at),
        entry.state,
        format_timestamp(entry.settled_at),
        entry.key.text,
    )


async def _run_all(work: Iterator[Coroutine[Any, Any, None]]) -> None:
    """Run everything concurrently; where one of them cannot read, the others are cancelled."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for part in work:
                tasks.create_task(part)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

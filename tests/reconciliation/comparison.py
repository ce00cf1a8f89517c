"""Comparing a bridge's ledger with an LRS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.forwarding.lrs_reader import LrsReader
from bridge.forwarding.transport import Transport, open_session
from bridge.mapping_library.backfill import Backfill
from bridge.mapping_library.documents import load_mapping
from bridge.operations.lrs_comparison import Discrepancy
from bridge.operations.reconciliation import START, Reconciliation, ReconciliationLine, ReconciliationReport
from bridge.routing import build_targets
from bridge.settings import Settings, TargetSettings
from storage.backfill import BackfillSpan
from storage.reconciliation import StatementKey
from tests.support.bridge import Bridge


@dataclass
class Comparison:
    """A comparison that was run, and what it found."""

    work: Reconciliation
    filling: Backfill
    lines: list[ReconciliationLine]
    requests: int

    @property
    def report(self) -> ReconciliationReport:
        """Return its counts."""
        return self.work.report

    def ids(self, kind: Discrepancy) -> list[str]:
        """Return the statements of one kind of lines, in their order."""
        return [line.statement for line in self.lines if line.discrepancy is kind]

    def repair(self) -> int:
        """Queue what is missing."""
        queued: list[int] = []
        count = self.work.repair(progress=queued.append, fill=self.filling.queue)
        assert sum(queued) == count
        return count


async def no_sleep(_seconds: float) -> None:
    """Wait for nothing."""


async def compare(
    bridge: Bridge,
    settings: TargetSettings,
    *,
    after: StatementKey = START,
    now: Callable[[], int] | None = None,
    **span: Any,
) -> Comparison:
    """Compare the ledger with a target, as the command does, by the bridge's clock."""
    chosen = BackfillSpan(**span)
    filling = Backfill(bridge.engine, settings, chosen, bridge.clock)
    lines: list[ReconciliationLine] = []
    (target,) = build_targets([settings], [load_mapping(Settings().mapping.document)])
    async with open_session(Settings(targets=(settings,)).outgoing_guard()) as session:
        reader = LrsReader(Transport(session, target), now=now or bridge.clock, random=lambda: 0.0, sleep=no_sleep)
        work = Reconciliation(bridge.engine, settings.name, chosen, reader, filling.wants, after)
        await work.run(progress=lambda _: None, on_lines=lines.extend)
    return Comparison(work, filling, lines, reader.requests)

"""Databases that lost what was sent, and looking at an LRS for it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select, text

from bridge.forwarding.lrs_reader import LrsReader
from bridge.forwarding.transport import Transport, open_session
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.statement_marks import load_marks
from bridge.operations.reconciliation import ReconciliationLine
from bridge.operations.unknown_statements import UnknownReport, UnknownStatements
from bridge.routing import build_targets
from bridge.settings import Settings, TargetSettings
from storage import tables
from storage.engine import reading, writing
from tests.reconciliation.comparison import no_sleep
from tests.support.bridge import Bridge


def lose(bridge: Bridge, ids: Collection[str], *, with_enrollments: bool = False) -> None:
    """Forget statements, or all that is stored of anybody, as a database does that is restored from a backup."""
    with writing(bridge.engine) as connection:
        if with_enrollments:
            names = ("journal", "session", "delivery_try", "delivery", "target_statement", "statement", "attempt")
            for name in (*names, "enrollment"):
                connection.execute(text(f"DELETE FROM {name}"))
            return
        rows = connection.execute(select(tables.statement).where(tables.statement.c.id.in_(ids))).all()
        for row in rows:
            for table in (tables.delivery, tables.target_statement, tables.statement):
                its = table.c.attempt_id == row.attempt_id, table.c.position == row.position
                connection.execute(delete(table).where(*its))


async def look(
    bridge: Bridge, settings: TargetSettings, *, since: int = 0, lms: str | None = None
) -> tuple[list[ReconciliationLine], UnknownReport]:
    """Look at a target as the command does, by the bridge's clock."""
    lines: list[ReconciliationLine] = []
    document = load_mapping(Settings().mapping.document)
    with reading(bridge.engine) as connection:
        marks = load_marks(connection, settings, document, lms).marks
    (target,) = build_targets([settings], [document])
    async with open_session(Settings(targets=(settings,)).outgoing_guard()) as session:
        reader = LrsReader(Transport(session, target), now=bridge.clock, random=lambda: 0.0, sleep=no_sleep)
        work = UnknownStatements(bridge.engine, reader, marks, since, bridge.clock)
        await work.run(progress=lambda _: None, on_lines=lines.extend)
    return lines, work.report

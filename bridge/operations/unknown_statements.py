"""Looks at an LRS for statements that only this bridge can have made, and that its database does not have.

The database lost them: it was restored from a backup, or a standby took over that had not received its last commits.
Everything that the LRS has stored since a time is read page by page; a page is all that is in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from bridge.clock import Now
from bridge.forwarding.lrs_reader import LrsReader
from bridge.operations.lrs_comparison import Discrepancy
from bridge.operations.reconciliation import CLOCK_MARGIN, ReconciliationLine
from mappings.generation.statement_marks import RecognizedStatement, StatementMarks, recognize
from mappings.xapi.timestamps import parse_timestamp
from storage import erasures, reconciliation
from storage.engine import reading


@dataclass
class UnknownReport:
    """What was looked at.

    Attributes:
        listed: statements that the LRS has given, of whomever.
        erased: ours that an erasure deleted here.
        undecided: ours that an erasure may have deleted here: they do not tell their learner's id.
        discrepancies: how many of each.
    """

    listed: int = 0
    erased: int = 0
    undecided: int = 0
    discrepancies: Counter[Discrepancy] = field(default_factory=Counter)


class UnknownStatements:
    """Looks at one LRS.

    Args:
        marks: of what the target gets.
        since: milliseconds since the epoch, from which on everything is looked at; 0 for all.
    """

    def __init__(
        self, engine: Engine, reader: LrsReader, marks: Sequence[StatementMarks], since: int, now: Now
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._marks = list(marks)
        self._since = since - CLOCK_MARGIN if since else None
        self._now = now
        self.report = UnknownReport()

    async def run(
        self, *, progress: Callable[[int], None], on_lines: Callable[[Sequence[ReconciliationLine]], None]
    ) -> None:
        """Look at everything.

        `progress` is told how many more statements were looked at, `on_lines` which of them the database does not have.

        Raises:
            LrsReadError: the LRS does not answer.
        """
        async for statements in self._reader.listing(self._since):
            self.report.listed += len(statements)
            on_lines(self._judge(statements))
            progress(len(statements))

    def _judge(self, statements: Sequence[dict[str, Any]]) -> list[ReconciliationLine]:
        recognized = [recognize(each, self._marks) for each in statements]
        ours = {statement.id: statement for statement in recognized if statement is not None}
        with reading(self._engine) as connection:
            # it was stored here before it was sent: what is not stored now never will be
            known = reconciliation.stored_ids(connection, list(ours))
            unknown = [statement for name, statement in ours.items() if name not in known]
            return self._describe(connection, self._without_erased(connection, unknown)) if unknown else []

    def _without_erased(
        self, connection: Connection, unknown: Sequence[RecognizedStatement]
    ) -> list[RecognizedStatement]:
        now = self._now()
        key, last_end = erasures.stored_digest_key(connection), erasures.last_end(connection, now)
        if key is None or last_end is None:
            return list(unknown)
        digests = {
            statement.id: [
                erasures.learner_digest(key, lms_id, statement.learner_id) for lms_id in (statement.lms.id, None)
            ]
            for statement in unknown
            if statement.learner_id is not None
        }
        ends = erasures.erased_until(connection, [each for both in digests.values() for each in both], now)
        rest: list[RecognizedStatement] = []
        for statement in unknown:
            # what is no time is before all others
            made_at = parse_timestamp(statement.timestamp) or 0
            if statement.id in digests:
                is_erased = any(made_at <= ends.get(each, -1) for each in digests[statement.id])
                self.report.erased += is_erased
            else:
                is_erased = made_at <= last_end
                self.report.undecided += is_erased
            if not is_erased:
                rest.append(statement)
        return rest

    def _describe(self, connection: Connection, unknown: Sequence[RecognizedStatement]) -> list[ReconciliationLine]:
        uuids = {each for statement in unknown for each in statement.uuids}
        owners = reconciliation.owners_by_uuid(connection, uuids)
        sessions = reconciliation.stored_sessions(connection, uuids)
        registrations = reconciliation.stored_registrations(
            connection, {statement.registration for statement in unknown}
        )
        lines: list[ReconciliationLine] = []
        for statement in unknown:
            attempt = next((each for each in statement.uuids if each in owners), None)
            owner = None if attempt is None else owners[attempt]
            kind, detail = _explain(statement, sessions, registrations, has_attempt=owner is not None)
            self.report.discrepancies[kind] += 1
            lines.append(
                ReconciliationLine(
                    kind,
                    statement.id,
                    detail,
                    statement.lms.name,
                    statement.actor if owner is None else owner.learner,
                    statement.object_id if owner is None else owner.activity,
                    "" if owner is None else owner.course,
                    attempt or statement.attempt or "",
                    "",
                    statement.verb,
                    statement.timestamp,
                    None,
                    None,
                    "",
                )
            )
        return lines


def _explain(
    statement: RecognizedStatement, sessions: Collection[str], registrations: Collection[str], *, has_attempt: bool
) -> tuple[Discrepancy, str]:
    if has_attempt:
        return Discrepancy.UNKNOWN, "its attempt is stored, without it"
    if statement.uuids.intersection(sessions):
        if statement.attempt is not None:
            return Discrepancy.RESTATED, "its session has come again, as another attempt: void this one"
        return Discrepancy.UNKNOWN, "its session is stored, without it"
    if statement.registration in registrations:
        words = "its enrollment is stored, "
        return Discrepancy.UNKNOWN, words + ("without it" if statement.attempt is None else "without its attempt")
    return Discrepancy.UNKNOWN, f"nothing is stored of its registration {statement.registration}"

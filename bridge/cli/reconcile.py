"""`scorm-bridge reconcile`: what an LRS really has, against what the ledger says that it has."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

import click
import msgspec
from sqlalchemy import Engine

from bridge.cli.database import errors_as_messages, open_database
from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import AS_JSON, BY, LIMIT, OPTIONAL_REASON, YES, TimeType, find_target
from bridge.cli.output import print_end_of_page, print_json, print_table, show_progress
from bridge.clock import system_now
from bridge.forwarding.lrs_reader import LrsReader, LrsReadError
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport, open_session
from bridge.mapping_library.backfill import Backfill
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reloader import load_active
from bridge.mapping_library.statement_marks import load_marks
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.operations.lrs_comparison import REPAIRED, Discrepancy
from bridge.operations.reconciliation import (
    START,
    Reconciliation,
    ReconciliationLine,
    ReconciliationReport,
)
from bridge.operations.unknown_statements import UnknownReport, UnknownStatements
from bridge.routing import build_targets
from bridge.settings import Settings, SettingsError, TargetSettings
from mappings.definition import DefinitionError
from mappings.generation.statement_marks import StatementMarks
from storage import mapping_versions
from storage.backfill import BackfillSpan
from storage.engine import reading, writing
from storage.reconciliation import StatementKey

_WORDS = {
    Discrepancy.MISSING: "missing: it had accepted them",
    Discrepancy.UNQUEUED: "missing: no delivery of them is stored",
    Discrepancy.DIFFERENT: "different: altered there",
    Discrepancy.FOREIGN: "foreign: another statement under the id",
    Discrepancy.VOIDED: "voided there by others",
}
_UNKNOWN_WORDS = {
    Discrepancy.UNKNOWN: "unknown: the LRS has them, the database does not",
    Discrepancy.RESTATED: "restated: unknown, and their sessions have come again under other ids",
}
_ADVICE = """\
The database has lost what the LRS has as unknown. Let players and LMSs post again what they sent at that time, and run
this once more; what is unknown then is nowhere but at the LRS. Void there what is restated: it counts twice.
"""


class PositionType(click.ParamType[StatementKey]):
    """A place in the ledger, as the list before printed it."""

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> StatementKey:
        """Parse it."""
        if isinstance(value, StatementKey):
            return value
        parts = re.fullmatch(r"(\d{1,18})-(\d{1,9})", value, re.ASCII)
        if parts is None:
            self.fail(f"{value!r} is not what this command printed to continue with.", param, ctx)
        return StatementKey(int(parts[1]), int(parts[2]))


@dataclass
class _Output:
    """Where lines go: the first ones are shown, all are written to the report."""

    limit: int
    report: TextIO | None
    shown: list[ReconciliationLine] = field(default_factory=list)
    unknown: list[ReconciliationLine] = field(default_factory=list)
    following: str | None = None

    def add(self, lines: Sequence[ReconciliationLine]) -> None:
        self._write(lines)
        free = self.limit - len(self.shown)
        if len(lines) > free and self.following is None:
            self.following = [*self.shown, *lines[:free]][-1].position
        self.shown += lines[:free]

    def add_unknown(self, lines: Sequence[ReconciliationLine]) -> None:
        """Add what has no place in the ledger from which a list could be continued."""
        self._write(lines)
        self.unknown += lines[: self.limit - len(self.unknown)]

    def _write(self, lines: Sequence[ReconciliationLine]) -> None:
        if self.report is not None:
            self.report.writelines(f"{msgspec.json.encode(line).decode()}\n" for line in lines)


@click.command()
@click.argument("target")
@click.option("--since", type=TimeType(), default=0, help="Statements made at this time or later.")
@click.option("--lms", help="Name of the LMS.")
@click.option("--course", help="Id of the course.")
@click.option("--learner", help="Id of the learner.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1), help="Requests, and statements that are queued, a second at most."
)
@click.option(
    "--unknown",
    "wants_unknown",
    is_flag=True,
    help="Look through all that the LRS has stored since --since for statements of ours that the database lost.",
)
@click.option("--repair", is_flag=True, help="Queue what is missing again, after a confirmation.")
@click.option(
    "--report",
    "report_file",
    type=click.File("w", encoding="utf-8"),
    help="Write every statement that is not there as it should be to this file (NDJSON).",
)
@LIMIT
@click.option("--after", type=PositionType(), default=START, help="Continue: the value that the run before printed.")
@YES
@BY
@OPTIONAL_REASON
@AS_JSON
@click.pass_obj
def reconcile(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    target: str,
    *,
    since: int,
    lms: str | None,
    course: str | None,
    learner: str | None,
    rate: float | None,
    wants_unknown: bool,
    repair: bool,
    report_file: TextIO | None,
    limit: int,
    after: StatementKey,
    yes: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Compare what is stored here with what TARGET really has, and show what is missing, altered or another's there.

    The LRS is only read. With --repair, what is missing is queued again: the same bytes under the same ids, in the
    order of their attempts, beside new statements. The exit code is 0 if everything is there or was queued again, 1 if
    not, and 69 if the LRS does not answer.

    With --unknown, what the LRS has of this bridge and the database does not is shown, too, as after a restore of the
    database or a standby that took over without the last commits. Whatever the LRS has stored since --since is read.
    """
    if wants_unknown and (course is not None or learner is not None):
        raise click.UsageError("--unknown looks at all that an LMS has: --course and --learner do not go with it.")
    chosen = find_target(settings, target)
    span = BackfillSpan(since, lms, course, learner)
    output = _Output(limit, report_file)
    with errors_as_messages(SettingsError, DefinitionError), open_database(settings) as engine:
        filling = Backfill(engine, chosen, span, system_now)
        marks = _load_marks(settings, engine, chosen, lms) if wants_unknown else None
        work, unknown = _compare(settings, engine, chosen, span, filling, marks, output, rate=rate, after=after)
        wrong = work.report.discrepancies.total() + (unknown.discrepancies.total() if unknown else 0)
        is_repaired = False
        queued = None
        missing = sum(work.report.discrepancies[kind] for kind in REPAIRED)
        if repair and missing:
            if not yes:
                _show(work.report, unknown, output, None)
                click.confirm(f"Queue {missing:,} statements for {target} again?", abort=True, err=True)
            queued = _repair(work, filling, rate, missing)
            with writing(engine) as connection:
                record(connection, AuditContext(by, reason, system_now()), AuditAction.RECONCILE, target, count=queued)
            is_repaired = missing == wrong
    if as_json:
        print_json(_as_object(work.report, unknown, output, queued))
    elif queued is None or yes:
        _show(work.report, unknown, output, queued)
    if queued is not None:
        click.echo(f"Queued {queued:,} statements for {target} again.", err=True)
    if unknown and unknown.discrepancies:
        _advise(unknown, output)
    if wrong and not is_repaired:
        sys.exit(ExitCode.FAILED)


def _compare(  # noqa: PLR0913 -- what is compared, with what, and how fast
    settings: Settings,
    engine: Engine,
    chosen: TargetSettings,
    span: BackfillSpan,
    filling: Backfill,
    marks: Sequence[StatementMarks] | None,
    output: _Output,
    *,
    rate: float | None,
    after: StatementKey,
) -> tuple[Reconciliation, UnknownReport | None]:
    target = _build_target(settings, engine, chosen)
    rates = [limit for limit in (rate, target.rate) if limit is not None]
    target = replace(target, rate=min(rates, default=None))

    async def run() -> tuple[Reconciliation, UnknownReport | None]:
        async with open_session(settings.outgoing_guard()) as session:
            reader = LrsReader(Transport(session, target), now=system_now, random=random.random)
            work = Reconciliation(engine, target.name, span, reader, filling.wants, after)
            try:
                with show_progress(work.count(), "reconcile") as advance:
                    await work.run(progress=advance, on_lines=output.add)
                unknown = await _look_for_unknown(engine, reader, marks, span.since, output)
            except LrsReadError as error:
                click.echo(f"{target.name}: {error}", err=True)
                _print_continuation(work.report)
                sys.exit(ExitCode.UNAVAILABLE)
            except asyncio.CancelledError:  # by Ctrl-C
                _print_continuation(work.report)
                raise
            return work, unknown

    return asyncio.run(run())


async def _look_for_unknown(
    engine: Engine, reader: LrsReader, marks: Sequence[StatementMarks] | None, since: int, output: _Output
) -> UnknownReport | None:
    if marks is None:
        return None
    work = UnknownStatements(engine, reader, marks, since, system_now)
    with show_progress(None, "unknown") as advance:
        await work.run(progress=advance, on_lines=output.add_unknown)
    return work.report


def _load_marks(settings: Settings, engine: Engine, chosen: TargetSettings, lms: str | None) -> list[StatementMarks]:
    with reading(engine) as connection:
        known = load_marks(connection, chosen, load_mapping(settings.mapping.document), lms)
    for name in known.unrecognizable:
        click.echo(
            f"Statements of the mapping {name} do not tell {chosen.name} which LMS they are of, so that those of others"
            " could be taken for them: they are not looked for.",
            err=True,
        )
    return known.marks


def _print_continuation(report: ReconciliationReport) -> None:
    if report.last != START:
        click.echo(f"Continue where it ended: --after {report.last.text}", err=True)


def _build_target(settings: Settings, engine: Engine, chosen: TargetSettings) -> Target:
    mappings = [load_mapping(settings.mapping.document)]
    with reading(engine) as connection:
        if mapping_versions.active(connection):
            for_all, for_lms = load_active(connection, settings.targets).current()
            mappings += [active.mapping for active in (for_all, *for_lms.values())]
    (target,) = build_targets([chosen], mappings)
    return target


def _repair(work: Reconciliation, filling: Backfill, rate: float | None, missing: int) -> int:
    started_at = time.monotonic()
    count = 0
    with show_progress(missing, "repair") as advance:

        def progress(queued: int) -> None:
            nonlocal count
            count += queued
            advance(queued)
            wait = 0.0 if rate is None else started_at + count / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)

        return work.repair(progress=progress, fill=filling.queue)


def _as_object(
    report: ReconciliationReport, unknown: UnknownReport | None, output: _Output, queued: int | None
) -> dict[str, Any]:
    discrepancies = {kind.value: report.discrepancies[kind] for kind in _WORDS}
    looked_at: dict[str, int] = {}
    if unknown is not None:
        discrepancies |= {kind.value: unknown.discrepancies[kind] for kind in _UNKNOWN_WORDS}
        looked_at = {"listed": unknown.listed, "erased": unknown.erased, "undecided": unknown.undecided}
    return {
        "items": [*output.shown, *output.unknown],
        "next": output.following,
        "summary": {
            "statements": report.statements,
            "equal": report.equal,
            "voided": report.voided,
            **{state.value: report.absent[state] for state in sorted(report.absent)},
            "unreadable": report.unreadable,
            **looked_at,
            "discrepancies": discrepancies,
            "queued": queued,
        },
    }


def _show(report: ReconciliationReport, unknown: UnknownReport | None, output: _Output, queued: int | None) -> None:
    if lines := [*output.shown, *output.unknown]:
        print_table(
            ("what", "statement", "LMS", "learner", "activity", "rule", "where"),
            (
                (line.discrepancy, line.statement, line.lms, line.learner, line.activity, line.rule, line.detail)
                for line in lines
            ),
        )
        click.echo()
    counts = [
        ("statements compared", report.statements),
        ("there as they were sent", report.equal),
        ("voided there, as here", report.voided),
        *((f"{state}: need not be there", count) for state, count in sorted(report.absent.items())),
        ("delivered so recently that they may not be readable yet", report.unreadable),
        *((words, report.discrepancies[kind]) for kind, words in _WORDS.items()),
        *([] if queued is None else [("queued again", queued)]),
    ]
    if unknown is not None:
        counts += [
            ("statements of the LRS looked at, of whomever", unknown.listed),
            ("of learners who were erased here", unknown.erased),
            ("of learners who may have been erased here", unknown.undecided),
            *((words, unknown.discrepancies[kind]) for kind, words in _UNKNOWN_WORDS.items()),
        ]
    print_table(("", "number"), [(what, f"{count:,}") for what, count in counts])
    print_end_of_page("statements", is_empty=False, following=output.following)


def _advise(unknown: UnknownReport, output: _Output) -> None:
    """Say what to do about what the database lost, and that not all of it was shown."""
    click.echo(_ADVICE, err=True, nl=False)
    if unknown.discrepancies.total() > len(output.unknown):
        click.echo(
            f"{len(output.unknown):,} of {unknown.discrepancies.total():,} are shown; --report FILE has all.", err=True
        )

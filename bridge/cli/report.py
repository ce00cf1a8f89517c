"""`scorm-bridge report`: enrollments, attempts, interactions and statements as files for analysts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, TextColumn

from bridge.cli.database import errors_as_messages, open_database
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON, TimeType, choice_of
from bridge.cli.output import print_json, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.reports.formats import MissingPackageError, ReportFormat
from bridge.reports.report import ReportError, ReportRequest, WrittenFile, write_report
from bridge.reports.report_rows import LearnerForm, ReportKind
from bridge.routing import build_forms
from bridge.settings import Settings
from storage.engine import writing
from storage.new_file import NewFileError
from storage.queries.keyset import TimeSpan
from storage.queries.report_rows import ReportFilter

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class MonthType(click.ParamType[TimeSpan]):
    """A month such as 2026-01, in UTC, as a span of milliseconds since the epoch."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TimeSpan:
        """Parse it."""
        if isinstance(value, TimeSpan):
            return value
        parts = _MONTH.fullmatch(value)
        if parts is None or not 1970 <= int(parts[1]) < 9999:
            self.fail(f"{value!r} is not a month; write it as 2026-01.", param, ctx)
        year, month = int(parts[1]), int(parts[2])
        begin, end = datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return TimeSpan(int(begin.timestamp() * 1000), int(end.timestamp() * 1000))


@click.command()
@click.argument("kind", type=choice_of(ReportKind))
@click.option("--format", "format_", type=choice_of(ReportFormat), required=True, help="Format of the files.")
@click.option("--month", type=MonthType(), help="Month such as 2026-01, in UTC.")
@click.option("--since", type=TimeType(), help="From this time on.")
@click.option("--until", type=TimeType(), help="Before this time.")
@click.option("--lms", help="Name of the LMS.")
@click.option("--course", help="Id of the course.")
@click.option("--names", is_flag=True, help="Add learners' names.")
@click.option("--pseudonyms", metavar="TARGET", help="Name learners as this target knows them, which gets pseudonyms.")
@click.option("--replace", is_flag=True, help="Let files take the place of others; by default none is overwritten.")
@click.option("--rate", type=click.FloatRange(min=1), help="Rows a second at most.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="A file, which has a suffix, or a directory, which gets a file for each month.",
)
@BY
@OPTIONAL_REASON
@AS_JSON
@click.pass_obj
def report(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    *,
    kind: str,
    format_: str,
    month: TimeSpan | None,
    since: int | None,
    until: int | None,
    lms: str | None,
    course: str | None,
    names: bool,
    pseudonyms: str | None,
    replace: bool,
    rate: float | None,
    output: Path,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Write KIND as files for analysts: enrollments, attempts, interactions or statements, by month.

    All is as of one moment, and commits go on meanwhile. A row is of the month in which its enrollment or attempt
    began, an interaction of its attempt's, and a statement of the one in which it was stored. The audit log records it.
    """
    if month is not None and (since, until) != (None, None):
        raise click.UsageError("--month goes without --since and --until.")
    if names and pseudonyms is not None:
        raise click.UsageError("--names goes without --pseudonyms.")
    request = ReportRequest(
        ReportKind(kind),
        ReportFormat(format_),
        output,
        ReportFilter(month or TimeSpan(since, until), lms, course),
        LearnerForm(names) if pseudonyms is None else _pseudonyms(settings, pseudonyms),
        is_directory=output.is_dir() or not output.suffix,
        replace=replace,
    )
    learners = f"by pseudonym as {pseudonyms} knows them" if pseudonyms else "by id and name" if names else "by id"
    with errors_as_messages(ReportError, MissingPackageError, NewFileError), open_database(settings) as engine:
        with _progress(kind) as advance:
            files = write_report(engine, request, pause=_pacing(rate, advance))
        rows = sum(file.rows for file in files)
        with writing(engine) as connection:
            context = AuditContext(by, reason, system_now())
            record(connection, context, AuditAction.REPORT, kind, count=rows, detail=_describe(request, learners))
    _show(request, files, learners, as_json=as_json)


def _pseudonyms(settings: Settings, target: str) -> LearnerForm:
    form = build_forms(settings.targets).get(target)
    if form is None or form.actor != "pseudonym":
        raise click.BadParameter(
            f'{target}: no target of this name has actor = "pseudonym" in the settings.', param_hint="--pseudonyms"
        )
    return LearnerForm(pseudonyms=form)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show the number of rows on standard error while the block runs; yield what is told it."""
    with Progress(
        TextColumn("{task.description}: {task.completed:,} rows"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda rows: bar.update(task, completed=rows)


def _pacing(rate: float | None, advance: Callable[[int], None]) -> Callable[[int], None]:
    started_at = time.monotonic()

    def pause(rows: int) -> None:
        advance(rows)
        wait = 0.0 if rate is None else started_at + rows / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    return pause


def _describe(request: ReportRequest, learners: str) -> str:
    parts = {
        "format": request.format.value,
        "since": format_timestamp(request.selection.span.since),
        "until": format_timestamp(request.selection.span.until),
        "lms": request.selection.lms,
        "course": request.selection.course,
    }
    return ", ".join([f"learners {learners}", *(f"{name} {value}" for name, value in parts.items() if value)])


def _show(request: ReportRequest, files: list[WrittenFile], learners: str, *, as_json: bool) -> None:
    rows = sum(file.rows for file in files)
    if as_json:
        span = request.selection.span
        print_json(
            {
                "report": request.kind.value,
                "format": request.format.value,
                "since": format_timestamp(span.since),
                "until": format_timestamp(span.until),
                "lms": request.selection.lms,
                "course": request.selection.course,
                "learners": learners,
                "rows": rows,
                "files": files,
            }
        )
        return
    print_table(("file", "rows", "bytes"), [(file.file, f"{file.rows:,}", f"{file.bytes:,}") for file in files])
    answers = ", and what they answered" if request.kind is ReportKind.INTERACTIONS else ""
    click.echo(f"{rows:,} rows. They are about learners, {learners}{answers}: keep them as personal data.", err=True)

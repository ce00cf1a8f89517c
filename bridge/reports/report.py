"""Writes a report: one file, or one for each month, of the database as it was when the report began.

All is read in one transaction, which takes no lock that a commit waits for. At most `MAX_PENDING_ROWS` rows are in
memory, and no file has its name before all are complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from bridge.reports.formats import ReportFile, ReportFormat, check_installed, open_file
from bridge.reports.report_rows import VIEWS, LearnerForm, ReportKind, Row, report_columns, report_rows
from storage.engine import reading
from storage.new_file import new_file
from storage.queries.report_rows import ReportFilter, batches, home_pages

MAX_PENDING_ROWS = 100_000
"""Rows in memory of all months together."""
_MONTH = len("2026-01")

Pause = Callable[[int], None]
"""Called with the number of rows that are written so far; it may wait."""


class ReportError(RuntimeError):
    """A report cannot be written; the text says why and what to do."""


class ReportRequest(NamedTuple):
    """What to report, of which rows, how learners are known, in which format, and where.

    In a directory each month has a file of its own, `KIND/month=YYYY-MM/KIND.FORMAT`, which tools for Parquet read as
    one table. `replace` lets files take the place of others.
    """

    kind: ReportKind
    format: ReportFormat
    output: Path
    selection: ReportFilter = ReportFilter()
    learners: LearnerForm = LearnerForm()
    is_directory: bool = False
    replace: bool = False


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a report: its path, its month where it has only that, its rows, and its size in bytes."""

    file: str
    month: str | None
    rows: int
    bytes: int


@dataclass(slots=True)
class _MonthFile:
    path: Path
    partial: Path
    file: ReportFile
    rows: int = 0


class _MonthFiles:
    """The files of a report that is being written, by month; one without a month is all of it."""

    def __init__(self, request: ReportRequest, files: ExitStack) -> None:
        self._request = request
        self._files = files
        self._columns = report_columns(request.kind, request.learners)
        self._parts: dict[str | None, _MonthFile] = {}

    def open(self, month: str | None) -> _MonthFile:
        """Return a month's file, which is created where it is not there yet."""
        part = self._parts.get(month)
        if part is None:
            path = self.path(month)
            if month is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = self._files.enter_context(new_file(path, replace=self._request.replace))
            file = open_file(self._request.format, partial, self._columns)
            self._files.callback(file.close)  # before it is named, and also where the report fails
            part = self._parts[month] = _MonthFile(path, partial, file)
        return part

    def path(self, month: str | None) -> Path:
        """Return the path of a month's file."""
        request = self._request
        if month is None:
            return request.output
        return request.output / request.kind.value / f"month={month}" / f"{request.kind.value}.{request.format.value}"

    def write(self, month: str | None, rows: list[Row]) -> None:
        """Write rows of a month, and the largest part of what is in memory where that is too much."""
        part = self.open(month)
        part.file.write(rows)
        part.rows += len(rows)
        if sum(each.file.pending for each in self._parts.values()) > MAX_PENDING_ROWS:
            max(self._parts.values(), key=lambda each: each.file.pending).file.flush()

    def close(self) -> list[WrittenFile]:
        """Complete all files and return what they are."""
        for part in self._parts.values():
            part.file.close()
        return [
            WrittenFile(str(part.path), month, part.rows, part.partial.stat().st_size)
            for month, part in sorted(self._parts.items(), key=lambda item: item[0] or "")
        ]


def write_report(engine: Engine, request: ReportRequest, *, pause: Pause = lambda _rows: None) -> list[WrittenFile]:
    """Write a report and return its files, sorted by month.

    Raises:
        MissingPackageError: the format needs a package that is not installed.
        NewFileError: a file exists already, or cannot be written.
        ReportError: there is no such LMS, or a directory is to have a part of a month.
    """
    check_installed(request.format)
    span = request.selection.span
    if request.is_directory and not all(map(_begins_month, filter(None, span))):
        raise ReportError(
            "A directory has a file for each whole month: begin and end with the first of a month, or write one file."
        )
    with reading(engine) as connection, ExitStack() as files:
        row_lists = _read(connection, request)
        parts = _MonthFiles(request, files)
        for month in _expected(request):
            parts.open(month)
        total = 0
        for rows in row_lists:
            for month, its in _by_month(request, rows).items():
                parts.write(month, its)
            total += len(rows)
            pause(total)
        return parts.close()


def _read(connection: Connection, request: ReportRequest) -> Iterator[list[Row]]:
    pages = home_pages(connection)
    lms = request.selection.lms
    if lms is not None and lms not in pages:
        names = ", ".join(sorted(pages)) or "none"
        raise ReportError(f"There is no LMS {lms!r}; there are {names}.")
    row_batches = batches(connection, VIEWS[request.kind], request.selection)
    return report_rows(row_batches, request.kind, request.learners, pages)


def _by_month(request: ReportRequest, rows: list[Row]) -> dict[str | None, list[Row]]:
    if not request.is_directory:
        return {None: rows}
    names = [column.name for column in report_columns(request.kind, request.learners)]
    place = names.index(VIEWS[request.kind].time)
    months: dict[str | None, list[Row]] = {}
    for row in rows:
        months.setdefault(row[place][:_MONTH], []).append(row)
    return months


def _expected(request: ReportRequest) -> set[str | None]:
    """Return the months that have a file even without rows.

    These are the one that was asked for, and those whose files are to be replaced: what an erasure took away must not
    stay in them.
    """
    if not request.is_directory:
        return {None}
    since, until = (None if time is None else _month(time) for time in request.selection.span)
    months: set[str | None] = set()
    if since is not None and until is not None and _following(since) == until:
        months.add(since)
    if request.replace:
        present = (path.parent.name.removeprefix("month=") for path in request.output.glob(_pattern(request)))
        months |= {month for month in present if (since or "") <= month < (until or "~")}
    return months


def _pattern(request: ReportRequest) -> str:
    return f"{request.kind.value}/month=[0-9][0-9][0-9][0-9]-[0-9][0-9]/{request.kind.value}.{request.format.value}"


def _month(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m")


def _begins_month(milliseconds: int) -> bool:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%d %H:%M:%S.%f") == "01 00:00:00.000000"


def _following(month: str) -> str:
    year, number = divmod(int(month[:4]) * 12 + int(month[5:]), 12)
    return f"{year:04}-{number + 1:02}"

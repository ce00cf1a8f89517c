"""The formats of reports: CSV for spreadsheets, NDJSON for programs, Parquet for analysts, each written in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from bridge.reports.report_rows import Row
from bridge.spreadsheet import UTF8_MARK, csv_lines
from storage.report_views import ColumnKind, ReportColumn

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP_ROWS = 20_000
"""Rows of a Parquet file that are compressed together, and in memory until then."""
_encode = msgspec.json.Encoder().encode


class ReportFormat(StrEnum):
    """The format of a report's files; its value is also their suffix."""

    PARQUET = "parquet"
    """Columns with types, compressed."""
    CSV = "csv"
    """Text for spreadsheets: no cell becomes a formula."""
    NDJSON = "ndjson"
    """A JSON object a line."""


class MissingPackageError(RuntimeError):
    """The format needs a package that is not installed; the text says which."""


class ReportFile(Protocol):
    """A file that rows are written to."""

    @property
    def pending(self) -> int:
        """Return how many rows are in memory."""
        ...

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows, now or with later ones."""
        ...

    def flush(self) -> None:
        """Write what is in memory."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


class _TextFile:
    """A file of lines, which are written at once."""

    pending = 0

    def __init__(self, path: Path, head: bytes, lines: Callable[[Sequence[Row]], bytes]) -> None:
        self._file = path.open("wb")
        self._lines = lines
        self._file.write(head)

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        self._file.write(self._lines(rows))

    def flush(self) -> None:
        """Write what is in memory."""
        self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


class _ParquetFile:
    """A Parquet file. Its schema follows from the columns alone, whatever the rows hold, and without any."""

    def __init__(self, path: Path, columns: Sequence[ReportColumn]) -> None:
        arrow = _import_arrow()
        import pyarrow.parquet  # noqa: PLC0415 -- as above

        self._kinds = [column.kind for column in columns]
        self._schema = arrow.schema([(column.name, _arrow_type(column.kind)) for column in columns])
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self.pending = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Keep rows until there are enough for a row group."""
        arrow = _import_arrow()
        arrays = []
        for place, (kind, field) in enumerate(zip(self._kinds, self._schema, strict=True)):
            values = [row[place] for row in rows]
            is_time = kind is ColumnKind.TIME
            array = arrow.array(values, arrow.string() if is_time else field.type)
            arrays.append(array.cast(field.type) if is_time else array)
        self._batches.append(arrow.record_batch(arrays, schema=self._schema))
        self.pending += len(rows)
        if self.pending >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory as a row group."""
        if self._batches:
            table = _import_arrow().Table.from_batches(self._batches, self._schema)
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._batches, self.pending = [], 0

    def close(self) -> None:
        """Complete the file."""
        try:
            self.flush()
        finally:
            self._writer.close()


def _import_arrow() -> Any:
    try:
        import pyarrow  # noqa: PLC0415 -- an extra, and slow to import
    except ModuleNotFoundError:
        raise MissingPackageError(
            "Parquet needs pyarrow: pip install 'scorm-xapi-bridge[reports]'. CSV and NDJSON need nothing more."
        ) from None
    return pyarrow


def _arrow_type(kind: ColumnKind) -> pyarrow.DataType:
    arrow = _import_arrow()
    types = {
        ColumnKind.KEY: arrow.int64(),
        ColumnKind.INTEGER: arrow.int32(),
        ColumnKind.NUMBER: arrow.float64(),
        ColumnKind.TEXT: arrow.string(),
        ColumnKind.UUID: arrow.string(),
        ColumnKind.BOOLEAN: arrow.bool_(),
        ColumnKind.TIME: arrow.timestamp("ms", "UTC"),
        ColumnKind.LIST: arrow.list_(arrow.string()),
    }
    return types[kind]


def open_file(kind: ReportFormat, path: Path, columns: Sequence[ReportColumn]) -> ReportFile:
    """Open an empty file for the rows of a report.

    Raises:
        MissingPackageError: the format needs a package that is not installed.
    """
    names = [column.name for column in columns]
    if kind is ReportFormat.PARQUET:
        return _ParquetFile(path, columns)
    if kind is ReportFormat.CSV:
        return _TextFile(path, UTF8_MARK + csv_lines([names]), lambda rows: csv_lines(map(_cells, rows)))
    return _TextFile(
        path, b"", lambda rows: b"".join(_encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)
    )


def check_installed(kind: ReportFormat) -> None:
    """Check that what a format needs is installed, before anything is read.

    Raises:
        MissingPackageError: it is not.
    """
    if kind is ReportFormat.PARQUET:
        _import_arrow()


def _cells(row: Row) -> Row:
    return [_cell(value) for value in row]


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _encode(value).decode() if isinstance(value, list) else value

"""Exports everything that is held about one learner into one zip, table by table, a few rows in memory at a time.

The same data gives the same bytes, whenever and wherever it is exported: an export can be compared with a later one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import msgspec
from sqlalchemy import Engine

from bridge.clock import format_timestamp
from bridge.operations.audit_context import AuditAction, AuditContext, record
from storage.engine import reading, writing
from storage.new_file import new_file
from storage.queries import learner_data
from storage.queries.learner_data import Learner

FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold: what is in it has none of its own."""
_PRIVATE_FILE = 0o100600 << 16
_JSON_COLUMNS = frozenset(
    {"activities", "body", "state", "learner_attributes", "parameters", "response", "request_metadata"}
)
"""Columns that hold JSON, which becomes a part of the row's."""
_JSON_BYTES = frozenset({"calls"})
"""The same as bytes."""
_TIMES = frozenset({"not_before"})
"""Columns that are times, beside those whose names end in `_at`."""
_encode = msgspec.json.Encoder(order="deterministic").encode

README = """\
Everything that this SCORM-xAPI bridge holds about one learner.

Learner: {learner}
LMS: {lms}

Each .ndjson file has one JSON object a line; manifest.json says how many lines. Times are RFC 3339 in UTC, durations
in milliseconds (duration_ms) or hundredths of a second (total_time).

{files}

A body that was no text is in "body_base64" instead of "body". E-mail addresses were removed from bodies before they
were stored, unless the mapping uses them. Learning Record Stores, the LMS, backups and logs hold data of their own,
which is not in this file.
"""


class NothingHeldError(LookupError):
    """Nothing is held about a learner."""


class _File(NamedTuple):
    """A file of the zip, a sentence on it, and its rows."""

    name: str
    description: str
    rows: Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class LearnerExport:
    """An export that was made: its file, size in bytes, and the number of rows by kind."""

    file: Path
    size: int
    rows: Mapping[str, int]


def export_learner(engine: Engine, learner: Learner, file: Path, context: AuditContext) -> LearnerExport:
    """Write all that is held about a learner into a new zip, as of one moment, and record that in the audit log.

    Raises:
        NothingHeldError: nothing is.
        NewFileError: the file exists already, or cannot be written.
    """
    with new_file(file) as partial:
        with reading(engine) as connection, ZipFile(partial, "w", ZIP_DEFLATED, compresslevel=6) as archive:
            if not learner_data.exists(connection, learner):
                raise NothingHeldError(f"Nothing is held about learner {learner.id!r}{_at(learner)}.")
            counts: dict[str, int] = {}
            descriptions: dict[str, str] = {}
            sessions = learner_data.session_ids(connection, learner)
            files = [
                *(
                    _File(table.name, table.description, learner_data.rows(connection, table.query))
                    for table in learner_data.learner_tables(learner)
                ),
                _File(
                    "refusals",
                    "Requests that were refused and name the learner or a session.",
                    learner_data.refusals(connection, learner, sessions),
                ),
                _File(
                    "audit_log",
                    "What administrators did that names the learner.",
                    learner_data.audit_entries(connection, learner),
                ),
            ]
            for entry in files:
                descriptions[entry.name] = entry.description
                counts[entry.name] = _write_lines(archive, f"{entry.name}.ndjson", entry.rows)
            manifest = {"learner": learner.id, "lms": learner.lms, "rows": counts}
            _write(archive, "manifest.json", msgspec.json.format(_encode(manifest)))
            _write(archive, "README.txt", _readme(learner, descriptions).encode())
        size = partial.stat().st_size
    with writing(engine) as connection:
        subject = {"learner": learner.id} | ({} if learner.lms is None else {"lms": learner.lms})
        record(connection, context, AuditAction.EXPORT, _encode(subject).decode(), count=sum(counts.values()))
    return LearnerExport(file, size, counts)


def _readme(learner: Learner, descriptions: Mapping[str, str]) -> str:
    files = "\n".join(f"{name}.ndjson\n    {text}" for name, text in descriptions.items())
    return README.format(learner=learner.id, lms=learner.lms or "all of them", files=files)


def _at(learner: Learner) -> str:
    return "" if learner.lms is None else f" at LMS {learner.lms!r}"


def _write(archive: ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _write_lines(archive: ZipFile, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as NDJSON and return how many."""
    count = 0
    with archive.open(_info(name), "w", force_zip64=True) as file:
        for row in rows:
            file.write(_encode(dict(_fields(row))) + b"\n")
            count += 1
    return count


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, FIRST_ZIP_DATE)
    info.compress_type, info.external_attr = ZIP_DEFLATED, _PRIVATE_FILE
    info.create_system = 3  # wherever it is made
    return info


def _fields(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a row as people read them: times as text, JSON as JSON, bytes as text where they are."""
    for name, value in row.items():
        if value is None:
            yield name, None
        elif name.endswith("_at") or name == "at" or name in _TIMES:
            yield name, format_timestamp(value or None)
        elif name in _JSON_BYTES:
            yield name, msgspec.Raw(bytes(value))
        elif isinstance(value, bytes | memoryview):
            yield _text_or_base64(name, bytes(value))
        elif name in _JSON_COLUMNS and value[:1] in {"{", "["}:  # a delivery's state is a word
            yield name, msgspec.Raw(value.encode())
        else:
            yield name, value


def _text_or_base64(name: str, value: bytes) -> tuple[str, str]:
    try:
        return name, value.decode()
    except UnicodeDecodeError:
        return f"{name}_base64", base64.b64encode(value).decode()

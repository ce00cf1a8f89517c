"""SCORM Cloud: registrations as API v2 gives them (`GET /registrations/{id}?includeRuntime=true`), a line each.

They are read as what SCORM Cloud posts to the bridge when a registration changes, and have the same sessions. An
instance of a registration is an attempt in one session with one commit, dated when it was updated last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bridge.errors import BridgeError
from bridge.formats import CommitRequest, parse_as, scorm_cloud
from bridge.imports.history import PastAttempt, PastCommit, PastSession, SkippedRows, SourceError
from bridge.imports.sources.values import milliseconds, text_of, with_session_time
from bridge.imports.tables import SourceTables

_NESTED = ("learner", "course", "score", "activityDetails")
_OPTIONAL = ("instance", "createdDate", "firstAccessDate", "registrationCompletionAmount", "registrationSuccess",
             "totalSecondsTracked", *_NESTED[2:])  # fmt: skip


class ScormCloud:
    """Registrations of a SCORM Cloud application."""

    name = "scorm-cloud"

    def __init__(self, tables: SourceTables) -> None:
        names = tables.names()
        if len(names) != 1:
            raise SourceError("SCORM Cloud's registrations are read from one NDJSON file: one registration in a line.")
        self._tables = tables
        self._table = tables.require(names[0], "id", "updated", scorm_cloud.POSTBACK_FIELD, "learner", "course")
        self._columns = ["id", "updated", scorm_cloud.POSTBACK_FIELD, "learner", "course"]
        self._columns += [name for name in _OPTIONAL if name not in self._columns and tables.has(names[0], name)]

    def count(self) -> int | None:
        """Return how many registrations there are."""
        return int(self._tables.one(f"SELECT COUNT(*) FROM {self._table}"))  # noqa: S608 -- a table's name

    def read(self, lms_id: int) -> Iterator[PastAttempt | SkippedRows]:
        """Yield an attempt for each instance of a registration."""
        names = ", ".join(f'"{name}"' for name in self._columns)
        order = '"createdDate", ' if "createdDate" in self._columns else ""
        last = ', CAST("instance" AS INTEGER)' if "instance" in self._columns else ""
        rows = self._tables.query(
            f"SELECT {names} FROM {self._table} ORDER BY json_extract(learner, '$.id'),"  # noqa: S608 -- of columns
            f" json_extract(course, '$.id'), {order}id{last}"
        )
        for row in rows:
            yield self._attempt(lms_id, dict(zip(self._columns, row, strict=True)))

    def _attempt(self, lms_id: int, content: dict[str, Any]) -> PastAttempt | SkippedRows:
        name = f"{text_of(content['id'])}/{text_of(content.get('instance')) or '0'}"
        for nested in _NESTED:
            if isinstance(content.get(nested), str):
                content[nested] = msgspec.json.decode(content[nested])
        at = milliseconds(content["updated"])
        if at is None:
            return SkippedRows(name, "updated is no time")
        try:
            opening = scorm_cloud.parse_launch(content, lms_id=lms_id)
            request = CommitRequest(msgspec.json.encode(content), "application/json")
            commit = parse_as(scorm_cloud.FORMAT, request).commit
        except BridgeError as error:
            return SkippedRows(name, error.detail)
        assert commit is not None  # noqa: S101 -- a postback always is one
        opened_at = milliseconds(content.get("firstAccessDate")) or milliseconds(content.get("createdDate")) or at
        session = PastSession(
            name, min(opened_at, at), (PastCommit(at, with_session_time(commit.tree)),), opening.session_id or ""
        )
        return PastAttempt(name, opening.launch, (session,))

"""The LMS that the bridge was first made for: its tables `scorm_scormenrollment` and `scorm_scormattempt`.

It keeps the last CMI data of each attempt (`cmi_data`), and when it came: an attempt is one session with one commit.
Sessions keep the LMS's own `session_id`, activities are its topics, and learners are named by their user names where
`users_customuser` or `auth_user` is there, else by their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.imports.history import PastAttempt, PastCommit, PastSession, SkippedRows
from bridge.imports.sources.values import milliseconds, text_of, tree_of, version_of, with_session_time
from bridge.imports.tables import SourceTables

INDEXES = (("scorm_scormattempt", "enrollment_id, attempt_number"), ("scorm_scormenrollment", "id"))
TOGETHER = 1_000
_USERS = ("users_customuser", "auth_user", "users_user")


class OriginLms:
    """The attempts of the LMS."""

    name = "origin"

    def __init__(self, tables: SourceTables) -> None:
        self._tables = tables
        self._enrollments = tables.require("scorm_scormenrollment", "id", "user_id", "topic_id")
        self._attempts = tables.require(
            "scorm_scormattempt", "id", "enrollment_id", "attempt_number", "session_id", "started_at", "cmi_data"
        )
        optional = ("last_commit_at", "completed_at", "terminated", "scorm_version")
        self._optional = [name for name in optional if tables.has("scorm_scormattempt", name)]

    def count(self) -> int | None:
        """Return how many attempts there are."""
        return int(self._tables.one(f"SELECT COUNT(*) FROM {self._attempts}"))  # noqa: S608 -- a table's name

    def read(self, lms_id: int) -> Iterator[PastAttempt | SkippedRows]:
        """Yield the attempts, enrollment by enrollment."""
        last: Any = None
        columns = ", ".join(f"a.{name}" for name in self._optional)
        while True:
            ids = [row[0] for row in self._tables.query(
                f"SELECT id FROM {self._enrollments} {'' if last is None else 'WHERE id > :last'}"  # noqa: S608
                f" ORDER BY id LIMIT {TOGETHER}", **({} if last is None else {"last": last}),
            )]  # fmt: skip
            if not ids:
                return
            rows = self._tables.query(
                "SELECT a.id, e.user_id, e.topic_id, a.attempt_number, a.session_id, a.started_at, a.cmi_data"  # noqa: S608
                f"{', ' + columns if columns else ''} FROM {self._attempts} a"
                f" JOIN {self._enrollments} e ON e.id = a.enrollment_id"
                " WHERE a.enrollment_id >= :first AND a.enrollment_id <= :end"
                " ORDER BY a.enrollment_id, a.attempt_number",
                first=ids[0],
                end=ids[-1],
            )
            for row in rows:
                yield self._attempt(lms_id, row)
            last = ids[-1]

    def _attempt(self, lms_id: int, row: Any) -> PastAttempt | SkippedRows:
        row_id, user_id, topic_id, number, session_id, started_at, cmi_data = row[:7]
        more = dict(zip(self._optional, row[7:], strict=True))
        name = text_of(row_id)
        tree = tree_of(cmi_data)
        if tree is None or "cmi" not in tree:
            return SkippedRows(name, "it has no CMI data")
        opened_at = milliseconds(started_at)
        at = milliseconds(more.get("last_commit_at")) or milliseconds(more.get("completed_at")) or opened_at
        if at is None:
            return SkippedRows(name, "nothing says when it was")
        user, topic = text_of(user_id), text_of(topic_id)
        launch = Launch(
            lms_id=lms_id,
            learner=LaunchLearner(id=self._usernames.get(user, user), name=""),
            activity=LaunchActivity(id=topic, name=self._topics.get(topic, ""), type=""),
            course=LaunchCourse(id="", name=""),
            scorm_version=version_of(more.get("scorm_version")),
            attempt_number=int(number),
        )
        commit = PastCommit(at, with_session_time(tree), True if _is_true(more.get("terminated")) else None)
        session = PastSession(name, min(opened_at or at, at), (commit,), text_of(session_id))
        return PastAttempt(name, launch, (session,))

    @cached_property
    def _usernames(self) -> dict[str, str]:
        return next((self._names(table, "username") for table in _USERS if self._tables.has(table, "username")), {})

    @cached_property
    def _topics(self) -> dict[str, str]:
        return self._names("courses_topic", "title") if self._tables.has("courses_topic", "title") else {}

    def _names(self, table: str, column: str) -> dict[str, str]:
        name = self._tables.require(table, "id", column)
        return {text_of(row[0]): text_of(row[1]) for row in self._tables.query(f"SELECT id, {column} FROM {name}")}  # noqa: S608


def _is_true(value: Any) -> bool:
    return value is True or text_of(value).lower() in {"true", "t", "1"}

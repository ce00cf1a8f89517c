"""Open edX: the states of the SCORM XBlock (`openedx-scorm-xblock`) in `courseware_studentmodule`.

A row is a learner's only attempt, with the values that its content set last: an attempt in one session with one commit,
dated when the row was changed last. Learners are named by their user names where `auth_user` is there, else by their
numbers; activities and courses by their keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.imports.history import PastAttempt, PastCommit, PastSession, SkippedRows
from bridge.imports.sources.values import milliseconds, text_of, tree_of, with_session_time
from bridge.imports.tables import SourceTables
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import Tree

TOGETHER = 1_000


class OpenEdx:
    """The learners' states of SCORM blocks."""

    name = "openedx"

    def __init__(self, tables: SourceTables) -> None:
        self._tables = tables
        self._states = tables.require(
            "studentmodule", "id", "module_type", "module_id", "student_id", "state", "course_id", "created", "modified"
        )

    def count(self) -> int | None:
        """Return how many states there are."""
        return int(self._tables.one(f"SELECT COUNT(*) FROM {self._states} WHERE module_type = 'scorm'"))  # noqa: S608

    def read(self, lms_id: int) -> Iterator[PastAttempt | SkippedRows]:
        """Yield an attempt for each state."""
        last: Any = None
        while True:
            after = "" if last is None else " AND id > :last"
            rows = [
                *self._tables.query(
                    "SELECT id, module_id, student_id, state, course_id, created, modified"  # noqa: S608
                    f" FROM {self._states} WHERE module_type = 'scorm'{after} ORDER BY id LIMIT {TOGETHER}",
                    **({} if last is None else {"last": last}),
                )
            ]
            if not rows:
                return
            for row in rows:
                yield self._attempt(lms_id, *row[1:])
            last = rows[-1][0]

    def _attempt(
        self, lms_id: int, block: Any, student: Any, state: Any, course: Any, created: Any, modified: Any
    ) -> PastAttempt | SkippedRows:
        activity_id, student_id = text_of(block), text_of(student)
        name = f"{activity_id}/{student_id}"
        at = milliseconds(modified)
        tree, version = _cmi(state)
        if tree is None:
            return SkippedRows(name, "it has no CMI data")
        if at is None:
            return SkippedRows(name, "modified is no time")
        learner_id = self._usernames.get(student_id, student_id)
        launch = Launch(
            lms_id=lms_id,
            learner=LaunchLearner(id=learner_id, name=""),
            activity=LaunchActivity(id=activity_id, name="", type=""),
            course=LaunchCourse(id=text_of(course), name=""),
            scorm_version=version,
            attempt_number=1,
        )
        opened_at = min(milliseconds(created) or at, at)
        return PastAttempt(name, launch, (PastSession(name, opened_at, (PastCommit(at, tree),)),))

    @cached_property
    def _usernames(self) -> dict[str, str]:
        if self._tables.find("auth_user") is None:
            return {}
        table = self._tables.require("auth_user", "id", "username")
        return {text_of(row[0]): text_of(row[1]) for row in self._tables.query(f"SELECT id, username FROM {table}")}  # noqa: S608


def _cmi(state: Any) -> tuple[Tree | None, ScormVersion | None]:
    """Return the CMI data in a block's state, and its version.

    The block keeps statuses and score apart from what else content sets; its score is a share of 100.
    """
    fields = tree_of(state)
    fields = None if fields is None else fields["cmi"]
    if fields is None:
        return None, None
    data = fields.get("scorm_data")
    tree = tree_of(data) if isinstance(data, dict) and data else {"cmi": {}}
    if tree is None or "cmi" not in tree:
        tree = {"cmi": {}}
    cmi = tree["cmi"]
    status, success, score = (fields.get(name) for name in ("lesson_status", "success_status", "lesson_score"))
    is_2004 = not isinstance(cmi.get("core"), dict) and (
        bool(cmi.keys() & {"completion_status", "success_status", "location", "session_time", "exit"}) or bool(success)
    )
    if is_2004:
        values = {"completion_status": status, "success_status": success}
        scaled = {"scaled": score} if isinstance(score, int | float) else {}
        cmi |= {name: value for name, value in values.items() if value}
        if scaled:
            cmi["score"] = {**scaled, **(cmi["score"] if isinstance(cmi.get("score"), dict) else {})}
    else:
        core = cmi.setdefault("core", {})
        if status:
            core["lesson_status"] = status
        if isinstance(score, int | float):
            raw = {"raw": round(score * 100, 6), "min": 0, "max": 100}
            core["score"] = {**raw, **(core["score"] if isinstance(core.get("score"), dict) else {})}
    if not cmi or cmi == {"core": {}}:
        return None, None
    return with_session_time(tree), "2004" if is_2004 else "1.2"

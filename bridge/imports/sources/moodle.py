"""Moodle's `mod_scorm`: the last value of each element of each attempt, and when it was written.

Until Moodle 4.2 they are in `scorm_scoes_track`, since 4.3 in `scorm_attempt`, `scorm_element` and `scorm_scoes_value`.
Moodle keeps no earlier values: an attempt is one session with one commit, dated when its last value was written. What
was reached before that, it does not tell. Learners are named by their user names, activities by the id of their SCO,
courses by their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.formats.moodle import element
from bridge.imports.history import PastAttempt, PastCommit, PastSession, SkippedRows
from bridge.imports.sources.values import milliseconds, text_of, version_of, with_session_time
from bridge.imports.tables import SourceTables
from mappings.cmi.tree import unflatten

ATTEMPTS_TOGETHER = 500
INDEXES = (
    ("scorm_scoes_track", "userid, scormid, attempt"),
    ("scorm_attempt", "userid, scormid, attempt"),
    ("scorm_scoes_value", "attemptid"),
)
INTEGERS = ("id", "userid", "scormid", "attempt", "scoid", "attemptid", "elementid", "timemodified", "scorm", "course")
_STARTED = "x.start.time"


class _Sco(NamedTuple):
    id: str
    title: str
    course_id: str
    course_name: str
    version: str


class _Value(NamedTuple):
    """A row: whose attempt of which package and SCO, an element, its value and when that was written."""

    user_id: int
    package_id: int
    attempt: int
    sco_id: int
    element: str
    value: str
    modified: Any


_ATTEMPT = itemgetter(0, 1, 2, 3)


class Moodle:
    """The attempts of a Moodle site."""

    name = "moodle"

    def __init__(self, tables: SourceTables) -> None:
        self._tables = tables
        self._has_attempts = tables.find("scorm_scoes_value") is not None
        columns = ("userid", "scormid", "attempt")
        if self._has_attempts:
            self._attempts = tables.require("scorm_attempt", "id", *columns)
            self._values = tables.require("scorm_scoes_value", "id", "attemptid", "scoid", "elementid", "value")
            self._elements = tables.require("scorm_element", "id", "element")
        else:
            self._attempts = self._values = tables.require(
                "scorm_scoes_track", "id", *columns, "scoid", "element", "value", "timemodified"
            )

    def count(self) -> int | None:
        """Return how many values there are."""
        return int(self._tables.one(f"SELECT COUNT(*) FROM {self._values}"))  # noqa: S608 -- a table's name

    def read(self, lms_id: int) -> Iterator[PastAttempt | SkippedRows]:
        """Yield the attempts at each SCO."""
        for key, rows in groupby(self._rows(), key=_ATTEMPT):
            yield self._attempt(lms_id, key, list(rows))

    def _rows(self) -> Iterator[_Value]:
        last = (0, 0, 0)
        while page := self._page(last):
            for row in self._values_of(last, page[-1]):
                yield _Value(int(row[0]), int(row[1]), int(row[2]), int(row[3]), *row[4:])
            last = page[-1]

    def _page(self, last: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        rows = self._tables.query(
            f"SELECT DISTINCT userid, scormid, attempt FROM {self._attempts} WHERE {_AFTER}"  # noqa: S608
            f" ORDER BY 1, 2, 3 LIMIT {ATTEMPTS_TOGETHER}",
            **_bounds("after", last),
        )
        return [(int(row[0]), int(row[1]), int(row[2])) for row in rows]

    def _values_of(self, last: tuple[int, int, int], end: tuple[int, int, int]) -> Iterator[Any]:
        if self._has_attempts:
            table = (
                f"{self._values} v JOIN {self._attempts} a ON a.id = v.attemptid"
                f" JOIN {self._elements} e ON e.id = v.elementid"
            )
            modified = "v.timemodified" if self._tables.has("scorm_scoes_value", "timemodified") else "NULL"
        else:
            table, modified = f"{self._values} a", "a.timemodified"
        v, e = ("v", "e") if self._has_attempts else ("a", "a")
        return self._tables.query(
            f"SELECT a.userid, a.scormid, a.attempt, {v}.scoid, {e}.element, {v}.value, {modified}"  # noqa: S608
            f" FROM {table} WHERE {_AFTER} AND {_UNTIL} ORDER BY 1, 2, 3, 4, {v}.id",
            **_bounds("after", last),
            **_bounds("until", end),
        )

    def _attempt(self, lms_id: int, key: tuple[int, int, int, int], rows: list[_Value]) -> PastAttempt | SkippedRows:
        user_id, package_id, number, sco_id = key
        name = f"{package_id}/{sco_id}/{user_id}/{number}"
        learner = self._learner(user_id)
        values: dict[str, Any] = {row.element: row.value for row in rows}
        started = milliseconds(values.pop(_STARTED, None))
        at = max((milliseconds(row.modified) or 0 for row in rows), default=0) or started
        if learner is None:
            return SkippedRows(name, "the learner is not among the users any more", len(rows))
        if at is None:
            return SkippedRows(name, "no value says when it was written", len(rows))
        names = {element(name): value for name, value in values.items() if value is not None}
        tree = unflatten({name: value for name, value in names.items() if name.startswith(("cmi.", "adl."))})
        if not isinstance(tree.get("cmi"), dict):
            return SkippedRows(name, "it has no CMI data", len(rows))
        sco = self._scos.get(sco_id) or _Sco(str(sco_id), "", "", "", "")
        core = tree["cmi"].get("core")
        # only Finish and Terminate send it
        terminated = bool(tree["cmi"].get("total_time") or (isinstance(core, dict) and core.get("total_time")))
        launch = Launch(
            lms_id=lms_id,
            learner=learner,
            activity=LaunchActivity(id=sco.id, name=sco.title, type=""),
            course=LaunchCourse(id=sco.course_id, name=sco.course_name),
            scorm_version=version_of(sco.version),
            attempt_number=number,
        )
        commit = PastCommit(at, with_session_time(tree), terminated)
        session = PastSession(name, min(started or at, at), (commit,))
        return PastAttempt(name, launch, (session,), len(rows))

    def _learner(self, user_id: int) -> LaunchLearner | None:
        return self._learners.get(user_id) if self._learners else LaunchLearner(id=str(user_id), name="")

    @cached_property
    def _learners(self) -> dict[int, LaunchLearner]:
        """All users by their number: some hundred bytes each."""
        if self._tables.find("user") is None:
            return {}
        table = self._tables.require("user", "id", "username")
        has_names = self._tables.has("user", "firstname") and self._tables.has("user", "lastname")
        names = "firstname, lastname" if has_names else "'', ''"
        rows = self._tables.query(f"SELECT id, username, {names} FROM {table}")  # noqa: S608 -- names of columns
        return {
            int(row[0]): LaunchLearner(id=text_of(row[1]), name=f"{text_of(row[2])} {text_of(row[3])}".strip())
            for row in rows
        }

    @cached_property
    def _scos(self) -> dict[int, _Sco]:
        if self._tables.find("scorm_scoes") is None or self._tables.find("scorm") is None:
            return {}
        scos = self._tables.require("scorm_scoes", "id", "scorm", "title")
        packages = self._tables.require("scorm", "id", "course", "version")
        courses = self._tables.find("course")
        name, join = ("c.fullname", f"LEFT JOIN {courses} c ON c.id = p.course") if courses else ("''", "")
        rows = self._tables.query(
            f"SELECT s.id, s.title, p.course, {name}, p.version"  # noqa: S608 -- names of tables
            f" FROM {scos} s JOIN {packages} p ON p.id = s.scorm {join}"
        )
        return {int(row[0]): _Sco(*map(text_of, row)) for row in rows}


_AFTER = (
    "(userid > :after_u OR (userid = :after_u AND (scormid > :after_s OR (scormid = :after_s AND attempt > :after_a))))"
)
_UNTIL = (
    "(userid < :until_u OR (userid = :until_u AND (scormid < :until_s"
    " OR (scormid = :until_s AND attempt <= :until_a))))"
)


def _bounds(name: str, key: tuple[int, int, int]) -> dict[str, int]:
    return {f"{name}_{letter}": value for letter, value in zip("usa", key, strict=True)}

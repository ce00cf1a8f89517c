"""Open edX's, SCORM Cloud's and the first LMS's histories, and files whose columns a map explains."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.imports.history import SourceError
from bridge.imports.sources.column_guess import suggest
from bridge.imports.sources.column_map import KEYS, parse_column_map
from bridge.imports.tables import open_tables
from tests.imports.conftest import Importing


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, what is nested as JSON."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: json.dumps(v) if isinstance(v, dict) else v for name, v in row.items()})


def write_ndjson(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as NDJSON."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


BLOCK = "block-v1:Org+Safety+2019+type@scorm+block@"


def state(number: int, student: int, content: Mapping[str, Any], module_type: str = "scorm") -> dict[str, Any]:
    """Return a row of `courseware_studentmodule`."""
    return {
        "id": number, "module_type": module_type, "module_id": f"{BLOCK}{number % 2}", "student_id": student,
        "state": dict(content), "grade": "", "max_grade": "", "course_id": "course-v1:Org+Safety+2019",
        "created": "2019-03-01 08:00:00.123456", "modified": "2019-03-01 09:00:00",
    }  # fmt: skip


def test_open_edx_states_are_attempts_of_either_version(tmp_path: Path, import_once: Importing) -> None:
    write_csv(
        tmp_path / "courseware_studentmodule.csv",
        [
            state(1, 5, {"lesson_status": "passed", "lesson_score": 0.8,
                         "scorm_data": {"cmi.core.exit": "suspend", "cmi.suspend_data": "s"}}),
            state(2, 6, {"lesson_status": "completed", "success_status": "passed", "lesson_score": 0.9,
                         "scorm_data": {"cmi.location": "p3", "cmi.interactions.0.id": "Q1",
                                        "cmi.interactions.0.type": "choice",
                                        "cmi.interactions.0.learner_response": "a"}}),
            state(3, 6, {"seq": 1}, "sequential"),
            state(4, 7, {}),
        ],
    )  # fmt: skip
    write_csv(tmp_path / "auth_user.csv", [{"id": 5, "username": "ada"}, {"id": 6, "username": "bob"}])

    report = import_once("openedx", tmp_path)
    assert (report.attempts, dict(report.skipped)) == (2, {"it has no CMI data": 1})
    attempts = import_once.rows(
        "SELECT learner_id, activity_id, scorm_version, a.completion_status, a.success_status, score_scaled, score_raw"
        " FROM enrollment e JOIN attempt a ON a.enrollment_id = e.id ORDER BY 1"
    )
    assert attempts == [
        ("ada", f"{BLOCK}1", "1.2", "completed", "passed", 0.8, 80),
        ("bob", f"{BLOCK}0", "2004", "completed", "passed", 0.9, None),
    ]
    assert {rule for who, rule, _ in import_once.statements() if who == "bob"} >= {"responded", "completed", "passed"}


def registration(identifier: str, instance: int, **more: Any) -> dict[str, Any]:
    """Return a registration as SCORM Cloud's API has it."""
    return {
        "id": identifier, "instance": instance, "updated": f"2018-05-0{instance + 1}T10:00:00.000Z",
        "createdDate": "2018-05-01T09:00:00.000Z", "registrationCompletion": "COMPLETED",
        "registrationSuccess": "PASSED", "score": {"scaled": 88.0}, "totalSecondsTracked": 90.0,
        "learner": {"id": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"},
        "course": {"id": "golf", "title": "Golf"},
        "activityDetails": {"id": "a", "runtime": {"scoreRaw": "88", "suspendData": "s"}},
    } | more  # fmt: skip


def test_each_instance_of_a_registration_is_an_attempt(tmp_path: Path, import_once: Importing) -> None:
    path = write_ndjson(
        tmp_path / "registrations.ndjson",
        [registration("r1", 1), registration("r1", 0, registrationSuccess="FAILED"), registration("r2", 0, updated="")],
    )

    report = import_once("scorm-cloud", path)
    assert (report.attempts, dict(report.skipped)) == (2, {"updated is no time": 1})
    attempts = import_once.rows("SELECT number, success_status, score_scaled FROM attempt ORDER BY number")
    assert attempts == [(1, "failed", 0.88), (2, "passed", 0.88)]


def test_a_registration_that_was_posted_before_is_known(tmp_path: Path, import_once: Importing) -> None:
    path = write_ndjson(tmp_path / "registrations.ndjson", [registration("r1", 0)])
    import_once("scorm-cloud", path)

    assert import_once("scorm-cloud", path).present == 1


def attempt(number: int, enrollment: int, count: int, **more: Any) -> dict[str, Any]:
    """Return a row of `scorm_scormattempt`."""
    return {
        "id": number, "enrollment_id": enrollment, "attempt_number": count,
        "session_id": f"3c0f4a52-8d8e-4b39-8f7e-0d9c6f7f000{number}", "started_at": "2024-01-02 10:00:00+00",
        "last_commit_at": "2024-01-02 10:20:00+00", "completed_at": "", "terminated": "f", "scorm_version": "1.2",
        "cmi_data": {"cmi.core.lesson_status": "incomplete", "cmi.core.total_time": "0000:20:00"},
    } | more  # fmt: skip


def test_attempts_of_the_first_lms_keep_their_numbers_and_session_ids(tmp_path: Path, import_once: Importing) -> None:
    write_csv(
        tmp_path / "scorm_scormenrollment.csv",
        [{"id": 1, "user_id": 42, "topic_id": 235}, {"id": 2, "user_id": 43, "topic_id": 235}],
    )
    done = {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "91", "cmi.core.exit": ""}
    write_csv(
        tmp_path / "scorm_scormattempt.csv",
        [attempt(1, 1, 1), attempt(2, 1, 2, cmi_data=done, terminated="t"), attempt(3, 2, 1, cmi_data={})],
    )
    write_csv(tmp_path / "courses_topic.csv", [{"id": 235, "title": "Ladders"}])

    report = import_once("origin", tmp_path)
    assert (report.attempts, dict(report.skipped)) == (2, {"it has no CMI data": 1})
    sessions = import_once.rows(
        "SELECT s.session_id, a.number, s.ended, e.learner_id, e.activity_name FROM session s"
        " JOIN attempt a ON a.id = s.attempt_id JOIN enrollment e ON e.id = a.enrollment_id ORDER BY a.number"
    )
    assert [(str(row[0]).replace("-", "")[-4:], *row[1:]) for row in sessions] == [
        ("0001", 1, None, "42", "Ladders"),
        ("0002", 2, "terminated", "42", "Ladders"),
    ]
    assert [rule for _, rule, _ in import_once.statements()] == [
        "initialized", "initialized", "scored", "completed", "passed", "terminated",
    ]  # fmt: skip


def test_ndjson_rows_carry_whole_trees(tmp_path: Path, import_once: Importing) -> None:
    path = write_ndjson(
        tmp_path / "rows.ndjson",
        [
            {"who": "u1", "sco": 235, "when": 1_400_000_000, "data": {"completion_status": "completed"}, "v": "2004"},
            {"who": "u2", "sco": 235, "when": 1_400_000_000_000, "data": {"core": {"lesson_status": "failed"}}},
        ],
    )  # fmt: skip
    column_map = parse_column_map(
        '[columns]\nlearner = "who"\nactivity = "sco"\nat = "when"\ncmi = "data"\nscorm_version = "v"\n'
    )

    assert import_once("ndjson", path, column_map).attempts == 2
    assert {(who, rule) for who, rule, _ in import_once.statements()} == {
        ("u1", "initialized"), ("u1", "completed"), ("u2", "initialized"), ("u2", "failed"),
    }  # fmt: skip


def test_every_fault_of_a_column_map_is_named() -> None:
    with pytest.raises(SourceError) as raised:
        parse_column_map('[columns]\nlearnr = "a"\n[cmi]\nstatus = "s"\n[more]\nx = 1\n')

    assert str(raised.value).splitlines()[1:] == [
        "  more: there is no such section; there are columns, constants, cmi",
        f"  columns.learnr: is unknown; there are {', '.join(KEYS)}",
        "  columns.learner: is needed",
        "  columns.activity: is needed",
        "  columns.at: is needed",
        "  cmi.status: must be an element such as cmi.core.lesson_status",
    ]


@pytest.mark.parametrize(
    "columns",
    [
        ("user_id", "sco_id", "status", "score", "updated_at", "session_time", "colour"),
        ("Learner ID", "activity", "cmi.core.lesson_status", "timestamp", "attempt"),
        ("username", "topic_id", "cmi_data", "modified", "created", "course_id"),
        ("learner", "activity", "completion_status", "success_status", "score_scaled", "date", 'a "quote"'),
    ],
)
def test_a_map_that_is_suggested_can_be_used_where_the_columns_say_enough(columns: tuple[str, ...]) -> None:
    column_map = parse_column_map(suggest(columns))

    assert {*column_map.columns.values(), *column_map.cmi.values()} <= {*columns}
    assert column_map.columns.keys() >= {"learner", "activity", "at"}


def test_what_is_needed_and_missing_is_told_in_the_suggestion() -> None:
    assert '# at = ""  # needed: one of learner, activity, passed' in suggest(["learner", "activity", "passed"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1\n", "line 2: 1 fields, and the first line has 2"),
        (b"", "is empty"),
        (b"a,a\n1,2\n", "two columns of one name"),
        (b"a,b\n\xff,2\n", "is not UTF-8"),
        (b'a,b\n"1,2\n', "unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_place(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    with pytest.raises(SourceError, match=words), open_tables(str(path)):
        pass


@pytest.mark.parametrize("line", ["[1]", "{", '{"a": 1}}'])
def test_a_line_that_is_no_object_is_told_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_text('{"a": 1}\n\n' + line, encoding="utf-8")

    with pytest.raises(SourceError, match="line 3"), open_tables(str(path)):
        pass


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere.csv", "There is no file or directory"),
        ("oracle://x", "is no database URL|cannot be read|needs the package"),
        ("postgresql://nobody@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_a_place_that_has_nothing_is_told(place: str, words: str) -> None:
    with pytest.raises(SourceError, match=words), open_tables(place):
        pass

"""A Moodle site's SCORM tables, in the form that they had until 4.2 and have since 4.3, as files and in a database."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, Text

Rows = Sequence[Mapping[str, Any]]
Tracks = Sequence[tuple[int, int, int, int, Mapping[str, Any], int]]
"""User, package, SCO, attempt, values by element, and when the last of them was written."""
STARTED, ENDED = 1_420_070_400, 1_420_074_000  # 2015-01-01, 00:00 and 01:00
PREFIX = "mdl_"

PASSED = {
    "x.start.time": STARTED,
    "cmi.core.lesson_status": "passed",
    "cmi.core.score.raw": "87",
    "cmi.core.score.max": "100",
    "cmi.core.total_time": "01:02:03",
    "cmi.core.session_time": "00:10:00",
    "cmi.core.lesson_location": "page-9",
    "cmi.core.exit": "",
    "cmi.suspend_data": 'café; "a,b"\nnext',
    "cmi.interactions_0.id": "Q1",
    "cmi.interactions_0.type": "choice",
    "cmi.interactions_0.student_response": "a",
    "cmi.interactions_0.result": "correct",
}
UNFINISHED = {
    "x.start.time": STARTED + 86_400,
    "cmi.completion_status": "incomplete",
    "cmi.progress_measure": "0.4",
    "cmi.location": "page-4",
    "cmi.suspend_data": "s4",
}


def site(tracks: Tracks | None = None) -> dict[str, Rows]:
    """Return the tables beside those of tracks, and `tracks`: a row for each value."""
    chosen: Tracks = [
        (3, 11, 101, 1, PASSED | {"cmi.core.lesson_status": "failed", "cmi.core.score.raw": "20"}, ENDED),
        (3, 11, 101, 2, PASSED, ENDED + 86_400),
        (4, 12, 102, 1, UNFINISHED, ENDED + 86_400),
        (5, 11, 101, 1, {"x.start.time": STARTED}, STARTED),
    ]
    return {
        "user": [
            {"id": 3, "username": "ada", "firstname": "Ada", "lastname": "Lovelace"},
            {"id": 4, "username": "bob", "firstname": "Bob", "lastname": ""},
            {"id": 5, "username": "007", "firstname": "", "lastname": ""},
        ],
        "course": [{"id": 7, "fullname": "Safety at work"}],
        "scorm": [
            {"id": 11, "course": 7, "version": "SCORM_1.2"},
            {"id": 12, "course": 7, "version": "SCORM_1.3"},
        ],
        "scorm_scoes": [
            {"id": 101, "scorm": 11, "title": "Ladders"},
            {"id": 102, "scorm": 12, "title": "Fire"},
        ],
        "tracks": [
            {
                "id": place * 100 + number, "userid": user, "scormid": package, "scoid": sco, "attempt": attempt,
                "element": element, "value": str(value), "timemodified": at - len(values) + number + 1,
            }
            for place, (user, package, sco, attempt, values, at) in enumerate(tracks or chosen)
            for number, (element, value) in enumerate(values.items())
        ],
    }  # fmt: skip


def until_42(tables: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the tables of Moodle 4.2 and before."""
    return {name: rows for name, rows in tables.items() if name != "tracks"} | {"scorm_scoes_track": tables["tracks"]}


def since_43(tables: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the tables of Moodle 4.3 and later."""
    elements = {name: number for number, name in enumerate(dict.fromkeys(row["element"] for row in tables["tracks"]))}
    attempts = {
        key: number
        for number, key in enumerate(
            dict.fromkeys((row["userid"], row["scormid"], row["attempt"]) for row in tables["tracks"]), 1
        )
    }
    return {name: rows for name, rows in tables.items() if name != "tracks"} | {
        "scorm_element": [{"id": number, "element": name} for name, number in elements.items()],
        "scorm_attempt": [
            {"id": number, "userid": user, "scormid": package, "attempt": attempt}
            for (user, package, attempt), number in attempts.items()
        ],
        "scorm_scoes_value": [
            {
                "id": row["id"], "scoid": row["scoid"], "value": row["value"], "timemodified": row["timemodified"],
                "attemptid": attempts[row["userid"], row["scormid"], row["attempt"]],
                "elementid": elements[row["element"]],
            }
            for row in tables["tracks"]
        ],
    }  # fmt: skip


FORMS = {"until 4.2": until_42, "since 4.3": since_43}


def write(tables: Mapping[str, Rows], directory: Path) -> Path:
    """Write a CSV file for each table, its rows in reverse order: exports keep none."""
    directory.mkdir(exist_ok=True)
    for name, rows in tables.items():
        with (directory / f"{PREFIX}{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(reversed(rows))
    return directory


def fill(engine: Engine, tables: Mapping[str, Rows]) -> None:
    """Create and fill the tables in a database."""
    metadata = MetaData()
    made = [
        (Table(PREFIX + name, metadata, *_columns(rows[0]), mysql_charset="utf8mb4"), rows)
        for name, rows in tables.items()
    ]
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in made:
            connection.execute(table.insert(), [dict(row) for row in rows])


def _columns(row: Mapping[str, Any]) -> Iterator[Column[Any]]:
    for name, value in row.items():
        kind = BigInteger() if isinstance(value, int) else Text() if name == "value" else String(255)
        yield Column(name, kind, primary_key=name == "id", autoincrement=False)

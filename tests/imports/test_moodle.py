"""Moodle's two forms of tracks, from files and from the databases that Moodle runs on."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bridge.imports.history import SourceError
from tests.imports.conftest import Importing
from tests.imports.moodle_site import ENDED, FORMS, PASSED, PREFIX, fill, site, write
from tests.support.waiting import wait_until

RULES = [
    ("ada", "initialized"), ("ada", "scored"), ("ada", "failed"), ("ada", "responded"), ("ada", "terminated"),
    ("ada", "initialized"), ("ada", "responded"), ("ada", "scored"), ("ada", "completed"), ("ada", "passed"),
    ("ada", "terminated"), ("bob", "initialized"), ("bob", "progressed"),
]  # fmt: skip


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MariaDB server in a directory of its own; gives the URL of a database."""
    if shutil.which("mariadbd") is None:
        pytest.skip("MariaDB is not installed: `make test-tools` installs it")
    directory = tmp_path_factory.mktemp("mariadb")
    socket, data = directory / "s", directory / "data"
    user = ["--user=root"]
    subprocess.run(
        ["mariadb-install-db", f"--datadir={data}", "--auth-root-authentication-method=normal",
         "--skip-test-db", *user],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking", *user],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    asyncio.run(wait_until(socket.exists))
    yield f"mysql+pymysql://root@localhost/?unix_socket={socket}"
    server.terminate()
    server.wait()


@pytest.fixture(params=["files", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a Moodle's tables are put, and the URL of a new database for it, empty for files."""
    if request.param == "files":
        yield str(tmp_path / "export"), ""
        return
    name = f"moodle_{uuid.uuid4().hex}"
    if request.param == "mariadb":
        server = request.getfixturevalue("mariadb")
        url = server.replace("/?", f"/{name}?") + "&charset=utf8mb4"
        admin = create_engine(server)
    else:
        server = request.getfixturevalue("postgresql_server").replace("template_bridge", "postgres")
        url = server.replace("/postgres?", f"/{name}?")
        admin = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    yield url, url


@pytest.mark.parametrize("form", FORMS)
def test_each_attempt_is_told_as_it_stands_at_its_own_time(
    form: str, place: tuple[str, str], import_once: Importing
) -> None:
    where, database = place
    tables = FORMS[form](site())
    if database:
        engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
        fill(engine, tables)
        engine.dispose()
        where = database.replace("mysql+pymysql://", "mysql://")
    else:
        write(tables, Path(where))

    report = import_once("moodle", where)
    assert sorted((who, rule) for who, rule, _ in import_once.statements()) == sorted(RULES)
    assert dict(report.skipped) == {"it has no CMI data": 1}
    bodies = [json.loads(body) for _, _, body in import_once.statements()]
    last = next(body for who, rule, body in reversed(import_once.statements()) if (who, rule) == ("ada", "terminated"))
    result = json.loads(last)["result"]
    assert result["duration"] == "PT1H2M3S"
    assert (result["success"], result["score"]["raw"]) == (True, 87)
    assert {body["timestamp"][:10] for body in bodies} == {"2015-01-01", "2015-01-02"}
    ((state,),) = import_once.rows("SELECT state FROM attempt WHERE number = 2")
    assert json.loads(state)["snapshot"]["suspend_data"] == PASSED["cmi.suspend_data"]


def test_learners_courses_and_activities_are_named(tmp_path: Path, import_once: Importing) -> None:
    import_once("moodle", write(FORMS["since 4.3"](site()), tmp_path / "export"))

    names = import_once.rows(
        "SELECT learner_id, learner_name, activity_id, activity_name, course_id, course_name FROM enrollment ORDER BY 1"
    )

    assert names == [
        ("ada", "Ada Lovelace", "101", "Ladders", "7", "Safety at work"),
        ("bob", "Bob", "102", "Fire", "7", "Safety at work"),
    ]


def test_a_later_export_adds_what_has_come_since(tmp_path: Path, import_once: Importing) -> None:
    tracks = [(3, 11, 101, 1, PASSED | {"cmi.core.lesson_status": "incomplete"}, ENDED)]
    import_once("moodle", write(FORMS["until 4.2"](site(tracks)), tmp_path / "first"))
    report = import_once(
        "moodle", write(FORMS["until 4.2"](site([(3, 11, 101, 1, PASSED, ENDED + 86_400)])), tmp_path / "second")
    )
    assert (report.attempts, report.commits, report.present) == (1, 1, 0)
    rules = [rule for _, rule, _ in import_once.statements()]
    assert rules.count("passed") == rules.count("initialized") == 1


def test_a_table_that_is_missing_is_named(tmp_path: Path, import_once: Importing) -> None:
    tables = {name: rows for name, rows in FORMS["since 4.3"](site()).items() if name != "scorm_element"}

    with pytest.raises(SourceError, match="There is no table scorm_element"):
        import_once("moodle", write(tables, tmp_path / "export"))


def test_a_column_that_is_missing_is_named(tmp_path: Path, import_once: Importing) -> None:
    tables = FORMS["until 4.2"](site())
    tables["scorm_scoes_track"] = [
        {name: value for name, value in row.items() if name != "timemodified"} for row in tables["scorm_scoes_track"]
    ]

    with pytest.raises(SourceError, match=f"{PREFIX}scorm_scoes_track lacks the columns timemodified"):
        import_once("moodle", write(tables, tmp_path / "export"))

"""The schema's history: it can be run again, at once and anywhere, and comes to exactly the tables of the code."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, Integer, Table, column, func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from storage import attempts, lms, migrations, tables
from storage.engine import open_engine, reading, writing
from storage.migrations import LOCATION, is_current, migrate
from storage.schema import metadata
from storage.tables import attempt, delivery, enrollment, journal, session, statement
from tests.storage.builders import (
    NOW,
    add_attempt,
    add_lms,
    add_session,
    entry,
    hold,
    launched,
    new_enrollment,
    queue,
    tried,
    uid,
)
from tests.storage.threads import at_once
from tests.support.sql import observe_statements

Rows = dict[str, object]


def test_the_schema_is_current_after_migrating_and_not_before(fresh_engine: Engine) -> None:
    with reading(fresh_engine) as connection:
        assert not is_current(connection)
    migrate(fresh_engine)
    with reading(fresh_engine) as connection:
        assert is_current(connection)


@pytest.mark.parametrize("revision", ["0000", None])
def test_another_revision_is_not_current(engine: Engine, revision: str | None) -> None:
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
        assert not is_current(connection)


def test_migrating_again_changes_nothing_and_keeps_the_rows(fresh_engine: Engine) -> None:
    migrate(fresh_engine)
    with writing(fresh_engine) as connection:
        session_id = launched(connection).session_id
    migrate(fresh_engine)
    with reading(fresh_engine) as connection:
        assert is_current(connection)
        assert list(attempts.load_sessions(connection, [session_id])) == [session_id]


def test_two_that_migrate_a_new_database_at_once_both_succeed(fresh_engine: Engine) -> None:
    """Two processes that start together must not both create the same table."""
    url = fresh_engine.url.render_as_string(hide_password=False)

    def run(_number: int) -> None:
        new_engine = open_engine(url)
        migrate(new_engine)
        new_engine.dispose()

    at_once(2, run)

    with reading(fresh_engine) as connection:
        assert is_current(connection)
        assert lms.by_name(connection, "none") is None


REVISIONS = [script.revision for script in ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()]
FIRST = (
    tables.lms, enrollment, attempt, session, journal, tables.mapping_version, statement, delivery, tables.try_,
    tables.delivery_try,
)  # fmt: skip
"""Tables of the first schema, which every later one has."""
ADDED = (
    enrollment.c.version, enrollment.c.latest_attempt, enrollment.c.sco, enrollment.c.learner_attributes,
    enrollment.c.learner_mbox, enrollment.c.activity_description, enrollment.c.course_description, enrollment.c.state,
    attempt.c.documents_due, journal.c.request_metadata, journal.c.mapping_version_id, delivery.c.shard,
    delivery.c.settled_by, session.c.source, enrollment.c.update_number, tables.lms.c.learner_ids,
    journal.c.body_size, journal.c.dictionary_id, journal.c.frame, statement.c.dictionary_id, statement.c.frame,
    statement.c.object_id, statement.c.object_type, statement.c.result, statement.c.timestamp,
)  # fmt: skip
"""Columns that they got later."""
OLD_NAMES = {
    journal.c.response: "reply", tables.mapping_version.c.definition: "document", statement.c.created_at: "made_at",
    tables.try_.c.duration_ms: "took",
}  # fmt: skip
"""What columns of the first schema were called until revision 0017."""


@pytest.mark.slow
def test_going_back_and_forth_keeps_the_rows(fresh_engine: Engine) -> None:
    """What an older schema has no room for is lost on the way back, and nothing else."""
    migrate(fresh_engine)
    with writing(fresh_engine) as connection:
        hold(connection, ["lrs"])
        queue(connection, launched(connection), 3)
        tried(connection, [connection.execute(select(func.min(delivery.c.id))).scalar_one()], "waiting", status=503)
        before = _rows(connection)
    assert all(before.values())
    for revision in REVISIONS[1:]:
        migrations._run(fresh_engine, partial(command.downgrade, revision=revision))
        with reading(fresh_engine) as connection:
            assert MigrationContext.configure(connection).get_current_revision() == revision
            assert _rows(connection) == before, revision
        migrate(fresh_engine)
        with reading(fresh_engine) as connection:
            assert _rows(connection) == before, revision
            assert _differences(connection) == [], revision


def test_a_schema_without_courses_is_not_gone_back_to_once_they_are_needed(fresh_engine: Engine) -> None:
    migrate(fresh_engine)
    with writing(fresh_engine) as connection:
        lms_id = add_lms(connection)
        wanted = [
            new_enrollment(lms_id, course_id=course_id, registration=uid(course_id)) for course_id in ("", "C1", "C2")
        ]
        attempts.ensure_enrollments(connection, wanted, NOW)
    with pytest.raises(RuntimeError, match="the same activity in several courses"):
        migrations._run(fresh_engine, partial(command.downgrade, revision="0013"))
    with reading(fresh_engine) as connection:
        assert is_current(connection)
        assert connection.execute(select(func.count()).select_from(enrollment)).scalar_one() == 3


def test_enrollments_keep_all_they_had_when_they_become_those_of_a_course(fresh_engine: Engine) -> None:
    """The course that was told last is theirs; where none was, they have none."""
    migrations._run(fresh_engine, partial(command.upgrade, revision="0013"))
    courses = {"235": "C1", "236": "", "SCO_1": "C2"}
    old = text(
        "INSERT INTO enrollment (registration, lms_id, learner_id, learner_name, activity_id, activity_name,"
        " activity_type, course_id, course_name, total_attempts, total_time, created_at)"
        " VALUES (:registration, :lms_id, 'u1', 'Ada', :activity, 'Safety', '', :course, '', 3, 77, 5)"
    )
    with writing(fresh_engine) as connection:
        lms_id = connection.execute(
            text(
                "INSERT INTO lms (name, home_page, origins, created_at)"
                " VALUES ('lms', 'https://lms.example.org', '[]', 5) RETURNING id"
            )
        ).scalar_one()
        for activity, course in courses.items():
            values = {"registration": uid(activity), "lms_id": lms_id, "activity": activity, "course": course}
            connection.execute(old, values)
    migrate(fresh_engine)
    with reading(fresh_engine) as connection:
        rows = attempts.load_enrollments(connection, enrollment.c.lms_id == lms_id, 10)
        assert _differences(connection) == []
    assert [(row.activity_id, row.course_id, row.registration) for row in rows] == [
        (activity, course, uid(activity)) for activity, course in courses.items()
    ]
    stored = {(row.total_attempts, row.total_time, row.sco, row.course_registration) for row in rows}
    assert stored == {(3, 77, "", None)}


def test_an_older_schema_has_the_try_that_settled_a_delivery_where_it_looks_for_it(fresh_engine: Engine) -> None:
    migrate(fresh_engine)
    with writing(fresh_engine) as connection:
        hold(connection, ["lrs"])
        queue(connection, launched(connection), 1)
        tried(connection, [connection.execute(select(delivery.c.id)).scalar_one()], "delivered")
    migrations._run(fresh_engine, partial(command.downgrade, revision="0005"))
    with reading(fresh_engine) as connection:
        assert [tuple(row) for row in connection.execute(select(tables.delivery_try))] == [(1, 1)]


def test_a_migration_that_loses_what_others_refer_to_is_taken_back(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with writing(engine) as connection:
        launched(connection)

    def lose(config: Config) -> None:
        config.attributes["connection"].execute(attempt.delete())

    with pytest.raises(migrations.BrokenReferencesError):
        migrations._run(engine, lose)
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(attempt)).scalar_one() == 1
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(attempt.delete())
    engine.dispose()


def test_a_table_can_be_made_anew_beneath_the_views(sqlite_url: str) -> None:
    """SQLite would refuse to name the new table while views read one of that name."""
    engine = open_engine(sqlite_url)
    with writing(engine) as connection:
        launched(connection)

    def change(config: Config) -> None:
        context = MigrationContext.configure(config.attributes["connection"])
        for table in ("enrollment", "attempt", "statement"):
            with Operations(context).batch_alter_table(table, recreate="always") as batch:
                batch.add_column(Column("later", Integer))

    migrations._run(engine, change)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM report_attempt")).scalar_one() == 1
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(attempt.delete())
    engine.dispose()


def _rows(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table.name: _rows_of(connection, table) for table in FIRST}


def _rows_of(connection: Connection, table: Table) -> list[tuple[object, ...]]:
    """Return the rows of a table of any revision, without the columns that the first one did not have."""
    names = {each["name"] for each in inspect(connection).get_columns(table.name)}
    columns = [
        each if each.name in names else column(OLD_NAMES[each], each.type) for each in table.c if each not in ADDED
    ]
    rows = connection.execute(select(*columns).select_from(table))
    return sorted(map(tuple, rows), key=repr)


def _differences(connection: Connection) -> list[object]:
    """Return what the schema has otherwise than the code."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


def test_a_migration_that_fails_leaves_the_old_schema(fresh_engine: Engine) -> None:
    """`delivery_try` is the last table; it is there already, so the first ones are created in vain."""
    with writing(fresh_engine) as connection:
        connection.execute(text("CREATE TABLE delivery_try (id INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(fresh_engine)
    with reading(fresh_engine) as connection:
        assert set(inspect(connection).get_table_names()) - {"alembic_version"} == {"delivery_try"}
        assert not is_current(connection)


def test_the_migrations_come_to_exactly_the_tables_of_the_code(engine: Engine) -> None:
    with reading(engine) as connection:
        assert _differences(connection) == []


@pytest.mark.parametrize("table", [session, journal, statement], ids=lambda table: table.name)
def test_nothing_of_a_session_can_exist_without_its_session_id(engine: Engine, table: Table) -> None:
    """The origin of this project lost every commit because attempts were made without their session id."""
    with writing(engine) as connection:
        queue(connection, launched(connection), 1)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(text(f"UPDATE {table.name} SET session_id = NULL"))


def test_a_session_id_is_there_once(engine: Engine) -> None:
    with writing(engine) as connection:
        first = launched(connection)
        other = launched(connection, "u2")
    with pytest.raises(IntegrityError), writing(engine) as connection:
        add_session(connection, other.attempt, session_id=first.session_id)


def test_a_number_is_there_once_in_an_enrollment(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
        other = launched(connection, "u2").attempt.enrollment
        add_attempt(connection, owner, 2)
        add_attempt(connection, other, 2)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        add_attempt(connection, owner, 2, uuid=uid("another"))


def test_attempts_are_numbered_from_one(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
    with pytest.raises(IntegrityError), writing(engine) as connection:
        add_attempt(connection, owner, 0)


def test_a_learner_has_one_enrollment_in_an_activity_of_a_course(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
    row = {name: getattr(owner, name) for name in ("lms_id", "learner_id", "activity_id", "course_id")}
    names = dict.fromkeys(("learner_name", "activity_name", "activity_type", "course_name"), "")
    counts = dict.fromkeys(("total_attempts", "total_time", "created_at"), 0)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(enrollment.insert().values(registration=uid("another"), **row, **names, **counts))


def test_a_commit_has_its_number_once(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        connection.execute(journal.insert().values(entry(its)._asdict()))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(journal.insert().values(entry(its)._asdict()))


def test_a_statement_goes_to_a_target_once(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        queue(connection, its, 1)
    row: Rows = {"target": "lrs", "attempt_id": its.attempt.id, "position": 0}
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(delivery.insert().values(state="waiting", tries=0, not_before=0, **row))


def test_an_attempt_cannot_be_deleted_from_under_its_sessions(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(attempt.delete().where(attempt.c.id == its.attempt.id))


def test_a_name_of_an_lms_is_there_once(engine: Engine) -> None:
    with writing(engine) as connection:
        add_lms(connection)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(
            text("INSERT INTO lms (name, home_page, origins, created_at) VALUES ('lms', 'https://x', '[]', 0)")
        )


LARGE = {
    "enrollment", "attempt", "session", "journal", "statement", "delivery", "try", "delivery_try", "document",
    "document_delivery", "document_try", "refusal", "audit_log",
}  # fmt: skip
"""Tables that grow with use."""
WORK = re.compile(
    r"""INSERT\ INTO\ _alembic_tmp_(\w+) | ^UPDATE\ "?(\w+) | CREATE\ (?:UNIQUE\ )?INDEX\ \S+\ ON\ "?(\w+)
    | ALTER\ TABLE\ "?(\w+)"?\ (?:ADD\ CONSTRAINT|ALTER\ COLUMN\ \S+\ (?:TYPE|SET\ NOT\ NULL)) | FROM\ "?(\w+)""",
    re.VERBOSE,
)
"""What reads or writes all rows of a table."""


@pytest.mark.slow
def test_each_migration_says_which_large_tables_it_works_through(fresh_engine: Engine) -> None:
    """`migrate --plan` relies on it."""
    directory = ScriptDirectory(LOCATION)
    for revision in reversed(REVISIONS):
        with reading(fresh_engine) as connection:
            before = set(inspect(connection).get_table_names())
        statements: list[str] = []
        with observe_statements(statements.append):
            migrations._run(fresh_engine, partial(command.upgrade, revision=revision))
        views = "CREATE VIEW", "CREATE OR REPLACE VIEW"
        read = [statement for statement in statements if not statement.lstrip().startswith(views)]
        names = {name for statement in read for groups in WORK.findall(statement) for name in groups}
        said = getattr(directory.get_revision(revision).module, "WORKS_THROUGH", {})
        assert {*said.get(fresh_engine.dialect.name, ())} == names & before & LARGE, revision

"""`scorm-bridge migrate`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, text

from storage import migrations
from storage.engine import open_engine, reading, writing
from storage.migrations import is_current
from tests.cli.conftest import Run, Script
from tests.storage.conftest import fresh_engine
from tests.support.sql import closing_engine

__all__ = ["fresh_engine"]


@pytest.fixture
def fresh_url(fresh_engine: Engine) -> str:
    """The URL of a database without any table; the test runs once on each kind."""
    return fresh_engine.url.set(drivername=fresh_engine.dialect.name).render_as_string(hide_password=False)


def _upgrade_to(url: str, revision: str) -> None:
    with closing_engine(url) as engine:
        migrations._run(engine, partial(command.upgrade, revision=revision))


def _revision(url: str) -> str:
    with closing_engine(url) as engine, reading(engine) as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _current(url: str) -> bool:
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return is_current(connection)
    finally:
        engine.dispose()


def test_migrating_twice_does_as_much_as_once(script: Script) -> None:
    for _ in range(2):
        result = script("migrate")
        assert (result.returncode, result.stdout) == (0, "")
        assert "The schema is current." in result.stderr
        assert _current("sqlite:///scorm-bridge.db")


def test_a_database_that_was_migrated_by_hand_is_left_alone(run: Run, database_url: str) -> None:
    assert run("migrate", SCORM_BRIDGE_DATABASE__URL=database_url).exit_code == 0
    assert _current(database_url)
    assert not Path("scorm-bridge.db").exists()


def test_a_database_that_cannot_be_reached_is_told_without_its_password(run: Run) -> None:
    for url in ("sqlite:////no/such/directory/bridge.db", "postgresql://bridge:canary-7c1e@127.0.0.1:1/bridge"):
        result = run("migrate", SCORM_BRIDGE_DATABASE__URL=url)
        assert (result.exit_code, result.stdout) == (1, ""), url
        assert "The database cannot be migrated" in result.stderr, url
        assert "canary-7c1e" not in result.stderr, url


def test_a_file_that_is_no_database_is_told(run: Run) -> None:
    Path("scorm-bridge.db").write_bytes(b"no database " * 1_000)
    result = run("migrate")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "The database cannot be migrated: file is not a database" in result.stderr


def test_a_plan_tells_the_revisions_that_are_missing_and_changes_nothing(run: Run, fresh_url: str) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": fresh_url}
    _upgrade_to(fresh_url, "0006")
    plan = json.loads(run("migrate", "--plan", "--json", **environment).stdout)
    assert (plan["current"], plan["steps"][0]["revision"]) == ("0006", "0007")
    assert plan["steps"][-1]["revision"] == plan["newest"]
    assert plan["steps"][0]["description"].startswith("Accounts of the audit pages")
    assert {"table": "statement", "rows": 0} in plan["steps"][0]["works_through"]

    table = run("migrate", "--plan", **environment)
    assert "statement (0 rows)" in table.stdout
    assert f"From revision 0006 to {plan['newest']}" in table.stderr
    assert _revision(fresh_url) == "0006"
    assert run("migrate", **environment).exit_code == 0
    plan = json.loads(run("migrate", "--plan", "--json", **environment).stdout)
    assert (plan["current"], plan["steps"]) == (plan["newest"], [])
    assert "There is nothing to do." in run("migrate", "--plan", **environment).stderr


def test_a_plan_for_a_file_that_is_not_there_creates_none(run: Run) -> None:
    result = run("migrate", "--plan")

    assert result.exit_code == 1
    assert "does not exist yet" in result.stderr
    assert not Path("scorm-bridge.db").exists()


def test_a_schema_of_a_newer_release_is_used_only_where_it_says_so(run: Run, database_url: str) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    with closing_engine(database_url) as engine, writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    result = run("migrate", "--plan", **environment)
    assert result.exit_code == 0
    assert "newer release, revision 9999; this one can work with it" in result.stderr
    for arguments in (("migrate",), ("tokens", "list")):
        assert run(*arguments, **environment).exit_code == 0
    assert _revision(database_url) == "9999"

    with closing_engine(database_url) as engine, writing(engine) as connection:
        connection.execute(text("UPDATE schema_compatibility SET oldest_revision = '9998'"))
    for arguments in (("migrate",), ("migrate", "--plan"), ("tokens", "list")):
        result = run(*arguments, **environment)
        assert result.exit_code == 1, arguments
        assert "revision 9999: a newer release migrated it, and this one cannot work with it" in result.stderr, (
            arguments
        )
    assert _revision(database_url) == "9999"

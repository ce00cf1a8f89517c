"""`scorm-bridge migrate`."""

from __future__ import annotations

from pathlib import Path

from storage.engine import open_engine, reading
from storage.migrations import is_current
from tests.cli.conftest import Run, Script


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
        assert (result.exit_code, result.stdout) == (1, "")
        assert "The database cannot be migrated" in result.stderr
        assert "canary-7c1e" not in result.stderr


def test_a_file_that_is_no_database_is_told(run: Run) -> None:
    Path("scorm-bridge.db").write_bytes(b"no database " * 1_000)
    result = run("migrate")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The database cannot be migrated: file is not a database" in result.stderr

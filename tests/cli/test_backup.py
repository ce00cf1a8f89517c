"""`scorm-bridge backup`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.conftest import Run


def test_it_says_what_it_made(run: Run) -> None:
    run("migrate")
    result = run("backup", "copy.db")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "checked." in result.stderr

    described = json.loads(run("backup", "other.db", "--json").stdout)
    assert described["file"] == "other.db"
    assert described["bytes"] == Path("other.db").stat().st_size
    with closing(sqlite3.connect("other.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (described["revision"],)


def test_what_cannot_be_backed_up_is_told(run: Run) -> None:
    result = run("backup", "copy.db")
    assert result.exit_code == 1
    assert "no database at scorm-bridge.db" in result.stderr
    assert not Path("scorm-bridge.db").exists()
    run("migrate")
    Path("copy.db").write_bytes(b"mine")
    result = run("backup", "copy.db")
    assert result.exit_code == 1
    assert "not overwritten" in result.stderr
    assert Path("copy.db").read_bytes() == b"mine"


def test_for_postgresql_the_commands_are_told_without_a_password(run: Run) -> None:
    result = run("backup", "copy.dump", SCORM_BRIDGE_DATABASE__URL="postgresql://bridge:canary-7c1e@localhost/scorm")

    assert result.exit_code == 1
    assert "pg_dump --format=custom --file=copy.dump postgresql://bridge@localhost/scorm" in result.stderr
    assert "pg_restore" in result.stderr
    assert "canary-7c1e" not in result.stderr

"""Imports and backfills that are killed (SIGKILL) at any moment and begun again: nothing is lost, nothing is twice."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from sqlalchemy import Engine, text

from storage.engine import reading
from tests.chaos.arena import Scale
from tests.imports.conftest import Importing, importing
from tests.support.server import SCRIPT

LEARNERS = 400
TOML = """[columns]
learner = "user"
activity = "sco"
at = "at"
[constants]
scorm_version = "1.2"
[cmi]
"cmi.core.lesson_status" = "status"
"cmi.core.score.raw" = "raw"
"""


def test_an_import_that_is_killed_at_any_moment_goes_on_when_begun_again(
    database_url: str, scale: Scale, seed: int, tmp_path: Path
) -> None:
    command, random = _command(database_url, tmp_path), Random(seed)
    for import_history in importing(database_url):
        engine = import_history.engine
        for _ in range(scale.imports):
            _kill(command, partial(_commits, engine), random.randrange(1, 2 * LEARNERS // scale.imports))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        assert _commits(import_history.engine) == 2 * LEARNERS
        rules = [rule for _, rule, _ in import_history.statements()]
        expected = ("initialized", "scored", "failed")
        assert {rule: rules.count(rule) for rule in rules} == dict.fromkeys(expected, LEARNERS), import_history


def test_a_backfill_that_is_killed_at_any_moment_goes_on_when_begun_again(
    database_url: str, scale: Scale, seed: int, tmp_path: Path
) -> None:
    command, random = _command(database_url, tmp_path), Random(seed)
    fill = [*command[:3], "backfill", "second", "--yes", "--rate", "600"]
    for import_history in importing(database_url):
        subprocess.run(
            [*command, "--target", "first"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(scale.imports):
            count = partial(_count_queued, import_history, "second")
            _kill(fill, count, random.randrange(1, 2 * LEARNERS // scale.imports))
        subprocess.run(fill, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        assert _queued(import_history, "second") == _queued(import_history, "first")
        assert len(_queued(import_history, "second")) == 3 * LEARNERS


def _kill(command: Sequence[Path | str], count: Callable[[], int], more: int) -> None:
    """Run a command, and kill it as soon as there are so many more than before; it may just have finished."""
    enough = count() + more
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and count() < enough:
        pass
    process.kill()
    assert process.wait() in {0, -signal.SIGKILL}


def _queued(import_history: Importing, target: str) -> list[tuple[int, int]]:
    """Return attempt and position of what is queued for a target, in the order in which it is sent."""
    rows = import_history.rows(f"SELECT attempt_id, position FROM delivery WHERE target = '{target}' ORDER BY id")
    return [(attempt_id, position) for attempt_id, position in rows]


def _count_queued(import_history: Importing, target: str) -> int:
    return len(_queued(import_history, target))


def _command(database_url: str, directory: Path) -> list[Path | str]:
    """Return the command that imports a file of learners with two commits each. Two targets are configured."""
    rows = [
        f"u{number},235,{at},{status},{raw}"
        for at, status, raw in (("2014-05-01T09:00:00Z", "incomplete", ""), ("2014-05-01T10:00:00Z", "failed", "20"))
        for number in range(LEARNERS)
    ]
    path, column_map, config = (directory / name for name in ("rows.csv", "map.toml", "scorm-bridge.toml"))
    path.write_text("\n".join(("user,sco,at,status,raw", *rows, "")), encoding="utf-8")
    column_map.write_text(TOML, encoding="utf-8")
    targets = "".join(
        f'[[targets]]\nname = "{name}"\nendpoint = "https://{name}.example.org/"\nversion = "1.0.3"\n'
        for name in ("first", "second")
    )
    config.write_text(f'[database]\nurl = "{database_url}"\n{targets}', encoding="utf-8")
    return [
        SCRIPT, "--config", config, "import", "csv", path, "--lms", "lms", "--map", column_map, "--yes",
    ]  # fmt: skip


def _commits(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(text("SELECT COUNT(*) FROM journal")).scalar_one())

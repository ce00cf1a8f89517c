"""What has become old is deleted where the settings say so, nothing else ever, and commits never wait long for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select, text, update

from bridge import retention
from bridge.clock import random_id
from bridge.database import Database
from bridge.retention import DAY, Retention
from bridge.settings import RetentionSettings
from storage.engine import open_engine, reading, writing
from storage.retention import SCAN_SIZE
from storage.tables import delivery, delivery_try, journal, try_
from tests.cli.conftest import Run
from tests.storage.builders import NOW, append, entry, launched, queue, tried
from tests.support.bridge import Bridge, FakeMonotonic, StartBridge
from tests.support.deliveries import is_settled
from tests.support.lrs import NO_DOCUMENTS, Lrs
from tests.support.sql import scalar
from tests.support.waiting import wait_until

CMI = {"core": {"lesson_status": "incomplete", "score": {"raw": "50"}}}
OLD = 400
"""Days."""


async def _pass(bridge: Bridge, database_url: str, **days: int) -> None:
    """Let one pass over everything be made, as a bridge with these settings makes it."""
    database = Database(open_engine(database_url))
    task = Retention(database, RetentionSettings(**days), now=bridge.clock, new_id=random_id, monotonic=FakeMonotonic())
    assert not await task.run_once()
    await asyncio.to_thread(database.close)
    with writing(bridge.engine) as connection:
        connection.execute(text("DELETE FROM lease WHERE name LIKE '%retention%'"))


@pytest.fixture
async def old(start: StartBridge, lrs: Lrs) -> Bridge:
    """A bridge with a learner of long ago, everything of whom is delivered, and a repeated commit of theirs."""
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    for raw in ("50", "60"):
        await bridge.commit(CMI | {"core": {"lesson_status": "incomplete", "score": {"raw": raw}}}, sequence=int(raw))
    await bridge.post("/v1/commits", {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": 7})
    await wait_until(lambda: is_settled(bridge))
    bridge.clock.advance(OLD * 86_400)
    return bridge


def _counts(bridge: Bridge) -> dict[str, int]:
    tables = ("enrollment", "attempt", "session", "journal", "statement", "delivery", "try", "refusal", "audit_log")
    counts = {table: scalar(bridge, f'SELECT count(*) FROM "{table}"') for table in tables}
    bodies = "SELECT count(*) FROM journal WHERE body IS NOT NULL OR frame IS NOT NULL"
    return counts | {"bodies": scalar(bridge, bodies)}


async def test_by_default_nothing_is_ever_deleted(old: Bridge, database_url: str) -> None:
    before = _counts(old)
    await _pass(old, database_url)

    assert _counts(old) == before
    assert retention.sweeps(RetentionSettings()) == []


async def test_each_kind_is_deleted_by_its_own_age_and_results_stay(old: Bridge, database_url: str) -> None:
    before = _counts(old)
    await _pass(old, database_url, commits=OLD + 1, refusals=OLD + 1, tries=OLD + 1, audit_log=OLD + 1)
    assert _counts(old) == before
    await _pass(old, database_url, commits=OLD - 1)
    assert _counts(old) == before | {"bodies": 0}
    await _pass(old, database_url, commits=OLD - 1, deliveries=OLD - 1)
    after = _counts(old)
    assert after == before | {"bodies": 0, "delivery": 0, "try": 0}
    await _pass(old, database_url, refusals=1)
    assert _counts(old) == after | {"refusal": 0}
    assert old.reports()[0].attempt.score_raw == 60


async def test_deliveries_of_commits_that_can_be_told_anew_stay(old: Bridge, database_url: str) -> None:
    """A re-issue must know who has the statements."""
    with writing(old.engine) as connection:
        connection.execute(update(journal).values(received_at=old.clock()))
    before = _counts(old)
    await _pass(old, database_url, commits=14, deliveries=14)
    after = _counts(old)

    assert (after["delivery"], after["bodies"]) == (before["delivery"], before["bodies"])


async def test_what_waits_or_is_dead_stays_with_the_reason(start: StartBridge, database_url: str) -> None:
    bridge = await start()
    with writing(bridge.engine) as connection:
        queue(connection, launched(connection, lms_id=1), 3)
        ids = list(connection.execute(select(delivery.c.id).order_by(delivery.c.id)).scalars())
        tried(connection, ids[:1], "dead", status=400, outcome="refused", started_at=NOW)
        tried(connection, ids[1:2], "waiting", status=503)
        tried(connection, ids[2:], "delivered")
    bridge.clock.milliseconds = NOW + OLD * DAY
    await _pass(bridge, database_url, commits=14, deliveries=14)
    with reading(bridge.engine) as connection:
        states = sorted(connection.execute(select(delivery.c.state)).scalars())
        outcomes = list(connection.execute(select(try_.c.outcome)).scalars())
        assert connection.execute(select(delivery_try)).first() is None

    assert states == ["dead", "waiting"]
    assert outcomes == ["refused"]


async def test_a_repeated_commit_is_known_although_its_first_answer_is_gone(old: Bridge, database_url: str) -> None:
    """What it is known by stays for ever."""
    await _pass(old, database_url, commits=14)
    before = _counts(old)
    answer = await old.commit(CMI, sequence=50)
    assert answer["disposition"] == "duplicate"
    assert answer["attempt"]["score"]["raw"] == 60
    after = _counts(old)
    assert (after["statement"], after["attempt"]) == (before["statement"], before["attempt"])


async def test_what_needs_a_removed_commit_says_so(old: Bridge, database_url: str, run: Run, lrs: Lrs) -> None:
    statement_id = scalar(old, "SELECT id FROM statement ORDER BY position LIMIT 1")
    session_id = str(scalar(old, "SELECT session_id FROM session"))
    await _pass(old, database_url, commits=14)
    await old.close()
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    file = f'[[targets]]\nname = "lrs"\nendpoint = "{lrs.endpoint}"\n'
    explained = run("explain", str(statement_id), file=file, **environment)
    assert explained.exit_code == 0, explained.stderr
    replayed = run("mapping", "preview", "scorm-profile", "--session", session_id, "--number", "1", **environment)
    assert replayed.exit_code == 1
    assert "was removed after the time" in replayed.stderr
    impact = run("mapping", "impact", "minimal", "--days", "3650", "--json", **environment)
    assert impact.exit_code == 0, impact.stderr
    assert json.loads(impact.stdout)["skipped"] > 0
    reissued = run("mapping", "reissue", "minimal", "--learner", "u1", "--preview", "--json", **environment)
    assert reissued.exit_code == 0, reissued.stderr
    assert json.loads(reissued.stdout)["skipped"] == 1
    assert json.loads(reissued.stdout)["rules"] == {}
    assert run("verify", "u1", "235", **environment).exit_code == 0
    assert run("export", "u1", "-o", "u1.zip", **environment).exit_code == 0


async def test_one_process_at_a_time_does_it(old: Bridge, database_url: str) -> None:
    database = Database(open_engine(database_url))
    settings = RetentionSettings(commits=14)
    first, second = (
        Retention(database, settings, now=old.clock, new_id=random_id, monotonic=FakeMonotonic()) for _ in range(2)
    )
    assert await first._is_ours()
    await second.run_once()
    assert _counts(old)["bodies"] > 0
    await first.run_once()
    assert _counts(old)["bodies"] == 0
    await asyncio.to_thread(database.close)


async def test_many_rows_are_deleted_in_small_transactions_that_become_smaller_where_they_take_long(
    start: StartBridge, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "REST_FACTOR", 0.0)
    bridge = await start()
    with writing(bridge.engine) as connection:
        its = launched(connection, lms_id=1)
        append(connection, [entry(its, number=number) for number in range(1, SCAN_SIZE + 300)])
    bridge.clock.milliseconds = NOW + OLD * DAY
    database = Database(open_engine(database_url))
    clock = FakeMonotonic()
    sizes: list[int] = []
    write = database.write_when_idle

    async def measured(function: Any, *args: Any, **options: Any) -> Any:
        result = await write(function, *args, **options)
        if args:
            sizes.append(len(args[0]))
            clock.seconds += 0.05 if len(sizes) < 4 else 0.001
        return result

    monkeypatch.setattr(database, "write_when_idle", measured)
    task = Retention(database, RetentionSettings(commits=14), now=bridge.clock, new_id=random_id, monotonic=clock)
    await task.run_once()
    assert _counts(bridge)["bodies"] == 0
    assert sizes[:4] == [200, 100, 50, 25]
    assert sizes[4] == 35
    await asyncio.to_thread(database.close)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("commits = 13", "commits must be at least 14"),
        ("audit_log = 29", "audit_log must be at least 30"),
        ("deliveries = 30", "deliveries must be kept at least as long as commits"),
        ("commits = 30\ndeliveries = 29", "deliveries must be kept at least as long as commits"),
        ("tries = -1", "retention.tries"),
        ("body = 30", "is not a known setting"),
    ],
)
def test_settings_that_would_lose_too_much_are_refused(run: Run, settings: str, words: str) -> None:
    result = run("migrate", "--plan", file=f"[retention]\n{settings}\n")

    assert result.exit_code == 78
    assert words in result.stderr

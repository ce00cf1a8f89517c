"""`scorm-bridge reconcile`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import delete, select

from storage import audit_log, tables
from storage.engine import reading, writing
from tests.cli.conftest import Run
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import is_settled, statements
from tests.support.lrs import GET, NO_DOCUMENTS, Lrs
from tests.support.waiting import wait_until

Reconcile = Callable[..., Awaitable[Result]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: the comparison itself is tested on both databases."""
    return sqlite_url


@pytest.fixture
async def bridge(start: StartBridge, lrs: Lrs) -> Bridge:
    """A bridge whose statements are delivered, long ago by the command's clock."""

    async def say_nothing_of_time(_request: Any, response: Any) -> None:
        response.headers.popall("X-Experience-API-Consistent-Through", None)

    lrs.hooks.append(say_nothing_of_time)
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    for learner in ("u1", "u2", "u3"):
        await bridge.commit({"core": {"score": {"raw": "80"}}}, learner={"id": learner})
    await wait_until(lambda: is_settled(bridge))
    return bridge


@pytest.fixture
def reconcile(run: Run, database_url: str, lrs: Lrs) -> Reconcile:
    """Run the command beside the bridge; `answer` is typed to its question."""
    file = f'[[targets]]\nname = "lrs"\nendpoint = "{lrs.endpoint}"\n'

    async def runner(*arguments: str) -> Result:
        environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
        return await asyncio.to_thread(run, "reconcile", *arguments, file=file, **environment)

    return runner


async def test_an_lrs_that_has_everything_ends_with_0(bridge: Bridge, reconcile: Reconcile) -> None:
    result = await reconcile("lrs")
    assert result.exit_code == 0
    assert "there as they were sent" in result.stdout
    as_json = json.loads((await reconcile("lrs", "--json")).stdout)
    assert (as_json["items"], as_json["next"]) == ([], None)
    assert as_json["summary"]["equal"] == as_json["summary"]["statements"] == len(statements(bridge))


async def test_what_is_missing_is_listed_page_by_page_and_written_to_the_report(
    bridge: Bridge, lrs: Lrs, reconcile: Reconcile
) -> None:
    lost = [statement.id for statement in statements(bridge)]
    lrs.lose(lost)

    first = await reconcile("lrs", "--json", "--limit", "2", "--report", "all.ndjson")
    assert first.exit_code == 1
    page = json.loads(first.stdout)
    assert [item["statement"] for item in page["items"]] == lost[:2]
    assert page["summary"]["discrepancies"]["missing"] == len(lost)
    rest = json.loads((await reconcile("lrs", "--json", "--after", page["next"])).stdout)
    assert [item["statement"] for item in rest["items"]] == lost[2:]
    assert rest["next"] is None
    report = await asyncio.to_thread(Path("all.ndjson").read_text, encoding="utf-8")
    lines = [json.loads(line) for line in report.splitlines()]
    assert [line["statement"] for line in lines] == lost
    assert {(line["discrepancy"], line["lms"], line["delivery"]) for line in lines} == {("missing", "lms", "delivered")}
    assert is_settled(bridge)


async def test_a_repair_queues_what_is_missing_and_the_audit_log_says_who_did_it(
    bridge: Bridge, lrs: Lrs, reconcile: Reconcile
) -> None:
    lost = [statement.id for statement in statements(bridge)][:3]
    lrs.lose(lost)

    unconfirmed = await reconcile("lrs", "--repair")
    assert unconfirmed.exit_code == 1
    assert "Queue 3 statements for lrs again?" in unconfirmed.stderr
    assert is_settled(bridge)

    result = await reconcile("lrs", "--repair", "--yes", "--by", "ada", "--reason", "the LRS was restored", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["summary"]["queued"] == 3
    await wait_until(lambda: is_settled(bridge))
    assert (await reconcile("lrs")).exit_code == 0
    with reading(bridge.engine) as connection:
        entry = audit_log.newest(connection)[0]
        tries = connection.execute(select(tables.delivery_try)).all()
    assert (entry.action, entry.by, entry.subject, entry.affected, entry.reason) == (
        "reconcile", "ada", "lrs", 3, "the LRS was restored",
    )  # fmt: skip
    assert len(tries) == 3  # what it answered before is still known


async def test_what_cannot_be_repaired_ends_with_1_although_the_rest_was_queued(
    bridge: Bridge, lrs: Lrs, reconcile: Reconcile
) -> None:
    lost, altered = [statement.id for statement in statements(bridge)][:2]
    entry = lrs.store.get(altered)
    assert entry is not None
    lrs.replace({lost: None, altered: entry.statement | {"result": {"response": "altered"}}})

    result = await reconcile("lrs", "--repair", "--yes")

    assert result.exit_code == 1
    assert "different" in result.stdout
    assert "Queued 1 statements" in result.stderr


async def test_an_lrs_that_does_not_answer_ends_with_69(bridge: Bridge, lrs: Lrs, reconcile: Reconcile) -> None:
    lrs.script(lrs.refuse(403, GET))

    result = await reconcile("lrs")

    assert result.exit_code == 69
    assert "lrs: it does not let the bridge read statements (403)" in result.stderr


async def test_a_target_or_a_place_that_there_is_not_is_refused(bridge: Bridge, reconcile: Reconcile) -> None:
    assert not bridge.closed
    unknown = await reconcile("other")
    assert (unknown.exit_code, "no such target; there are lrs" in unknown.stderr) == (2, True)
    place = await reconcile("lrs", "--after", "x")
    assert (place.exit_code, "is not what this command printed" in place.stderr) == (2, True)


async def test_what_the_database_has_lost_is_listed_with_what_to_do_where_it_is_asked_for(
    bridge: Bridge, reconcile: Reconcile
) -> None:
    lost = [statement.id for statement in statements(bridge, ["u2"])]
    with writing(bridge.engine) as connection:
        for table in (tables.delivery, tables.statement):
            connection.execute(delete(table).where(table.c.attempt_id == 2))
    assert (await reconcile("lrs")).exit_code == 0

    result = await reconcile(
        "lrs", "--unknown", "--since", "2026-01-01", "--json", "--limit", "1", "--report", "a.json"
    )
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [item["statement"] for item in found["items"]] == lost[:1]
    assert (found["next"], found["summary"]["discrepancies"]["unknown"]) == (None, len(lost))
    assert "1 of 2 are shown" in result.stderr
    report = await asyncio.to_thread(Path("a.json").read_text, encoding="utf-8")
    assert [json.loads(line)["statement"] for line in report.splitlines()] == lost
    as_table = await reconcile("lrs", "--unknown")
    assert "unknown: the LRS has them, the database does not" in as_table.stdout
    assert "post again what they sent" in as_table.stderr


async def test_a_course_or_a_learner_is_not_looked_for_among_what_is_unknown(reconcile: Reconcile) -> None:
    result = await reconcile("lrs", "--unknown", "--learner", "u1")

    assert result.exit_code == 2
    assert "--course and --learner do not go with it" in result.stderr

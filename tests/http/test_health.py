"""What operators are told."""

from __future__ import annotations

from sqlalchemy import text

from bridge.settings import TargetSettings
from storage.engine import writing
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import add_removals


async def test_alive_says_nothing_of_the_database(bridge: Bridge) -> None:
    assert await bridge.get("/healthz", token=None) == (200, {"status": "alive"})


async def test_without_an_lrs_it_is_ready_and_says_what_waits(bridge: Bridge) -> None:
    await bridge.commit({"suspend_data": "x"})
    await bridge.let_documents_follow()
    status, answer = await bridge.get("/readyz", token=None)

    assert (status, answer["status"], answer["waiting"], answer["waiting_documents"]) == (
        200,
        "ready",
        {"": 1},
        {"": 3},
    )
    assert "no LRS is configured" in answer["notice"]


async def test_before_the_first_commit_nothing_waits(bridge: Bridge) -> None:
    _, answer = await bridge.get("/readyz", token=None)

    assert (answer["waiting"], answer["waiting_documents"]) == ({}, {})


async def test_an_lrs_that_is_down_does_not_make_it_unready(start: StartBridge) -> None:
    bridge = await start(targets=(TargetSettings(name="gone", endpoint="http://127.0.0.1:9/xapi/"),))
    await bridge.commit({"suspend_data": "x"})
    await bridge.let_documents_follow()
    status, answer = await bridge.get("/readyz", token=None)

    assert (status, answer["waiting"], answer["waiting_documents"]) == (200, {"gone": 1}, {"gone": 3})
    assert "notice" not in answer


async def test_what_erasures_ask_of_an_lrs_is_counted(bridge: Bridge) -> None:
    add_removals(bridge, "gone", 3)
    _, answer = await bridge.get("/readyz", token=None)

    assert (answer["waiting_removals"], answer["waiting"]) == ({"gone": 3}, {})


async def test_an_old_schema_makes_it_unready_and_says_what_to_do(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0017'"))
    status, answer = await bridge.get("/readyz", token=None)

    assert status == 503
    assert "scorm-bridge migrate" in answer["reason"]

"""A running bridge follows what is activated, for each LMS, without a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.app import MAPPING_RELOADER
from bridge.mapping_library import activation
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reloader import RELOAD_INTERVAL
from bridge.operations.audit_context import AuditContext
from bridge.settings import FilterSettings, SettingsError, TargetSettings
from storage import mapping_versions
from storage.engine import writing
from tests.support.accounts import START, register_lms
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.mapping import MASTERED, variant

PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "95", "max": "100"}}}
MINIMAL = load_mapping("minimal")
CONTEXT = AuditContext("ada", "to try it", START)


def _activate(bridge: Bridge, mapping: Any, lms_id: int | None = None, *, back: bool = False) -> None:
    with writing(bridge.engine) as connection:
        if back:
            activation.roll_back(connection, lms_id, targets=(), context=CONTEXT)
        else:
            version_id = activation.store_version(connection, mapping, START)
            activation.activate_version(connection, version_id, lms_id, targets=(), context=CONTEXT)


async def _look(bridge: Bridge) -> None:
    await bridge.client.app[MAPPING_RELOADER].run_once()


async def _rules(bridge: Bridge, learner: str, **fields: object) -> list[str]:
    answer = await bridge.commit(PASSED, learner={"id": learner}, **fields)
    return [statement["rule"] for statement in answer["statements"]]


async def test_commits_are_told_by_what_is_active_now_and_by_what_was_after_a_rollback(bridge: Bridge) -> None:
    before = await _rules(bridge, "u1")
    _activate(bridge, MINIMAL)
    await _look(bridge)
    while_minimal = await _rules(bridge, "u2")
    _activate(bridge, None, back=True)
    await _look(bridge)

    assert before == ["initialized", "scored", "completed", "passed"]
    assert while_minimal == ["completed", "passed"]
    assert await _rules(bridge, "u3") == before


async def test_it_looks_by_itself_within_a_second(bridge: Bridge) -> None:
    assert RELOAD_INTERVAL <= 1
    _activate(bridge, MINIMAL)
    learner = 0
    async with asyncio.timeout(20):
        while await _rules(bridge, f"u{learner}") != ["completed", "passed"]:
            learner += 1


async def test_an_lms_with_a_version_of_its_own_is_told_by_that_and_others_are_not(bridge: Bridge) -> None:
    other = register_lms(bridge.engine, "other", "https://other.example")
    _activate(bridge, MINIMAL, other.id)
    await _look(bridge)
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": PASSED}
    _, theirs = await bridge.post("/v1/commits", body, token=other.token)
    # both at once, in one batch
    answers = await asyncio.gather(
        *(bridge.post("/v1/commits", body | {"learner": {"id": f"v{n}"}}, token=other.token) for n in range(5)),
        *(bridge.post("/v1/commits", body | {"learner": {"id": f"w{n}"}}) for n in range(5)),
    )

    assert [statement["rule"] for statement in theirs["statements"]] == ["completed", "passed"]
    assert [len(answer["statements"]) for _, answer in answers] == [2] * 5 + [4] * 5
    assert await _rules(bridge, "u1") == ["initialized", "scored", "completed", "passed"]


async def test_what_an_open_session_has_told_once_is_not_told_again_by_another_version(bridge: Bridge) -> None:
    opened = await bridge.open()
    cmi: dict[str, Any] = {"core": {"lesson_status": "completed", "score": {"raw": "95", "max": "100"}}}
    first = await bridge.commit(cmi, session_id=opened["session_id"])
    _activate(bridge, variant(add=MASTERED))
    await _look(bridge)
    cmi["core"]["score"]["raw"] = "97"
    second = await bridge.commit(cmi, session_id=opened["session_id"])

    assert [statement["rule"] for statement in first["statements"]] == ["initialized", "scored", "completed"]
    assert [statement["rule"] for statement in second["statements"]] == ["scored", "mastered"]


async def test_a_restart_goes_on_with_what_people_activated(start: StartBridge) -> None:
    first = await start()
    _activate(first, MINIMAL)
    await first.close()
    again = await start(token=first.token)

    assert await _rules(again, "u1") == ["completed", "passed"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one bridge at a time
async def test_every_process_on_one_database_follows(start: StartBridge) -> None:
    first = await start()
    other = await start(token=first.token, ids=Ids(1_000))
    _activate(first, MINIMAL)
    await _look(first)
    await _look(other)

    assert await _rules(first, "u1") == await _rules(other, "u2") == ["completed", "passed"]


async def test_a_version_that_cannot_be_read_leaves_what_held_before(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        version_id = mapping_versions.ensure(
            connection, name="later", content_hash="0" * 64, definition="[mapping]", now=START
        )
        mapping_versions.activate(connection, mapping_versions.Activation(None, version_id, START, "x", "y"))
    await _look(bridge)

    assert await _rules(bridge, "u1") == ["initialized", "scored", "completed", "passed"]


async def test_filters_hold_for_the_rules_of_each_version(start: StartBridge) -> None:
    target = TargetSettings(
        name="lrs", endpoint="http://127.0.0.1:9/", filter=FilterSettings(without=("initialized", "mastered"))
    )
    with pytest.raises(SettingsError, match="mastered is no rule or verb"):
        await start(targets=(target,))
    filtered_target = target.model_copy(update={"filter": FilterSettings(without=("initialized",))})
    bridge = await start(targets=(filtered_target,))
    _activate(bridge, variant(add=MASTERED))
    await bridge.close()
    again = await start(targets=(target,), token=bridge.token)
    assert await _rules(again, "u1") == ["initialized", "scored", "mastered", "completed", "passed"]
    (report,) = again.reports()
    gets = {statement.rule: [way.target for way in statement.deliveries] for statement in report.statements}
    assert gets == {"initialized": [], "scored": ["lrs"], "mastered": [], "completed": ["lrs"], "passed": ["lrs"]}

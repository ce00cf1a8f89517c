"""The past told anew: what is voided, what takes its place, and that doing it twice does it once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tincan
from sqlalchemy import update

from bridge.app import MAPPING_RELOADER
from bridge.mapping_library import activation
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reissue import Reissue
from bridge.operations.audit_context import AuditContext
from mappings.definition import CompiledMapping
from mappings.xapi.validation import Edition, check_statement
from mappings.xapi.voiding import VOIDED, voiding_id
from storage import audit_log
from storage.engine import reading, writing
from storage.journal_replay import JournalSpan
from storage.tables import delivery, enrollment
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.mapping import DEFAULT, MASTERED, variant

CMI = {"core": {"lesson_status": "passed", "score": {"raw": "95", "max": "100"}}}
NEW = variant(add=MASTERED, drop="attempt.started", **{'result = ["success", "score"]': 'result = ["success"]'})


@pytest.fixture
async def bridge(start: StartBridge) -> Bridge:
    """Two learners who have passed, their statements delivered."""
    bridge = await start()
    for learner in ("u1", "u2"):
        await bridge.commit(CMI, learner={"id": learner})
    with writing(bridge.engine) as connection:
        connection.execute(update(delivery).values(target="analytics", state="delivered"))
    return bridge


ALL = JournalSpan()


def _nobody(_done: int, _total: int) -> None:
    """Tell nobody."""


def _reissue(bridge: Bridge, mapping: CompiledMapping = NEW, span: JournalSpan = ALL, *, preview: bool = False) -> Any:
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, mapping, START)
    work = Reissue(bridge.engine, version_id, span, ())
    impact = (
        work.preview(_nobody) if preview else work.run(AuditContext("ada", "by mistake", START), bridge.clock, _nobody)
    )
    return {rule: (counts.added, counts.dropped, counts.changed, counts.same) for rule, counts in impact.rules.items()}


def _bodies(bridge: Bridge, learner: str = "u1") -> list[dict[str, Any]]:
    (report,) = bridge.reports(learner)
    return [json.loads(statement.body) for statement in report.statements]


def _standing(bridge: Bridge, learner: str = "u1") -> list[str]:
    """Return the rules of the statements that are not voided and void none."""
    (report,) = bridge.reports(learner)
    ids = {statement.id for statement in report.statements}
    voiding = {voiding_id(statement.id) for statement in report.statements}
    return [
        statement.rule
        for statement in report.statements
        if voiding_id(statement.id) not in ids and statement.id not in voiding
    ]


DIFFERENT = {
    "initialized": (0, 2, 0, 0),
    "scored": (0, 0, 0, 2),
    "completed": (0, 0, 0, 2),
    "passed": (0, 0, 2, 0),
    "mastered": (2, 0, 0, 0),
}


async def test_a_preview_tells_what_would_be_done_and_does_nothing(bridge: Bridge) -> None:
    before = _bodies(bridge)

    assert _reissue(bridge, preview=True) == DIFFERENT
    assert _bodies(bridge) == before


async def test_what_differs_is_voided_and_told_anew_behind_everything_else(bridge: Bridge) -> None:
    before = _bodies(bridge)
    bridge.clock.advance(3_600)
    assert _reissue(bridge) == DIFFERENT
    (report,) = bridge.reports()
    after = _bodies(bridge)
    assert after[:4] == before
    assert [statement.position for statement in report.statements] == list(range(1, 9))
    assert [statement.rule for statement in report.statements[4:]] == ["mastered", "voided", "passed", "voided"]
    voids = {statement["object"]["id"]: statement for statement in after if statement["verb"]["id"] == VOIDED}
    initialized, passed = before[0], before[3]
    assert set(voids) == {initialized["id"], passed["id"]}
    for void in voids.values():
        assert void["object"]["objectType"] == "StatementRef"
        assert void["context"] == passed["context"]
        assert void["actor"] == passed["actor"]
        assert void["timestamp"] == "2026-01-01T01:00:00.000Z"
        assert [*check_statement(void, "", Edition.ONE), *check_statement(void, "", Edition.TWO)] == []
        assert str(tincan.Statement.from_json(json.dumps(void)).object.id) == void["object"]["id"]
    new = after[6]
    assert new["id"] != passed["id"]
    assert new["result"] == {"success": True}
    assert new | {"id": 0, "result": 0} == passed | {"id": 0, "result": 0}


async def test_what_is_voided_goes_to_those_who_got_it_and_what_is_new_to_those_who_get_it(bridge: Bridge) -> None:
    _reissue(bridge)
    (report,) = bridge.reports()
    ways = [[(way.target, way.state) for way in statement.deliveries] for statement in report.statements[4:]]

    # the re-issuing process had no targets
    assert ways == [[("", "waiting")], [("analytics", "waiting")], [("", "waiting")], [("analytics", "waiting")]]


async def test_done_twice_it_does_nothing_twice_and_every_part_is_kept_as_an_act(bridge: Bridge) -> None:
    _reissue(bridge)
    once = _bodies(bridge)
    again = _reissue(bridge)
    assert _bodies(bridge) == once
    assert {counts[:3] for counts in again.values()} == {(0, 0, 0)}
    with reading(bridge.engine) as connection:
        acts = [act for act in audit_log.newest(connection) if act.action == "reissue"]
    assert [(act.by, act.reason, act.affected) for act in acts] == [("ada", "by mistake", 6)]


async def test_back_and_forth_the_version_asked_for_last_is_what_stands(bridge: Bridge) -> None:
    rules_by_version: dict[str, Any] = {}
    for mapping in (NEW, DEFAULT, load_mapping("minimal"), NEW, DEFAULT):
        _reissue(bridge, mapping)
        name = mapping.definition.content_hash
        assert rules_by_version.setdefault(name, sorted(_standing(bridge))) == sorted(_standing(bridge)), mapping
        assert {counts[:3] for counts in _reissue(bridge, mapping, preview=True).values()} == {(0, 0, 0)}
    ids = [statement["id"] for statement in _bodies(bridge)]

    assert sorted(_standing(bridge)) == ["completed", "initialized", "passed", "scored"]
    assert len(ids) == len(set(ids))


async def test_only_what_was_chosen_is_told_anew(bridge: Bridge) -> None:
    before = _bodies(bridge, "u2")
    _reissue(bridge, span=JournalSpan(learner="u1"))
    _reissue(bridge, span=JournalSpan(activity="another"))
    _reissue(bridge, span=JournalSpan(since=bridge.clock() + 1))
    _reissue(bridge, span=JournalSpan(until=START))

    assert _bodies(bridge, "u2") == before
    assert len(_bodies(bridge, "u1")) == 8


async def test_a_name_that_has_changed_since_is_no_reason_to_void_anything(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        connection.execute(update(enrollment).values(learner_name="Somebody Else"))

    assert {counts[:3] for counts in _reissue(bridge, DEFAULT, preview=True).values()} == {(0, 0, 0)}


async def test_a_running_session_goes_on_behind_it_and_says_nothing_twice(bridge: Bridge) -> None:
    opened = await bridge.open(learner={"id": "u3"})
    fields = {"session_id": opened["session_id"], "learner": {"id": "u3"}}
    await bridge.commit(CMI, **fields)
    _reissue(bridge)
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, NEW, START)
        activation.activate_version(connection, version_id, None, targets=(), context=AuditContext("ada", "why", START))
    await bridge.client.app[MAPPING_RELOADER].run_once()
    bridge.clock.advance(60)
    answer = await bridge.commit({"core": {"score": {"raw": "97", "max": "100"}}}, **fields, terminated=True)
    (report,) = bridge.reports("u3")

    assert [statement["rule"] for statement in answer["statements"]] == ["scored", "terminated"]
    assert [statement.position for statement in report.statements] == list(range(1, 11))

"""Statements that real LRSs lost behind the bridge's back: seen, and sent again."""

from __future__ import annotations

import json

import pytest

from bridge.operations.lrs_comparison import Discrepancy
from bridge.settings import TargetSettings
from tests.real_lrs.learning_locker import LearningLocker
from tests.real_lrs.service import PASSWORD, USERNAME, RealLrs
from tests.reconciliation.comparison import Comparison, compare
from tests.reconciliation.losses import look as look_for_unknown
from tests.reconciliation.losses import lose
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import is_settled, statements, store_statements
from tests.support.lrs import NO_DOCUMENTS
from tests.support.waiting import wait_until

LEARNERS = ("u1", "u2", "u3")
VOIDING = {
    "actor": {"account": {"homePage": "https://lms.example", "name": "admin"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what an LRS does is the same to both databases."""
    return sqlite_url


def target(lrs: RealLrs) -> TargetSettings:
    """Return the target that an LRS is."""
    return TargetSettings(
        name="lrs", endpoint=lrs.endpoint, username=USERNAME, password=PASSWORD, version="1.0.3", documents=NO_DOCUMENTS
    )


async def deliver(start: StartBridge, lrs: RealLrs) -> Bridge:
    """Deliver the statements of some learners."""
    bridge, _ = await store_statements(start, LEARNERS)
    bridge = await start(targets=(target(lrs),), token=bridge.token, clock=bridge.clock)
    await wait_until(lambda: is_settled(bridge))
    return bridge


async def look(bridge: Bridge, lrs: RealLrs) -> Comparison:
    """Compare, two minutes later."""
    bridge.clock.advance(120)
    return await compare(bridge, target(lrs))


async def test_what_a_restored_lrs_has_lost_is_seen_and_comes_back(lrs: RealLrs, start: StartBridge) -> None:
    bridge = await deliver(start, lrs)
    expected = sorted(statement.id for statement in statements(bridge))
    before = lrs.statements()
    assert (await look(bridge, lrs)).report.equal == len(expected)

    # its memory is gone, or its file; what it gets again is an older backup
    backup = [statement for number, statement in enumerate(before) if number % 3]
    lost = {statement["id"] for statement in before} - {statement["id"] for statement in backup}
    lrs.empty()
    assert lrs.post(backup) == 200

    result = await look(bridge, lrs)
    assert set(result.ids(Discrepancy.MISSING)) == lost
    assert len(result.lines) == len(lost)
    result.repair()
    await wait_until(lambda: is_settled(bridge))
    assert sorted(statement["id"] for statement in lrs.statements()) == expected
    after = await look(bridge, lrs)
    assert (after.lines, after.report.equal) == ([], len(expected))


async def test_altered_and_foreign_statements_are_told_apart(lrs: RealLrs, start: StartBridge) -> None:
    bridge, _ = await store_statements(start, LEARNERS)
    first, second = statements(bridge)[:2]
    altered = json.loads(first.body) | {"result": {"response": "altered"}}
    foreign = json.loads(second.body) | {"actor": {"mbox": "mailto:eve@example.org"}}
    assert lrs.post([altered, foreign]) == 200
    bridge = await start(targets=(target(lrs),), token=bridge.token, clock=bridge.clock)
    await wait_until(lambda: is_settled(bridge))

    result = await look(bridge, lrs)
    assert [(line.discrepancy, line.statement, line.delivery) for line in result.lines] == [
        (Discrepancy.DIFFERENT, first.id, "dead"),
        (Discrepancy.FOREIGN, second.id, "dead"),
    ]


async def test_what_the_database_has_lost_is_found_by_all_that_the_lrs_has(lrs: RealLrs, start: StartBridge) -> None:
    bridge = await deliver(start, lrs)
    everything = [statement.id for statement in statements(bridge)]
    its = [statement.id for statement in statements(bridge, LEARNERS[:1])]
    lose(bridge, its[1:])
    lines, report = await look_for_unknown(bridge, target(lrs), since=START)
    assert sorted(line.statement for line in lines) == sorted(its[1:])
    assert report.listed == len(everything)

    lose(bridge, [], with_enrollments=True)
    lines, _ = await look_for_unknown(bridge, target(lrs), since=START)
    assert sorted(line.statement for line in lines) == sorted(everything)
    assert {line.discrepancy for line in lines} == {Discrepancy.UNKNOWN}


async def test_what_somebody_voided_at_learning_locker_is_not_missing(start: StartBridge) -> None:
    with LearningLocker() as lrs:
        bridge = await deliver(start, lrs)
        voided = statements(bridge)[0].id
        assert lrs.post(VOIDING | {"object": {"objectType": "StatementRef", "id": voided}}) == 200

        result = await look(bridge, lrs)

        assert [(line.discrepancy, line.statement) for line in result.lines] == [(Discrepancy.VOIDED, voided)]

"""A clock that jumps does no harm: every commit is taken, everything arrives, no statement is dated before another."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from bridge.settings import TargetSettings
from storage import outbox
from storage.engine import reading
from tests.chaos.lrs import ChaosLrs
from tests.support.accounts import START
from tests.support.bridge import StartBridge
from tests.support.waiting import wait_until

DAY = 86_400
JUMPS = {"an hour back": -3600, "a day ahead": DAY, "past the year 2038": 13 * 365 * DAY, "a year back": -365 * DAY}
NO_DOCUMENTS = dict.fromkeys(("activity-state", "attempt-state", "activity-profile", "agent-profile"), False)


@pytest.mark.parametrize("seconds", JUMPS.values(), ids=JUMPS)
async def test_a_jump_loses_nothing_and_dates_no_statement_before_an_earlier_one(
    start: StartBridge, chaos_lrs: ChaosLrs, seed: int, seconds: int
) -> None:
    target = TargetSettings(name="lrs", endpoint=chaos_lrs.endpoint, version="1.0.3", documents=NO_DOCUMENTS)
    bridge = await start(targets=(target,))
    random = Random(seed)
    for number in range(12):
        if number == 6:
            bridge.clock.advance(seconds)
        bridge.clock.advance(random.uniform(0, 30))
        answer = await bridge.commit({"core": {"score": {"raw": str(number)}}}, sequence=number + 1)
        assert answer["disposition"] == "applied", number
    chaos_lrs.dice.well = True

    def arrived() -> bool:
        bridge.clock.advance(60)
        with reading(bridge.engine) as connection:
            return not outbox.waiting(connection)

    await wait_until(arrived)
    (report,) = bridge.reports()
    assert list(chaos_lrs.kept) == [statement.id for statement in report.statements]
    dates = [msgspec.json.decode(statement.body)["timestamp"] for statement in report.statements]
    assert dates == sorted(dates)
    assert bridge.clock() != START

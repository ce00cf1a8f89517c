"""Looking at what is stored of statements and where they are, and at what an LRS has of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bridge.clock import random_id
from storage import erasures, outbox, removals, target_alarms
from storage.engine import reading, writing
from storage.erasure_tables import STATEMENTS
from storage.erasures import Later, NewErasure
from storage.queries.lookups import DeliveryLine, StatementLine
from storage.removals import NewRemoval
from tests.support.bridge import Bridge, StartBridge
from tests.support.lrs import Lrs
from tests.support.waiting import wait_until

DONE = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}
LEARNERS = ("u1", "u2", "u3")


def statements(bridge: Bridge, learners: Sequence[str] = LEARNERS) -> list[StatementLine]:
    """Return what is stored of some learners, attempt after attempt in its order."""
    return [statement for learner in learners for report in bridge.reports(learner) for statement in report.statements]


def deliveries_by_id(bridge: Bridge, target: str = "lrs") -> dict[str, DeliveryLine]:
    """Return the delivery of each statement to a target, by the statement's id."""
    return {
        statement.id: way for statement in statements(bridge) for way in statement.deliveries if way.target == target
    }


def is_settled(bridge: Bridge) -> bool:
    """Return whether no statement waits for any target."""
    with reading(bridge.engine) as connection:
        return not outbox.waiting(connection)


async def advance_until(bridge: Bridge, condition: Callable[[], object], step: float) -> None:
    """Set the bridge's clock on, by so many seconds at a time, until the condition holds.

    Once would not do: what is being tried meanwhile may be noted, and so wait from, after the clock was set on.
    """

    def later() -> object:
        bridge.clock.advance(step)
        return condition()

    await wait_until(later)


async def wait_until_settled(bridge: Bridge, step: float = 1) -> None:
    """Set the bridge's clock on, by so many seconds at a time, until everything is settled."""
    await advance_until(bridge, lambda: is_settled(bridge), step)


def add_removals(bridge: Bridge, target: str, number: int) -> None:
    """Store an erasure that asks a target to void statements, as if it had been interrupted."""
    with writing(bridge.engine) as connection:
        new = NewErasure(random_id(), "d", None, Later.REFUSE, bridge.clock(), "me", "")
        erasure_id = erasures.begin(connection, new)
        removals.add(connection, [NewRemoval(erasure_id, target, STATEMENTS, "{}")] * number, bridge.clock())


def expect_in_order(lrs: Lrs, bridge: Bridge, but: Sequence[str] = ()) -> None:
    """Assert that the LRS has every statement (but some) once, and those of each attempt in their order."""
    arrived = lrs.ids()
    assert len(arrived) == len(set(arrived))
    for learner in LEARNERS:
        its = [statement.id for statement in statements(bridge, [learner]) if statement.id not in but]
        assert [statement_id for statement_id in arrived if statement_id in set(its)] == its, learner
    assert len(arrived) == len(deliveries_by_id(bridge)) - len(but)


async def store_statements(
    start: StartBridge, learners: Sequence[str] = LEARNERS, **changed: Any
) -> tuple[Bridge, list[str]]:
    """Store statements of some learners, turn by turn, with a bridge that has no LRS and is stopped then."""
    bridge = await start(**changed)
    for cmi in ({"core": {"lesson_status": "incomplete", "score": {"raw": "40"}}}, DONE):
        for learner in learners:
            await bridge.commit(cmi, learner={"id": learner})
    ids = [statement.id for statement in statements(bridge)]
    assert len(ids) >= 3 * len(learners)
    await bridge.close()
    return bridge, ids


def alarms(bridge: Bridge) -> dict[str, str]:
    """Return the state of each alarm of the target, by its kind of request."""
    with reading(bridge.engine) as connection:
        return {alarm.request_kind: alarm.state for alarm in target_alarms.current(connection)}


def all_delivered(bridge: Bridge, learners: list[str], activity: str = "235") -> bool:
    """Return whether all statements of these learners have arrived."""
    states = [
        way.state
        for learner in learners
        for report in bridge.reports(learner, activity)
        for line in report.statements
        for way in line.deliveries
    ]
    return bool(states) and set(states) == {"delivered"}

"""A target that a page pauses gets nothing more from the process that answers, whatever that had taken up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from bridge.app import PAUSE_MONITOR
from bridge.forwarding import forwarder
from bridge.forwarding.pause_monitor import POLL_INTERVAL, PauseMonitor
from bridge.operations.audit_context import AuditContext
from bridge.operations.targets import pause_target, resume_target
from bridge.settings import TargetSettings
from storage import pauses
from storage.engine import writing
from storage.outbox import SHARDS
from storage.pauses import Pause
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor
from tests.support.deliveries import DONE
from tests.support.lrs import NO_DOCUMENTS, Lrs, serve_lrs
from tests.support.waiting import wait_until

LEARNERS = [f"u{number}" for number in range(12)]


class Gate:
    """Lets the first requests of an LRS pass, and then only while it is open; it counts every request when it comes."""

    def __init__(self) -> None:
        self.requests = 0
        self.opened = asyncio.Event()

    async def __call__(self, request: web.Request) -> None:
        """Hold a request that brings statements."""
        if request.method == "POST":
            self.requests += 1
            if self.requests > SHARDS:
                await self.opened.wait()


@dataclass(frozen=True)
class GatedLrs:
    """An LRS behind a gate."""

    lrs: Lrs
    gate: Gate

    @property
    def ids(self) -> list[str | None]:
        """Return the ids of all statements that arrived, as often as they did."""
        return [statement_id for arrival in self.lrs.posts() for statement_id in arrival.statement_ids]

    def settings(self, name: str) -> TargetSettings:
        """Return a target that is this LRS, without documents: each of them would have requests of its own."""
        return self.lrs.settings(name, version="1.0.3", documents=NO_DOCUMENTS)


@pytest.fixture
async def lrss() -> AsyncIterator[tuple[GatedLrs, GatedLrs]]:
    """Two LRSs; the second one is open."""
    gates = Gate(), Gate()
    gates[1].opened.set()
    async with serve_lrs(gates[0]) as slow, serve_lrs(gates[1]) as other:
        yield GatedLrs(slow, gates[0]), GatedLrs(other, gates[1])
        gates[0].opened.set()


@pytest.fixture
async def bridge(start: StartBridge, lrss: tuple[GatedLrs, GatedLrs], monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """A bridge that sends statements one by one: one of each shard is on its way, and more are claimed with it."""
    monkeypatch.setattr(forwarder, "BATCH_SIZE", 1)
    slow, other = lrss
    bridge = await start(targets=(slow.settings("slow"), other.settings("other")))
    _pause(bridge)
    await _pauses(bridge).run_once()
    for learner in LEARNERS:
        await bridge.commit(DONE, learner={"id": learner})
    _resume(bridge)
    await _pauses(bridge).run_once()
    # the first claim of each sender is for one statement, as it knows nothing of their size yet
    await wait_until(lambda: slow.gate.requests == 2 * SHARDS)
    _pauses(bridge).stop()  # it does not look by itself any more
    return bridge


def _pauses(bridge: Bridge) -> PauseMonitor:
    assert bridge.client.app is not None
    return bridge.client.app[PAUSE_MONITOR]


def _pause(bridge: Bridge) -> None:
    """Pause the slow one as a command does, which is another process."""
    with writing(bridge.engine) as connection:
        pause_target(connection, "slow", AuditContext("ada", "moving house", bridge.clock()))


def _resume(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        resume_target(connection, "slow", AuditContext("ada", "", bridge.clock()))


def _states(bridge: Bridge, target: str, learners: list[str]) -> list[str]:
    return [
        way.state
        for learner in learners
        for statement in bridge.reports(learner)[0].statements
        for way in statement.deliveries
        if way.target == target
    ]


async def test_after_the_page_has_answered_no_request_is_begun_until_a_page_ends_the_pause(
    bridge: Bridge, lrss: tuple[GatedLrs, GatedLrs], admin: Visitor
) -> None:
    slow, _ = lrss
    paused = await admin.post("/audit/targets/slow/pause", reason="moving house")
    assert paused.status == 303
    begun = slow.gate.requests

    # what was on its way arrives, is noted, and nothing of what was claimed with it follows
    slow.gate.opened.set()
    await wait_until(lambda: _states(bridge, "slow", LEARNERS).count("delivered") == begun)
    await bridge.commit(DONE, learner={"id": "later"})
    await wait_until(lambda: set(_states(bridge, "other", [*LEARNERS, "later"])) == {"delivered"})
    assert slow.gate.requests == begun == len(slow.ids)

    resumed = await admin.post("/audit/targets/slow/resume", reason="moved")
    assert "Resumed slow. Other processes" in await admin.text(resumed.headers["Location"])
    await wait_until(lambda: set(_states(bridge, "slow", [*LEARNERS, "later"])) == {"delivered"})
    assert len(slow.ids) == len(set(slow.ids)) == slow.gate.requests


async def test_what_another_process_paused_holds_from_the_next_look_on(
    bridge: Bridge, lrss: tuple[GatedLrs, GatedLrs]
) -> None:
    assert POLL_INTERVAL < 1
    slow, _ = lrss
    _pause(bridge)
    await _pauses(bridge).run_once()
    begun = slow.gate.requests
    slow.gate.opened.set()
    await wait_until(lambda: _states(bridge, "slow", LEARNERS).count("delivered") == begun)
    await wait_until(lambda: set(_states(bridge, "other", LEARNERS)) == {"delivered"})
    assert slow.gate.requests == begun

    _resume(bridge)
    await _pauses(bridge).run_once()
    await wait_until(lambda: set(_states(bridge, "slow", LEARNERS)) == {"delivered"})
    assert len(slow.ids) == len(set(slow.ids))


async def test_a_process_that_cannot_learn_what_it_changed_holds_everything_back_until_it_can(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = _pauses(bridge)

    def unreachable(_connection: Connection) -> dict[str, Pause]:
        raise OperationalError("SELECT", {}, Exception("the database is away"))

    with monkeypatch.context() as away:
        away.setattr(pauses, "current", unreachable)
        await its.refresh_now()
    assert its.is_paused("slow")
    assert its.is_paused("other")
    await its.run_once()
    assert not its.is_paused("other")

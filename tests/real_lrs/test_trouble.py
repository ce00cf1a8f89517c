"""Trouble on the way to real LRSs: each statement is stored once, unchanged and in order, whatever was lost."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from bridge.settings import TargetSettings
from tests.real_lrs.learning_locker import LearningLocker
from tests.real_lrs.proxy import LrsProxy, proxy_to
from tests.real_lrs.ralph import Ralph
from tests.real_lrs.service import PASSWORD, USERNAME, RealLrs
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import statements, wait_until_settled
from tests.support.lrs import NO_DOCUMENTS
from tests.support.waiting import wait_until

DECK = ("cut", "kept-cut", "kept-cut", "kept-503", "503") * 3 + ("none",) * 10
"""What happens to so many POSTs, in an order of its own."""
LEARNERS = [f"u{number}" for number in range(4)]


@pytest.fixture(params=[Ralph, LearningLocker], ids=lambda kind: kind.name)
def lrs(request: pytest.FixtureRequest) -> Iterator[RealLrs]:
    """An LRS that has no statements."""
    with request.param() as running:
        yield running


@pytest.fixture
async def way(lrs: RealLrs) -> AsyncIterator[LrsProxy]:
    """The way to it, with all kinds of trouble."""
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")  # noqa: T201 -- shown with a failure
    async with proxy_to(lrs.endpoint) as laid:
        laid.trouble = [*DECK]
        Random(seed).shuffle(laid.trouble)
        yield laid


async def _play(bridge: Bridge, way: LrsProxy) -> None:
    """Commit turn by turn until all trouble was met."""
    number = 0
    while way.trouble:
        cmi = {"core": {"score": {"raw": f"{number}"}, "lesson_location": f"page {number} ☃"}}
        for learner in LEARNERS:
            await bridge.commit(cmi, learner={"id": learner, "name": "Ana Ćirić"}, sequence=number)
        number += 1
        posts = way.met.total()

        def tried(posts: int = posts) -> bool:
            bridge.clock.advance(60)
            return way.met.total() > posts

        await wait_until(tried)


def _content(statement: Any) -> bytes:
    """Return a statement without what an LRS adds, in one form."""
    return msgspec.json.encode(
        {key: value for key, value in statement.items() if key not in {"stored", "authority", "version"}},
        order="sorted",
    )


async def test_whatever_is_lost_on_the_way_each_statement_is_stored_once_unchanged_and_in_order(
    lrs: RealLrs, way: LrsProxy, start: StartBridge
) -> None:
    target = TargetSettings(
        name="lrs",
        endpoint=way.endpoint,
        username=USERNAME,
        password=PASSWORD,
        version="1.0.3",
        documents=NO_DOCUMENTS,
    )
    bridge = await start(targets=(target,))
    await _play(bridge, way)
    await wait_until_settled(bridge, step=60)
    by_learner = {learner: statements(bridge, [learner]) for learner in LEARNERS}
    assert {delivery.state for lines in by_learner.values() for line in lines for delivery in line.deliveries} == {
        "delivered"
    }
    stored = lrs.statements()
    assert len(stored) == sum(map(len, by_learner.values()))
    for lines in by_learner.values():
        ids = {line.id for line in lines}
        assert [_content(statement) for statement in stored if statement["id"] in ids] == [
            _content(msgspec.json.decode(line.body)) for line in lines
        ]
    assert all(way.met[fault] >= DECK.count(fault) for fault in DECK)

"""What somebody voided at a real LRS, which then shows it under another parameter only."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from bridge.settings import TargetSettings
from tests.real_lrs.learning_locker import LearningLocker
from tests.real_lrs.service import PASSWORD, USERNAME
from tests.support.bridge import StartBridge
from tests.support.deliveries import deliveries_by_id, is_settled, statements, store_statements
from tests.support.waiting import wait_until

VOIDING = {
    "actor": {"account": {"homePage": "https://lms.example", "name": "admin"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
}


@pytest.fixture
def lrs() -> Iterator[LearningLocker]:
    """An LRS that has no statements."""
    with LearningLocker() as running:
        yield running


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what an LRS does is the same to both databases."""
    return sqlite_url


async def test_a_voided_statement_is_delivered_if_it_is_the_same_and_dead_if_not(
    lrs: LearningLocker, start: StartBridge
) -> None:
    bridge, ids = await store_statements(start)
    same, other = statements(bridge, ["u1"])[1], statements(bridge, ["u2"])[1]
    elsewhere = msgspec.json.decode(other.body) | {"verb": {"id": "http://example.org/verbs/another"}}
    for statement in (msgspec.json.decode(same.body), elsewhere):
        assert lrs.post(statement) == 200
        assert lrs.post(VOIDING | {"object": {"objectType": "StatementRef", "id": statement["id"]}}) == 200
    target = TargetSettings(name="lrs", endpoint=lrs.endpoint, username=USERNAME, password=PASSWORD)
    bridge = await start(targets=(target,), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    dead = deliveries_by_id(bridge)[other.id]
    assert (dead.state, dead.last_status) == ("dead", 409)
    assert {delivery.state for id_, delivery in deliveries_by_id(bridge).items() if id_ != other.id} == {"delivered"}
    in_force = [stored["id"] for stored in lrs.statements() if stored["id"] in ids]
    assert sorted([*in_force, same.id, other.id]) == sorted(ids)

"""A target that gets what is older than itself: the same ids and bytes, in order, once, beside what is new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from bridge.mapping_library.backfill import Backfill
from bridge.sandbox.lrs import DOCUMENTS
from bridge.settings import FilterSettings, TargetSettings
from storage import pauses
from storage.backfill import BackfillSpan
from storage.engine import writing
from storage.pauses import Pause
from tests.support.accounts import START
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.deliveries import is_settled
from tests.support.lrs import NO_DOCUMENTS, Lrs, StartLrs
from tests.support.waiting import wait_until

LEARNERS = ("u1", "u2", "u3")


def fill(bridge: Bridge, target: TargetSettings, *, dry_run: bool = False, **span: Any) -> Backfill:
    """Backfill a target."""
    work = Backfill(bridge.engine, target, BackfillSpan(**span), bridge.clock)
    looked_at: list[int] = []
    work.run(dry_run=dry_run, progress=looked_at.append, pause=lambda _: None)
    assert sum(looked_at) == work.count()
    return work


async def play(bridge: Bridge, learners: Sequence[str] = LEARNERS, **fields: Any) -> None:
    """Let learners work through two commits each."""
    for learner in learners:
        for raw in ("40", "80"):
            cmi = {"core": {"score": {"raw": raw}, "lesson_location": raw}}
            await bridge.commit(cmi, learner={"id": learner, "name": f"Name of {learner}"}, **fields)
        await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": learner}, terminated=True, **fields)


async def settled(bridge: Bridge) -> None:
    """Wait until nothing is on its way."""
    await wait_until(lambda: is_settled(bridge))


def by_attempt(lrs: Lrs) -> dict[str, list[str]]:
    """Return the ids that an LRS has, in the order of their arrival, by learner."""
    ids: dict[str, list[str]] = {}
    for statement in lrs.store.statements():
        ids.setdefault(statement["actor"]["account"]["name"], []).append(statement["id"])
    return ids


async def test_a_new_target_gets_the_same_bytes_in_the_same_order(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(targets=(first.settings("first"),))
    await play(bridge)
    await settled(bridge)
    await bridge.close()
    targets = (first.settings("first"), second.settings("second"))
    bridge = await start(targets=targets)

    work = fill(bridge, targets[1])
    await settled(bridge)
    assert work.report.attempts == len(LEARNERS)
    assert by_attempt(second) == by_attempt(first)
    sent = [{json.dumps(statement) for body in lrs.bodies for statement in json.loads(body)} for lrs in (first, second)]
    assert sent[0] == sent[1]


async def test_filling_again_queues_nothing(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    targets = (first.settings("first"), second.settings("second"))
    bridge = await start(targets=targets[:1])
    await play(bridge)
    fill(bridge, targets[1])

    assert fill(bridge, targets[1]).report.statements.total() == 0
    assert fill(bridge, targets[0]).report.statements.total() == 0


async def test_a_dry_run_counts_the_same_and_queues_nothing(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(targets=(first.settings("first"),))
    await play(bridge)
    target = second.settings("second")

    dry = fill(bridge, target, dry_run=True).report
    real = fill(bridge, target).report

    assert (dry.attempts, dry.statements) == (real.attempts, real.statements)
    assert dry.statements["passed"] == len(LEARNERS)


async def test_current_documents_come_with_the_statements(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(targets=(first.settings("first"),))
    await play(bridge)
    await bridge.let_documents_follow()
    await settled(bridge)
    await bridge.close()
    targets = (first.settings("first"), second.settings("second"))
    bridge = await start(targets=targets)

    fill(bridge, targets[1])
    await bridge.let_documents_follow()
    await settled(bridge)

    await wait_until(lambda: _documents(first) == _documents(second))

    assert _documents(second)


def _documents(lrs: Lrs) -> set[tuple[str, bytes]]:
    return {(str(place), document.content) for place, document in lrs.app[DOCUMENTS].matching(lambda _: True)}


async def test_the_filter_of_a_target_holds(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(targets=(first.settings("first"),))
    await play(bridge)
    target = second.settings("few", filter=FilterSettings(only=("passed",)), documents=NO_DOCUMENTS)

    report = fill(bridge, target).report

    assert report.statements == {"passed": 3}
    assert report.documents == 0  # nor is anything built anew for the others


@pytest.mark.parametrize(
    ("span", "learners"),
    [
        ({"learner": "u2"}, {"u2"}),
        ({"lms": "nobody"}, set()),
        ({"course": "c1"}, set()),
        ({"since": START + 10**9}, set()),
        ({"rule": "passed"}, set(LEARNERS)),
    ],
)
async def test_a_span_is_what_is_queued(
    span: dict[str, Any], learners: set[str], start: StartBridge, start_lrs: StartLrs
) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(targets=(first.settings("first"),))
    await play(bridge)
    target = second.settings("second")

    report = fill(bridge, target, **span).report

    assert report.attempts == len(learners)
    if "rule" in span:
        assert report.statements == {"passed": 3}
        assert report.documents == 0


async def test_a_target_with_a_form_of_its_own_gets_that_form(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(targets=(first.settings("first"),))
    await play(bridge)
    await settled(bridge)
    await bridge.close()
    targets = (first.settings("first"), second.settings("second", names=False))
    bridge = await start(targets=targets)

    fill(bridge, targets[1])
    await settled(bridge)

    assert by_attempt(second) == by_attempt(first)
    assert b"Name of" in b"".join(first.bodies)
    assert b"Name of" not in b"".join(second.bodies)


async def test_live_commits_beside_it_are_neither_lost_nor_sent_twice(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    ids = Ids()
    bridge = await start(targets=(first.settings("first"),), ids=ids)
    await play(bridge)
    await settled(bridge)
    await bridge.close()
    targets = (first.settings("first"), second.settings("second"))
    bridge = await start(targets=targets, ids=ids)

    await play(bridge, ("u4",))
    fill(bridge, targets[1])
    await play(bridge, ("u1", "u5"))
    fill(bridge, targets[1])
    await settled(bridge)
    assert {who: sorted(ids) for who, ids in by_attempt(second).items()} == {
        who: sorted(ids) for who, ids in by_attempt(first).items()
    }
    sent = [statement["id"] for body in second.bodies for statement in json.loads(body)]
    assert len(sent) == len(set(sent))


async def test_what_waits_already_comes_after_what_is_older(start: StartBridge, start_lrs: StartLrs) -> None:
    first, second = await start_lrs(), await start_lrs()
    ids = Ids()
    bridge = await start(targets=(first.settings("first"),), ids=ids)
    answer = await bridge.commit({"core": {"score": {"raw": "10"}}})
    await settled(bridge)
    with writing(bridge.engine) as connection:
        pauses.begin(connection, Pause("second", START, "otto", "until it is filled", automatic=False))
    await bridge.close()
    targets = (first.settings("first"), second.settings("second"))
    bridge = await start(targets=targets, ids=ids)
    await bridge.commit({"core": {"score": {"raw": "20"}}}, session_id=answer["session_id"])

    fill(bridge, targets[1])
    with writing(bridge.engine) as connection:
        pauses.end(connection, "second")
    await settled(bridge)

    assert by_attempt(second) == by_attempt(first)
    assert len(by_attempt(second)["u1"]) == 3


async def test_what_waited_for_no_target_goes_to_all_that_are_configured_first(
    start: StartBridge, start_lrs: StartLrs
) -> None:
    first, second, third = [await start_lrs() for _ in range(3)]
    ids = Ids()
    bridge = await start(ids=ids)
    await play(bridge)
    await bridge.let_documents_follow()
    await bridge.close()
    targets = (
        first.settings("first"),
        second.settings("second", filter=FilterSettings(only=("passed",))),
        third.settings("third", names=False),
    )
    bridge = await start(targets=targets, ids=ids)
    await play(bridge, ("u4",))
    await bridge.let_documents_follow()
    await settled(bridge)
    assert by_attempt(third) == by_attempt(first)
    assert {who: len(its) for who, its in by_attempt(second).items()} == dict.fromkeys((*LEARNERS, "u4"), 1)
    assert b"Name of" not in b"".join(third.bodies)
    await wait_until(lambda: len(_documents(first)) == len(_documents(third)) > 0)

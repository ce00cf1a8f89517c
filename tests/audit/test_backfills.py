"""Filling a target from the page of targets: what it lacks is counted, queued after a confirmation, paused, resumed."""

from __future__ import annotations

import re

import pytest

from bridge.http.services import SERVICES
from bridge.mapping_library import backfill, backfill_worker
from bridge.mapping_library.backfill_worker import BackfillWorker
from bridge.settings import FilterSettings, TargetSettings
from storage import audit_log, backfill_runs
from storage.backfill_runs import BackfillRun
from storage.engine import reading
from storage.states import BackfillState
from tests.audit.conftest import Meet
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.browser import Visitor
from tests.support.deliveries import is_settled, statements
from tests.support.lrs import NO_DOCUMENTS, Lrs, StartLrs
from tests.support.waiting import wait_until

LEARNERS = ("u1", "u2", "u3")
PAGE = "/audit/targets/second/backfill"


@pytest.fixture
async def second(start_lrs: StartLrs) -> Lrs:
    """An LRS that is added later."""
    return await start_lrs()


@pytest.fixture
async def bridge(start: StartBridge, lrs: Lrs, second: Lrs, monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """A bridge with a target that is younger than the statements; one attempt is looked at at a time, when asked."""
    monkeypatch.setattr(backfill, "BATCH_ATTEMPTS", 1)
    monkeypatch.setattr(backfill_worker, "POLL_INTERVAL", 3600.0)
    ids = Ids()
    bridge = await start(targets=(lrs.settings("first", documents=NO_DOCUMENTS),), ids=ids)
    for learner in LEARNERS:
        await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": learner})
    await wait_until(lambda: is_settled(bridge))
    await bridge.close()
    return await start(targets=_targets(lrs, second), ids=ids, token=bridge.token)


def _targets(lrs: Lrs, second: Lrs) -> tuple[TargetSettings, ...]:
    return lrs.settings("first", documents=NO_DOCUMENTS), second.settings("second", documents=NO_DOCUMENTS)


@pytest.fixture
def worker(bridge: Bridge, lrs: Lrs, second: Lrs) -> BackfillWorker:
    """The worker, beside that of the service, which sleeps."""
    assert bridge.client.app is not None
    database = bridge.client.app[SERVICES].database
    return BackfillWorker(database, _targets(lrs, second), now=bridge.clock, monotonic=lambda: 0.0)


def _run(bridge: Bridge) -> BackfillRun:
    with reading(bridge.engine) as connection:
        return backfill_runs.all_runs(connection)["second"]


async def _run_all(worker: BackfillWorker) -> None:
    while await worker.run_once():
        pass


async def test_a_target_that_is_younger_than_the_statements_is_offered_to_be_filled(
    bridge: Bridge, admin: Visitor, second: Lrs, worker: BackfillWorker
) -> None:
    text = await admin.text("/audit/targets")
    assert re.findall(r'href="(/audit/targets/\w+/backfill)">(.*?)</a>', text) == [
        ("/audit/targets/first/backfill", "What it lacks"),
        (PAGE, "Fill it"),
    ]
    assert (await admin.post(f"{PAGE}/count")).status == 303
    counting = await admin.get(PAGE)
    assert counting.headers["Refresh"]
    await _run_all(worker)
    assert _run(bridge).statements == len(statements(bridge))
    text = await admin.text(PAGE)
    assert f"Queue {len(statements(bridge))} statements" in text
    assert is_settled(bridge)
    assert (await admin.post(f"{PAGE}/start", reason="the new LRS")).status == 303
    await _run_all(worker)
    await wait_until(lambda: is_settled(bridge))
    assert sorted(second.ids()) == sorted(statement.id for statement in statements(bridge))
    assert _run(bridge).state == BackfillState.DONE
    assert "All of it is queued" in await admin.text(PAGE)
    with reading(bridge.engine) as connection:
        entry = audit_log.newest(connection)[0]
    assert (entry.action, entry.subject, entry.affected, entry.reason) == (
        "backfill", "second", len(statements(bridge)), "started; the new LRS",
    )  # fmt: skip
    assert "Count again" in await admin.text(PAGE)


async def test_it_is_paused_at_once_and_goes_on_where_it_was_also_by_another_process(
    bridge: Bridge, admin: Visitor, second: Lrs, worker: BackfillWorker
) -> None:
    await admin.post(f"{PAGE}/count")
    await _run_all(worker)
    await admin.post(f"{PAGE}/start", reason="x")
    await worker.run_once()
    assert (await admin.post(f"{PAGE}/pause")).status == 303
    assert not await worker.run_once()
    paused = _run(bridge)
    assert (paused.state, paused.looked_at) == (BackfillState.PAUSED, 1)
    text = await admin.text(PAGE)
    assert 'value="1"' in text
    assert "Resume" in text
    await wait_until(lambda: is_settled(bridge))
    assert 0 < len(second.ids()) < len(statements(bridge))
    assert (await admin.post(f"{PAGE}/resume")).status == 303
    await _run_all(worker)
    await wait_until(lambda: is_settled(bridge))
    assert sorted(second.ids()) == sorted(statement.id for statement in statements(bridge))
    with reading(bridge.engine) as connection:
        reasons = [entry.reason for entry in audit_log.newest(connection) if entry.action == "backfill"]
    assert reasons == ["resumed", "paused", "started; x"]


async def test_what_does_not_fit_is_refused_and_changes_nothing(
    bridge: Bridge, admin: Visitor, worker: BackfillWorker
) -> None:
    for act, status in (("start", 400), ("pause", 409), ("resume", 409)):
        assert (await admin.post(f"{PAGE}/{act}")).status == status
    assert (await admin.post(f"{PAGE}/start", reason="x")).status == 409
    assert (await admin.post("/audit/targets/nowhere/backfill/count")).status == 404
    assert (await admin.get("/audit/targets/nowhere/backfill")).status == 404
    assert (await admin.post(f"{PAGE}/count")).status == 303
    assert (await admin.post(f"{PAGE}/count")).status == 409
    await _run_all(worker)
    with reading(bridge.engine) as connection:
        assert audit_log.newest(connection) == []


async def test_only_admins_may_start_it_and_readers_see_how_it_does(bridge: Bridge, meet: Meet) -> None:
    reader = await meet(bridge, "rita", "reader")

    assert "An administrator can have it counted" in await reader.text(PAGE)
    for act in ("count", "start", "pause", "resume"):
        assert (await reader.post(f"{PAGE}/{act}", reason="x")).status == 403


async def test_a_target_that_wants_none_of_the_old_statements_lacks_nothing(
    bridge: Bridge, start: StartBridge, lrs: Lrs, second: Lrs, meet: Meet
) -> None:
    await bridge.close()
    picky = second.settings("second", filter=FilterSettings(only=("suspended",)), documents=NO_DOCUMENTS)
    bridge = await start(targets=(_targets(lrs, second)[0], picky), token=bridge.token)
    admin = await meet(bridge, "eve", "admin")

    assert "Fill it" not in await admin.text("/audit/targets")


async def test_the_service_runs_what_was_started(
    bridge: Bridge, start: StartBridge, lrs: Lrs, second: Lrs, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bridge.close()
    monkeypatch.setattr(backfill_worker, "POLL_INTERVAL", 0.01)
    bridge = await start(targets=_targets(lrs, second), token=bridge.token)
    admin = await meet(bridge, "eve", "admin")

    await admin.post(f"{PAGE}/count")
    await wait_until(lambda: _run(bridge).state == BackfillState.COUNTED)
    await admin.post(f"{PAGE}/start", reason="x")
    await wait_until(lambda: _run(bridge).state == BackfillState.DONE and is_settled(bridge))

    assert len(second.ids()) == len(statements(bridge))

"""What an LMS's proxy mirrors: answered at once, and stored as far as it can be."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from bridge.commits import service
from bridge.http import mirror_queue
from bridge.operations.audit_context import AuditContext
from bridge.operations.lms import LmsChange, change_lms
from storage.engine import writing
from tests.formats.test_chamilo import ABOUT, BODY, FINAL
from tests.formats.test_ilias import BODY as ILIAS
from tests.formats.test_ilias_2004 import body, node
from tests.formats.test_moodle import FINISH
from tests.formats.test_sakai import call
from tests.support.bridge import Bridge, GatedClock, start_bridge
from tests.support.mapping import DEFAULT
from tests.support.mirror import Mirror, mirror_of
from tests.support.replay import replayed, stored


@pytest.fixture
def mirror(bridge: Bridge) -> Mirror:
    return mirror_of(bridge)


def _launch(launch: int, location: str, **values: Any) -> dict[str, Any]:
    return body(node(sco="sco-7", location=location, **values)) | {"hash": launch, "p": 13}


async def test_what_ilias_posts_is_of_the_learner_sco_and_module_that_it_says(bridge: Bridge, mirror: Mirror) -> None:
    await mirror.take("ilias", ILIAS | {"p": "13"}, query="package_id=9&ref_id=77&client_id=default&do=store")
    (report,) = bridge.reports("13", "5")
    (first, *_) = report.statements

    assert bridge.rules("13", "5") == ["initialized", "scored", "completed", "passed"]
    assert report.attempt.enrollment.course_id == "77"
    assert mirror.commits() == [("browser", "applied")]
    assert '/session-source":"browser"' in first.body
    assert mirror.outcomes() == {("ilias", "stored"): 1}
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_requests_of_one_launch_are_one_session_and_those_of_the_next_another(
    bridge: Bridge, mirror: Mirror
) -> None:
    for launch, location in ((4711, "p1"), (4711, "p2"), (4712, "p3")):
        await mirror.take("ilias-2004", _launch(launch, location, exit="suspend"))
    (report,) = bridge.reports("13", "sco-7")

    assert [session.commits for session in report.sessions] == [2, 1]
    assert json.loads(report.attempt.state)["snapshot"]["location"] == "p3"


async def test_without_a_launch_it_is_the_open_session_until_that_has_ended(bridge: Bridge, mirror: Mirror) -> None:
    await mirror.take("chamilo", f"{ABOUT}&status=incomplete")
    await mirror.take("chamilo", f"{FINAL}&status=completed&core_exit=suspend")
    await mirror.take("chamilo", f"{FINAL}&status=completed&core_exit=suspend")
    await mirror.take("chamilo", f"{ABOUT}&loc=again")
    sessions = [session.commits for report in bridge.reports("13", "9") for session in report.sessions]

    assert sessions == [3, 1]
    assert mirror.commits() == [("browser", d) for d in ("applied", "applied", "duplicate", "applied")]


async def test_the_proxys_word_counts_for_more_than_the_query_and_that_for_more_than_the_body(
    bridge: Bridge, mirror: Mirror
) -> None:
    await mirror.take("chamilo", BODY, query="learner=query&course=c-query", X_Mirror_Learner="header")
    await mirror.take("chamilo", BODY, query="learner=query")

    assert "passed" in bridge.rules("header", "9")
    assert "passed" in bridge.rules("query", "9")
    assert bridge.reports("header", "9")[0].attempt.enrollment.course_id == "c-query"
    assert bridge.rules("13", "9") == []


async def test_a_format_whose_bodies_name_nobody_is_of_whom_and_what_the_proxy_says(
    bridge: Bridge, mirror: Mirror
) -> None:
    await mirror.take("moodle", FINISH, X_Mirror_Learner="ada", X_Mirror_Activity="cm-5", X_Mirror_Course="c1")

    assert bridge.rules("ada", "cm-5")[-1] == "suspended"
    assert bridge.reports("ada", "cm-5")[0].attempt.enrollment.course_id == "c1"


async def test_calls_that_are_mirrored_one_by_one_are_stored_in_their_order(bridge: Bridge, mirror: Mirror) -> None:
    calls = [
        call("Initialize", ""),
        call("SetValue", "cmi.score.scaled", "0.2"),
        call("SetValue", "cmi.score.scaled", "0.8"),
        call("SetValue", "cmi.success_status", "passed"),
        call("SetValue", "cmi.exit", "normal"),
        call("Terminate", ""),
    ]
    for one in calls:
        assert await mirror.send("sakai", one, X_Mirror_Learner="ada", X_Mirror_Launch="s-1") == (204, None)
    await mirror.settled()
    (report,) = bridge.reports("ada", "item-1")

    assert json.loads(report.attempt.state)["snapshot"]["score_scaled"] == 0.8
    assert bridge.rules("ada", "item-1")[-1] == "terminated"
    assert mirror.outcomes() == {("sakai", "empty"): 1, ("sakai", "stored"): 5}


async def test_a_learner_is_known_by_the_rules_that_are_for_ids_on_pages(bridge: Bridge, mirror: Mirror) -> None:
    with writing(bridge.engine) as connection:
        change = LmsChange(learner_ids={"pattern": "user-{id}"})
        change_lms(connection, "lms", change, AuditContext("ada", "", bridge.clock()))
    await mirror.take("chamilo", BODY.replace("uid=13", "uid=user-13"))
    await mirror.take("chamilo", BODY.replace("uid=13", "uid=somebody"))

    assert "passed" in bridge.rules("13", "9")
    assert [refusal.code for refusal in await mirror.refusals()] == ["malformed-field"]


@pytest.mark.parametrize(
    ("name", "broken", "code", "detail"),
    [
        ("ilias", "{", "malformed-body", "JSON"),
        ("ilias", "", "malformed-body", "empty"),
        ("chamilo", "a=b", "malformed-body", "chamilo"),
        ("moodle", FINISH, "malformed-body", "X-Mirror-Learner"),
        ("ilias", ILIAS, "malformed-body", "X-Mirror-Learner"),
        ("chamilo", BODY.replace("uid=13", f"uid={quote('a' * 1_001)}"), "malformed-field", "learner"),
        ("chamilo", BODY.replace("uid=13", "uid=%00"), "malformed-field", "learner"),
        ("native", {"cmi": {}, "learner": "u1"}, "malformed-body", "X-Mirror"),
    ],
)
async def test_what_is_wrong_with_a_request_that_was_taken_is_seen_where_refusals_are(
    mirror: Mirror, name: str, broken: Any, code: str, detail: str
) -> None:
    await mirror.take(name, broken)
    (refusal,) = await mirror.refusals()

    assert (refusal.status, refusal.code, refusal.wire_format) == (400, code, name)
    assert (refusal.method, refusal.path) == ("POST", f"/v1/mirror/{name}")
    assert detail.lower() in refusal.detail.lower()
    assert mirror.outcomes() == {(name, "refused"): 1}
    assert mirror.commits() == []


async def test_one_that_is_too_large_is_refused_at_once(mirror: Mirror) -> None:
    status, _ = await mirror.send("ilias", b" " * 1_100_000)

    assert status == 413
    assert mirror.outcomes() == {}


async def test_the_lmss_own_server_counts_for_more(bridge: Bridge, mirror: Mirror) -> None:
    opened = await bridge.open(learner={"id": "13"}, activity={"id": "9"}, course={"id": "2"})
    await bridge.commit(
        {"core": {"lesson_status": "incomplete"}},
        session_id=opened["session_id"], learner={"id": "13"}, activity={"id": "9"}, course={"id": "2"},
    )  # fmt: skip
    await mirror.take("chamilo", BODY)

    assert mirror.commits() == [("server", "applied"), ("browser", "superseded")]
    assert "passed" not in bridge.rules("13", "9")


async def test_the_same_request_of_the_proxy_twice_is_one(mirror: Mirror) -> None:
    for _ in range(2):
        await mirror.take("chamilo", f"{ABOUT}&status=incomplete", Idempotency_Key="r-1")
    await mirror.take("chamilo", f"{ABOUT}&status=incomplete&s=5", Idempotency_Key="r-2")

    assert [disposition for _, disposition in mirror.commits()] == ["applied", "duplicate", "applied"]


async def test_as_much_as_fits_into_memory_is_taken_and_the_rest_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_queue, "MAX_ENTRIES", 3)
    monkeypatch.setattr(mirror_queue, "MAX_WAITING_BYTES", 3_000)
    gate = GatedClock()
    bridge = await start_bridge(database_url=database_url, clock=gate)
    mirror = mirror_of(bridge)
    answers = [await mirror.send("chamilo", f"{ABOUT}&loc=p{number}") for number in range(4)]
    assert answers == [(204, None)] * 3 + [(503, "2")]
    assert len(mirror.queue) == 3
    gate.through.release(100)
    await mirror.settled()
    assert await mirror.send("chamilo", f"{ABOUT}&loc={'p' * 3_000}") == (503, "2")
    await mirror.take("chamilo", f"{ABOUT}&loc=p5")
    assert mirror.outcomes() == {("chamilo", "stored"): 4}
    await bridge.close()


async def test_what_was_taken_is_stored_before_the_bridge_ends(database_url: str) -> None:
    gate = GatedClock()
    bridge = await start_bridge(database_url=database_url, clock=gate)
    mirror = mirror_of(bridge)
    for number in range(5):
        assert await mirror.send("chamilo", f"{ABOUT}&loc=p{number}".replace("uid=13", f"uid={number}")) == (204, None)
    closing = asyncio.create_task(bridge.client.close())
    gate.through.release(100)
    await closing
    assert mirror.commits() == [("browser", "applied")] * 5
    assert mirror.outcomes() == {("chamilo", "stored"): 5}
    await bridge.close()


async def test_what_cannot_be_stored_now_waits_in_memory(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_queue, "RETRY_INTERVAL", 0.01)
    with monkeypatch.context() as full:
        full.setattr(service, "HIGH_WATERMARK", 0)
        full.setattr(service, "LOW_WATERMARK", 0)
        for number in range(3):
            await mirror.send("chamilo", f"{ABOUT}&loc=p{number}")
        waiting = len(mirror.queue)
    await mirror.settled()

    assert waiting == 3
    assert mirror.commits() == [("browser", "applied")] * 3
    assert mirror.outcomes() == {("chamilo", "stored"): 3}


async def test_a_bridge_that_ends_without_a_place_to_store_says_what_is_lost(
    bridge: Bridge, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_queue, "STOP_TIMEOUT", 0)
    monkeypatch.setattr(service, "HIGH_WATERMARK", 0)
    monkeypatch.setattr(service, "LOW_WATERMARK", 0)
    await mirror.send("chamilo", BODY)
    with capture_logs() as lines:
        await bridge.close()

    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["mirrored_request_lost"]
    assert mirror.outcomes() == {("chamilo", "lost"): 1}

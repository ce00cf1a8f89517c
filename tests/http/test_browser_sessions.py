"""Pages of an LMS open sessions with a browser key: what it permits, and that nothing is told to whoever has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import revoke_browser_key
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.operations.lms import LmsChange, change_lms
from bridge.settings import LimitSettings
from storage.browser_keys import of_lms
from storage.engine import reading, writing
from storage.erasures import Later
from storage.learner_ids import LearnerCase
from storage.queries.learner_data import Learner
from storage.states import SessionSource
from storage.tables import refusal, session
from tests.support.accounts import HOME_PAGE
from tests.support.bridge import Bridge, FakeMonotonic, StartBridge
from tests.support.browser_keys import PAGE, PASSED, PATH, STORED, ask, create_key, open_page, path_of, send
from tests.support.waiting import poll


def sources(bridge: Bridge) -> list[str]:
    """Return where the stored sessions come from, in the order they began."""
    with reading(bridge.engine) as connection:
        return [
            *connection.execute(select(session.c.source).order_by(session.c.started_at, session.c.session_id)).scalars()
        ]


async def test_a_page_records_what_its_learner_does(bridge: Bridge) -> None:
    key = create_key(bridge)
    url = await open_page(bridge, key.key)
    assert await send(bridge, url, PASSED, sequence=1, terminated=True) == (200, STORED)

    (report,) = bridge.reports()
    assert (report.attempt.success_status, report.attempt.score_raw) == ("passed", 80)
    assert sources(bridge) == [SessionSource.BROWSER]


async def test_opening_says_nothing_but_where_commits_go(bridge: Bridge) -> None:
    key = create_key(bridge)
    await bridge.commit({"suspend_data": "canary-suspend", "core": {"lesson_location": "canary-place"}})

    known, unknown = await ask(bridge, key.key), await ask(bridge, key.key, learner={"id": "nobody"})

    for status, answer, headers in (known, unknown):
        assert (status, {*answer}) == (200, {"session_id", "commit_url"})
        assert "canary" not in json.dumps([answer, headers])
    assert {*known[2]} == {*unknown[2]}


@pytest.mark.parametrize("body", [b'{"cmi":{}}', b'{"cmi":{"core":{"exit":"suspend"}}}'])
async def test_a_commit_is_answered_with_no_result_and_no_state(bridge: Bridge, body: bytes) -> None:
    key = create_key(bridge)
    await bridge.commit(PASSED | {"cmi.suspend_data": "canary-suspend"})
    url = await open_page(bridge, key.key)

    status, answer = await bridge.post(path_of(url), token=None, data=body, headers={"Origin": PAGE})

    assert (status, answer) == (200, STORED)


@pytest.mark.parametrize("wire_format", ["native", "aicc", "openedx", "rpc"])
async def test_a_page_cannot_ask_what_a_session_holds(bridge: Bridge, wire_format: str) -> None:
    key = create_key(bridge)
    await bridge.commit(PASSED | {"cmi.suspend_data": "canary-suspend"})
    path = path_of(await open_page(bridge, key.key)).replace("/v1/", f"/v1/formats/{wire_format}/")

    async with bridge.client.get(path, headers={"Origin": PAGE}) as response:
        text = await response.text()
        assert (response.status, json.loads(text)["code"]) == (403, "browser-read-forbidden")

    assert "canary" not in text


async def test_a_format_that_asks_by_post_is_refused_as_well(bridge: Bridge) -> None:
    key = create_key(bridge)
    await bridge.commit(PASSED | {"cmi.suspend_data": "canary-suspend"})
    url = await open_page(bridge, key.key)

    status, answer = await bridge.post(
        path_of(url), token=None, data=b"command=GetParam&version=4.0&session_id=1", headers={"Origin": PAGE}
    )

    assert (status, answer["code"]) == (403, "browser-read-forbidden")


async def test_values_of_another_sco_reach_no_session_of_that_sco(bridge: Bridge) -> None:
    """Formats that post all SCOs of a package to one address would open sessions of activities the key is not for."""
    key = create_key(bridge, activities=["235"])
    url = await open_page(bridge, key.key)

    status, answer = await bridge.post(
        path_of(url), token=None, data=b'{"cmi": [[99, "cmi.core.lesson_status", "passed"]]}', headers={"Origin": PAGE}
    )

    assert (status, answer["code"]) == (400, "malformed-body")
    assert bridge.reports(activity="99") == []


async def test_the_same_launch_has_the_same_session(bridge: Bridge) -> None:
    key = create_key(bridge)
    launch = {"launch_id": "launch-0001"}
    first, second = (await ask(bridge, key.key, **launch))[1], (await ask(bridge, key.key, **launch))[1]
    other = (await ask(bridge, key.key, launch_id="launch-0002"))[1]
    of_another = (await ask(bridge, key.key, learner={"id": "u2"}, **launch))[1]

    assert first["session_id"] == second["session_id"]
    assert len({first["session_id"], other["session_id"], of_another["session_id"]}) == 3


async def test_a_key_of_no_lms_is_refused(bridge: Bridge) -> None:
    create_key(bridge)
    status, answer, headers = await ask(bridge, "pk_" + "x" * 43)

    assert (status, answer["code"]) == (401, "browser-key-unknown")
    assert headers["Access-Control-Allow-Origin"] == PAGE


async def test_a_revoked_key_opens_nothing_and_its_commit_urls_end_with_it(bridge: Bridge) -> None:
    key = create_key(bridge)
    url = await open_page(bridge, key.key)
    with writing(bridge.engine) as connection:
        revoke_browser_key(connection, key.id, AuditContext("ada", "leaked", bridge.clock()))
    assert (await poll(lambda: ask(bridge, key.key), lambda answer: answer[0] != 200))[1][
        "code"
    ] == "browser-key-unknown"
    status, answer = await send(bridge, url, PASSED)
    assert (status, answer["code"]) == (401, "browser-key-unknown")
    assert bridge.reports()[0].attempt.success_status is None


async def test_an_expired_key_says_since_when(bridge: Bridge) -> None:
    key = create_key(bridge, expires_at=bridge.clock() + 60_000)
    url = await open_page(bridge, key.key)
    bridge.clock.advance(60)

    status, answer, _ = await ask(bridge, key.key)

    assert (status, answer["code"]) == (401, "browser-key-expired")
    assert "2026-01-01T00:01:00" in answer["detail"]
    assert (await send(bridge, url, PASSED))[1]["code"] == "browser-key-expired"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://pages.example.org", "https://pages.example.org:444", "null", None, HOME_PAGE],
)
async def test_pages_of_other_origins_are_refused_and_cannot_read_why(bridge: Bridge, origin: str | None) -> None:
    """The LMS's own origins as well: they are for pages that have its players' commit URLs."""
    key = create_key(bridge)
    status, answer, headers = await ask(bridge, key.key, origin=origin)

    assert (status, answer["code"]) == (403, "browser-origin-forbidden")
    assert "Access-Control-Allow-Origin" not in headers


async def test_another_page_cannot_commit_with_a_url_that_it_came_by(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)

    status, answer = await send(bridge, url, PASSED, origin="https://evil.example")

    assert (status, answer["code"]) == (403, "browser-origin-forbidden")


@pytest.mark.parametrize("origin", ["null", None])
async def test_a_beacon_that_does_not_say_its_page_is_stored(bridge: Bridge, origin: str | None) -> None:
    url = await open_page(bridge, create_key(bridge).key)

    assert await send(bridge, url, PASSED, origin=origin) == (200, STORED)


@pytest.mark.parametrize(
    ("activities", "activity", "status"),
    [
        ((), "235", 200),
        (("235",), "235", 200),
        (("235",), "2350", 403),
        (("https://lms.example.org/a/*",), "https://lms.example.org/a/1", 200),
        (("https://lms.example.org/a/*",), "https://lms.example.org/b/1", 403),
    ],
)
async def test_a_key_is_for_its_activities(
    bridge: Bridge, activities: tuple[str, ...], activity: str, status: int
) -> None:
    key = create_key(bridge, activities=activities)
    answered, answer, headers = await ask(bridge, key.key, activity={"id": activity})

    assert answered == status
    assert answer.get("code") == (None if status == 200 else "browser-activity-forbidden")
    assert headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"learner": None}, "malformed-body"),
        ({"learner": {"id": " "}}, "malformed-field"),
        ({"learner": {"id": "u1", "sha256": "0" * 64}}, "malformed-body"),
        ({"learner": {"sha256": "0"}}, "malformed-field"),
        ({"learner": {"id": "u1", "email": "ada@example.org"}}, "malformed-body"),
        ({"activity": {"id": "235", "type": "lesson"}}, "malformed-field"),
        ({"launch_id": "../../x"}, "malformed-field"),
        ({"session_id": "6f3c2a9e-1111-4111-8111-111111111111"}, "malformed-body"),
        ({"registration": "6f3c2a9e-1111-4111-8111-111111111111"}, "malformed-body"),
        ({"attempt": 7}, "malformed-body"),
        ({"mode": "fast"}, "malformed-field"),
    ],
)
async def test_what_a_page_may_not_say_is_refused_in_words(bridge: Bridge, fields: dict[str, Any], code: str) -> None:
    status, answer, _ = await ask(bridge, create_key(bridge).key, **fields)

    assert (status, answer["code"]) == (400, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"pk_x"', b'{"key": 1}', b"\xff\xfe"])
async def test_what_is_no_opening_is_refused(bridge: Bridge, body: bytes) -> None:
    create_key(bridge)
    async with bridge.client.post(PATH, data=body, headers={"Origin": PAGE}) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (400, "malformed-body")


async def test_a_body_that_is_too_long_is_refused(bridge: Bridge) -> None:
    status, answer, _ = await ask(bridge, create_key(bridge).key, activity={"id": "235", "description": "x" * 20_000})

    assert (status, answer["code"]) == (413, "body-too-large")


async def test_a_hashed_learner_has_its_hash_as_id_and_no_name(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key, learner={"sha256": "AB" * 32, "name": "Ada"})
    await send(bridge, url, PASSED)

    (report,) = bridge.reports(learner="sha256:" + "ab" * 32)

    assert report.attempt.enrollment.learner_name == ""


@pytest.mark.parametrize(
    ("setting", "other"),
    [
        ("browser_requests_per_key", {"learner": {"id": "u2"}}),
        ("browser_requests_per_learner", {}),
        ("browser_requests_per_address", {"learner": {"id": "u2"}}),
    ],
)
async def test_floods_are_refused_by_key_learner_and_address(
    start: StartBridge, setting: str, other: dict[str, Any]
) -> None:
    monotonic = FakeMonotonic()
    bridge = await start(
        limits=LimitSettings.model_validate({setting: "2/minute"}), monotonic=lambda: monotonic.seconds
    )
    key = create_key(bridge)
    url = await open_page(bridge, key.key)
    assert (await send(bridge, url, PASSED))[0] == 200

    status, answer, headers = await ask(bridge, key.key, **other)
    assert (status, answer["code"]) == (429, "browser-rate-exceeded")
    assert 0 < int(headers["Retry-After"]) <= 60
    assert headers["Access-Control-Expose-Headers"] == "Retry-After"
    monotonic.seconds += 61
    assert (await send(bridge, url, PASSED))[0] == 200


async def test_the_flood_of_one_learners_page_holds_up_no_other_and_not_the_lms(start: StartBridge) -> None:
    bridge = await start(limits=LimitSettings(browser_requests_per_learner="2/minute"))
    key = create_key(bridge)
    for _ in range(3):
        refused = await ask(bridge, key.key)

    assert refused[0] == 429
    assert (await ask(bridge, key.key, learner={"id": "u2"}))[0] == 200
    assert (await bridge.commit(PASSED))["disposition"] == "applied"


async def test_a_preflight_is_answered_for_origins_of_keys_alone(bridge: Bridge) -> None:
    key = create_key(bridge)
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None), (HOME_PAGE, None)):
        async with bridge.client.options(PATH, headers=headers | {"Origin": origin}) as response:
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Access-Control-Allow-Credentials" not in response.headers, origin

    assert "Access-Control-Allow-Credentials" not in (await ask(bridge, key.key))[2]


async def test_refusals_are_kept_for_the_lms_whose_key_it_is(bridge: Bridge) -> None:
    key = create_key(bridge, activities=["1"])
    await ask(bridge, key.key, origin="https://evil.example")
    await ask(bridge, key.key)
    await bridge.close()

    with reading(bridge.engine) as connection:
        kept = connection.execute(select(refusal.c.code, refusal.c.path)).all()

    assert {tuple(row) for row in kept} == {("browser-origin-forbidden", PATH), ("browser-activity-forbidden", PATH)}


async def test_a_keys_last_use_is_noted(bridge: Bridge) -> None:
    key, unused = create_key(bridge), create_key(bridge)
    await ask(bridge, key.key)
    await bridge.close()

    with reading(bridge.engine) as connection:
        assert [stored.last_used_at for stored in of_lms(connection)] == [bridge.clock(), unused.last_used_at]


async def test_an_erased_learner_is_answered_as_anybody_and_nothing_is_stored(bridge: Bridge) -> None:
    key = create_key(bridge)
    await bridge.commit({"core": {"lesson_status": "incomplete"}})
    request = ErasureRequest(Learner("u1"), Later.REFUSE, {}, AuditContext("ada", "", bridge.clock()))
    erase_learner(bridge.engine, request, now=bridge.clock, new_id=lambda: "6f3c2a9e-1111-4111-8111-111111111111")

    url = await open_page(bridge, key.key)

    assert await send(bridge, url, PASSED) == (200, STORED)
    assert bridge.reports() == []


async def test_ids_of_learners_are_rewritten_as_their_lms_says_and_the_servers_are_not(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        rules = {"trim": True, "pattern": "user-{id}", "case": LearnerCase.LOWER, "prefix": "u"}
        change_lms(connection, "lms", LmsChange(learner_ids=rules), AuditContext("ada", "", bridge.clock()))
    key = create_key(bridge)
    await send(bridge, await open_page(bridge, key.key, learner={"id": " user-1 "}), PASSED)
    await bridge.commit(PASSED, learner={"id": "user-1"})
    assert [report.attempt.success_status for report in bridge.reports(learner="u1")] == ["passed"]
    assert len(bridge.reports(learner="user-1")) == 1
    status, answer, _ = await ask(bridge, key.key, learner="admin-canary")
    assert (status, answer["code"]) == (400, "malformed-field")
    assert "user-{id}" in answer["detail"]
    assert "canary" not in answer["detail"]
    assert (await ask(bridge, key.key, learner={"sha256": "ab" * 32}))[0] == 200
    assert (await ask(bridge, key.key, learner="sha256:" + "AB" * 32))[0] == 200

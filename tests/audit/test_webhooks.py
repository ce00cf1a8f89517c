"""The pages of webhooks."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web
from sqlalchemy import text

from bridge.settings import OutgoingSettings
from storage import audit_log, webhook_deliveries, webhook_endpoints
from storage.engine import reading, writing
from storage.webhook_deliveries import NewWebhookDelivery
from storage.webhook_endpoints import WebhookEndpoint
from tests.audit.conftest import Meet
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor
from tests.support.sql import column
from tests.support.webhooks import serve_receiver

SECRET = re.compile(r"whsec_[A-Za-z0-9+/&#;]{43,}=")
URL = "https://lms.example.org/hooks/scorm"
EVENTS = ("enrollment.passed", "enrollment.completed")
NEW: dict[str, Any] = {"name": "gradebook", "lms": "lms", "url": URL, "reason": "new"} | dict.fromkeys(EVENTS, "yes")


def _endpoint(bridge: Bridge) -> WebhookEndpoint:
    with reading(bridge.engine) as connection:
        (endpoint,) = webhook_endpoints.endpoints(connection)
    return endpoint


async def test_a_new_secret_is_shown_once(bridge: Bridge, admin: Visitor) -> None:
    added = await admin.post("/audit/webhooks", **NEW)
    page = await added.text()
    endpoint = _endpoint(bridge)
    assert (added.status, added.headers["Cache-Control"]) == (200, "no-store")
    assert SECRET.search(page) is not None
    assert (endpoint.name, endpoint.url, set(endpoint.events)) == ("gradebook", URL, {*EVENTS})
    shown = await admin.text("/audit/webhooks")
    assert URL in shown
    assert SECRET.search(shown) is None
    rotated = await admin.post("/audit/webhooks/gradebook/rotate", overlap="24")
    assert SECRET.search(await rotated.text()) is not None
    assert _endpoint(bridge).previous_secret == endpoint.secret
    assert _endpoint(bridge).secret != endpoint.secret
    with reading(bridge.engine) as connection:
        acts = audit_log.newest(connection)
    assert [(act.by, act.action, act.subject) for act in acts] == [
        ("ada", "rotate-webhook", "gradebook"),
        ("ada", "add-webhook", "gradebook"),
    ]
    assert endpoint.secret not in str(acts)


REFUSED: tuple[tuple[dict[str, str], int, str], ...] = (
    (dict.fromkeys(EVENTS, ""), 400, "at least one type of events"),
    ({"url": "http://10.0.0.7/hook"}, 409, "to which the bridge does not connect"),
    ({"url": "nonsense"}, 409, "must begin with http"),
    ({"name": "a b"}, 409, "is no name"),
    ({"lms": "nobody"}, 409, "There is no LMS"),
)
"""What is changed of a form that is right, and how it is answered then."""


async def test_what_cannot_be_added_is_said_and_nothing_is_stored(bridge: Bridge, admin: Visitor) -> None:
    for changed, status, fault in REFUSED:
        answer = await admin.post("/audit/webhooks", **(NEW | changed))
        assert answer.status == status, changed
        assert fault in await answer.text(), changed

    assert column(bridge, "SELECT name FROM webhook_endpoint") == []


async def test_it_is_changed_paused_and_resumed(bridge: Bridge, admin: Visitor) -> None:
    await admin.post("/audit/webhooks", **NEW)
    change = {"url": f"{URL}/v2", "learner.erased": "yes"}
    assert (await admin.post("/audit/webhooks/gradebook/change", **change)).status == 303
    assert (_endpoint(bridge).url, _endpoint(bridge).events) == (f"{URL}/v2", ("learner.erased",))
    assert (await admin.post("/audit/webhooks/gradebook/pause")).status == 400
    paused = await admin.post("/audit/webhooks/gradebook/pause", reason="maintenance")
    assert "Paused gradebook." in await admin.text(paused.headers["Location"])
    assert _endpoint(bridge).pause_reason == "maintenance"
    assert (await admin.post("/audit/webhooks/gradebook/resume")).status == 303
    assert _endpoint(bridge).paused_at is None
    assert (await admin.post("/audit/webhooks/gradebook/resume")).status == 409
    assert (await admin.post("/audit/webhooks/nobody/pause", reason="x")).status == 409


async def test_a_test_shows_what_was_answered(start: StartBridge, meet: Meet) -> None:
    bridge = await start(outgoing=OutgoingSettings(allow=("127.0.0.0/8",)))
    admin = await meet(bridge, "ada", "admin")
    async with serve_receiver() as receiver:
        await admin.post("/audit/webhooks", **(NEW | {"url": receiver.url}))
        taken = await (await admin.post("/audit/webhooks/gradebook/test")).text()
        receiver.respond = lambda _received: web.Response(status=418, text="<b>a teapot</b>")
        refused = await (await admin.post("/audit/webhooks/gradebook/test")).text()

    assert "The endpoint answered 204" in taken
    assert "The endpoint answered 418" in refused
    assert "&lt;b&gt;a teapot&lt;/b&gt;" in refused
    assert [received.type for received in receiver.requests] == ["webhook.test"] * 2


async def test_dead_events_are_listed_retried_and_discarded(bridge: Bridge, admin: Visitor) -> None:
    await admin.post("/audit/webhooks", **NEW)
    _add_dead(bridge, 3)
    listed = await admin.text("/audit/webhooks/deliveries?webhook=gradebook&state=dead")
    assert listed.count('<tr id="event-') == 3
    assert await _rows(admin, "?state=delivered") == await _rows(admin, "?webhook=nobody") == 0
    retried = await admin.post("/audit/webhooks/gradebook/retry")
    assert "Retrying 3 dead deliveries of gradebook." in await admin.text(retried.headers["Location"])
    assert (await admin.post("/audit/webhooks/gradebook/retry")).status == 409
    _add_dead(bridge, 1)
    assert (await admin.post("/audit/webhooks/gradebook/discard")).status == 400
    discarded = await admin.post("/audit/webhooks/gradebook/discard", reason="entered by hand")
    assert "Discarded 1 dead delivery of gradebook." in await admin.text(discarded.headers["Location"])
    assert await _rows(admin, "?state=discarded") == 1


async def test_events_are_shown_page_by_page(bridge: Bridge, admin: Visitor) -> None:
    await admin.post("/audit/webhooks", **NEW)
    _add_dead(bridge, 60)
    first = await admin.text("/audit/webhooks/deliveries?state=dead")
    (following,) = re.findall(r'<a href="([^"]+)" rel="next">', first)
    second = await admin.text(following.replace("&amp;", "&"))
    ids = [re.findall(r'<tr id="event-(\d+)', shown) for shown in (first, second)]

    assert [len(page) for page in ids] == [50, 10]
    assert len({*ids[0], *ids[1]}) == 60
    assert (await admin.get("/audit/webhooks/deliveries?after=nonsense")).status == 400


async def test_only_admins_see_them(auditor: Visitor) -> None:
    for path in ("/audit/webhooks", "/audit/webhooks/deliveries"):
        assert (await auditor.get(path)).status == 403


async def _rows(admin: Visitor, query: str) -> int:
    return (await admin.text(f"/audit/webhooks/deliveries{query}")).count('<tr id="event-')


def _add_dead(bridge: Bridge, number: int) -> None:
    """Store dead events of the one endpoint."""
    endpoint = _endpoint(bridge)
    with writing(bridge.engine) as connection:
        events = [
            NewWebhookDelivery(endpoint.id, None, f"00000000-0000-4000-8000-{START + index:012x}", "t", "{}", START)
            for index in range(number)
        ]
        connection.execute(text("DELETE FROM webhook_delivery WHERE state = 'waiting'"))
        webhook_deliveries.add(connection, events)
        connection.execute(text("UPDATE webhook_delivery SET state = 'dead' WHERE state = 'waiting'"))

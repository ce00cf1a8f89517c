"""The page of alerts: what is wrong now, and whom the bridge has told."""

from __future__ import annotations

import re

from bridge.alerts.conditions import TEXTS
from bridge.settings import AlertCondition
from storage import alerts
from storage.alerts import Alert
from storage.engine import writing
from storage.states import NotificationState
from tests.audit.page_content import table
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sql import scalar

CANARY = "<img src=x onerror=alert(1)>"
NONE = "\N{EN DASH}"


async def test_what_is_wrong_is_shown_with_its_remedy_and_where_to_look(bridge: Bridge, auditor: Visitor) -> None:
    text = await auditor.text("/audit/alerts")
    assert "No alerts." in text
    assert "Nobody is told" in text
    pages = {
        AlertCondition.UNREACHABLE: "/audit/targets#target-lrs",
        AlertCondition.DEAD: "/audit/deliveries?target=lrs&amp;state=dead",
        AlertCondition.SILENCE: "/audit/lms",
        AlertCondition.DATABASE: "/audit/",
    }
    with writing(bridge.engine) as connection:
        for condition in pages:
            subject = "" if condition is AlertCondition.DATABASE else "lrs"
            alerts.begin(connection, Alert(condition.value, subject, START, CANARY), (), START)
    text = await auditor.text("/audit/alerts")
    assert CANARY not in text
    sections = re.findall(r'<section class="fault alarm">(.*?)</section>', text, re.DOTALL)
    assert len(sections) == scalar(bridge, "SELECT count(*) FROM alert") == len(pages)
    for condition, href in pages.items():
        (section,) = (each for each in sections if TEXTS[condition].summary.format("lrs") in each)
        assert f'href="{href}">Show' in section


async def test_who_was_told_of_what_is_listed_the_newest_first(
    bridge: Bridge, auditor: Visitor, reader: Visitor
) -> None:
    alert = Alert(AlertCondition.UNREACHABLE.value, "lrs", START, "")
    with writing(bridge.engine) as connection:
        alerts.begin(connection, alert, ("mail", "chat"), START)
        (first, second) = alerts.due(connection, START)
        alerts.settle(connection, [first.id], NotificationState.SENT, not_before=0, error=None)
        alerts.settle(connection, [second.id], NotificationState.FAILED, not_before=0, error="no such host")
        alerts.end(connection, alert, ("mail",), START + 60_000)
    rows = [row[1:] for row in table(await auditor.text("/audit/alerts"), "Notifications")]

    assert rows == [
        ["Resolved: lrs is unreachable", "mail", "waiting", "0", NONE],
        ["lrs is unreachable", second.channel, "failed", "1", "no such host"],
        ["lrs is unreachable", first.channel, "sent", "1", NONE],
    ]
    assert (await reader.get("/audit/alerts")).status == 403

"""The overview."""

from __future__ import annotations

import base64
import hashlib
import re
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bridge.audit.pages.overview import format_age
from bridge.http.services import SERVICES
from bridge.settings import TargetSettings
from storage import pauses, target_alarms
from storage.engine import writing
from storage.pauses import Pause
from storage.target_alarms import TargetAlarm
from tests.audit.conftest import Meet
from tests.audit.page_content import fact, table
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor
from tests.support.deliveries import add_removals
from tests.support.sql import scalar

CHARTS = ("commits", "statements", "depth", "age")
HOUR = 3_600


@pytest.fixture
async def bridge(start: StartBridge) -> Bridge:
    """A bridge with a target that people have paused, so that nothing leaves."""
    new_bridge = await start(targets=(TargetSettings(name="lrs", endpoint="http://127.0.0.1:9/xapi/"),))
    with writing(new_bridge.engine) as connection:
        pauses.begin(connection, Pause("lrs", new_bridge.clock(), "eve", "it <moves>", automatic=False))
    return new_bridge


async def learn(bridge: Bridge, minutes: int = 3) -> None:
    """Let learners learn for some minutes, the last of them is now."""
    for minute in range(minutes):
        for learner in range(minute + 1):
            cmi = {"cmi.completion_status": "completed", "cmi.score.raw": str(minute)}
            await bridge.commit(cmi, learner={"id": f"u{learner}"}, terminated=minute == 1)
        if minute < minutes - 1:
            bridge.clock.advance(60)


async def test_nothing_to_look_after_is_said_and_what_to_do_without_an_lrs(start: StartBridge, meet: Meet) -> None:
    page = await (await meet(await start(), "rita", "reader")).text("/audit/")

    assert "No alarms." in page
    assert "Add a [[targets]] section" in page


async def test_numbers_are_those_of_plain_counts(bridge: Bridge, reader: Visitor) -> None:
    await learn(bridge)
    page = await reader.text("/audit/")
    assert fact(page, "Open sessions") == str(scalar(bridge, "SELECT count(*) FROM session WHERE ended IS NULL"))
    assert fact(page, "Commits in the last hour") == str(scalar(bridge, "SELECT count(*) FROM journal"))
    assert fact(page, "Statements in the last hour") == str(scalar(bridge, "SELECT count(*) FROM statement"))
    waiting = scalar(bridge, "SELECT count(*) FROM delivery WHERE state = 'waiting'")
    assert [row[:3] for row in table(page, "Targets")] == [["lrs", "paused", str(waiting)]]


async def test_minutes_of_charts_are_those_of_plain_counts(bridge: Bridge, reader: Visitor) -> None:
    await learn(bridge)
    page = await reader.text("/audit/")
    for name, time, title in (
        ("journal", "received_at", "Commits per minute"),
        ("statement", "created_at", "Statements per minute"),
    ):
        minutes = table(page, title)
        assert len(minutes) == 60, name
        assert [int(number) for _, number in minutes[-3:]] == [
            scalar(
                bridge,
                f"SELECT count(*) FROM {name} WHERE {time} >= {bridge.clock() - back * 60_000}"
                f" AND {time} < {bridge.clock() - (back - 1) * 60_000}",
            )
            for back in (2, 1, 0)
        ]


async def test_alarms_come_first_each_with_what_to_do(bridge: Bridge, reader: Visitor) -> None:
    await learn(bridge)
    bridge.clock.advance(2 * HOUR)
    with writing(bridge.engine) as connection:
        connection.execute(text("UPDATE delivery SET state = 'dead' WHERE id IN (SELECT min(id) FROM delivery)"))
        connection.execute(text("UPDATE delivery SET state = 'quarantined' WHERE id IN (SELECT max(id) FROM delivery)"))
    page = await reader.text("/audit/")
    alarms = re.findall(r"<strong>([^<]+)</strong>.*?<a href=\"([^\"]+)\"", page, re.DOTALL)

    assert alarms == [
        ("1 dead delivery at lrs", "/audit/deliveries?state=dead&amp;target=lrs"),
        ("1 quarantined delivery at lrs", "/audit/deliveries?state=quarantined&amp;target=lrs"),
        ("Statements have been waiting for lrs for more than an hour", "/audit/targets#target-lrs"),
        ("lrs is paused", "/audit/targets#target-lrs"),
    ]
    assert page.index("<strong>") < page.index("Open sessions")
    assert "eve paused it: it &lt;moves&gt;." in page
    assert table(page, "Waiting longest") == [["lrs", "2 h 2 min"]]


async def test_what_erasures_ask_of_a_target_is_an_alarm_after_a_day(bridge: Bridge, reader: Visitor) -> None:
    with writing(bridge.engine) as connection:
        pauses.end(connection, "lrs")
    for target in ("lrs", "gone"):
        add_removals(bridge, target, 2)
    assert "has not removed" not in await reader.text("/audit/")
    with writing(bridge.engine) as connection:  # the reader's session would end with a day
        connection.execute(text("UPDATE removal SET created_at = created_at - 86400000"))
    page = await reader.text("/audit/")
    alarms = dict(re.findall(r"<strong>([^<]+)</strong>.*?</p>\s*<p>(.*?) <a", page, re.DOTALL))
    assert "not allow the bridge to void" in alarms["lrs has not removed what erasures ask for after more than a day"]
    assert "no longer configured" in alarms["gone has not removed what erasures ask for after more than a day"]


async def test_a_target_that_does_not_let_the_bridge_in_is_an_alarm_without_its_answer(
    bridge: Bridge, reader: Visitor
) -> None:
    with writing(bridge.engine) as connection:
        pauses.end(connection, "lrs")
        target_alarms.begin(
            connection, TargetAlarm("lrs", "statements", "not-allowed", bridge.clock(), bridge.clock(), "CANARY")
        )
    page = await reader.text("/audit/")

    assert "lrs denies the bridge access" in page
    assert "CANARY" not in page


async def test_charts_are_pictures_with_a_policy_of_their_own_that_lets_nothing_run(
    bridge: Bridge, reader: Visitor
) -> None:
    await learn(bridge)
    for name in CHARTS:
        answer = await reader.get(f"/audit/charts/{name}.svg")
        drawing = await answer.text()
        assert (answer.status, answer.content_type) == (200, "image/svg+xml"), name
        root = ET.fromstring(drawing)
        kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not kinds & {"script", "a", "image", "foreignObject", "use"}, name
        assert not any("style" in element.attrib or "href" in str(element.attrib) for element in root.iter()), name
        (style,) = (element.text for element in root.iter("{http://www.w3.org/2000/svg}style"))
        digest = base64.b64encode(hashlib.sha256(str(style).encode()).digest()).decode()
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'"), name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name


async def test_charts_are_drawn_of_nothing_too(start: StartBridge, meet: Meet) -> None:
    person = await meet(await start(), "rita", "reader")

    for name in CHARTS:
        assert (await person.get(f"/audit/charts/{name}.svg")).status == 200


async def test_every_picture_has_words_and_an_address_that_changes_with_its_numbers(
    bridge: Bridge, reader: Visitor
) -> None:
    await learn(bridge)
    before = await reader.text("/audit/")
    pictures = re.findall(r'<img src="(/audit/charts/[^"]+)" alt="([^"]+)"', before)
    assert [address.split("/")[3].partition(".")[0] for address, _ in pictures] == list(CHARTS)
    assert f"{scalar(bridge, 'SELECT count(*) FROM journal')} in total" in pictures[0][1]
    await bridge.commit({"cmi.score.raw": "9"}, learner={"id": "another"})
    after = re.findall(r'<img src="(/audit/charts/[^"]+)"', await reader.text("/audit/"))
    assert after[:3] != [address for address, _ in pictures][:3]


@pytest.mark.parametrize(
    ("minutes", "expected"), [(0, "0 min"), (59, "59 min"), (60, "1 h 0 min"), (1439, "23 h 59 min"), (1500, "1 d 1 h")]
)
def test_how_long_something_waits_is_said_to_two_parts(minutes: int, expected: str) -> None:
    assert format_age(minutes) == expected


async def test_alarms_about_the_bridge_itself_are_shown_while_they_last(bridge: Bridge, meet: Meet) -> None:
    person = await meet(bridge, "rita", "reader")
    assert bridge.client.app is not None
    services = bridge.client.app[SERVICES]
    services.disk.evaluate(10, 10**12)
    services.health.record_not_stored(OperationalError("INSERT", None, OSError()))
    page = await person.text("/audit/")
    assert "The disk of the database is nearly full" in page
    assert "nothing new is stored below 256 MiB" in page
    assert "Commits are not stored" in page
    services.disk.evaluate(10**12, 10**12)
    assert "nearly full" not in await person.text("/audit/")

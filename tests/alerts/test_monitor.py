"""Something wrong is told once when it begins and once when it ends, whatever restarts and fails meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bridge.alerts import monitor as monitors
from bridge.alerts.channels import AlertingError
from bridge.alerts.message import AlertMessage
from bridge.alerts.monitor import MAX_AGE, MAX_RETRY_INTERVAL, RETRY_INTERVAL, AlertMonitor, AlertParts
from bridge.backlog import COUNT_TTL, Backlog
from bridge.database import Database
from bridge.metrics import Metrics
from bridge.metrics.catalog import ALERT, ALERT_NOTIFICATIONS
from bridge.settings import AlertCondition, AlertingSettings, AlertSettings
from bridge.system_alarms import AlarmCode, SystemAlarms
from bridge.write_health import FAILURE_HOLD, WriteHealth
from storage import alerts, integrity, pauses, target_alarms
from storage.engine import open_engine, reading, writing
from storage.pauses import Pause
from storage.states import AlarmState, NotificationState, RequestKind
from storage.target_alarms import TargetAlarm
from tests.support.accounts import START
from tests.support.bridge import Bridge, FakeClock, FakeMonotonic, StartBridge
from tests.support.deliveries import add_removals

SETTLE = 60
UNREACHABLE = TargetAlarm("analytics", RequestKind.STATEMENTS, AlarmState.UNREACHABLE, START, START, "canary answer")


@dataclass
class Recorder:
    """A channel that keeps what it is given; `fails` lets it refuse."""

    name: str = "ops"
    conditions: tuple[AlertCondition, ...] = ()
    messages: list[AlertMessage] = field(default_factory=list)
    fails: bool = False

    @property
    def settings(self) -> AlertSettings:
        """Return its settings."""
        return AlertSettings(
            name=self.name, type="webhook", url="https://hooks.example.org", conditions=self.conditions
        )

    async def send(self, message: AlertMessage) -> None:
        """Keep a message."""
        if self.fails:
            raise AlertingError("nobody is there")
        self.messages.append(message)

    def news(self) -> list[tuple[str, str, str]]:
        """Return all news: condition, subject and event."""
        return [(one.condition, one.subject, str(one.event)) for message in self.messages for one in message.news]


@dataclass
class Watched:
    """A monitor on a real database, whose time is moved by hand."""

    database_url: str
    channels: list[Recorder]
    settings: AlertingSettings = field(default_factory=lambda: AlertingSettings(settle_after=SETTLE))
    clock: FakeClock = field(default_factory=FakeClock)
    seconds: FakeMonotonic = field(default_factory=FakeMonotonic)

    def __post_init__(self) -> None:
        self.engine: Engine = open_engine(self.database_url)
        self.database = Database(self.engine)
        self.alarms = SystemAlarms(self.clock, self.seconds)
        self.health = WriteHealth(self.database, self.alarms, self.seconds)
        self.metrics = Metrics()
        self.restart()

    def restart(self) -> None:
        """Begin anew, as another process or a restarted one does."""
        backlog = Backlog(self.database, self.clock, self.seconds)
        parts = AlertParts(
            self.database, backlog, self.alarms, self.health, self.channels, self.settings, "https://bridge.example.org",
            self.metrics, self.clock,
        )  # fmt: skip
        self.monitor = AlertMonitor(parts)

    async def look(self, seconds: float = 0) -> None:
        """Look once, after so many seconds."""
        self.clock.advance(seconds)
        self.seconds.seconds += max(seconds, COUNT_TTL)
        await self.monitor.run_once()

    async def settle(self) -> None:
        """Look until what is wrong now has been so for long enough."""
        await self.look()
        await self.look(SETTLE)

    def write(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a function of the storage."""
        with writing(self.engine) as connection:
            function(connection, *arguments)

    def notifications(self) -> list[alerts.Notification]:
        """Return what is stored to be sent, or was."""
        with reading(self.engine) as connection:
            return alerts.recent(connection, 1000)


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[Watched]:
    """A monitor with one channel."""
    its = Watched(database_url, [Recorder()])
    yield its
    await asyncio.to_thread(its.database.close)


async def test_an_lrs_that_is_down_is_told_once_and_once_that_it_is_back(watched: Watched) -> None:
    (channel,) = watched.channels
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.look()
    await watched.look(SETTLE - 1)
    assert channel.news() == []
    for _ in range(5):
        await watched.look(SETTLE)
    assert channel.news() == [("target-unreachable", "analytics", "began")]
    watched.write(target_alarms.end, "analytics", RequestKind.STATEMENTS)
    await watched.settle()
    await watched.settle()
    assert channel.news() == [
        ("target-unreachable", "analytics", "began"),
        ("target-unreachable", "analytics", "ended"),
    ]
    assert "analytics is unreachable" in channel.messages[0].title
    assert "Resolved: analytics is unreachable" in channel.messages[1].title
    assert "canary" not in channel.messages[0].text + str(channel.messages[0].as_object())


async def test_what_comes_and_goes_is_no_flood(watched: Watched) -> None:
    (channel,) = watched.channels
    for _ in range(20):
        watched.write(target_alarms.begin, UNREACHABLE)
        await watched.look(SETTLE / 2)
        watched.write(target_alarms.end, "analytics", RequestKind.STATEMENTS)
        await watched.look(SETTLE / 2)
    assert channel.news() == []

    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()
    for _ in range(20):
        watched.write(target_alarms.end, "analytics", RequestKind.STATEMENTS)
        await watched.look(SETTLE / 2)
        watched.write(target_alarms.begin, UNREACHABLE)
        await watched.look(SETTLE / 2)
    assert channel.news() == [("target-unreachable", "analytics", "began")]


async def test_a_restart_tells_nothing_twice_and_forgets_no_end(watched: Watched) -> None:
    (channel,) = watched.channels
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()
    for _ in range(3):
        watched.restart()
        await watched.settle()
    watched.write(target_alarms.end, "analytics", RequestKind.STATEMENTS)
    watched.restart()
    await watched.settle()

    assert [event for *_, event in channel.news()] == ["began", "ended"]


async def test_many_things_at_a_time_are_one_message(watched: Watched) -> None:
    (channel,) = watched.channels
    for number in range(30):
        watched.write(target_alarms.begin, UNREACHABLE._replace(target=f"lrs-{number:02}"))
    await watched.settle()

    (message,) = channel.messages

    assert len(message.news) == 30
    assert message.title.endswith("; and 27 more")
    assert len(message.title) < 200


async def test_a_channel_that_fails_is_tried_again_and_the_others_do_not_wait(watched: Watched) -> None:
    broken, well = Recorder("broken", fails=True), Recorder("well")
    watched.channels[:] = [broken, well]
    watched.write(target_alarms.begin, UNREACHABLE)
    with capture_logs() as lines:
        await watched.settle()
        for _ in range(3):
            await watched.look(1)
    assert len(well.messages) == 1
    failed = [line for line in lines if line["event"] == "alert_not_sent"]
    assert [(line["channel"], line["error"]) for line in failed] == [("broken", "nobody is there")]
    (waiting,) = [one for one in watched.notifications() if one.channel == "broken"]
    assert (waiting.state, waiting.tries, waiting.error) == (NotificationState.WAITING, 1, "nobody is there")

    broken.fails = False
    watched.restart()
    await watched.look(RETRY_INTERVAL / 1000)
    assert (len(broken.messages), len(well.messages)) == (1, 1)
    assert {one.state for one in watched.notifications()} == {NotificationState.SENT}
    counted = watched.metrics.collect()[ALERT_NOTIFICATIONS.name]
    assert counted == {("broken", "failed"): [1], ("well", "sent"): [1], ("broken", "sent"): [1]}


async def test_a_channel_that_fails_in_a_way_nobody_foresaw_holds_up_no_other(watched: Watched) -> None:
    broken, well = Recorder("a-broken"), Recorder("well")

    async def send(message: AlertMessage) -> None:
        raise RuntimeError(f"words that may tell {message.key}")

    broken.send = send  # type: ignore[method-assign]
    watched.channels[:] = [broken, well]
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()
    assert len(well.messages) == 1
    (waiting,) = [one for one in watched.notifications() if one.channel == "a-broken"]
    assert (waiting.state, "RuntimeError" in (waiting.error or "")) == (NotificationState.WAITING, True)
    assert "words" not in (waiting.error or "")


async def test_every_try_has_the_same_key_and_no_other_message_has_it(watched: Watched) -> None:
    (channel,) = watched.channels
    keys: list[str] = []

    async def send(message: AlertMessage) -> None:
        keys.append(message.key)
        raise AlertingError("its answer was lost")

    channel.send = send  # type: ignore[method-assign]
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()
    watched.write(target_alarms.begin, UNREACHABLE._replace(target="archive"))
    await watched.settle()
    await watched.look(RETRY_INTERVAL / 1000)

    assert len(keys) >= 4
    assert len(set(keys)) == 2


async def test_what_was_not_told_when_it_ends_is_not_told_at_all(watched: Watched) -> None:
    (channel,) = watched.channels
    channel.fails = True
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()
    watched.write(target_alarms.end, "analytics", RequestKind.STATEMENTS)
    await watched.settle()
    channel.fails = False
    await watched.look(MAX_RETRY_INTERVAL / 1000)

    assert (channel.messages, watched.notifications()) == ([], [])


async def test_what_no_channel_takes_for_a_day_is_given_up_and_said(watched: Watched) -> None:
    (channel,) = watched.channels
    channel.fails = True
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()
    with capture_logs() as lines:
        for _ in range(60):
            await watched.look(MAX_RETRY_INTERVAL / 1000)
    (given_up,) = watched.notifications()

    assert given_up.state == NotificationState.FAILED
    assert [line["given_up"] for line in lines if line["log_level"] == "error"] == [True]
    assert given_up.tries > MAX_AGE / MAX_RETRY_INTERVAL


async def test_a_channel_gets_only_the_conditions_that_it_is_for(watched: Watched) -> None:
    watched.channels[:] = [Recorder("disk", (AlertCondition.DISK,)), Recorder("all")]
    watched.write(target_alarms.begin, UNREACHABLE)
    watched.alarms.raise_alarm(AlarmCode.LOW_DISK, "the disk has 3 MiB left")
    await watched.settle()
    disk, everything = watched.channels

    assert [condition for condition, *_ in disk.news()] == ["low-disk"]
    assert {condition for condition, *_ in everything.news()} == {"low-disk", "target-unreachable"}


async def test_a_database_that_stores_nothing_is_told_all_the_same(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (channel,) = watched.channels
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()

    def fail(_connection: Connection, _content: bytes) -> None:
        raise OperationalError("INSERT", None, Exception("disk I/O error"))

    with monkeypatch.context() as broken:
        broken.setattr(integrity, "write_test_row", fail)
        for _ in range(4):
            await watched.look(SETTLE)
        assert channel.news()[1:] == [("database-trouble", "", "began")]
        assert (AlertCondition.DATABASE, "") in watched.metrics.collect()[ALERT.name]
    for _ in range(3):
        await watched.look(max(SETTLE, FAILURE_HOLD))

    assert channel.news()[1:] == [("database-trouble", "", "began"), ("database-trouble", "", "ended")]
    assert "the database does not take writes" in channel.messages[1].text


async def test_what_cannot_be_counted_neither_begins_nor_ends(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (channel,) = watched.channels
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()

    def fail(_connection: Connection, _limit: int) -> None:
        raise OperationalError("SELECT", None, Exception("canceling statement due to statement timeout"))

    monkeypatch.setattr("bridge.backlog.queues", fail)
    watched.write(target_alarms.end, "analytics", RequestKind.STATEMENTS)
    for _ in range(10):
        await watched.look(SETTLE)

    assert [event for *_, event in channel.news()] == ["began"]


async def test_metrics_show_what_has_begun(watched: Watched) -> None:
    watched.write(target_alarms.begin, UNREACHABLE)
    await watched.settle()

    assert watched.metrics.collect()[ALERT.name] == {(AlertCondition.UNREACHABLE, "analytics"): [1]}


async def _watch_bridge(bridge: Bridge, database_url: str, **settings: int) -> Watched:
    """Return a monitor on the database of a bridge, with its clock."""
    its = Watched(database_url, [Recorder()], AlertingSettings(settle_after=SETTLE, **settings), bridge.clock)
    its.seconds.seconds = 1000.0
    return its


@pytest.fixture
def closing() -> Iterator[list[Watched]]:
    """Monitors that are closed in the end."""
    its: list[Watched] = []
    yield its
    for one in its:
        one.database.close()


async def test_statements_that_wait_for_long_and_dead_ones_are_told(
    start: StartBridge, database_url: str, closing: list[Watched]
) -> None:
    bridge = await start()
    await bridge.commit({"suspend_data": "x"})
    watched = await _watch_bridge(bridge, database_url, late_after=3600)
    closing.append(watched)
    (channel,) = watched.channels
    await watched.settle()
    assert channel.news() == []
    bridge.clock.advance(3600)
    await watched.settle()
    assert channel.news() == [("late-statements", "(no LRS)", "began")]
    with writing(bridge.engine) as connection:
        connection.execute(text("UPDATE delivery SET state = 'dead', target = 'lrs'"))
    await watched.settle()
    assert {*channel.news()[1:]} == {("dead-deliveries", "lrs", "began"), ("late-statements", "(no LRS)", "ended")}


async def test_what_an_erasure_asks_of_an_lrs_for_long_is_told_unless_the_target_is_paused(
    start: StartBridge, database_url: str, closing: list[Watched]
) -> None:
    bridge = await start()
    for target in ("lrs", "paused"):
        add_removals(bridge, target, 2)
    with writing(bridge.engine) as connection:
        pauses.begin(connection, Pause("paused", START, "ada", "moving", automatic=False))
    watched = await _watch_bridge(bridge, database_url, removals_late_after=86_400)
    closing.append(watched)
    (channel,) = watched.channels
    await watched.settle()
    bridge.clock.advance(86_300)
    await watched.settle()
    assert channel.news() == []
    bridge.clock.advance(100)
    await watched.settle()
    assert channel.news() == [("late-removals", "lrs", "began")]
    with writing(bridge.engine) as connection:
        connection.execute(text("DELETE FROM removal"))
    await watched.settle()
    assert channel.news()[1:] == [("late-removals", "lrs", "ended")]


async def test_an_lms_that_used_to_send_and_is_silent_is_told(
    start: StartBridge, database_url: str, closing: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitors, "SILENCE_INTERVAL", 1)
    bridge = await start()
    await bridge.commit({"suspend_data": "x"})
    watched = await _watch_bridge(bridge, database_url, silent_after=86_400, late_after=0)
    closing.append(watched)
    (channel,) = watched.channels
    await watched.settle()
    bridge.clock.advance(86_400)
    await watched.settle()
    assert channel.news() == [("silent-lms", "lms", "began")]
    bridge.clock.advance(60 * 86_400)  # however long it is silent
    await watched.settle()
    await bridge.commit({"suspend_data": "y"})
    await watched.look(SETTLE)
    await watched.settle()
    assert channel.news() == [("silent-lms", "lms", "began"), ("silent-lms", "lms", "ended")]


async def test_an_lms_that_has_long_been_given_up_is_not_told(
    start: StartBridge, database_url: str, closing: list[Watched]
) -> None:
    bridge = await start()
    await bridge.commit({"suspend_data": "x"})
    bridge.clock.advance(40 * 86_400)
    watched = await _watch_bridge(bridge, database_url, late_after=0)
    closing.append(watched)
    await watched.settle()

    assert watched.channels[0].news() == []

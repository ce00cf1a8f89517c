"""Messages arrive: by a real SMTP server, a real webhook, and Apprise."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP

from bridge.alerts.channels import AlertChannel, AlertingError, build_channels
from bridge.alerts.conditions import TEXTS
from bridge.alerts.message import AlertMessage, AlertNews
from bridge.outgoing import OutgoingGuard
from bridge.settings import AlertCondition, AlertingSettings, AlertSettings, Settings, SettingsError, TargetSettings
from storage import target_alarms
from storage.engine import writing
from storage.states import AlertEvent
from storage.target_alarms import TargetAlarm
from tests.support.accounts import START
from tests.support.bridge import StartBridge, start_bridge
from tests.support.http_server import serve
from tests.support.waiting import wait_until

NEWS = (
    AlertNews("target-unreachable", "analytics", AlertEvent.BEGAN, START, START, "storing statements"),
    AlertNews("silent-lms", "Hochschule Köln", AlertEvent.ENDED, START + 60_000, START, "the last commit was old"),
)
MESSAGE = AlertMessage("alert-1", NEWS, "https://bridge.example.org")
PASSWORD = "correct horse"

APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class _Mailbox:
    """Keeps mails as they arrive; refuses recipients whose name begins with `no`."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Message]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 -- of aiosmtpd
        if address.startswith("no"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- of aiosmtpd
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mailbox() -> _Mailbox:
    return _Mailbox()


@pytest.fixture
async def smtp_port(mailbox: _Mailbox) -> AsyncIterator[int]:
    """A real SMTP server, without encryption."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="localhost", loop=loop), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def _channel(**settings: Any) -> AlertChannel:
    guard = OutgoingGuard(["127.0.0.0/8"])
    (channel,) = build_channels([AlertSettings.model_validate({"name": "ops"} | settings)], guard, lambda: START)
    return channel


def _mail_to(port: int, *to: str, **more: Any) -> AlertChannel:
    settings = {"type": "mail", "host": "127.0.0.1", "port": port, "tls": "none", "sender": "bridge@example.org"}
    return _channel(**settings | {"to": to} | more)


async def test_a_mail_arrives_with_what_is_wrong_and_what_to_do(smtp_port: int, mailbox: _Mailbox) -> None:
    await _mail_to(smtp_port, "ops@example.org", "boss@example.org").send(MESSAGE)
    ((recipients, mail),) = mailbox.mails
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    body = payload.decode()

    assert recipients == ["ops@example.org", "boss@example.org"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Thu, 01 Jan 2026 00:00:00 +0000"
    assert "analytics is unreachable" in str(mail["Subject"]).replace("\r\n", "")
    for words in (
        "Check that the LRS runs",
        "docs/alerts.md",
        "https://bridge.example.org/audit/",
        "LMS Hochschule Köln",
    ):
        assert words in body


async def test_a_name_cannot_begin_another_header(smtp_port: int, mailbox: _Mailbox) -> None:
    news = NEWS[0]._replace(subject="x\r\nBcc: evil@example.org")
    await _mail_to(smtp_port, "ops@example.org").send(AlertMessage("k", [news], ""))
    ((recipients, mail),) = mailbox.mails

    assert (recipients, mail["Bcc"]) == (["ops@example.org"], None)


async def test_a_server_that_refuses_or_is_not_there_is_a_failure_with_its_reason(smtp_port: int) -> None:
    with pytest.raises(AlertingError, match=r"no-user@example\.org|550"):
        await _mail_to(smtp_port, "ops@example.org", "no-user@example.org").send(MESSAGE)
    with pytest.raises(AlertingError, match=r"127\.0\.0\.1:1: "):
        await _mail_to(1, "ops@example.org").send(MESSAGE)


async def test_without_encryption_where_it_is_asked_for_nothing_is_sent(smtp_port: int, mailbox: _Mailbox) -> None:
    channel = _mail_to(smtp_port, "ops@example.org", tls="starttls", username="bridge", password=PASSWORD)
    with pytest.raises(AlertingError) as failure:
        await channel.send(MESSAGE)

    assert PASSWORD not in str(failure.value)
    assert mailbox.mails == []


async def test_a_webhook_gets_signed_json() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async with serve(handle) as url:
        await _channel(type="webhook", url=f"{url}hook?room=1", signing_secret="shh").send(MESSAGE)
    ((headers, body),) = seen
    content = json.loads(body)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(b"shh", signed, hashlib.sha256)).decode()

    assert headers["webhook-signature"] == f"v1,{signature}"
    assert headers["webhook-id"] == "alert-1"
    assert [(one["condition"], one["subject"], one["event"]) for one in content["alerts"]] == [
        ("target-unreachable", "analytics", "began"),
        ("silent-lms", "Hochschule Köln", "ended"),
    ]
    assert content["alerts"][0]["since"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_webhook_that_answers_otherwise_is_a_failure(status: int) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"}, text="canary")

    async with serve(handle) as url:
        with pytest.raises(AlertingError, match=str(status)) as failure:
            await _channel(type="webhook", url=url).send(MESSAGE)

    assert "canary" not in str(failure.value)


async def test_a_webhook_leads_to_no_private_address() -> None:
    settings = AlertSettings(name="ops", type="webhook", url="http://127.0.0.1:1/")
    (channel,) = build_channels([settings], OutgoingGuard(), lambda: START)
    with pytest.raises(AlertingError, match="does not connect"):
        await channel.send(MESSAGE)


@APPRISE
async def test_apprise_sends_what_it_speaks() -> None:
    seen: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.Response()

    async with serve(handle) as url:
        await _channel(type="apprise", apprise=url.replace("http://", "json://")).send(MESSAGE)
    (content,) = seen

    assert "analytics is unreachable" in content["title"]
    assert "Check that the LRS runs" in content["message"]


@APPRISE
async def test_an_address_that_apprise_does_not_know_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingsError, match="does not know the address of ops") as fault:
        _channel(type="apprise", apprise="nonsense://token")

    assert "token" not in str(fault.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "mail"}, "needs host, sender, to"),
        ({"type": "webhook"}, "needs url"),
        ({"type": "apprise"}, "needs apprise"),
        ({"type": "webhook", "url": "https://x.example", "to": ["a@b.example"]}, "to is not for type = 'webhook'"),
        ({"type": "webhook", "url": "ftp://x.example"}, "must begin with http"),
        ({"type": "mail", "host": "h", "sender": "a@b", "to": ["nobody"]}, "nobody is no mail address"),
        ({"type": "mail", "host": "h", "sender": "a@b", "to": ["a@b\nBcc: c@d"]}, "is no mail address"),
        ({"type": "mail", "host": "h", "sender": "a@b", "to": ["a@b"], "tls": "none", "username": "u"}, "encryption"),
        ({"type": "webhook", "url": "https://x.example", "conditions": ["fire"]}, "target-unreachable"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AlertSettings.model_validate({"name": "ops"} | settings)


def test_two_alerts_have_two_names() -> None:
    one = AlertSettings(name="ops", type="webhook", url="https://x.example")
    with pytest.raises(ValueError, match="two alerts have the name ops"):
        Settings(alerts=(one, one))


def test_every_condition_has_its_words() -> None:
    assert TEXTS.keys() == set(AlertCondition)


async def test_a_bridge_tells_that_its_lrs_is_down(start: StartBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it: an LRS that nobody answers for, and a webhook that hears of it."""
    monkeypatch.setattr("bridge.alerts.monitor.POLL_INTERVAL", 0.05)
    monkeypatch.setattr("bridge.backlog.COUNT_TTL", 0.0)
    monkeypatch.setattr("bridge.forwarding.channel.UNREACHABLE_FAILURES", 1)
    seen: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.Response()

    async with serve(handle) as url:
        bridge = await start(
            targets=(TargetSettings(name="gone", endpoint="http://127.0.0.1:9/xapi/"),),
            alerts=(AlertSettings(name="ops", type="webhook", url=url, conditions=(AlertCondition.UNREACHABLE,)),),
            alerting=AlertingSettings(settle_after=0),
        )
        await bridge.commit({"suspend_data": "x"})
        await wait_until(lambda: seen)
        await bridge.close()

    assert [one["subject"] for content in seen for one in content["alerts"]] == ["gone"]


async def test_two_bridges_on_one_database_tell_once(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.alerts.monitor.POLL_INTERVAL", 0.05)
    monkeypatch.setattr("bridge.backlog.COUNT_TTL", 0.0)
    events: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        events.extend(one["event"] for one in (await request.json())["alerts"])
        return web.Response()

    async with serve(handle) as url:
        alert = AlertSettings(name="ops", type="webhook", url=url)
        bridges = [
            await start_bridge(
                database_url=postgresql_url, alerts=(alert,), alerting=AlertingSettings(settle_after=0, late_after=0)
            )
            for _ in range(2)
        ]
        engine = bridges[0].engine
        with writing(engine) as connection:
            target_alarms.begin(connection, TargetAlarm("x", "statements", "unreachable", START, START, ""))
        await wait_until(lambda: events)
        with writing(engine) as connection:
            target_alarms.end(connection, "x", "statements")
        await wait_until(lambda: "ended" in events)
        for bridge in bridges:
            await bridge.close()

    assert events == ["began", "ended"]

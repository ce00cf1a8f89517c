"""The ways to tell somebody: mail, webhook, and whatever Apprise speaks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol

import aiohttp
import aiosmtplib
import msgspec

from bridge.alerts.message import AlertMessage
from bridge.clock import Now
from bridge.http_client import describe_failure, open_session, send_request
from bridge.outgoing import OutgoingGuard
from bridge.settings import AlertSettings, SettingsError
from bridge.webhooks.signing import signed_headers

SEND_TIMEOUT = 20
"""Seconds that sending a message may take."""
MAX_ANSWER_BYTES = 4 * 1024


class AlertingError(Exception):
    """A message was not sent; the text says why, without secrets."""


class AlertChannel(Protocol):
    """Sends messages to somebody."""

    @property
    def name(self) -> str:
        """Return its name in the settings."""

    @property
    def settings(self) -> AlertSettings:
        """Return its settings."""

    async def send(self, message: AlertMessage) -> None:
        """Send a message.

        Raises:
            AlertingError: it was not sent.
        """


def build_channels(settings: Sequence[AlertSettings], guard: OutgoingGuard, now: Now) -> list[AlertChannel]:
    """Return a channel for each of the settings' alerts.

    Raises:
        SettingsError: one is of Apprise, which is not installed or does not know its address.
    """
    return [_build(channel_settings, guard, now) for channel_settings in settings]


def _build(settings: AlertSettings, guard: OutgoingGuard, now: Now) -> AlertChannel:
    if settings.type == "mail":
        return MailChannel(settings, now)
    if settings.type == "webhook":
        return WebhookChannel(settings, guard, now)
    return AppriseChannel(settings)


class MailChannel:
    """Sends mail through an SMTP server."""

    def __init__(self, settings: AlertSettings, now: Now) -> None:
        self.name = settings.name
        self.settings = settings
        self._now = now

    async def send(self, message: AlertMessage) -> None:
        """Send a mail to all recipients.

        Raises:
            AlertingError: the server did not take it for all of them.
        """
        settings = self.settings
        try:
            refused, _ = await aiosmtplib.send(
                self._mail(message),
                hostname=settings.host,
                port=settings.port,
                username=settings.username or None,
                password=settings.secret("password") or None,
                use_tls=settings.tls == "tls",
                start_tls=settings.tls == "starttls",
                timeout=SEND_TIMEOUT,
            )
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
            raise AlertingError(f"{settings.host}:{settings.port}: {type(error).__name__}: {error}") from None
        if refused:
            raise AlertingError(f"{settings.host} refused {', '.join(refused)}")

    def _mail(self, message: AlertMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.settings.sender
        mail["To"] = ", ".join(self.settings.to)
        mail["Subject"] = message.title
        mail["Date"] = formatdate(self._now() / 1000, usegmt=True)
        mail["Message-ID"] = make_msgid(domain=self.settings.sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note is to answer
        mail.set_content(message.text)
        return mail


class WebhookChannel:
    """Posts JSON, signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`)."""

    def __init__(self, settings: AlertSettings, guard: OutgoingGuard, now: Now) -> None:
        self.name = settings.name
        self.settings = settings
        self._guard = guard
        self._now = now

    async def send(self, message: AlertMessage) -> None:
        """Send a message by POST.

        Raises:
            AlertingError: the answer was not 2xx, or there was none.
        """
        body = msgspec.json.encode(message.as_object())
        try:
            async with open_session(self._guard, timeout_seconds=SEND_TIMEOUT) as session:
                response = await send_request(
                    session,
                    "POST",
                    self.settings.url,
                    max_bytes=MAX_ANSWER_BYTES,
                    data=body,
                    headers=self._headers(message.key, body),
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise AlertingError(describe_failure(error, SEND_TIMEOUT)) from None
        if not 200 <= response.status < 300:
            raise AlertingError(f"the webhook answered {response.status}")

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        secret = self.settings.secret("signing_secret")
        if not secret:
            return {"Content-Type": "application/json", "webhook-id": key}
        return signed_headers(key, body.decode(), self._now(), [secret])


class AppriseChannel:
    """Sends through Apprise, the extra `apprise`: chats, push services and more, each by an address of its own."""

    def __init__(self, settings: AlertSettings) -> None:
        self.name = settings.name
        self.settings = settings
        try:
            import apprise  # noqa: PLC0415 -- an extra, and slow to import
        except ImportError:
            raise SettingsError(
                f"alerts: {settings.name} needs Apprise: pip install 'scorm-xapi-bridge[apprise]'"
            ) from None
        self._apprise = apprise.Apprise()
        if not self._apprise.add(settings.secret("apprise")):
            raise SettingsError(f"alerts: Apprise does not know the address of {settings.name}")

    async def send(self, message: AlertMessage) -> None:
        """Send a message.

        Raises:
            AlertingError: the service did not take it.
        """
        sent = await asyncio.to_thread(self._apprise.notify, body=message.text, title=message.title)
        if not sent:
            raise AlertingError("Apprise could not send it; the log may say more")

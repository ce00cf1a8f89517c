"""`scorm-bridge alerts`: what has begun, what was sent, and a message to try the channels."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click

from bridge.alerts.channels import AlertChannel, AlertingError, build_channels
from bridge.alerts.message import AlertMessage
from bridge.cli.database import open_connection
from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import AS_JSON
from bridge.cli.output import print_items, print_table
from bridge.clock import format_timestamp, random_id, system_now
from bridge.settings import Settings, SettingsError
from storage import alerts as stored

MAX_NOTIFICATIONS = 20
"""Notifications that the list shows."""


@click.group()
def alerts() -> None:
    """Show alerts, and test the channels that tell of them."""


@alerts.command("list")
@AS_JSON
@click.pass_obj
def list_alerts(settings: Settings, *, as_json: bool) -> None:
    """List what has begun and not ended, and whom it was told to."""
    with open_connection(settings) as connection:
        active = stored.current(connection)
        notifications = stored.recent(connection, stored.MAX_KEPT if as_json else MAX_NOTIFICATIONS)
    if as_json:
        print_items(
            [
                alert._asdict()
                | {
                    "since": format_timestamp(alert.since),
                    "notifications": [
                        {
                            "channel": sent.channel,
                            "event": sent.event,
                            "at": format_timestamp(sent.at),
                            "state": sent.state,
                            "tries": sent.tries,
                            "error": sent.error,
                        }
                        for sent in notifications
                        if (sent.condition, sent.subject, sent.since) == (alert.condition, alert.subject, alert.since)
                    ],
                }
                for alert in active
            ]
        )
        return
    if not active:
        click.echo("Nothing is wrong.", err=True)
    else:
        print_table(
            ("alert", "at", "since", "detail"),
            ((alert.condition, alert.subject, format_timestamp(alert.since), alert.detail) for alert in active),
        )
    if notifications:
        click.echo()
        print_table(
            ("told", "alert", "at", "event", "state", "tries", "error"),
            (
                (format_timestamp(sent.at), sent.condition, sent.subject, f"{sent.event} ({sent.channel})", sent.state,
                 sent.tries, sent.error)
                for sent in notifications
            ),
        )  # fmt: skip


@alerts.command("test")
@click.argument("name", required=False)
@click.pass_obj
def test_channels(settings: Settings, name: str | None) -> None:
    """Send a message by the channel NAME, or by all of them, and say what came of it."""
    chosen = [entry for entry in settings.alerts if name in {None, entry.name}]
    if not chosen:
        channel_names = (
            ", ".join(entry.name for entry in settings.alerts) or "none: add an [[alerts]] section to the settings"
        )
        raise click.ClickException(f"There is no such channel; there are {channel_names}.")
    try:
        channels = build_channels(chosen, settings.outgoing_guard(), system_now)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    failures = asyncio.run(_send(channels, settings.server.public_url))
    for channel in channels:
        click.echo(f"{channel.name}: {failures.get(channel.name, 'sent')}")
    if failures:
        sys.exit(ExitCode.FAILED)


async def _send(channels: Sequence[AlertChannel], address: str) -> dict[str, str]:
    """Send a message by each channel; return why those failed that did."""
    message = AlertMessage(f"test-{random_id()}", (), address)
    failures = {}
    for channel in channels:
        try:
            await channel.send(message)
        except AlertingError as error:
            failures[channel.name] = f"not sent: {error}"
    return failures

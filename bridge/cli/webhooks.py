"""`scorm-bridge webhooks`: where LMSs are told of their learners' results."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click
import msgspec

from bridge.backlog import COUNT_LIMIT, count_webhooks
from bridge.cli.database import errors_as_messages, open_connection, open_database, open_transaction
from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import (
    AFTER,
    AS_JSON,
    BY,
    LIMIT,
    OPTIONAL_REASON,
    YES,
    DurationType,
    UuidType,
    choice_of,
    refuse_invalid_cursor,
)
from bridge.cli.output import open_console, print_end_of_page, print_items, print_json, print_table, show_progress
from bridge.clock import format_timestamp, random_id, system_now
from bridge.operations import webhooks as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.lms import LmsError
from bridge.operations.webhooks import NewWebhook, WebhookChange, WebhookError, find_webhook
from bridge.settings import Settings
from bridge.webhooks.connection_trial import try_endpoint
from bridge.webhooks.event_types import WebhookEventType
from storage import webhook_deliveries
from storage.engine import transactions
from storage.states import DeliveryState
from storage.webhook_deliveries import WebhookCounts, WebhookDelivery
from storage.webhook_endpoints import WebhookEndpoint

SOON = "running bridges follow within a second"
_ERRORS = (LmsError, WebhookError)

NAME = click.argument("name")
EVENTS = click.option(
    "--event",
    "events",
    multiple=True,
    type=choice_of(WebhookEventType),
    help="Type of the events that it gets; can be repeated.",
)
MESSAGE = click.option("--id", "message_id", type=UuidType(), help="The webhook-id of one delivery.")


@click.group()
def webhooks() -> None:
    """Manage webhooks: addresses at which LMSs are told of their learners' results."""


@webhooks.command("list")
@AS_JSON
@click.pass_obj
def list_webhooks(settings: Settings, *, as_json: bool) -> None:
    """List the webhooks by name: where each goes to, what waits for it and what is dead. Secrets are not shown."""
    with open_connection(settings) as connection:
        rows = count_webhooks(connection)
    if as_json:
        print_items([_as_object(endpoint, counts) for endpoint, counts in rows])
        return
    if not rows:
        click.echo("There are no webhooks yet: `scorm-bridge webhooks add NAME --lms LMS --url URL`", err=True)
        return
    print_table(
        ("webhook", "lms", "state", "waiting", "dead", "events", "address"),
        (
            (
                endpoint.name, endpoint.lms, endpoint.state.value, counts.waiting.number, counts.dead.number,
                " ".join(endpoint.events) or "all", endpoint.url,
            )
            for endpoint, counts in rows
        ),
    )  # fmt: skip
    console = open_console()
    for endpoint, _ in rows:
        if endpoint.paused_at is not None:
            line = f"{endpoint.name}: paused since {format_timestamp(endpoint.paused_at)}: {endpoint.pause_reason}"
            console.print(line, soft_wrap=True, highlight=False)
        elif endpoint.trouble_since is not None:
            line = f"{endpoint.name}: fails since {format_timestamp(endpoint.trouble_since)}: {endpoint.trouble}"
            console.print(line, soft_wrap=True, highlight=False)


@webhooks.command()
@NAME
@click.option("--lms", required=True, help="Name of the LMS whose learners' results it gets.")
@click.option("--url", required=True, help="Address that events are posted to.")
@EVENTS
@BY
@OPTIONAL_REASON
@click.pass_obj
def add(settings: Settings, *, name: str, lms: str, url: str, events: tuple[str, ...], by: str, reason: str) -> None:
    """Add the webhook NAME and print its secret, alone, on standard output. It is shown only once.

    It gets events of what comes from now on, all types of them unless some are chosen.
    """
    with open_transaction(settings, *_ERRORS) as connection:
        issued = operations.add_webhook(
            connection,
            NewWebhook(name, lms, url, events),
            AuditContext(by, reason, system_now()),
            guard=settings.outgoing_guard(),
        )
    click.echo(f"Added {name}: {SOON}. Its receiver needs this secret:", err=True)
    click.echo(issued.secret)


@webhooks.command()
@NAME
@click.option("--url", help="Another address.")
@EVENTS
@click.option("--all-events", is_flag=True, help="It gets events of all types.")
@click.option("--pause/--resume", "is_paused", default=None, help="Send nothing until it is resumed; events wait.")
@BY
@OPTIONAL_REASON
@click.pass_obj
def change(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    *,
    name: str,
    url: str | None,
    events: tuple[str, ...],
    all_events: bool,
    is_paused: bool | None,
    by: str,
    reason: str,
) -> None:
    """Change the webhook NAME: its address, its events, whether it is paused. What waits is tried at once."""
    if all_events and events:
        raise click.UsageError("--all-events goes without --event.")
    chosen = () if all_events else events or None
    with open_transaction(settings, *_ERRORS) as connection:
        operations.change_webhook(
            connection,
            name,
            WebhookChange(url, chosen, is_paused),
            AuditContext(by, reason, system_now()),
            guard=settings.outgoing_guard(),
        )
    click.echo(f"Changed {name}: {SOON}.", err=True)


@webhooks.command()
@NAME
@click.option(
    "--overlap",
    type=DurationType(),
    default="24h",
    show_default=True,
    help="How long both secrets sign, so that the receiver can be changed meanwhile; 0s for not at all.",
)
@BY
@OPTIONAL_REASON
@click.pass_obj
def rotate(settings: Settings, *, name: str, overlap: int, by: str, reason: str) -> None:
    """Replace the secret of the webhook NAME and print the new one, alone, on standard output."""
    with open_transaction(settings, *_ERRORS) as connection:
        context = AuditContext(by, reason, system_now())
        issued = operations.rotate_webhook(connection, name, context, overlap=overlap)
    until = issued.endpoint.previous_until
    old = f"the old one signs, too, until {format_timestamp(until)}" if until else "the old one signs no more"
    click.echo(f"Rotated the secret of {name}: {SOON}, {old}. The new secret:", err=True)
    click.echo(issued.secret)


@webhooks.command()
@NAME
@YES
@BY
@OPTIONAL_REASON
@click.pass_obj
def remove(settings: Settings, *, name: str, yes: bool, by: str, reason: str) -> None:
    """Remove the webhook NAME with all that waits for it. A run that is interrupted goes on when it is repeated."""
    with errors_as_messages(*_ERRORS), open_connection(settings) as connection:
        endpoint = find_webhook(connection, name)
        waiting = webhook_deliveries.counts(connection, endpoint.id, COUNT_LIMIT).waiting
    lost = f" with {'at least ' * waiting.is_lower_bound}{waiting.number:,} events that wait" if waiting.number else ""
    if not yes:
        click.confirm(f"Remove {name} of {endpoint.lms}{lost}?", abort=True, err=True)
    context = AuditContext(by, reason, system_now())
    with errors_as_messages(*_ERRORS), open_database(settings) as engine, show_progress(None, "remove") as progress:
        operations.remove_webhook(transactions(engine), name, context, progress=progress)
    click.echo(f"Removed {name}{lost}.", err=True)


@webhooks.command("test")
@NAME
@AS_JSON
@click.pass_obj
def test_webhook(settings: Settings, *, name: str, as_json: bool) -> None:
    """Send a test event to the webhook NAME, signed as all others, and show what it answers."""
    with errors_as_messages(*_ERRORS), open_connection(settings) as connection:
        endpoint = find_webhook(connection, name)
    trial = asyncio.run(try_endpoint(endpoint, settings.outgoing_guard(), now=system_now, new_id=random_id))
    if as_json:
        print_json(trial._asdict())
    else:
        click.echo(f"{name}: {trial.summary}, after {trial.duration_ms} ms.")
        if trial.answer:
            click.echo(trial.answer)
    if not trial.is_success:
        sys.exit(ExitCode.FAILED)


@webhooks.command()
@click.argument("name", required=False)
@click.option("--state", type=choice_of(DeliveryState), help="State of the delivery.")
@LIMIT
@AFTER
@AS_JSON
@click.pass_obj
def deliveries(
    settings: Settings, *, name: str | None, state: str | None, limit: int, after: str | None, as_json: bool
) -> None:
    """List deliveries, of the webhook NAME or of all, newest first."""
    with errors_as_messages(*_ERRORS), open_connection(settings) as connection, refuse_invalid_cursor():
        endpoint_id = None if name is None else find_webhook(connection, name).id
        page = webhook_deliveries.search(connection, endpoint_id=endpoint_id, state=state, limit=limit, after=after)
    if as_json:
        print_items([_delivery_object(delivery) for delivery in page.rows], page.after)
        return
    if page.rows:
        print_table(
            ("id", "webhook", "type", "learner", "activity", "state", "tries", "status", "created"),
            (
                (
                    row.message_id, row.endpoint, row.type, row.learner_id, row.activity_id, row.state, row.tries,
                    row.status, format_timestamp(row.created_at),
                )
                for row in page.rows
            ),
        )  # fmt: skip
    print_end_of_page("deliveries", is_empty=not page.rows, following=page.after)


@webhooks.command()
@NAME
@MESSAGE
@BY
@OPTIONAL_REASON
@click.pass_obj
def retry(settings: Settings, *, name: str, message_id: str | None, by: str, reason: str) -> None:
    """Send the dead deliveries of the webhook NAME again, or one of them: under the ids that they had."""
    with open_transaction(settings, *_ERRORS) as connection:
        count = operations.retry_dead(connection, name, AuditContext(by, reason, system_now()), message_id)
    click.echo(f"Retrying {count:,} {'delivery' if count == 1 else 'deliveries'} to {name}.", err=True)


@webhooks.command()
@NAME
@MESSAGE
@BY
@OPTIONAL_REASON
@click.pass_obj
def discard(settings: Settings, *, name: str, message_id: str | None, by: str, reason: str) -> None:
    """Discard the dead deliveries of the webhook NAME for good, or one of them."""
    with open_transaction(settings, *_ERRORS) as connection:
        count = operations.discard_dead(connection, name, AuditContext(by, reason, system_now()), message_id)
    click.echo(f"Discarded {count:,} {'delivery' if count == 1 else 'deliveries'} to {name}.", err=True)


def _as_object(endpoint: WebhookEndpoint, counts: WebhookCounts) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "lms": endpoint.lms,
        "url": endpoint.url,
        "events": endpoint.events or [event_type.value for event_type in WebhookEventType],
        "state": endpoint.state,
        "waiting": counts.waiting.number,
        "waiting_is_lower_bound": counts.waiting.is_lower_bound,
        "dead": counts.dead.number,
        "dead_is_lower_bound": counts.dead.is_lower_bound,
        "oldest_waiting_at": format_timestamp(counts.oldest),
        "created_at": format_timestamp(endpoint.created_at),
        "previous_secret_until": format_timestamp(endpoint.previous_until),
        "paused_at": format_timestamp(endpoint.paused_at),
        "pause_reason": endpoint.pause_reason,
        "failing_since": format_timestamp(endpoint.trouble_since),
        "failure": endpoint.trouble,
    }


def _delivery_object(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": row.message_id,
        "webhook": row.endpoint,
        "lms": row.lms,
        "type": row.type,
        "state": row.state,
        "tries": row.tries,
        "created_at": format_timestamp(row.created_at),
        "not_before": format_timestamp(row.not_before or None),
        "tried_at": format_timestamp(row.tried_at),
        "settled_at": format_timestamp(row.settled_at),
        "status": row.status,
        "answer": row.answer,
        "body": msgspec.Raw(row.body.encode()),
    }

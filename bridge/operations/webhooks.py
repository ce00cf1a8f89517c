"""Adding, changing, rotating and removing endpoints of webhooks, and what becomes of their dead deliveries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bridge.clock import format_timestamp
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.operations.lms import find_lms
from bridge.outgoing import OutgoingAddressError, OutgoingGuard
from bridge.settings.target import validate_url
from bridge.webhooks.event_types import WebhookEventType
from bridge.webhooks.signing import new_secret
from storage import webhook_deliveries, webhook_endpoints
from storage.engine import Transact
from storage.webhook_endpoints import WebhookEndpoint

DEFAULT_OVERLAP = 24 * 3600 * 1000
"""Milliseconds for which both secrets sign after a rotation."""
MAX_URL_LENGTH = 2_000
REMOVAL_BATCH_SIZE = 500
"""Deliveries that are deleted in one transaction as an endpoint is removed."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class WebhookError(ValueError):
    """An operation on webhooks that is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """An endpoint to add: its name, the name of its LMS, its address, and its events; none for all."""

    name: str
    lms: str
    url: str
    events: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What is to change of an endpoint; None for what stays. No `events` mean all, `is_paused` that nothing is sent."""

    url: str | None = None
    events: Sequence[str] | None = None
    is_paused: bool | None = None


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A new secret, which is not shown again, and the endpoint that it signs for."""

    secret: str
    endpoint: WebhookEndpoint

    def __repr__(self) -> str:
        """Return it without the secret."""
        return f"IssuedSecret({self.endpoint!r})"


def add_webhook(
    connection: Connection, new: NewWebhook, context: AuditContext, *, guard: OutgoingGuard
) -> IssuedSecret:
    """Add an endpoint, with a new secret.

    Raises:
        LmsError: there is no such LMS.
        WebhookError: name, address or events are not valid, or the name is taken.
    """
    if _NAME.fullmatch(new.name) is None:
        raise WebhookError(
            f"{new.name!r} is no name: it has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a"
            " letter or digit."
        )
    owner = find_lms(connection, new.lms)
    if webhook_endpoints.by_name(connection, new.name) is not None:
        raise WebhookError(f"There is a webhook {new.name} already; `webhooks change` changes it.")
    url, events, secret = _parse_url(new.url, guard), _parse_events(new.events), new_secret()
    webhook_endpoints.add(
        connection, lms_id=owner.id, name=new.name, url=url, events=events, secret=secret, now=context.at
    )
    detail = f"{new.lms}, {url}, {_describe(events)}"
    record(connection, context, AuditAction.ADD_WEBHOOK, new.name, detail=detail)
    return IssuedSecret(secret, find_webhook(connection, new.name))


def change_webhook(
    connection: Connection, name: str, change: WebhookChange, context: AuditContext, *, guard: OutgoingGuard
) -> WebhookEndpoint:
    """Change an endpoint, and return it as it is then. What waits after failures is tried at once.

    Raises:
        WebhookError: there is none of the name, something is not valid, or nothing would change.
    """
    before = find_webhook(connection, name)
    url = before.url if change.url is None else _parse_url(change.url, guard)
    events = before.events if change.events is None else _parse_events(change.events)
    details = []
    if url != before.url:
        details.append(f"address {before.url} -> {url}")
    if events != before.events:
        details.append(f"{_describe(before.events)} -> {_describe(events)}")
    is_paused = before.paused_at is not None
    if change.is_paused is not None and change.is_paused != is_paused:
        details.append("paused" if change.is_paused else "resumed")
    if not details:
        raise WebhookError(f"That changes nothing: {name} is so already.")
    webhook_endpoints.change(connection, before.id, url=url, events=events)
    if change.is_paused and not is_paused:
        webhook_endpoints.pause(connection, before.id, context.reason or f"paused by {context.by}", context.at)
    elif change.is_paused is False:
        webhook_endpoints.resume(connection, before.id)
    webhook_deliveries.hurry(connection, before.id)
    record(connection, context, AuditAction.CHANGE_WEBHOOK, name, detail=", ".join(details))
    return find_webhook(connection, name)


def rotate_webhook(
    connection: Connection, name: str, context: AuditContext, *, overlap: int = DEFAULT_OVERLAP
) -> IssuedSecret:
    """Replace an endpoint's secret; the old one signs, too, for `overlap` milliseconds.

    Raises:
        WebhookError: there is none of the name, or the overlap of an earlier rotation has not ended.
    """
    before = find_webhook(connection, name)
    if overlap and len(before.secrets(context.at)) > 1:
        raise WebhookError(
            f"{name} was rotated already, and its previous secret signs until"
            f" {format_timestamp(before.previous_until)}. Wait until then, or rotate it with an overlap of 0, which"
            " ends both."
        )
    secret, ends_at = new_secret(), context.at + overlap
    webhook_endpoints.rotate(
        connection, before.id, secret=secret, previous=before.secret if overlap else None, previous_until=ends_at
    )
    detail = f"the previous secret signs until {format_timestamp(ends_at)}" if overlap else "the previous secret ended"
    record(connection, context, AuditAction.ROTATE_WEBHOOK, name, detail=detail)
    return IssuedSecret(secret, find_webhook(connection, name))


def remove_webhook(
    transact: Transact, name: str, context: AuditContext, *, progress: Callable[[int], None] = lambda _count: None
) -> int:
    """Remove an endpoint with all that was queued for it; return how many deliveries that was.

    It is paused first, then emptied in short transactions; a run that was interrupted is repeated. `progress` is called
    with the number of deliveries that were deleted.

    Raises:
        WebhookError: there is none of the name.
    """

    def begin(connection: Connection) -> int:
        endpoint = find_webhook(connection, name)
        if endpoint.paused_at is None:
            webhook_endpoints.pause(connection, endpoint.id, "being removed", context.at)
        return endpoint.id

    endpoint_id = transact(begin)
    total = 0

    def delete_some(connection: Connection) -> int:
        return webhook_deliveries.delete_some(connection, endpoint_id, REMOVAL_BATCH_SIZE)

    while count := transact(delete_some):
        total += count
        progress(count)
        if count < REMOVAL_BATCH_SIZE:
            break

    def finish(connection: Connection) -> None:
        webhook_endpoints.remove(connection, [endpoint_id])
        record(connection, context, AuditAction.REMOVE_WEBHOOK, name, count=total)

    transact(finish)
    return total


def retry_dead(connection: Connection, name: str, context: AuditContext, message_id: str | None = None) -> int:
    """Let dead deliveries to an endpoint wait again, all or one; return how many.

    Raises:
        WebhookError: there is none of the name, or nothing of it is dead.
    """
    count = webhook_deliveries.retry_dead(connection, find_webhook(connection, name).id, message_id)
    _require(count, name, message_id)
    record(connection, context, AuditAction.RETRY_WEBHOOKS, name, count=count)
    return count


def discard_dead(connection: Connection, name: str, context: AuditContext, message_id: str | None = None) -> int:
    """Discard dead deliveries to an endpoint for good, all or one; return how many.

    Raises:
        WebhookError: there is none of the name, or nothing of it is dead.
    """
    count = webhook_deliveries.discard_dead(connection, find_webhook(connection, name).id, context.at, message_id)
    _require(count, name, message_id)
    record(connection, context, AuditAction.DISCARD_WEBHOOKS, name, count=count)
    return count


def find_webhook(connection: Connection, name: str) -> WebhookEndpoint:
    """Return the endpoint of a name.

    Raises:
        WebhookError: there is none.
    """
    endpoint = webhook_endpoints.by_name(connection, name)
    if endpoint is None:
        raise WebhookError(f"There is no webhook {name}; `webhooks list` shows them.")
    return endpoint


def _require(count: int, name: str, message_id: str | None) -> None:
    if not count:
        which = "no delivery" if message_id is None else f"no delivery {message_id}"
        raise WebhookError(f"There is {which} to {name} that is dead; `webhooks deliveries` shows what there is.")


def _parse_url(url: str, guard: OutgoingGuard) -> str:
    if len(url) > MAX_URL_LENGTH:
        raise WebhookError(f"An address has at most {MAX_URL_LENGTH} characters.")
    try:
        validate_url(url, may_have_query=True)
        guard.check_url(url)
    except OutgoingAddressError as error:
        raise WebhookError(f"{error.strerror}.") from None
    except ValueError as error:
        raise WebhookError(f"The address {error}.") from None
    return url


def _parse_events(events: Sequence[str]) -> tuple[str, ...]:
    known = [event_type.value for event_type in WebhookEventType]
    if unknown := sorted({*events} - {*known}):
        raise WebhookError(f"There are no events {', '.join(unknown)}; there are {', '.join(known)}.")
    return tuple(event_type for event_type in known if event_type in events)


def _describe(events: Sequence[str]) -> str:
    return f"events {' '.join(events)}" if events else "all events"

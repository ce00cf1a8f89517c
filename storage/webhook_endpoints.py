"""The endpoints of webhooks: addresses at which LMSs are told of their learners' results, each with its secret."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from storage.states import WebhookState
from storage.tables import lms
from storage.webhook_tables import webhook_delivery, webhook_endpoint

MAX_TROUBLE_LENGTH = 500
"""Characters of how a request failed that are stored."""


class WebhookEndpoint(NamedTuple):
    """An endpoint. Times are in milliseconds since the epoch.

    Attributes:
        events: the types of events that it gets; none for all.
        secret: signs what is sent, as `previous_secret` does until `previous_until`.
        paused_at: since when nothing is sent.
        trouble_since: since when requests fail; `trouble` says how.
    """

    id: int
    lms_id: int
    lms: str
    name: str
    url: str
    events: tuple[str, ...]
    secret: str
    previous_secret: str | None
    previous_until: int | None
    created_at: int
    paused_at: int | None
    pause_reason: str
    trouble_since: int | None
    trouble: str

    def __repr__(self) -> str:
        """Return it without secrets and address, as errors and logs may show it."""
        return f"WebhookEndpoint({self.id}, {self.name!r})"

    @property
    def state(self) -> WebhookState:
        """Return whether events are sent to it."""
        if self.paused_at is not None:
            return WebhookState.PAUSED
        return WebhookState.FLOWING if self.trouble_since is None else WebhookState.FAILING

    def secrets(self, now: int) -> tuple[str, ...]:
        """Return the secrets that sign a request now, the newest first."""
        if self.previous_secret is None or self.previous_until is None or now >= self.previous_until:
            return (self.secret,)
        return self.secret, self.previous_secret


def endpoints(connection: Connection) -> list[WebhookEndpoint]:
    """Return all endpoints by name."""
    return [_stored(row) for row in connection.execute(_query().order_by(webhook_endpoint.c.name))]


def by_name(connection: Connection, name: str) -> WebhookEndpoint | None:
    """Return the endpoint of a name."""
    row = connection.execute(_query().where(webhook_endpoint.c.name == name)).one_or_none()
    return None if row is None else _stored(row)


def by_id(connection: Connection, endpoint_id: int) -> WebhookEndpoint | None:
    """Return the endpoint of a number."""
    row = connection.execute(_query().where(webhook_endpoint.c.id == endpoint_id)).one_or_none()
    return None if row is None else _stored(row)


def add(
    connection: Connection, *, lms_id: int, name: str, url: str, events: Sequence[str], secret: str, now: int
) -> int:
    """Store an endpoint, and return its number."""
    values = {
        "lms_id": lms_id,
        "name": name,
        "url": url,
        "events": json.dumps(list(events)),
        "secret": secret,
        "created_at": now,
        "pause_reason": "",
        "trouble": "",
    }
    inserted = insert(webhook_endpoint).values(values).returning(webhook_endpoint.c.id)
    return int(connection.execute(inserted).scalar_one())


def change(connection: Connection, endpoint_id: int, *, url: str, events: Sequence[str]) -> None:
    """Store another address and other events; what was wrong with the former address is forgotten."""
    values = {"url": url, "events": json.dumps(list(events)), "trouble_since": None, "trouble": ""}
    _update(connection, endpoint_id, values)


def pause(connection: Connection, endpoint_id: int, reason: str, now: int) -> None:
    """Send nothing more to an endpoint."""
    _update(connection, endpoint_id, {"paused_at": now, "pause_reason": reason[:MAX_TROUBLE_LENGTH]})


def resume(connection: Connection, endpoint_id: int) -> None:
    """Send to an endpoint again."""
    _update(connection, endpoint_id, {"paused_at": None, "pause_reason": ""})


def rotate(connection: Connection, endpoint_id: int, *, secret: str, previous: str | None, previous_until: int) -> None:
    """Store another secret; the previous one, if there is one, signs, too, until it ends."""
    values = {"secret": secret, "previous_secret": previous, "previous_until": previous_until if previous else None}
    _update(connection, endpoint_id, values)


def forget_ended_secrets(connection: Connection, now: int) -> None:
    """Delete previous secrets that sign nothing any more."""
    ended = webhook_endpoint.c.previous_until <= now
    connection.execute(update(webhook_endpoint).where(ended).values(previous_secret=None, previous_until=None))


def begin_trouble(connection: Connection, endpoint_id: int, trouble: str, now: int) -> None:
    """Note that requests to an endpoint fail, and since when; how, each time."""
    its = webhook_endpoint.c.id == endpoint_id
    connection.execute(
        update(webhook_endpoint).where(its, webhook_endpoint.c.trouble_since.is_(None)).values(trouble_since=now)
    )
    _update(connection, endpoint_id, {"trouble": trouble[:MAX_TROUBLE_LENGTH]})


def end_trouble(connection: Connection, endpoint_id: int) -> None:
    """Note that an endpoint takes requests."""
    _update(connection, endpoint_id, {"trouble_since": None, "trouble": ""})


def remove(connection: Connection, endpoint_ids: Iterable[int]) -> None:
    """Delete endpoints, with the deliveries that are left of them."""
    ids = list(endpoint_ids)
    # commits that add to them wait from here on, and find them gone
    connection.execute(select(webhook_endpoint.c.id).where(webhook_endpoint.c.id.in_(ids)).with_for_update())
    connection.execute(delete(webhook_delivery).where(webhook_delivery.c.endpoint_id.in_(ids)))
    connection.execute(delete(webhook_endpoint).where(webhook_endpoint.c.id.in_(ids)))


def _query() -> Select[Any]:
    return select(webhook_endpoint, lms.c.name.label("lms")).join_from(webhook_endpoint, lms)


def _update(connection: Connection, endpoint_id: int, values: dict[str, Any]) -> None:
    connection.execute(update(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id).values(values))


def _stored(row: Row[Any]) -> WebhookEndpoint:
    values = {name: row._mapping[name] for name in WebhookEndpoint._fields}  # noqa: SLF001 -- SQLAlchemy's public name
    return WebhookEndpoint(**values | {"events": tuple(json.loads(row.events))})

"""Which endpoints get which events, as the commit path asks for it: without a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from storage.webhook_endpoints import WebhookEndpoint


class Subscription(NamedTuple):
    """An endpoint, by its number, and the types of events that it gets; none for all."""

    endpoint_id: int
    events: frozenset[str]

    def has(self, event_type: str) -> bool:
        """Return whether it gets events of a type."""
        return not self.events or event_type in self.events


class Subscriptions:
    """The subscriptions of all LMSs. They are replaced as a whole, as other threads read them."""

    def __init__(self, endpoints: Iterable[WebhookEndpoint] = ()) -> None:
        self._by_lms: Mapping[int, tuple[Subscription, ...]] = {}
        self.replace(endpoints)

    def replace(self, endpoints: Iterable[WebhookEndpoint]) -> None:
        """Use these from now on."""
        by_lms: dict[int, tuple[Subscription, ...]] = {}
        for endpoint in endpoints:
            subscription = Subscription(endpoint.id, frozenset(endpoint.events))
            by_lms[endpoint.lms_id] = (*by_lms.get(endpoint.lms_id, ()), subscription)
        self._by_lms = by_lms

    def of_lms(self, lms_id: int) -> tuple[Subscription, ...] | None:
        """Return those of an LMS, None where it has none."""
        return self._by_lms.get(lms_id)

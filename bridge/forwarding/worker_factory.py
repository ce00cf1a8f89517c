"""The workers of all targets, each with its lease."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import aiohttp
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.database import Database
from bridge.forwarding.breaker import Breaker
from bridge.forwarding.channel import TargetChannel
from bridge.forwarding.documents import DocumentForwarder
from bridge.forwarding.forwarder import Forwarder
from bridge.forwarding.pause_monitor import PauseMonitor
from bridge.forwarding.removals import RemovalForwarder
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport
from bridge.forwarding.worker_pool import Worker
from bridge.metrics import Metrics
from bridge.tracing import Tracing
from storage import documents, unassigned
from storage.outbox import SHARDS, ShardLease
from storage.states import RequestKind

LEASE_PREFIX = "target "
"""How the leases of targets begin: whatever a target is called, it is no other work's lease."""


class Adoption(Protocol):
    """Assigns what waits for no target in particular to those that are configured, some of it at a time."""

    def assign_statements(self, connection: Connection) -> int:
        """Assign statements; return how many."""

    def assign_documents(self, connection: Connection) -> int:
        """Assign documents; return how many."""


class PlainAdoption(NamedTuple):
    """Assigns to a target that gets everything as the mapping says."""

    target: Target

    def assign_statements(self, connection: Connection) -> int:
        """Assign statements, but for those of unwanted rules; return how many."""
        return unassigned.assign_waiting(connection, self.target.name, self.target.unwanted_rules)

    def assign_documents(self, connection: Connection) -> int:
        """Assign documents that the target gets; return how many."""
        return documents.assign_waiting(connection, self.target.name, self.target.documents)


def build_workers(  # noqa: PLR0913 -- time, chance and who it is are injected
    database: Database,
    session: aiohttp.ClientSession,
    targets: Sequence[Target],
    pauses: PauseMonitor,
    adoption: Adoption,
    *,
    owner: str,
    now: Now,
    random: Callable[[], float],
    metrics: Metrics,
    tracing: Tracing,
) -> dict[str, Callable[[], Worker]]:
    """Return what makes each worker, by its lease; those of the first target adopt what waits for no target yet.

    Workers that send statements to a target share a channel. Its documents have their own: an LRS without the document
    resources receives statements all the same. So have its removals.
    """
    factories: dict[str, Callable[[], Worker]] = {}
    for target in targets:
        transport = Transport(session, target, partial(pauses.is_paused, target.name))
        channel = TargetChannel(
            target.name, RequestKind.STATEMENTS, transport, Breaker(target.name, random), pauses, now, metrics, tracing
        )
        first = target is targets[0]
        for shard in range(SHARDS):
            part = ShardLease(target.name, f"{LEASE_PREFIX}{target.name}/{shard}", owner, shard)
            factories[part.lease] = partial(
                Forwarder,
                database,
                part,
                channel,
                now=now,
                random=random,
                assign=adoption.assign_statements if first and shard == 0 else None,
            )
        part = ShardLease(target.name, f"{LEASE_PREFIX}{target.name}/documents", owner)
        channel = TargetChannel(
            target.name, RequestKind.DOCUMENTS, transport, Breaker(target.name, random), pauses, now, metrics, tracing
        )
        factories[part.lease] = partial(
            DocumentForwarder,
            database,
            part,
            channel,
            now=now,
            random=random,
            assign=adoption.assign_documents if first and target.documents else None,
        )
        part = ShardLease(target.name, f"{LEASE_PREFIX}{target.name}/removals", owner)
        channel = TargetChannel(
            target.name, RequestKind.VOIDING, transport, Breaker(target.name, random), pauses, now, metrics, tracing
        )
        factories[part.lease] = partial(RemovalForwarder, database, part, channel, now=now, random=random)
    return factories

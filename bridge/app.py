"""Builds the service: an aiohttp application with its background tasks, from the settings."""

from __future__ import annotations

import asyncio
import contextlib
import random as random_numbers
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog
from aiohttp import web
from sqlalchemy import Connection

from bridge.access import CommitTokens, LmsTokens
from bridge.alerts.channels import build_channels
from bridge.alerts.monitor import LEASE, AlertMonitor, AlertParts
from bridge.audit.app import mount
from bridge.audit.dependencies import AuditDependencies
from bridge.backlog import Backlog
from bridge.browser_keys import BrowserKeys
from bridge.clock import Monotonic, NewId, Now, random_id, system_now
from bridge.commit_model.active_mappings import ActiveMappings
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.document_builder import DocumentBuilder
from bridge.commits.idle_session_reaper import IdleSessionReaper
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.database_outage import DATABASE_ERRORS
from bridge.forwarding.pause_monitor import PauseMonitor
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import open_session
from bridge.forwarding.worker_factory import build_workers
from bridge.forwarding.worker_pool import WorkerPool
from bridge.http.cors import Origins
from bridge.http.forwarded import TrustedProxies
from bridge.http.metrics import MetricsEndpoint
from bridge.http.mirror import MIRROR
from bridge.http.mirror_queue import MirrorQueue
from bridge.http.query_limiter import QueryLimiter
from bridge.http.refusals import Refusals
from bridge.http.routes import create_api
from bridge.http.services import SERVICES, Services
from bridge.limits.admission import Admission
from bridge.limits.disk_space import DiskSpace
from bridge.limits.recordings import RecordingLimits
from bridge.limits.request_rates import BrowserRates, RequestRates
from bridge.mapping_library.activation import activate_configured
from bridge.mapping_library.adoption import adoption_for
from bridge.mapping_library.backfill_worker import LEASE as BACKFILL_LEASE
from bridge.mapping_library.backfill_worker import BackfillWorker
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reloader import MappingReloader, load_active
from bridge.metrics import Metrics
from bridge.metrics.exchange import MetricsExchange
from bridge.outgoing import is_readable_on_the_way
from bridge.periodic_task import PeriodicTask
from bridge.retention import Retention
from bridge.routing import build_forms, build_targets, unwanted_documents
from bridge.search_indexer import SearchIndexer
from bridge.service_metrics import ServiceMetrics
from bridge.settings import Settings
from bridge.system_alarms import SystemAlarms
from bridge.token_monitor import TokenMonitor
from bridge.tracing import Tracing, open_tracing
from bridge.webhooks.endpoint_monitor import EndpointMonitor
from bridge.webhooks.service import WebhookService
from bridge.write_health import WriteHealth
from mappings.definition import CompiledMapping
from storage import documents, erasures, lms, mapping_versions, outbox, removals, update_order, webhook_endpoints
from storage.database_files import readable_by_others
from storage.engine import open_engine, reading, writing
from storage.migrations import describe_misfit, fits
from storage.poolers import refuse_shared_connections

log = structlog.get_logger(__name__)


DOCUMENT_BUILDER = web.AppKey("document_builder", DocumentBuilder)
MAPPING_RELOADER = web.AppKey("mapping_reloader", MappingReloader)
ENDPOINT_MONITOR = web.AppKey("endpoint_monitor", EndpointMonitor)
SEARCH_INDEXER = web.AppKey("search_indexer", SearchIndexer)
PAUSE_MONITOR = web.AppKey("pause_monitor", PauseMonitor)


class SchemaError(RuntimeError):
    """The database's schema is not the one this release works with."""


class _Sources(NamedTuple):
    """Time, ids and random numbers."""

    now: Now
    new_id: NewId
    random: Callable[[], float]
    monotonic: Monotonic


def create_app(
    settings: Settings,
    *,
    now: Now = system_now,
    new_id: NewId = random_id,
    random: Callable[[], float] = random_numbers.random,
    monotonic: Monotonic = time.monotonic,
    shared_metrics: Path | None = None,
    tracing: Tracing | None = None,
) -> web.Application:
    """Build the service. Opens the database and reads what it needs; forwarding starts with the application.

    `shared_metrics` is this process's place among those that share a port and their metrics: a directory and a name.
    `tracing` starts spans in place of what the settings ask for.

    Raises:
        SchemaError: the database was not migrated.
        DefinitionError: the mapping document has faults, or a version that is active has.
        SettingsError: a target names what neither the mapping document nor any version that is active has.
        SharedConnectionsError: a pooler stands before the database.
        sqlalchemy.exc.OperationalError: the database does not answer.
    """
    mapping = load_mapping(settings.mapping.document)
    database = Database(open_engine(settings.database.url))
    try:
        database.files.verify()
        refuse_shared_connections(database.engine)
        return _build(settings, mapping, database, _Sources(now, new_id, random, monotonic), shared_metrics, tracing)
    except BaseException:
        database.close()
        raise


def _build(  # noqa: PLR0915 -- one step for each part, none of them worth a name
    settings: Settings,
    mapping: CompiledMapping,
    database: Database,
    sources: _Sources,
    shared: Path | None,
    tracing: Tracing | None,
) -> web.Application:
    now, new_id, random, monotonic = sources
    names = tuple(target.name for target in settings.targets)
    with writing(database.engine) as connection:
        keys = _prepare(connection, mapping, now())
        digest_key = erasures.ensure_digest_key(connection, secrets.token_bytes(32))
        versions, latest = load_active(connection, settings.targets), mapping_versions.latest(connection)
        known = [mapping, *_mappings(versions)]
        targets = build_targets(settings.targets, known)
        documents.forget(connection, unwanted_documents(known, targets))
        forms = build_forms(settings.targets)
        for name in names:
            documents.rebuild_outdated(connection, name, forms[name].descriptions if name in forms else (), now())
        keeping = [target.name for target in settings.targets if target.erase == "keep"]
        while keeping and removals.keep(connection, keeping):
            pass
        _hurry(connection, names, now())
    worker_pools: list[WorkerPool] = []

    def wake() -> None:
        for worker_pool in worker_pools:
            worker_pool.wake()

    metrics = Metrics()
    webhooks = WebhookService(database, settings.outgoing_guard(), now=now, random=random, metrics=metrics)
    with reading(database.engine) as connection:
        webhooks.monitor.follow(webhook_endpoints.endpoints(connection))
    tracing = tracing or open_tracing(settings.tracing)
    exchange = None if shared is None else MetricsExchange(metrics, shared.parent, shared.name)
    alarms = SystemAlarms(now, monotonic)
    health = WriteHealth(database, alarms, monotonic)
    disk = DiskSpace(database.engine, settings.limits.min_free_mib, alarms)
    tokens = CommitTokens(keys, now, settings.server.commit_token_lifetime)
    admission = Admission(settings.limits, disk, alarms, tokens.learner_tag, monotonic)
    refusals = Refusals(database, now, metrics)
    lms_tokens, origins, browser_keys = LmsTokens(database, now), Origins(database, now), BrowserKeys(database, now)
    token_monitor = TokenMonitor(database, lms_tokens, browser_keys, [origins.forget], monotonic)
    commits = CommitService(
        database,
        CommitDependencies(
            versions,
            now,
            new_id,
            settings.sessions.resume,
            metrics,
            partial(erasures.learner_digest, digest_key),
            tracing,
            webhooks.subscriptions,
        ),
        wake,
        webhooks.wake,
        admission=admission,
        health=health,
    )
    backlog = Backlog(database, now, monotonic)
    app = create_api(
        Services(
            database=database,
            commits=commits,
            lms_tokens=lms_tokens,
            commit_tokens=tokens,
            origins=origins,
            browser_keys=browser_keys,
            browser_rates=BrowserRates(settings.limits, monotonic),
            recording_limits=RecordingLimits(settings.limits, disk, monotonic),
            refusals=refusals,
            now=now,
            new_id=new_id,
            public_url=settings.server.public_url,
            targets=names,
            health=health,
            disk=disk,
            alarms=alarms,
            backlog=backlog,
            proxies=TrustedProxies(settings.proxies),
            query_limiter=QueryLimiter(),
            request_rates=RequestRates(settings.limits, monotonic),
            metrics=metrics,
            tracing=tracing,
        ),
        MetricsEndpoint(settings.metrics, metrics, exchange),
    )

    app[MIRROR] = mirror = MirrorQueue(commits, app[SERVICES].parsing, refusals, tokens, metrics)
    app[DOCUMENT_BUILDER] = DocumentBuilder(database, commits, now)
    app[MAPPING_RELOADER] = MappingReloader(database, versions, settings.targets, latest)
    app[PAUSE_MONITOR] = PauseMonitor(database, now, wake)
    app[ENDPOINT_MONITOR] = webhooks.monitor
    app[SEARCH_INDEXER] = SearchIndexer(database, now)
    if settings.audit.enabled:
        parts = AuditDependencies(
            database.people,
            database.exports,
            app[MAPPING_RELOADER],
            app[PAUSE_MONITOR],
            now,
            settings,
            targets,
            keys,
            alarms,
        )
        mount(app, parts)

    channels = build_channels(settings.alerts, settings.outgoing_guard(), now)
    parts_of_alerts = AlertParts(
        database, backlog, alarms, health, channels, settings.alerting, settings.server.public_url, metrics, now
    )
    tasks: list[PeriodicTask] = [
        IdleSessionReaper(database, commits, now, settings.sessions.idle_after),
        app[DOCUMENT_BUILDER],
        app[MAPPING_RELOADER],
        app[PAUSE_MONITOR],
        app[SEARCH_INDEXER],
        health,
        disk,
        refusals,
        token_monitor,
        webhooks.monitor,
        Retention(database, settings.retention, now=now, new_id=random_id, monotonic=monotonic),
        *(() if exchange is None else (exchange,)),
    ]
    kind = database.engine.dialect.name
    metrics.add_source(ServiceMetrics(database=kind, tasks=tasks, alarms=alarms, health=health, disk=disk).read)

    async def run(_app: web.Application) -> AsyncIterator[None]:
        async with open_session(settings.outgoing_guard()) as session:
            owner = random_id()
            workers = {}
            if targets:
                adoption = adoption_for(targets, settings.targets, now)
                workers = build_workers(
                    database,
                    session,
                    targets,
                    app[PAUSE_MONITOR],
                    adoption,
                    owner=owner,
                    now=now,
                    random=random,
                    metrics=metrics,
                    tracing=tracing,
                )
                workers[BACKFILL_LEASE] = lambda: BackfillWorker(
                    database, settings.targets, now=now, monotonic=time.monotonic
                )
            if channels:
                workers[LEASE] = lambda: AlertMonitor(parts_of_alerts)
            worker_pool = WorkerPool(database, workers, owner=owner)
            worker_pools.append(worker_pool)
            running_parts: list[WorkerPool | WebhookService | PeriodicTask] = [worker_pool, webhooks, *tasks]
            running = [asyncio.create_task(part.run()) for part in running_parts]
            mirroring = asyncio.create_task(mirror.run())
            yield
            for task in tasks:
                task.stop()
            # no request comes any more; what proxies were told is taken is stored first
            mirror.stop()
            await mirroring
            await commits.drain()
            worker_pool.stop()
            webhooks.stop()
            await asyncio.gather(*running, return_exceptions=True)
            # what is noted by the way may be lost where the database is
            with contextlib.suppress(*DATABASE_ERRORS):
                await refusals.flush()
                await token_monitor.store_uses()
            if exchange is not None:
                await exchange.run_once()
        database.close()
        await asyncio.to_thread(tracing.close)

    app.cleanup_ctx.append(run)
    _warn_of_exposure(settings, targets)
    return app


def _warn_of_exposure(settings: Settings, targets: Collection[Target]) -> None:
    """Log what an operator should correct."""
    if exposed := readable_by_others(settings.database.url):
        log.warning("database_readable_by_others", files=exposed, remedy="chmod 600: they hold learners' data and keys")
    if exposed := [target.name for target in targets if is_readable_on_the_way(target.endpoint)]:
        log.warning(
            "target_not_encrypted", targets=exposed, remedy="https: credentials and learners' data are sent there"
        )
    if not targets:
        log.warning("no_lrs_configured", consequence="commits are accepted, statements wait for a [[targets]] section")


def _mappings(versions: ActiveMappings) -> list[CompiledMapping]:
    for_all, for_lms = versions.current()
    return [active.mapping for active in (for_all, *for_lms.values())]


def _hurry(connection: Connection, names: Collection[str], now: int) -> None:
    """Send what failed again at once: somebody may have corrected the settings, or the LRS."""
    for name in names:
        outbox.hurry(connection, name)
        documents.hurry(connection, name, now)
        removals.hurry(connection, name)


def _prepare(connection: Connection, mapping: CompiledMapping, now: int) -> list[bytes]:
    if not fits(connection):
        raise SchemaError(describe_misfit(connection))
    update_order.adopt_cluster(connection)
    activate_configured(connection, mapping, now)
    lms.ensure_signing_key(connection, secrets.token_bytes(32), now)
    return lms.signing_keys(connection)

"""What `scorm-bridge doctor` looks at, one check after the other; each says what to do where something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from bridge.alerts.channels import build_channels
from bridge.backlog import WebhookQueue, count_webhooks
from bridge.clock import format_timestamp, system_now
from bridge.commit_model.active_mappings import ActiveMapping
from bridge.database_outage import explain_outage
from bridge.limits.budgets import MIB
from bridge.limits.disk_space import MAX_DISK_SHARE
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reloader import load_active
from bridge.operations.connection_test import ConnectionTestResult, check_connection
from bridge.operations.target_status import TargetState, target_statuses
from bridge.routing import build_targets
from bridge.settings import Settings, SettingsError
from bridge.settings.sources import EffectiveSetting, effective_settings, unknown_variables
from mappings.definition import DefinitionError
from storage import alerts, disk_space, lms, mapping_versions
from storage.database_files import readable_by_others, sqlite_path
from storage.engine import open_engine, reading
from storage.leases import clock
from storage.migrations import is_current
from storage.poolers import SHARED_CONNECTIONS, SHARED_CONNECTIONS_REMEDY, shares_connections
from storage.states import WebhookState

MAX_CLOCK_OFFSET = 5_000
"""Milliseconds that clocks may differ by."""


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it."""
    ERROR = "error"
    """It does not work."""


class CheckResult(msgspec.Struct, frozen=True):
    """What a check found; `remedy` says what to do, empty where there is nothing to do."""

    check: str
    verdict: Verdict
    summary: str
    remedy: str = ""


class Diagnosis(NamedTuple):
    """All results, and the settings that are in force."""

    results: Sequence[CheckResult]
    settings: Sequence[EffectiveSetting]


def diagnose(settings: Settings, file: Path | None) -> Diagnosis:
    """Check everything. Nothing is changed, and no statement is sent."""
    results = list(_check_settings(settings))
    engine = open_engine(settings.database.url)
    try:
        results += _check_database(settings, engine)
    finally:
        engine.dispose()
    return Diagnosis(results, effective_settings(settings, file))


def _check_settings(settings: Settings) -> Iterator[CheckResult]:
    unknown = unknown_variables(settings)
    if unknown:
        names = ", ".join(
            variable.name + (f" (did you mean {variable.meant}?)" if variable.meant else "") for variable in unknown
        )
        yield CheckResult(
            "settings", Verdict.WARNING, f"variables of the environment that are no settings: {names}",
            "Correct or unset them: they have no effect.",
        )  # fmt: skip
    else:
        yield CheckResult("settings", Verdict.OK, "valid")
    try:
        channels = build_channels(settings.alerts, settings.outgoing_guard(), system_now)
    except SettingsError as error:
        yield CheckResult("alerts", Verdict.ERROR, str(error), "Correct the [[alerts]] section.")
    else:
        names = ", ".join(channel.name for channel in channels)
        remedy = (
            "`scorm-bridge alerts test` sends a message."
            if channels
            else "Add an [[alerts]] section, or scrape /metrics."
        )
        yield CheckResult(
            "alerts", Verdict.OK, f"configured: {names}" if names else "nobody is told of trouble", remedy
        )


def _check_database(settings: Settings, engine: Engine) -> Iterator[CheckResult]:
    """Yield what is wrong with the database, and with everything that is in it."""
    path = sqlite_path(engine.url)
    if path is not None and not path.exists():
        yield CheckResult(
            "database", Verdict.ERROR, f"{path} does not exist", "Run `scorm-bridge migrate`: it creates it."
        )
        return
    try:
        with reading(engine) as connection:
            yield CheckResult("database", Verdict.OK, _database_version(connection))
            if shares_connections(engine):
                yield CheckResult("database connections", Verdict.ERROR, SHARED_CONNECTIONS, SHARED_CONNECTIONS_REMEDY)
                return
            exposed = readable_by_others(settings.database.url)
            if exposed:
                yield CheckResult(
                    "database files", Verdict.WARNING, f"others may read {', '.join(exposed)}",
                    "chmod 600: they hold learners' data and keys.",
                )  # fmt: skip
            if not is_current(connection):
                yield CheckResult(
                    "schema",
                    Verdict.ERROR,
                    "is not this release's",
                    "Back up the database, then run `scorm-bridge migrate`.",
                )
                return
            yield CheckResult("schema", Verdict.OK, "current")
            now = connection.execute(select(clock(engine.dialect.name))).scalar_one()
            yield _compare_clocks("clock", "the database's", now)
            yield _check_disk(settings, engine)
            yield from _check_content(settings, connection)
    except SQLAlchemyError as error:
        yield CheckResult(
            "database", Verdict.ERROR, explain_outage(error),
            "Check that it runs, its address, its user and password, and who may connect.",
        )  # fmt: skip


def _database_version(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar_one()} answers"
    return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()} answers"


def _compare_clocks(check: str, other: str, theirs: int) -> CheckResult:
    offset = system_now() - theirs
    if abs(offset) <= MAX_CLOCK_OFFSET:
        return CheckResult(check, Verdict.OK, f"agrees with {other}")
    seconds = abs(offset) / 1000
    return CheckResult(
        check, Verdict.WARNING, f"is {seconds:.0f} s {'ahead of' if offset > 0 else 'behind'} {other}",
        "Synchronize the clocks (NTP): timestamps of statements are made by the bridge's.",
    )  # fmt: skip


def _check_disk(settings: Settings, engine: Engine) -> CheckResult:
    measured = disk_space.free_and_total(disk_space.directories(engine))
    if measured is None:
        return CheckResult("disk", Verdict.OK, "is another machine's, or not shown", "Watch it there.")
    free, total = measured
    mark = min(settings.limits.min_free_mib * MIB, total * MAX_DISK_SHARE)
    words = f"{free // MIB:,} MiB are free; below {mark / MIB:,.0f} MiB nothing new is stored"
    if free < mark:
        return CheckResult("disk", Verdict.ERROR, words, "Free some space; storing resumes by itself.")
    if free < 4 * mark:
        return CheckResult("disk", Verdict.WARNING, words, "Free some space soon.")
    return CheckResult("disk", Verdict.OK, words)


def _check_content(settings: Settings, connection: Connection) -> Iterator[CheckResult]:
    try:
        configured = load_mapping(settings.mapping.document)
        # none is active before the first start, which activates the configured one
        active: list[ActiveMapping] = []
        if mapping_versions.active(connection):
            for_all, for_lms = load_active(connection, settings.targets).current()
            active = [for_all, *for_lms.values()]
        targets = build_targets(settings.targets, [configured, *(version.mapping for version in active)])
    except (DefinitionError, SettingsError) as error:
        yield CheckResult(
            "mapping", Verdict.ERROR, str(error), "Correct the mapping document, or what targets name of it."
        )
        targets = []
    else:
        others = f", and others for {len(active) - 1} LMSs" if len(active) > 1 else ""
        name = (active[0].mapping if active else configured).definition.name
        when = "is active" if active else "becomes active at the first start"
        yield CheckResult("mapping", Verdict.OK, f"{name} {when}{others}")
    if not lms.names(connection):
        yield CheckResult(
            "LMSs", Verdict.WARNING, "none may send anything",
            "`scorm-bridge tokens create --lms NAME --home-page URL` makes the first token.",
        )  # fmt: skip
    current = alerts.current(connection)
    if current:
        listed = ", ".join(f"{alert.condition} {alert.subject}".strip() for alert in current)
        yield CheckResult("alerts begun", Verdict.WARNING, listed, "`scorm-bridge alerts list` says more.")
    yield from map(_describe_webhook, count_webhooks(connection))
    if not settings.targets:
        yield CheckResult(
            "targets", Verdict.WARNING, "no LRS is configured", "Add a [[targets]] section; until then statements wait."
        )
        return
    states = {status.name: status.state for status in target_statuses(connection, settings.targets)}
    guard = settings.outgoing_guard()

    async def test_all() -> list[ConnectionTestResult]:
        return await asyncio.gather(*(check_connection(target, guard) for target in targets))

    for result in asyncio.run(test_all()):
        yield from _describe_target(result, states.get(result.target, TargetState.FLOWING))


def _describe_webhook(queue: WebhookQueue) -> CheckResult:
    endpoint, counts = queue
    check = f"webhook {endpoint.name}"
    if endpoint.state is WebhookState.FAILING:
        words = f"fails since {format_timestamp(endpoint.trouble_since)}: {endpoint.trouble}"
        return CheckResult(check, Verdict.WARNING, words, f"`scorm-bridge webhooks test {endpoint.name}` tries it.")
    if endpoint.state is WebhookState.PAUSED:
        remedy = f"`scorm-bridge webhooks change {endpoint.name} --resume` lets what waits be sent."
        return CheckResult(check, Verdict.WARNING, f"is paused: {endpoint.pause_reason}", remedy)
    if counts.dead.number:
        remedy = f"See why with `scorm-bridge webhooks deliveries {endpoint.name} --state dead`, then retry or discard."
        return CheckResult(check, Verdict.WARNING, f"has refused {counts.dead.number} events for good", remedy)
    return CheckResult(check, Verdict.OK, f"events of {endpoint.lms} are sent to it")


def _describe_target(result: ConnectionTestResult, state: TargetState) -> Iterator[CheckResult]:
    name = f"target {result.target}"
    if not result.is_success:
        yield CheckResult(name, Verdict.ERROR, result.summary, result.hint)
    elif state is TargetState.FLOWING:
        yield CheckResult(name, Verdict.OK, result.summary)
    else:
        yield CheckResult(
            name, Verdict.WARNING, f"{result.summary}; it is {state} since earlier",
            f"`scorm-bridge targets resume {result.target}` lets what waits be sent at once.",
        )  # fmt: skip
    if result.clock is not None:
        compared = _compare_clocks(f"clock of {result.target}", "this machine's", result.clock)
        if compared.verdict is not Verdict.OK:
            at = format_timestamp(result.clock)
            yield CheckResult(compared.check, compared.verdict, f"differs: there it is {at}", compared.remedy)

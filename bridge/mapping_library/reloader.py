"""Reloads the active mapping versions in a running bridge, whoever activates them in whichever process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bridge.commit_model.active_mappings import ActiveMapping, ActiveMappings
from bridge.database import Database, log_failure
from bridge.mapping_library.activation import compile_stored
from bridge.periodic_task import PeriodicTask
from bridge.routing import (
    form_conflicts,
    mapping_forms,
    needed_identifier,
    targets_by_document,
    targets_by_rule,
    unknown_names,
)
from bridge.settings import TargetSettings
from mappings.definition import CompiledMapping, DefinitionError
from storage import frames, mapping_versions

log = structlog.get_logger(__name__)

RELOAD_INTERVAL = 0.5
"""Seconds between polls."""


def build_active_mapping(version_id: int, mapping: CompiledMapping, targets: Sequence[TargetSettings]) -> ActiveMapping:
    """Return a version as commits are processed by it."""
    return ActiveMapping(
        version_id,
        mapping,
        targets_by_rule(mapping, targets),
        targets_by_document(mapping, targets),
        mapping_forms(mapping, targets),
        needed_identifier(mapping, targets),
    )


def load_active(connection: Connection, targets: Sequence[TargetSettings]) -> ActiveMappings:
    """Return the active versions. One must be active for all LMSs.

    Raises:
        DefinitionError: one has faults: another release of the bridge stored it.
    """
    active = mapping_versions.active(connection)
    built = {
        version_id: build_active_mapping(version_id, compile_stored(connection, version_id), targets)
        for version_id in {*active.values()}
    }
    return ActiveMappings(
        built[active.pop(None)],
        {lms_id: built[version_id] for lms_id, version_id in active.items() if lms_id is not None},
    )


class MappingReloader(PeriodicTask):
    """Keeps the active versions, by which commits are processed; each is compiled once."""

    def __init__(
        self, database: Database, versions: ActiveMappings, targets: Sequence[TargetSettings], latest: int
    ) -> None:
        super().__init__(RELOAD_INTERVAL)
        self._database = database
        self._versions = versions
        self._targets = targets
        self._latest = latest
        self._reloading = asyncio.Lock()

    async def run_once(self) -> bool:
        """Use what was activated since the last poll."""
        # two at once could end with what the earlier one of them read
        async with self._reloading:
            await self._database.read(self.refresh)
        return False

    async def reload_now(self) -> None:
        """Use what this process has just activated; if the database does not answer any more, the next poll will."""
        try:
            await self.run_once()
        except DBAPIError as error:
            log_failure(log, "mapping_versions_not_read", error)

    def refresh(self, connection: Connection) -> None:
        """Use the newest dictionaries, and what is active now; of an unusable version, the one before stays in use.

        Unusable is one that this release cannot compile, or that tells of learners what a target must not get.
        """
        frames.refresh(connection)
        latest = mapping_versions.latest(connection)
        if latest == self._latest:
            return
        active = mapping_versions.active(connection)
        for_all, for_lms = self._versions.current()
        by_lms = {
            lms_id: self._find_or_build(connection, version_id) or for_lms.get(lms_id, for_all)
            for lms_id, version_id in active.items()
            if lms_id is not None
        }
        self._versions.activate(self._find_or_build(connection, active[None]) or for_all, by_lms)
        self._latest = latest
        log.info("mapping_versions_in_use", **_shown(*self._versions.current()))

    def _find_or_build(self, connection: Connection, version_id: int) -> ActiveMapping | None:
        cached = self._versions.get(version_id)
        if cached is not None:
            return cached
        try:
            built = build_active_mapping(version_id, compile_stored(connection, version_id), self._targets)
        except DefinitionError as error:
            log.error("mapping_version_unusable", version=version_id, faults=str(error))  # noqa: TRY400 -- they say it all
            return None
        if conflicts := form_conflicts(built.mapping, self._targets):
            log.error("mapping_version_unusable", version=version_id, faults="\n".join(conflicts))
            return None
        for warning in unknown_names(built.mapping, self._targets):
            log.warning("target_names_unknown", warning=warning)
        return built


def _shown(for_all: ActiveMapping, for_lms: Mapping[int, ActiveMapping]) -> dict[str, object]:
    return {"for_all": for_all.id, "for_lms": {lms_id: mapping.id for lms_id, mapping in for_lms.items()}}

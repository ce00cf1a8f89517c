"""Keeping what a running bridge works with up to what is active in the database: by whom and in which process ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bridge.commit_model.active_mappings import ActiveMapping, ActiveMappings
from bridge.database import Database, describe
from bridge.mapping_library.activation import compile_stored
from bridge.periodic_task import PeriodicTask
from bridge.routing import readers, receivers, warnings
from bridge.settings import TargetSettings
from mappings.definition import CompiledMapping, DefinitionError
from storage import mapping_versions

log = structlog.get_logger(__name__)

EVERY = 0.5
"""Seconds between looks."""


def ready(version_id: int, mapping: CompiledMapping, targets: Sequence[TargetSettings]) -> ActiveMapping:
    """Give a version as commits are worked out with it."""
    return ActiveMapping(version_id, mapping, receivers(mapping, targets), readers(mapping, targets))


def load_active(connection: Connection, targets: Sequence[TargetSettings]) -> ActiveMappings:
    """Give the versions that hold. Something must be active for all.

    Raises:
        DocumentError: one has faults: another release of the bridge made it.
    """
    active = mapping_versions.active(connection)
    made = {one: ready(one, compile_stored(connection, one), targets) for one in {*active.values()}}
    return ActiveMappings(made[active.pop(None)], {own: made[one] for own, one in active.items() if own is not None})


class MappingReloader(PeriodicTask):
    """Lets commits be worked out with the versions that hold now; each is compiled once."""

    def __init__(
        self, database: Database, versions: ActiveMappings, targets: Sequence[TargetSettings], latest: int
    ) -> None:
        super().__init__(EVERY)
        self._database = database
        self._versions = versions
        self._targets = targets
        self._latest = latest
        self._looking = asyncio.Lock()

    async def run_once(self) -> bool:
        """Use what was activated since the last look."""
        # two at once could end with what the earlier one of them read
        async with self._looking:
            await self._database.read(self.refresh)
        return False

    async def reload_now(self) -> None:
        """Use what this process has just activated; if the database does not answer any more, the next look will."""
        try:
            await self.run_once()
        except DBAPIError as error:
            log.error("mapping_versions_not_read", error=describe(error))  # noqa: TRY400 -- its own words hold values

    def refresh(self, connection: Connection) -> None:
        """Use what is active now. A version that this release cannot read is not used; what held before holds on."""
        latest = mapping_versions.latest(connection)
        if latest == self._latest:
            return
        active = mapping_versions.active(connection)
        for_all, for_lms = self._versions.holding()
        own = {
            lms_id: self._ready(connection, version_id) or for_lms.get(lms_id, for_all)
            for lms_id, version_id in active.items()
            if lms_id is not None
        }
        self._versions.use(self._ready(connection, active[None]) or for_all, own)
        self._latest = latest
        log.info("mapping_versions_in_use", **_shown(*self._versions.holding()))

    def _ready(self, connection: Connection, version_id: int) -> ActiveMapping | None:
        known = self._versions.find(version_id)
        if known is not None:
            return known
        try:
            made = ready(version_id, compile_stored(connection, version_id), self._targets)
        except DefinitionError as error:
            log.error("mapping_version_unusable", version=version_id, faults=str(error))  # noqa: TRY400 -- they say it all
            return None
        for told in warnings(made.mapping, self._targets):
            log.warning("target_names_unknown", warning=told)
        return made


def _shown(for_all: ActiveMapping, for_lms: Mapping[int, ActiveMapping]) -> dict[str, object]:
    return {"for_all": for_all.id, "for_lms": {lms_id: one.id for lms_id, one in for_lms.items()}}

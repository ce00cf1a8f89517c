"""What the pages need of the bridge, put together once at start-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bridge.clock import Now
from bridge.database import Lane
from bridge.forwarding.pause_monitor import PauseMonitor
from bridge.forwarding.targets import Target
from bridge.mapping_library.reloader import MappingReloader
from bridge.settings import Settings
from bridge.system_alarms import SystemAlarms


@dataclass(frozen=True, slots=True)
class AuditDependencies:
    """The parts of the running bridge that pages look at or work with.

    `database` is the lane of people, `exports` the one of files. `keys` sign cookies and tokens, the first one; all are
    taken.
    """

    database: Lane
    exports: Lane
    mapping_reloader: MappingReloader
    pauses: PauseMonitor
    now: Now
    settings: Settings
    targets: Sequence[Target]
    keys: Sequence[bytes]
    alarms: SystemAlarms


DEPENDENCIES = web.AppKey("audit_dependencies", AuditDependencies)

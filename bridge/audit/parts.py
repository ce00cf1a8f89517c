"""What the pages need of the bridge, put together once at start-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bridge.clock import Now
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.forwarding.targets import Target
from bridge.settings import Settings


@dataclass(frozen=True, slots=True)
class AuditParts:
    """The parts of the running bridge that pages look at or work with.

    `keys` sign cookies and tokens, the first one; all are taken.
    """

    database: Database
    commits: CommitService
    now: Now
    settings: Settings
    targets: Sequence[Target]
    keys: Sequence[bytes]


AUDIT_PARTS = web.AppKey("audit_parts", AuditParts)

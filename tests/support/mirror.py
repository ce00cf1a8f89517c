"""An LMS's proxy, which mirrors what its players post to a bridge."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from bridge.http.mirror import MIRROR
from bridge.http.mirror_queue import MirrorQueue
from bridge.http.services import SERVICES
from bridge.metrics.catalog import MIRRORED
from storage.engine import reading
from storage.queries.refusals import RefusalFilter, RefusalRow, search
from storage.states import TokenScope
from storage.tables import journal, session
from tests.formats.client import raw
from tests.support.accounts import register_lms
from tests.support.bridge import Bridge
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Mirror:
    """What mirrors to a bridge with a token for that."""

    bridge: Bridge
    token: str

    @property
    def queue(self) -> MirrorQueue:
        assert self.bridge.client.app is not None
        return self.bridge.client.app[MIRROR]

    async def send(self, name: str, body: Any, *, query: str = "", **headers: str) -> tuple[int, str | None]:
        """Mirror a request; return the answer's status and `Retry-After`. Headers are told with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self.token}"
        address = f"/v1/mirror/{name}?{query}" if query else f"/v1/mirror/{name}"
        async with self.bridge.client.post(address, data=io.BytesIO(raw(body)), headers=named) as response:
            assert await response.read() == b"" or response.status != 204
            return response.status, response.headers.get("Retry-After")

    async def take(self, name: str, body: Any, *, query: str = "", **headers: str) -> None:
        """Mirror a request that is taken, and return when it has been settled."""
        assert await self.send(name, body, query=query, **headers) == (204, None)
        await self.settled()

    async def settled(self) -> None:
        """Return when nothing waits."""
        await wait_until(lambda: len(self.queue) == 0)

    def outcomes(self) -> dict[tuple[str, str], float]:
        """Return how many requests there were, by format and outcome."""
        assert self.bridge.client.app is not None
        counts = self.bridge.client.app[SERVICES].metrics.collect().get(MIRRORED.name, {})
        return {(name, outcome): number for (name, outcome), (number,) in counts.items()}

    async def refusals(self) -> list[RefusalRow]:
        """Return what was refused, as people see it, the newest first."""
        assert self.bridge.client.app is not None
        await self.bridge.client.app[SERVICES].refusals.flush()
        with reading(self.bridge.engine) as connection:
            return search(connection, RefusalFilter(), limit=100).rows

    def commits(self) -> list[tuple[str, str]]:
        """Return the sources and dispositions of all commits, in their order."""
        with reading(self.bridge.engine) as connection:
            query = select(session.c.source, journal.c.disposition).join(session).order_by(journal.c.id)
            return [(row.source, row.disposition) for row in connection.execute(query)]


def mirror_of(bridge: Bridge) -> Mirror:
    """Return a mirror of the bridge's LMS."""
    return Mirror(bridge, register_lms(bridge.engine, scopes=[TokenScope.MIRROR]).token)

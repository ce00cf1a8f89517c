"""Where trouble is made: bridges, clients, a failing LRS, and in the end the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import msgspec
import pytest
from sqlalchemy import Engine

from tests.chaos.clients import Client, Ledger
from tests.chaos.judge import stored, violations
from tests.chaos.lrs import ChaosLrs
from tests.support.machines import Machine
from tests.support.server import Server, StartServer
from tests.support.waiting import wait_while_decreasing

STUCK = 300
"""Seconds without anything of what is waited for: however much that is, the rest will not come."""
TARGET = """version = "1.0.3"
[targets.documents]
activity-state = false
attempt-state = false
activity-profile = false
agent-profile = false
"""


@dataclass(frozen=True)
class Scale:
    """How much of each trouble there is."""

    kills: int
    stops: int
    restarts: int
    queued: int
    imports: int
    failovers: int
    partitions: int


SCALES = {
    "": Scale(kills=10, stops=5, restarts=4, queued=2_000, imports=1, failovers=2, partitions=1),
    "full": Scale(kills=300, stops=100, restarts=20, queued=200_000, imports=20, failovers=20, partitions=10),
}


@dataclass
class Arena:
    """One test's trouble."""

    database_url: str
    engine: Engine
    lrs: ChaosLrs
    scale: Scale
    random: Random
    http: aiohttp.ClientSession
    new_server: StartServer
    history: Path
    ledger: Ledger = field(default_factory=Ledger)
    servers: list[Server] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    playing: list[asyncio.Task[None]] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(
        self, servers: int = 1, clients: int = 8, sections: str = "", machines: Sequence[Machine] = ()
    ) -> None:
        """Start bridges, with more settings, and clients that commit to any of them until `finish`.

        `machines`: where bridges run, one on each, in place of this one.
        """
        self.servers = [self._on(machine, sections) for machine in machines] or [
            self.new_server(self.database_url, endpoint=self.lrs.endpoint, target=TARGET, sections=sections)
            for _ in range(servers)
        ]
        token = self.servers[0].new_token()
        for server in self.servers:
            await server.start()
        urls = [server.url for server in self.servers]
        dice = [Random(self.random.random()) for _ in range(clients)]
        self.clients = [
            Client(self.http, urls, token, self.ledger, f"u{number}", random) for number, random in enumerate(dice)
        ]
        self.playing = [asyncio.create_task(client.play(self.enough.is_set)) for client in self.clients]

    def _on(self, machine: Machine, sections: str) -> Server:
        return self.new_server(
            self.database_url.replace("127.0.0.1", machine.here),
            endpoint=self.lrs.endpoint.replace("0.0.0.0", machine.here),
            target=TARGET,
            sections=f'{sections}[outgoing]\nallow = ["{machine.here}"]\n',
            host=machine.address,
            wrapper=machine.wrapper,
        )

    async def commits(self, more: int) -> None:
        """Wait until so many more commits were answered.

        Raises:
            TimeoutError: none was, in a long time.
        """
        answered = self.ledger.acked
        enough = len(answered) + more
        # clients set no event
        await wait_while_decreasing(lambda: enough - len(answered), lambda: asyncio.sleep(0.005), STUCK)

    async def finish(self) -> None:
        """End all trouble, let everything arrive, a last commit of everybody included, and judge."""
        self.enough.set()
        await asyncio.gather(*self.playing)
        self.lrs.dice.well, self.lrs.dice.down = True, False
        for server in self.servers:  # a bridge that has just been started asks the LRS at once
            assert await server.stop() == 0
            await server.start()
        last = [statement for client in self.clients for statement in await client.commit()]
        wanted = {statement.id for statement in stored(self.engine).statements} | {*last}
        await self.lrs.until_kept(wanted - self.lrs.dice.poison, STUCK)
        for server in self.servers:
            assert await server.stop() == 0
        self._judge()

    async def trouble(self, *faults: str) -> None:
        """Go on until the LRS has really done all of these, so that the judge's silence says something.

        Raises:
            TimeoutError: it has not, in a long time.
        """
        async with asyncio.timeout(STUCK):
            while not all(self.lrs.dice.count()[fault] for fault in faults):
                await self.lrs.next_answer()

    def tell(self, **figures: object) -> None:
        """Print what this run came to; `pytest -s` shows it."""
        totals = {"commits": len(self.ledger.acked), "statements": len(self.lrs.kept)} | figures
        print(", ".join(f"{name} {value}" for name, value in totals.items()))

    def _judge(self) -> None:
        seen = stored(self.engine)
        broken = violations(self.ledger, seen, self.lrs.kept, self.lrs.changed)
        if broken:
            evidence: dict[str, Any] = {
                "broken": broken,
                "acked": [[*name, ids] for name, ids in self.ledger.acked.items()],
                "unknown": sorted(self.ledger.unknown),
                "statements": [asdict(statement) | {"body": statement.body.decode()} for statement in seen.statements],
                "arrived": list(self.lrs.kept),
            }
            self.history.write_bytes(msgspec.json.encode(evidence))
            pytest.fail(f"{len(broken)} broken, such as {_some(broken)}; what was seen is in {self.history}")


def _some(broken: Sequence[str]) -> str:
    return "; ".join(broken[:5])

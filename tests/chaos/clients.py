"""LMSs that note what they were promised: what each commit was answered, if it was."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

PAUSE = 0.02
"""Seconds that a client waits before it repeats what was not answered."""


@dataclass
class Ledger:
    """What clients know. A commit is named by its learner and number.

    `acked` is commit -> ids of the statements that its answer told; `unknown` were sent at least once without an
    answer; `statuses` counts all answers; `slowest_refusal` is the longest time, in seconds, until a 503.
    """

    issued: set[tuple[str, int]] = field(default_factory=set)
    acked: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    unknown: set[tuple[str, int]] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    slowest_refusal: float = 0.0


class Client:
    """One learner who commits, and repeats each commit until it is answered with 200, as players do."""

    def __init__(
        self, http: aiohttp.ClientSession, urls: list[str], token: str, ledger: Ledger, learner: str, random: Random
    ) -> None:
        self._http = http
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ledger = ledger
        self._learner = learner
        self._random = random
        self.number = 0

    async def play(self, enough: Callable[[], bool]) -> None:
        """Commit until there is enough."""
        while not enough():
            await self.commit()

    async def commit(self) -> list[str]:
        """Make one commit and repeat it until it is answered; return its statements' ids."""
        self.number += 1
        name = (self._learner, self.number)
        self._ledger.issued.add(name)
        body = {
            "learner": {"id": self._learner},
            "activity": {"id": "235"},
            "cmi": {
                "core": {"score": {"raw": str(self.number % 100)}, "lesson_location": f"page-{self.number}"},
                "suspend_data": "x" * 200,
            },
            "sequence": self.number,
        }
        while True:
            answer = await self._post(name, body)
            if answer is not None:
                self._ledger.acked[name] = [statement["id"] for statement in answer["statements"]]
                if self._random.random() < 0.1:
                    # an answer that was lost on its way: the player sends it once more
                    self._ledger.repeated += 1
                    await self._post(name, body)
                return self._ledger.acked[name]
            await asyncio.sleep(PAUSE)

    async def _post(self, name: tuple[str, int], body: dict[str, Any]) -> dict[str, Any] | None:
        url = self._random.choice(self._urls)
        begun = time.monotonic()
        try:
            async with self._http.post(f"{url}/v1/commits", json=body, headers=self._headers) as response:
                self._ledger.statuses[response.status] += 1
                if response.status == 503:
                    self._ledger.slowest_refusal = max(self._ledger.slowest_refusal, time.monotonic() - begun)
                content: dict[str, Any] = await response.json(content_type=None)
                return content if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self._ledger.unknown.add(name)
            return None

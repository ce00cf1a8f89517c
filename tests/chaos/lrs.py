"""The LRS double, failing by dice: it cuts, stores and then fails, is never idempotent, refuses, and counts that."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import msgspec

from bridge.sandbox.lrs.faults import (
    Answer,
    Cut,
    Decision,
    FaultRule,
    Faults,
    FaultSubject,
    KnownIsConflict,
    Plan,
    StoreThenAnswer,
    StoreThenCut,
    Tally,
)
from tests.support.lrs import Lrs, serve_lrs
from tests.support.waiting import wait_while_decreasing

DECK = ("none",) * 6 + ("cut", "kept-cut", "kept-500", "kept-504", "503", "429", "conflict", "conflict")
"""What it does in so many requests, in an order of its own: nothing is left to luck but when."""
BEFORE: dict[str, Decision] = {"cut": Cut(), "503": Answer(503), "429": Answer(429), "down": Answer(503)}
"""What it does before it looks at the statements."""
AFTER: dict[str, Decision] = {
    "kept-cut": StoreThenCut(),
    "kept-500": StoreThenAnswer(500),
    "kept-504": StoreThenAnswer(504),
}
"""What it does once it has stored them."""


class _StatementId(msgspec.Struct):
    id: str


class RandomFaults(Faults):
    """A fault script whose rules are drawn from a deck, one for each POST.

    `poison` ids are refused with 400. While `well`, it does nothing wrong but that; while `down`, it answers 503.
    `met` counts what was done.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.poison: set[str] = set()
        self.met: Counter[str] = Counter()
        self.requests = 0
        self.well = False
        self.down = False
        self._random = Random(seed)
        self._deck: list[str] = []
        self._conflicts = Tally()
        self._taken: set[str] = set()

    def plan(self, subject: FaultSubject) -> Plan:
        """Draw what happens to a request."""
        plan = Plan()
        if subject.method != "POST":
            return plan
        self.requests += 1
        fault = self._draw()
        self.met[fault] += 1
        refused = sorted(self.poison.intersection(subject.statement_ids))
        if fault in BEFORE:
            plan.decision = BEFORE[fault]
        elif refused:
            self.met["400"] += 1
            plan.decision = Answer(400, body="refused: " + ", ".join(refused))
        else:
            self._take(fault, subject.statement_ids, plan)
        return plan

    def _take(self, fault: str, ids: Sequence[str], plan: Plan) -> None:
        known = self._taken.intersection(ids)
        if fault == "conflict":
            plan.expect(FaultRule(KnownIsConflict()), self._conflicts)
            if known:
                return
        plan.decision = AFTER.get(fault)
        self.met["again"] += len(known)
        self._taken.update(ids)

    def count(self) -> Counter[str]:
        """Return what was done, the conflicts that were really answered included."""
        return self.met + Counter({"409": self._conflicts.fired})

    def _draw(self) -> str:
        if self.down or self.well:
            return "down" if self.down else "none"
        if not self._deck:
            self._deck = [*DECK]
            self._random.shuffle(self._deck)
        return self._deck.pop()


class ChaosLrs:
    """A running LRS that fails by dice, and the bytes of every statement that came."""

    def __init__(self, lrs: Lrs, faults: RandomFaults) -> None:
        self._lrs = lrs
        self._came: dict[str, bytes] = {}
        self._changed: list[str] = []
        self.dice = faults

    @property
    def endpoint(self) -> str:
        """Return the address of its xAPI resources."""
        return self._lrs.endpoint

    @property
    def kept(self) -> dict[str, bytes]:
        """Return id -> bytes of what it has stored, in the order of first arrival."""
        self._read()
        return {statement_id: self._came[statement_id] for statement_id in self._lrs.ids()}

    @property
    def changed(self) -> list[str]:
        """Return the ids that came again with other bytes."""
        self._read()
        return self._changed

    async def next_answer(self) -> None:
        """Wait until it answers a request."""
        self._lrs.answered.clear()
        await self._lrs.answered.wait()

    async def until_kept(self, ids: set[str], seconds: float) -> None:
        """Wait until it has all of these.

        Raises:
            TimeoutError: it got none of them for so many seconds.
        """
        missing = {*ids}

        def count_missing() -> int:
            missing.difference_update([key for key in missing if self._lrs.store.get(key) is not None])
            return len(missing)

        await wait_while_decreasing(count_missing, self.next_answer, seconds)

    def _read(self) -> None:
        """Read what was posted since it was last asked."""
        for body in self._lrs.bodies:
            for part in msgspec.json.decode(body, type=list[msgspec.Raw]):
                content = bytes(part)
                statement_id = msgspec.json.decode(content, type=_StatementId).id
                if self._came.setdefault(statement_id, content) != content:
                    self._changed.append(statement_id)
        self._lrs.bodies.clear()


@asynccontextmanager
async def serve_chaos(seed: int, host: str = "127.0.0.1") -> AsyncIterator[ChaosLrs]:
    """Run an LRS that fails by dice, and listens at an address."""
    faults = RandomFaults(seed)
    async with serve_lrs(faults=faults, host=host) as lrs:
        yield ChaosLrs(lrs, faults)

"""Budgets: how many commits and bytes a session, a learner or an LMS may store, as leaky buckets in memory.

What is used leaks away at a steady rate. A bucket is made when something is used and forgotten when it is empty; their
number is bounded. Each process has its own: with several, a client that is spread over them may use as much in each.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from bridge.settings import BudgetSettings

MIB = 1024 * 1024
MAX_BUCKETS = 20_000
"""Buckets of a kind, some 300 bytes each. Beyond that the one that was used longest ago is forgotten, which is as good
as empty unless so many others were used within minutes."""

MAX_ROUNDING = 1e-6
"""Seconds that are no wait: what subtracting floats leaves of a bucket that is just empty enough."""


@dataclass(slots=True)
class _Bucket:
    """What is used, as of `at` (monotonic, in seconds)."""

    commits: float
    size: float
    at: float


class Budget:
    """The buckets of all sessions, of all learners or of all LMSs."""

    def __init__(self, settings: BudgetSettings, *, max_buckets: int = MAX_BUCKETS) -> None:
        self._commits = float(settings.commits) or math.inf
        self._commit_rate = settings.commits_per_minute / 60
        self._bytes = float(settings.mib * MIB) or math.inf
        self._byte_rate = settings.mib_per_minute * MIB / 60
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()
        self.is_unlimited = not settings.commits and not settings.mib

    def __len__(self) -> int:
        """Return the number of buckets that are kept."""
        return len(self._buckets)

    def use(self, key: Hashable, size: int, now: float) -> float:
        """Take a commit of `size` bytes out of the budget, and return 0; or nothing, and return the seconds to wait."""
        if self.is_unlimited:
            return 0.0
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget_empty(now)
            self._buckets[key] = _Bucket(1.0, size, now)
            return 0.0
        passed = now - bucket.at
        commits = bucket.commits - passed * self._commit_rate
        commits = commits + 1 if commits > 0 else 1.0
        used = max(bucket.size - passed * self._byte_rate, 0.0)
        # who is refused stays among the newest, too, or would come in again because so many others did meanwhile
        self._buckets.move_to_end(key)
        # what is larger than the whole budget passes when nothing is used
        if commits > self._commits or (used and used + size > self._bytes):
            excess = used + size - self._bytes if size <= self._bytes else used
            wait = max((commits - self._commits) / self._commit_rate, excess / self._byte_rate)
            # who waited as long as it was told is not refused for a rounded float
            if wait > MAX_ROUNDING:
                return wait
        bucket.commits, bucket.size, bucket.at = commits, used + size, now
        return 0.0

    def give_back(self, key: Hashable, size: int) -> None:
        """Undo a `use`: nothing was stored."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.commits = max(bucket.commits - 1, 0.0)
            bucket.size = max(bucket.size - size, 0.0)

    def _forget_empty(self, now: float) -> None:
        """Make room for another bucket: forget two empty ones at most, so that no commit pays for many."""
        for _ in range(2):
            if not self._buckets:
                return
            key, oldest = next(iter(self._buckets.items()))
            passed = now - oldest.at
            is_empty = oldest.commits <= passed * self._commit_rate and oldest.size <= passed * self._byte_rate
            if not is_empty and len(self._buckets) < self._max_buckets:
                return
            del self._buckets[key]

"""What is recorded of API calls has rates and a budget of its own: commits are never refused because of it."""

from __future__ import annotations

import math

from bridge.clock import Monotonic
from bridge.errors import DiskLow, LmsOverLimit
from bridge.limits.budgets import Budget
from bridge.limits.disk_space import DiskSpace
from bridge.limits.request_rates import BrowserRates
from bridge.settings import LimitSettings

DISK_RETRY_AFTER = 30
"""Seconds."""


class RecordingLimits:
    """Refuses calls that pages send beyond what the settings allow; `rates` are those of browsers, counted apart."""

    def __init__(self, settings: LimitSettings, disk: DiskSpace, monotonic: Monotonic) -> None:
        self.rates = BrowserRates(settings, monotonic)
        self._budget = Budget(settings.recordings.budget)
        self._disk = disk
        self._monotonic = monotonic

    def admit(self, lms_id: int, size: int) -> None:
        """Take calls of `size` bytes out of the budget of an LMS.

        Raises:
            DiskLow: the disk is nearly full.
            LmsOverLimit: the budget is used up.
        """
        if self._disk.is_low:
            raise DiskLow(
                "Nothing was recorded: the disk of the database is nearly full.", retry_after=DISK_RETRY_AFTER
            )
        wait = self._budget.use(lms_id, size, self._monotonic())
        if wait:
            raise LmsOverLimit(
                "The pages of this LMS have more recorded than they may; [limits.recordings] in the settings has the"
                " budget.",
                retry_after=math.ceil(wait),
            )

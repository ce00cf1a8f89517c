"""Background work that runs at an interval, and backoff for the items of it that fail."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, describe_error_place
from bridge.database_outage import is_outage

log = structlog.get_logger(__name__)


MAX_ITEM_DELAY = 300.0
"""Seconds that an item that failed is delayed at most; 1 after the first failure, doubled after each."""
MAX_FAILING_ITEMS = 1_000
_T = TypeVar("_T")


class PeriodicTask(ABC):
    """Runs once every `interval_seconds`, and again at once while there may be more to do."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._reported: str | None = None
        """The failure that was logged last, until a run succeeds."""
        self.runs = 0
        self.failures = 0
        self.succeeded_at: float | None = None
        """When it last succeeded, or began, by the loop's clock; None before `run`."""

    @abstractmethod
    async def run_once(self) -> bool:
        """Run a part of what there is to do; return whether there may be more."""

    def stop(self) -> None:
        """Stop after the current run."""
        self._stopping.set()

    async def join(self) -> None:
        """Wait until `run` has ended, after `stop`."""
        await self._ended.wait()

    async def run(self) -> None:
        """Run periodically until `stop`. No error ends it."""
        time = asyncio.get_running_loop().time
        self.succeeded_at = time()
        while not self._stopping.is_set():
            self.runs += 1
            try:
                while await self.run_once() and not self._stopping.is_set():
                    pass
                self.succeeded_at = time()
                self._report_success()
            except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
                self.failures += 1
                self._report_failure(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await self._stopping.wait()
        self._ended.set()

    def _report_failure(self, error: Exception) -> None:
        """Log a failure: the first of its kind in a row. An outage of the database is logged by itself."""
        task, kind = type(self).__name__, describe_error_place(error)
        if is_outage(error):
            log.debug("task_interrupted", task=task, error=kind)
        elif kind != self._reported:
            self._reported = kind
            # the database's own words hold rows' values
            is_expected = isinstance(error, DATABASE_ERRORS)
            log.error("task_interrupted", task=task, error=kind, exc_info=None if is_expected else error)

    def _report_success(self) -> None:
        if self._reported is not None:
            self._reported = None
            log.info("task_continued", task=type(self).__name__)


class ItemBackoff:
    """Delays items that fail, each by itself and longer each time, so that they hold up no others.

    `name` is what the log calls the work; `now` returns milliseconds since the epoch. Kept in memory only.
    """

    def __init__(self, name: str, now: Now) -> None:
        self._name = name
        self._now = now
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many items failed and have not succeeded since: a query must allow for so many more."""
        return len(self._failures)

    def due(self, items: Sequence[str], limit: int) -> list[str]:
        """Return the items that are not delayed, at most `limit`."""
        now = self._now()
        # a clock that was set back delays nothing for longer than the maximum
        waits = {item for item, (_, until) in self._failures.items() if now < until <= now + MAX_ITEM_DELAY * 1000}
        return [item for item in items if item not in waits][:limit]

    async def run_each(self, items: Sequence[str], action: Callable[[str], Coroutine[Any, Any, _T]]) -> list[_T]:
        """Run an action for each of the items concurrently; return the results of those that succeeded.

        Each failure is one line in the log. No exception of an item is raised.
        """
        results = await asyncio.gather(*map(action, items), return_exceptions=True)
        succeeded: list[_T] = []
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Exception):
                self._failed(item, result)
            elif isinstance(result, BaseException):
                raise result
            else:
                self._failures.pop(item, None)
                succeeded.append(result)
        return succeeded

    def _failed(self, item: str, error: Exception) -> None:
        failures = self._failures.pop(item, (0, 0))[0] + 1
        delay = min(MAX_ITEM_DELAY, 2.0 ** min(failures - 1, 30))
        self._failures[item] = failures, self._now() + int(delay * 1000)
        if len(self._failures) > MAX_FAILING_ITEMS:
            self._failures.popitem(last=False)
        log.error(
            "item_failed",
            work=self._name,
            item=item,
            error=describe_error_place(error),
            failures=failures,
            again_after=delay,
        )

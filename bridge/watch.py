"""Something that looks into the database now and then for what is to be done, beside the commits that come."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.database import describe, describe_place
from storage.database_files import DatabaseFileLostError

log = structlog.get_logger(__name__)


MAX_ITEM_PAUSE = 300.0
"""Seconds that an item that failed waits at most; 1 after the first failure, twice as long after each."""
MAX_FAILING_ITEMS = 1_000
_T = TypeVar("_T")


class Watch(ABC):
    """Looks every so many seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._stopping = asyncio.Event()

    @abstractmethod
    async def look(self) -> bool:
        """Do what there is to do, some of it; tell whether there may be more."""

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Look again and again until `stop`. No fault ends it."""
        while not self._stopping.is_set():
            try:
                while await self.look() and not self._stopping.is_set():
                    pass
            except (DBAPIError, DatabaseFileLostError) as error:
                log.error("watch_interrupted", watch=type(self).__name__, error=describe(error))  # noqa: TRY400 -- its own words hold values
            except Exception:
                log.exception("watch_interrupted", watch=type(self).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._stopping.wait()


class ItemBackoff:
    """Lets items that fail wait, each by itself and longer each time, so that they hold up no others.

    `name` is what the log calls the work; `now` gives milliseconds since the epoch. Forgotten with the process.
    """

    def __init__(self, name: str, now: Now) -> None:
        self._name = name
        self._now = now
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many items failed and have not succeeded since: so many more are to be looked up."""
        return len(self._failures)

    def due(self, items: Sequence[str], most: int) -> list[str]:
        """Return the items that do not wait, at most so many."""
        now = self._now()
        # a clock that was set back lets nothing wait for longer than the longest pause
        waits = {item for item, (_, until) in self._failures.items() if now < until <= now + MAX_ITEM_PAUSE * 1000}
        return [item for item in items if item not in waits][:most]

    async def run_each(self, items: Sequence[str], action: Callable[[str], Coroutine[Any, Any, _T]]) -> list[_T]:
        """Do something with each of the items, at once; return what came of those that succeeded.

        Each failure is one line in the log. Nothing that comes of an item is raised.
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
        pause = min(MAX_ITEM_PAUSE, 2.0 ** min(failures - 1, 30))
        self._failures[item] = failures, self._now() + int(pause * 1000)
        if len(self._failures) > MAX_FAILING_ITEMS:
            self._failures.popitem(last=False)
        log.error(
            "item_failed", work=self._name, item=item, error=describe_place(error), failures=failures, again_after=pause
        )

"""Runs an operation once for all concurrent callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class SingleFlight(Generic[_T]):
    """Runs an operation once for all callers meanwhile; each caller has a timeout of its own."""

    def __init__(self, run: Callable[[], Awaitable[_T]]) -> None:
        self._run = run
        self._task: asyncio.Future[_T] | None = None

    async def result(self, timeout_seconds: float) -> _T:
        """Return the result of the current run, or of a new one.

        Raises:
            TimeoutError: it has not finished; it continues.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        task = self._task
        done, _ = await asyncio.wait({task}, timeout=timeout_seconds)
        if not done:
            raise TimeoutError
        return task.result()

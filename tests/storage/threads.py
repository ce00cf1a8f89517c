"""Running a function in several threads that begin at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def at_once(count: int, function: Callable[[int], T]) -> list[T]:
    """Call a function with 0, 1, … in threads of their own, and return the results; the first error is raised."""
    barrier = Barrier(count)

    def begin(number: int) -> T:
        barrier.wait(timeout=10)
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))

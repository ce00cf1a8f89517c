"""How many queries an LMS may have in progress; its commits do not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import TooManyQuestions

MAX_QUERIES_PER_LMS = 32
RETRY_AFTER = 1
"""Seconds."""


class QueryLimiter:
    """Counts the queries in progress of each LMS."""

    def __init__(self) -> None:
        self._of_lms: Counter[int] = Counter()

    @contextmanager
    def hold(self, lms_id: int) -> Iterator[None]:
        """Count a query while the block runs.

        Raises:
            TooManyQuestions: the LMS has as many in progress as it may.
        """
        if self._of_lms[lms_id] >= MAX_QUERIES_PER_LMS:
            raise TooManyQuestions(
                f"This LMS has {MAX_QUERIES_PER_LMS} queries in progress; try again after one of them.",
                retry_after=RETRY_AFTER,
            )
        self._of_lms[lms_id] += 1
        try:
            yield
        finally:
            self._of_lms[lms_id] -= 1

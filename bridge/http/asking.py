"""How many questions an LMS may have under way at a time; its commits are not among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import TooManyQuestions

MAX_OF_LMS = 32
RETRY_AFTER = 1
"""Seconds."""


class Asking:
    """Counts questions under way, by LMS."""

    def __init__(self) -> None:
        self._of_lms: Counter[int] = Counter()

    @contextmanager
    def hold(self, lms_id: int) -> Iterator[None]:
        """Count one more while the block runs.

        Raises:
            TooManyQuestions: the LMS has as many under way as it may.
        """
        if self._of_lms[lms_id] >= MAX_OF_LMS:
            raise TooManyQuestions(
                f"This LMS has {MAX_OF_LMS} questions under way; ask again when one is answered.",
                retry_after=RETRY_AFTER,
            )
        self._of_lms[lms_id] += 1
        try:
            yield
        finally:
            self._of_lms[lms_id] -= 1

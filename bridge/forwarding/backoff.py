"""Exponential backoff with full jitter for an LRS in trouble."""

from __future__ import annotations

from collections.abc import Callable

BASE_DELAY = 1.0
"""Seconds: the maximum delay after the first failure."""
MAX_DELAY = 3600.0
"""Seconds: the maximum delay, whatever the LRS asks for."""
MAX_OUTAGE_DELAY = 60.0
"""Seconds: the maximum delay while an LRS is unreachable. Once it is back, everything waits for its next try."""


def backoff_delay(
    failures: int, random: Callable[[], float], requested: float | None = None, *, max_delay: float = MAX_DELAY
) -> float:
    """Return the seconds to wait after so many failures in a row.

    Full jitter: anything from 0 to the ceiling, which doubles with each failure, so that many bridges whose LRS comes
    back do not all send at once. The delay that the LRS asked for is the minimum.

    Args:
        failures: 1 after the first.
        random: returns a number from 0 to 1.
        requested: seconds from `Retry-After`.
        max_delay: the maximum in seconds, unless the LRS asks for more.
    """
    ceiling = min(max_delay, BASE_DELAY * 2.0 ** min(failures - 1, 30))
    return max(ceiling * random(), min(requested or 0.0, MAX_DELAY))

"""How long to leave an LRS alone that is in trouble: longer each time, never for ever, and not all at once."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 1.0
"""Seconds: the most that is waited after the first failure."""
LONGEST = 3600.0
"""Seconds: the most that is ever waited, whatever the LRS asks for."""
AWAY = 60.0
"""Seconds: the most that an LRS which is away is left alone. Once it is back, everything waits for its next try."""


def delay(failures: int, random: Callable[[], float], asked: float | None = None, *, longest: float = LONGEST) -> float:
    """Give the seconds to wait after so many failures in a row.

    Full jitter: anything from nothing to the ceiling, which doubles each time, so that many bridges whose LRS comes
    back do not all knock at once. What the LRS asked for is waited at least.

    Args:
        failures: 1 after the first.
        random: gives a number from 0 to 1.
        asked: seconds from `Retry-After`.
        longest: seconds that are waited at most where the LRS does not ask for more.
    """
    ceiling = min(longest, FIRST * 2.0 ** min(failures - 1, 30))
    return max(ceiling * random(), min(asked or 0.0, LONGEST))

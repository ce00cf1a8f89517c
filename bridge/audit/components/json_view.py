"""How much of what clients and LRSs sent a page shows: its beginning. All of it is behind a link."""

from __future__ import annotations

VALUE = 300
"""Characters of one value among many."""
TEXT = 100_000
"""Characters of a text that is what its page is about."""
OF_PAGE = 400_000
"""Characters of texts that a page shows many of, all of them together."""
LEAST = 1_000
"""Characters of each of them, however many there are."""


def shortened(text: str, most: int = VALUE) -> str:
    """Return a text with an ellipsis in place of what is beyond `most` characters."""
    return text if len(text) <= most else f"{text[:most]}…"


def share(number: int) -> int:
    """Return how many characters of each of so many texts a page shows."""
    return min(TEXT, max(LEAST, OF_PAGE // max(1, number)))

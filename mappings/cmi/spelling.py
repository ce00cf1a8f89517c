"""Finding the name that was meant by one that is not known.

Only unknown names are looked at, and only short ones: what this costs is bounded whatever a client sends.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_LENGTH = 40
"""Characters of a name that is looked at; the longest of SCORM's has 20."""
_SHORT = 4
"""Characters up to which a name may differ from the one meant by one edit only."""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the first of the candidates that is closest to a name, None where none is close.

    Upper and lower case and hyphens are no differences; else two letters may be added, left out, replaced or swapped
    with their neighbours, one in short names.
    """
    if len(name) > MAX_LENGTH:
        return None
    plain = _plain(name)
    letters = set(plain)
    best, fewest = None, (1 if len(plain) <= _SHORT else 2) + 1
    for candidate in candidates:
        other = _plain(candidate)
        # each edit adds at most two letters to those that only one of them has
        if abs(len(plain) - len(other)) >= fewest or len(letters ^ set(other)) > 2 * (fewest - 1):
            continue
        edits = distance(plain, other, fewest - 1)
        if edits < fewest:
            best, fewest = candidate, edits
    return best


def distance(first: str, second: str, limit: int) -> int:
    """Return how many letters must be added, left out, replaced or swapped; `limit` + 1 where that is more.

    This is the optimal string alignment distance, worked out only where it can stay within the limit.
    """
    beyond = limit + 1
    if abs(len(first) - len(second)) > limit:
        return beyond
    earlier: list[int] = []
    before: list[int] = [*range(len(second) + 1)]
    for row, letter in enumerate(first, 1):
        now = [beyond] * (len(second) + 1)
        now[0] = row
        for column in range(max(1, row - limit), min(len(second), row + limit) + 1):
            other = second[column - 1]
            replaced = before[column - 1] + (0 if letter == other else 1)
            edits = min(before[column] + 1, now[column - 1] + 1, replaced)
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                edits = min(edits, earlier[column - 2] + 1)
            now[column] = edits
        if min(now) > limit:
            return beyond
        earlier, before = before, now
    return min(before[-1], beyond)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")

"""The one score that a snapshot amounts to, valid under xAPI or none at all.

xAPI (Data, 4.1.10.1 / IEEE 9274.1.1) wants scaled in -1..1, min < max and min <= raw <= max; a statement that breaks
this is refused, and the whole batch with it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec

from mappings.cmi.snapshot import Number, ScormVersion, Snapshot
from mappings.cmi.warnings import CmiWarning, WarningCode, warn


class Score(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A score as xAPI's `result.score`; at least one of `scaled` and `raw` is set."""

    scaled: Number | None = None
    raw: Number | None = None
    min: Number | None = None
    max: Number | None = None


def score(snapshot: Snapshot) -> Score | None:
    """Return the score, None when there is none or it is impossible (`score_warning` says why).

    A range alone is no score: players send SCORM 1.2's `max` as 100 although the content never set it. `scaled` is the
    one given (SCORM 2004), else raw/100 where SCORM 1.2's range is 0 to 100 or not told, else the share of the range
    that both versions' content gives.
    """
    return _score(
        snapshot.scorm_version, snapshot.score_raw, snapshot.score_min, snapshot.score_max, snapshot.score_scaled
    )


# most commits tell the score of the one before them; whole numbers and others are written differently
@lru_cache(maxsize=4_096, typed=True)
def _score(
    version: ScormVersion | None, raw: Number | None, low: Number | None, high: Number | None, scaled: Number | None
) -> Score | None:
    if raw is None:
        return None if scaled is None else Score(scaled=scaled)
    if low is not None and high is not None and low >= high:
        low = high = None  # an impossible range is no range
    if _outside(version, raw, low, high):
        return None if scaled is None else Score(scaled=scaled)
    if scaled is None:
        scaled = _scaled(version, raw, low, high)
    return Score(scaled, raw, low, high)


def score_warning(snapshot: Snapshot, group: str | None = None) -> CmiWarning | None:
    """Return what is wrong with the raw score, the range or both, if anything is; the score's `group` can be named."""
    version, raw, low, high = snapshot.scorm_version, snapshot.score_raw, snapshot.score_min, snapshot.score_max
    if raw is None or is_possible(version, raw, low, high):
        return None
    if group is None:
        group = "cmi.core.score" if version == "1.2" else "cmi.score"
    if low is not None and high is not None and low >= high:
        return warn(
            WarningCode.SCORE_RANGE,
            f"{group}.max",
            high,
            f"must be above {group}.min, which is {low:g}; the range "
            + ("and the score are left out" if _outside(version, raw, None, None) else "is left out"),
        )
    if _outside(version, raw, low, high):
        low, high = _bounds(version, low, high)
        bounds = " and ".join(
            f"{word} {bound:g}" for word, bound in (("at least", low), ("at most", high)) if bound is not None
        )
        return warn(WarningCode.SCORE_OUT_OF_RANGE, f"{group}.raw", raw, f"must be {bounds}; the score is left out")
    return None


@lru_cache(maxsize=4_096)
def is_possible(version: ScormVersion | None, raw: Number, low: Number | None, high: Number | None) -> bool:
    """Return whether there is nothing wrong with a raw score and its range."""
    return (low is None or high is None or low < high) and not _outside(version, raw, low, high)


def _bounds(
    version: ScormVersion | None, low: Number | None, high: Number | None
) -> tuple[Number | None, Number | None]:
    if version != "1.2":
        return low, high
    return (0 if low is None else low), (100 if high is None else high)


def _outside(version: ScormVersion | None, raw: Number, low: Number | None, high: Number | None) -> bool:
    low, high = _bounds(version, low, high)
    return (low is not None and raw < low) or (high is not None and raw > high)


def _scaled(version: ScormVersion | None, raw: Number, low: Number | None, high: Number | None) -> Number | None:
    low, high = _bounds(version, low, high)
    if low is None or high is None or low >= high:
        return None
    if not math.isfinite(high - low):
        return None
    share = round((raw - low) / (high - low), 6)
    return int(share) if share in (0, 1) else share

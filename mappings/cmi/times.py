"""SCORM's two time formats, read exactly and leniently, in whole hundredths of a second (centiseconds).

SCORM 1.2 `CMITimespan` is `HHHH:MM:SS.SS`; SCORM 2004 `timeinterval(second,10,2)` is the ISO 8601 duration
`P[nY][nM][nD][T[nH][nM][n.nnS]]`. Both have a resolution of 10 ms, which is also xAPI's for `result.duration`.
Content sends either format under either version, so both are read everywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache

CENTISECONDS = 100
MINUTE = 60 * CENTISECONDS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MAX_TIME = 366 * DAY
"""No learner spends more than a year in one activity: longer times are placeholders such as `9999:99:99.99`."""

# more than twelve digits cannot be a time anybody spent, and would only cost time to multiply
_TIMESPAN = re.compile(r"(\d{1,12}):(\d{1,2}):(\d{1,2})(?:[.,](\d*))?", re.ASCII)
_USUAL_DURATION = re.compile(r"PT(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,12})(?:\.(\d{0,12}))?S)?", re.ASCII)
_DECIMALS = 12
_ONE = 1_000_000_000_000  # that many decimals are read exactly, as whole numbers
_NUMBER = r"(\d{1,12}(?:[.,]\d{0,12})?|[.,]\d{1,12})"
_DURATION = re.compile(
    r"P(?:{0}Y)?(?:{0}M)?(?:{0}W)?(?:{0}D)?(?:T(?:{0}H)?(?:{0}M)?(?:{0}S)?)?".replace("{0}", _NUMBER),
    re.ASCII | re.IGNORECASE,
)
_UNITS = (365 * DAY, 30 * DAY, 7 * DAY, DAY, HOUR, MINUTE, CENTISECONDS)


class CmiTimeError(ValueError):
    """The text is not a time of either format, or longer than `MAX_TIME`."""


def read_time(text: str) -> int:
    """Read a SCORM 1.2 timespan or a SCORM 2004 duration.

    Tolerated beyond the standards: one to many hour digits, minutes and seconds above 59, any number of decimals (what
    is finer than 10 ms is cut), a decimal comma, lower case, weeks, fractions of any unit. A year counts 365 days and
    a month 30, as the lengths of calendar units in a duration are not known.

    Raises:
        CmiTimeError: when it is neither, or implausibly long.
    """
    text = text.strip()
    match = (_USUAL_DURATION if text[:1] == "P" else _TIMESPAN).fullmatch(text)
    if match is not None:
        hours, minutes, seconds, decimals = match.groups("0")
        # ".5" is half a second, not five hundredths: a missing digit is on the right
        hundredths = int(decimals[:2].ljust(2, "0"))
        total = int(hours) * HOUR + int(minutes) * MINUTE + int(seconds) * CENTISECONDS + hundredths
    else:
        match = _DURATION.fullmatch(text)
        if match is None:
            raise CmiTimeError(
                "is neither HHHH:MM:SS.SS (SCORM 1.2) nor an ISO 8601 duration such as PT1H5M30S (SCORM 2004)"
            )
        total = sum(_parts(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part) // _ONE
    if total > MAX_TIME:
        raise CmiTimeError("is longer than a year and cannot be the time a learner spent")
    return total


def _parts(part: str) -> int:
    whole, _, decimals = part.replace(",", ".").partition(".")
    return int(whole or "0") * _ONE + int(decimals.ljust(_DECIMALS, "0") or "0")


@lru_cache(maxsize=256)  # one commit tells the same time in its statements, its documents and its answer
def duration(centiseconds: int) -> str:
    """Write a time as xAPI wants it: `PT[nH][nM]n[.nn]S`, at most two decimals, never weeks or days."""
    seconds, hundredths = divmod(centiseconds, CENTISECONDS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = (f"PT{hours}H" if hours else "PT") + (f"{minutes}M" if minutes else "")
    if hundredths:
        return parts + f"{seconds}.{hundredths:02d}".rstrip("0") + "S"
    return parts if parts != "PT" and not seconds else f"{parts}{seconds}S"


def timespan(centiseconds: int) -> str:
    """Write a time as SCORM 1.2 wants it: `HHHH:MM:SS.SS`."""
    seconds, hundredths = divmod(centiseconds, CENTISECONDS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:04d}:{minutes:02d}:{seconds:02d}.{hundredths:02d}"

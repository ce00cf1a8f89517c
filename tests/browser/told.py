"""What the LRS must be told of the sample course: written out from the mapping document, and read back from the LRS.

The lists below follow `mappings/scorm-profile.toml` rule by rule. The course commits once on each of its nine pages,
when it is finished or left, and once more as it ends the session.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import datetime
from typing import Any

import isodate

from tests.browser.sandbox_bridge import DEADLINE, HOME_PAGE, INTERVAL, learner_id
from tests.real_lrs.learning_locker import LearningLocker

VERBS = "http://adlnet.gov/expapi/verbs/"
PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"

Told = tuple[str, str, Any]
"""Verb, object, result."""


class _AnyDuration(str):
    """Equals every ISO 8601 duration of hours, minutes and seconds, not nought, with at most two decimals."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        pattern = r"PT(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,2})?S)?"
        return isinstance(other, str) and re.fullmatch(pattern, other) is not None and other != "PT0S"

    __hash__ = str.__hash__


DURATION = _AnyDuration("any duration")

STARTED = ("initialized", None)
RESUMED = ("resumed", None)
SUSPENDED = ("suspended", {"completion": False, "duration": DURATION})

# The share of the nine pages seen, which SCORM 1.2 cannot tell, with four decimals and in whole percent.
SEEN = [
    ("progressed", {"score": {"scaled": scaled}, "extensions": {PROGRESS: percent}})
    for scaled, percent in (
        (0.1111, 11),
        (0.2222, 22),
        (0.3333, 33),
        (0.4444, 44),
        (0.5556, 55),
        (0.6667, 66),
        (0.7778, 77),
        (0.8889, 88),
        (1, 100),
    )
]

Line = tuple[str, Any]


def seen(version: str, first: int, last: int) -> list[Line]:
    """Give what is told while these pages, counted from 1, are seen for the first time."""
    return SEEN[first - 1 : last] if version == "2004" else []


def passed(raw: int, scaled: float) -> list[Line]:
    """Give what finishing tells of a passed attempt; in SCORM 1.2, `passed` implies completed."""
    score = {"scaled": scaled, "raw": raw, "min": 0, "max": 100}
    return [
        ("scored", {"score": score}),
        ("completed", {"completion": True}),
        ("passed", {"success": True, "score": score}),
        ("terminated", {"completion": True, "success": True, "score": score, "duration": DURATION}),
    ]


def failed(version: str, raw: int, scaled: float) -> list[Line]:
    """Give what finishing tells of a failed attempt; in SCORM 1.2, `failed` leaves it as incomplete as it was."""
    score = {"scaled": scaled, "raw": raw, "min": 0, "max": 100}
    completed = version == "2004"
    return [
        ("scored", {"score": score}),
        *([("completed", {"completion": True})] if completed else []),
        ("failed", {"success": False, "score": score}),
        ("terminated", {"completion": completed, "success": False, "score": score, "duration": DURATION}),
    ]


def rules(lines: list[Line]) -> list[str]:
    """Give the rules' names, which in this mapping are the verbs'."""
    return [verb for verb, _ in lines]


def about(version: str, lines: list[Line]) -> list[Told]:
    """Give lines as statements about the sample course."""
    return [(VERBS + verb, f"{HOME_PAGE}/activities/sample-{version}", result) for verb, result in lines]


def stored(lrs: LearningLocker, learner: str) -> list[dict[str, Any]]:
    """Give a learner's statements in the order in which the LRS stored them."""
    return lrs.statements(agent=json.dumps({"account": {"homePage": HOME_PAGE, "name": learner_id(learner)}}))


async def expect_statements(lrs: LearningLocker, learner: str, version: str, lines: list[Line]) -> list[dict[str, Any]]:
    """Wait until the LRS has exactly these statements of a learner, in this order and no earlier dates; give them."""
    expected = about(version, lines)
    deadline = time.monotonic() + DEADLINE
    while True:
        found = await asyncio.to_thread(stored, lrs, learner)
        told = [(one["verb"]["id"], one["object"]["id"], one.get("result")) for one in found]
        if told == expected or time.monotonic() > deadline:
            assert told == expected
            times = [datetime.fromisoformat(one["timestamp"]) for one in found]
            assert times == sorted(times)
            return found
        await asyncio.sleep(INTERVAL)


def extension(statement: dict[str, Any]) -> dict[str, Any]:
    """Give the LMS's own ids from a statement's context."""
    return statement["context"]["extensions"][f"{HOME_PAGE}/xapi/extensions/scorm"]


def clock_time(duration: str) -> str:
    """Write a duration under an hour as the start page shows it: PT1M2.5S as 00:01:02.50."""
    seconds = round(isodate.parse_duration(duration).total_seconds(), 2)
    return f"00:{int(seconds // 60):02d}:{seconds % 60:05.2f}"

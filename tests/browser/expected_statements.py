"""What the LRS must be told of the sample course: written out from the mapping document, and read back from the LRS.

The lists below follow `mappings/scorm-profile.toml` rule by rule. The course commits once on each of its nine pages,
when it is finished or left, and once more as it ends the session.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from typing import Any

import isodate

from tests.browser.course_page import PAGES, QUESTIONS
from tests.browser.sandbox_bridge import learner_id
from tests.real_lrs.learning_locker import LearningLocker
from tests.support.accounts import HOME_PAGE
from tests.support.waiting import poll

VERBS = "http://adlnet.gov/expapi/verbs/"
PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"

Told = tuple[str, str, Any]
"""Verb, object, result."""


class _AnyText(str):
    """Equals every text that is not empty."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other != ""

    __hash__ = str.__hash__


class _AnyDuration(str):
    """Equals every ISO 8601 duration of hours, minutes and seconds, not nought, with at most two decimals."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        pattern = r"PT(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,2})?S)?"
        return isinstance(other, str) and re.fullmatch(pattern, other) is not None and other != "PT0S"

    __hash__ = str.__hash__


DURATION = _AnyDuration("any duration")
LATENCY = _AnyText("any latency")
TIME = _AnyText("any time")

Line = tuple[str, Any, str]
"""Verb, result, and the part of the course that it is about: empty for the whole."""

STARTED: Line = ("initialized", None, "")
RESUMED: Line = ("resumed", None, "")
SUSPENDED: Line = ("suspended", {"completion": False, "duration": DURATION}, "")

# The share of the nine pages seen, which SCORM 1.2 cannot tell, with four decimals and in whole percent.
SEEN: list[Line] = [
    ("progressed", {"score": {"scaled": scaled}, "extensions": {PROGRESS: percent}}, "")
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

# Of each question in each version: its type, what a right answer responds, what a wrong one does.
ANSWERS = {
    ("set-is-not-save", "1.2"): ("true-false", "false", "true"),
    ("set-is-not-save", "2004"): ("true-false", "false", "true"),
    ("what-resumes", "1.2"): ("choice", "a[,]c", "a[,]d"),
    ("what-resumes", "2004"): ("choice", "location[,]suspend-data", "location[,]latency"),
    ("what-it-says", "1.2"): ("matching", "1[.]b[,]2[.]c[,]3[.]a", "1[.]c[,]2[.]b[,]3[.]a"),
    ("what-it-says", "2004"): (
        "matching",
        "session-time[.]this-session[,]total-time[.]all-sessions[,]exit[.]how-left",
        "session-time[.]all-sessions[,]total-time[.]this-session[,]exit[.]how-left",
    ),
    ("order-of-calls", "1.2"): ("sequencing", "c[,]d[,]a[,]b", "a[,]b[,]c[,]d"),
    ("order-of-calls", "2004"): (
        "sequencing",
        "initialize[,]set-value[,]commit[,]terminate",
        "commit[,]terminate[,]initialize[,]set-value",
    ),
    ("how-many-right", "1.2"): ("numeric", "16", "80"),
    ("how-many-right", "2004"): ("numeric", "16", "80"),
}


OPINION = "Tell the learner, keep what it has and try “again”: 1,2."

# What the LRS is told of every type of question: the question, its xAPI type, its correct responses, the response.
EVERY_TYPE = {
    "1.2": [
        ("set-is-not-save", "true-false", ["false"], "false"),
        ("what-resumes", "choice", ["a[,]c"], "a[,]c"),
        ("what-it-says", "matching", ["1[.]b[,]2[.]c[,]3[.]a"], "1[.]b[,]2[.]c[,]3[.]a"),
        ("order-of-calls", "sequencing", ["c[,]d[,]a[,]b"], "c[,]d[,]a[,]b"),
        ("how-many-right", "numeric", ["16"], "16"),
        ("call-that-saves", "fill-in", ["Commit", "LMSCommit"], "commit"),
        ("in-your-words", "fill-in", [], OPINION),
        ("how-sure", "likert", [], "d"),
        ("leave-well", "performance", ["[.]1.b,2.a,3.b"], "[.]1.b,2.a,3.b"),
        ("time-of-day", "fill-in", [], "08:30"),
    ],
    "2004": [
        ("set-is-not-save", "true-false", ["false"], "false"),
        ("what-resumes", "choice", ["location[,]suspend-data"], "location[,]suspend-data"),
        (
            "what-it-says",
            "matching",
            ["session-time[.]this-session[,]total-time[.]all-sessions[,]exit[.]how-left"],
            "session-time[.]this-session[,]total-time[.]all-sessions[,]exit[.]how-left",
        ),
        (
            "order-of-calls",
            "sequencing",
            ["initialize[,]set-value[,]commit[,]terminate"],
            "initialize[,]set-value[,]commit[,]terminate",
        ),
        ("how-many-right", "numeric", ["16[:]16"], "16"),
        ("call-that-saves", "fill-in", ["{case_matters=false}Commit", "{case_matters=false}LMSCommit"], "commit"),
        ("in-your-words", "long-fill-in", [], OPINION),
        ("how-sure", "likert", [], "agree"),
        (
            "leave-well",
            "performance",
            ["{order_matters=false}status[.]incomplete[,]location[.]page-2[,]exit[.]suspend"],
            "status[.]incomplete[,]location[.]page-2[,]exit[.]suspend",
        ),
        ("time-of-day", "other", [], "08:30"),
    ],
}


async def expect_every_type(lrs: LearningLocker, learner: str, version: str) -> None:
    """Wait until the LRS has the right answers to questions of all types, each once, and look at them."""

    async def look() -> list[dict[str, Any]]:
        statements = await asyncio.to_thread(stored, lrs, learner)
        return [statement for statement in statements if statement["verb"]["id"] == f"{VERBS}responded"]

    answers = await poll(look, lambda seen: len(seen) >= len(EVERY_TYPE[version]))
    definitions = [answer["object"]["definition"] for answer in answers]
    rows = [
        (
            answer["object"]["id"].rpartition("/interactions/")[2],
            definition["interactionType"],
            definition.get("correctResponsesPattern", []),
            answer["result"]["response"],
        )
        for answer, definition in zip(answers, definitions, strict=True)
    ]
    assert rows == EVERY_TYPE[version]
    neutral = {"in-your-words", "how-sure", "time-of-day"}
    assert {
        question for (question, *_), answer in zip(rows, answers, strict=True) if "success" not in answer["result"]
    } == (neutral)
    assert all(answer["result"].get("success", True) for answer in answers)


def answered(version: str, question: str, *, right: bool = True) -> Line:
    """Return what the answer to a question tells."""
    kind, correct, incorrect = ANSWERS[question, version]
    cmi = {
        "id": question,
        "type": kind,
        "result": "correct" if right else {"1.2": "wrong", "2004": "incorrect"}[version],
        "weighting": "1",
        {"1.2": "time", "2004": "timestamp"}[version]: TIME,
    }
    result = {
        "response": correct if right else incorrect,
        "success": right,
        "duration": LATENCY,
        "extensions": {f"{HOME_PAGE}/xapi/extensions/cmi": cmi},
    }
    return ("responded", result, f"/interactions/{question}")


def seen(version: str, first: int, last: int, *, wrong: tuple[str, ...] = ()) -> list[Line]:
    """Return what is told while these pages, counted from 1, are seen for the first time.

    The commit that tells of a page also tells the answer that was given on the page before it.
    """
    lines: list[Line] = []
    for page in range(first, last + 1):
        previous = PAGES[page - 2] if page > 1 else ""
        lines += [answered(version, previous, right=previous not in wrong)] if previous in QUESTIONS else []
        lines += SEEN[page - 1 : page] if version == "2004" else []
    return lines


def passed(raw: int, scaled: float) -> list[Line]:
    """Return what finishing tells of a passed attempt; in SCORM 1.2, `passed` implies completed."""
    score = {"scaled": scaled, "raw": raw, "min": 0, "max": 100}
    return [
        ("scored", {"score": score}, ""),
        ("completed", {"completion": True}, ""),
        ("passed", {"success": True, "score": score}, ""),
        ("terminated", {"completion": True, "success": True, "score": score, "duration": DURATION}, ""),
    ]


def failed(version: str, raw: int, scaled: float) -> list[Line]:
    """Return what finishing tells of a failed attempt; in SCORM 1.2, `failed` leaves it as incomplete as it was."""
    score = {"scaled": scaled, "raw": raw, "min": 0, "max": 100}
    completed = version == "2004"
    return [
        ("scored", {"score": score}, ""),
        *([("completed", {"completion": True}, "")] if completed else []),
        ("failed", {"success": False, "score": score}, ""),
        ("terminated", {"completion": completed, "success": False, "score": score, "duration": DURATION}, ""),
    ]


def rules(lines: list[Line]) -> list[str]:
    """Return the rules' names, which in this mapping are the verbs'."""
    return [verb for verb, _, _ in lines]


def about(version: str, lines: list[Line]) -> list[Told]:
    """Return lines as statements about the sample course."""
    sco = f"{HOME_PAGE}/courses/sample/sample-{version}"
    return [(VERBS + verb, sco + part, result) for verb, result, part in lines]


def stored(lrs: LearningLocker, learner: str) -> list[dict[str, Any]]:
    """Return a learner's statements in the order in which the LRS stored them."""
    return lrs.statements(agent=json.dumps({"account": {"homePage": HOME_PAGE, "name": learner_id(learner)}}))


async def expect_statements(lrs: LearningLocker, learner: str, version: str, lines: list[Line]) -> list[dict[str, Any]]:
    """Wait until the LRS has exactly these statements of a learner, in this order and no earlier dates; return them."""
    expected = about(version, lines)

    async def look() -> list[dict[str, Any]]:
        return await asyncio.to_thread(stored, lrs, learner)

    statements = await poll(look, lambda seen: _told(seen) == expected)
    assert _told(statements) == expected
    times = [datetime.fromisoformat(statement["timestamp"]) for statement in statements]
    assert times == sorted(times)
    return statements


def _told(statements: list[dict[str, Any]]) -> list[Told]:
    return [(statement["verb"]["id"], statement["object"]["id"], statement.get("result")) for statement in statements]


def extension(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the LMS's own ids from a statement's context."""
    return statement["context"]["extensions"][f"{HOME_PAGE}/xapi/extensions/scorm"]


def clock_time(duration: str) -> str:
    """Write a duration under an hour as the start page shows it: PT1M2.5S as 00:01:02.50."""
    seconds = round(isodate.parse_duration(duration).total_seconds(), 2)
    return f"00:{int(seconds // 60):02d}:{seconds % 60:05.2f}"

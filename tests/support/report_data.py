"""Learning whose figures are known by hand: two courses, two months, both versions of SCORM."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.support.bridge import Bridge

ADA, BOB, EVE, JOE = (
    {"id": f"u{number}", "name": f"={name}"} for number, name in enumerate(("Ada", "Bob", "Eve", "Joe"), 1)
)
"""Learners whose names a spreadsheet would take for formulas."""
SAFETY = {"activity": {"id": "a1", "name": "Safety"}, "course": {"id": "c1", "name": "Welcome"}}
ENGINES = {"activity": {"id": "a2", "name": "Engines"}, "course": {"id": "c2", "name": "Computing"}}


def old(
    status: str, raw: str = "", spent: str = "00:00:00", **interactions: tuple[str, str, str, str]
) -> dict[str, Any]:
    """Make a commit of SCORM 1.2; interactions are (type, response, result, latency) by id."""
    answers = {
        str(index): {"id": name, "type": kind, "student_response": response, "result": result, "latency": latency}
        for index, (name, (kind, response, result, latency)) in enumerate(interactions.items())
    }
    score = {"score": {"raw": raw, "min": "0", "max": "100"}} if raw else {}
    return {"core": {"lesson_status": status, "session_time": spent, **score}, "interactions": answers}


async def fill_reports(bridge: Bridge) -> None:
    """Store four learners' commits: three in the course c1 in January 2026, one in c2, and one in c1 in February."""
    _set(bridge, 2026, 1, 5)
    await bridge.commit(
        old("passed", "90", "00:30:00",
            Q1=("choice", "a", "correct", "00:00:10"), Q2=("fill-in", "-forty", "correct", "00:01:00")),
        learner=ADA, **SAFETY,
    )  # fmt: skip
    _set(bridge, 2026, 1, 6)
    await bridge.commit(
        old("failed", "40", Q1=("choice", "b", "wrong", "00:00:20"), Q2=("fill-in", "", "wrong", "")),
        learner=BOB, **SAFETY,
    )  # fmt: skip
    await bridge.commit(old("incomplete"), learner=EVE, **SAFETY)
    _set(bridge, 2026, 1, 14)
    answer = {
        "id": "urn:q9", "type": "choice", "learner_response": "c", "result": "incorrect", "latency": "PT5S",
        "timestamp": "2026-01-14T12:00:00Z", "correct_responses": {"0": {"pattern": "a"}},
    }  # fmt: skip
    await bridge.commit(
        {"completion_status": "completed", "success_status": "passed", "score": {"scaled": "0.8"},
         "session_time": "PT1H",         "interactions": {"0": answer}},
        learner=ADA, **ENGINES,
    )  # fmt: skip
    _set(bridge, 2026, 2, 2)
    await bridge.commit(old("passed", "100", Q1=("choice", "a", "correct", "00:00:30")), learner=JOE, **SAFETY)


def _set(bridge: Bridge, year: int, month: int, day: int) -> None:
    bridge.clock.milliseconds = int(datetime(year, month, day, 12, tzinfo=UTC).timestamp() * 1000)

"""Recordings of scorm-again 2.6.8 and 3.4.3, played into the bridge: exactly these statements and documents.

A golden file holds each commit's disposition and all statements and documents of the attempt. After a wanted change of
the mapping, `REWRITE_GOLDEN=1 make test ARGS=tests/recordings` writes them anew; read the difference before it is
committed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.queries.lookups import DocumentLine
from tests.recordings import recording
from tests.support.bridge import Bridge

GOLDEN = Path(__file__).parent / "golden"
SUSPENDED_EARLIER: dict[str, dict[str, Any]] = {
    "s12_resume_then_finish": {
        "cmi": {
            "core": {
                "lesson_status": "incomplete",
                "lesson_location": "p2",
                "exit": "suspend",
                "session_time": "01:00:00",
            }
        }
    },
    "s2004_resume_then_terminate": {
        "cmi": {"completion_status": "incomplete", "location": "p2", "exit": "suspend", "session_time": "PT1H"}
    },
}


@pytest.mark.parametrize("name", recording.SCORM_AGAIN)
async def test_a_recording_becomes_exactly_its_golden_statements_and_documents(bridge: Bridge, name: str) -> None:
    opened = await bridge.open(scorm_version=recording.version(name))
    answers = await recording.play(bridge, opened["commit_url"], recording.load(name))

    await _check_golden(bridge, name, answers)


@pytest.mark.parametrize("name", sorted(SUSPENDED_EARLIER))
async def test_a_recording_of_a_resumed_attempt_continues_it(bridge: Bridge, name: str) -> None:
    await bridge.commit(**SUSPENDED_EARLIER[name], scorm_version=recording.version(name), terminated=True)
    opened = await bridge.open(scorm_version=recording.version(name))
    answers = await recording.play(bridge, opened["commit_url"], recording.load(name))
    assert opened["attempt"]["entry"] == "resume"
    assert answers[-1]["attempt"]["total_time"] == "PT1H10M"
    await _check_golden(bridge, f"{name}.resumed", answers)


@pytest.mark.parametrize("name", recording.SCORM_AGAIN)
async def test_a_recording_played_twice_makes_nothing_more_and_takes_nothing_back(bridge: Bridge, name: str) -> None:
    opened = await bridge.open(scorm_version=recording.version(name))
    commits = recording.load(name)
    await recording.play(bridge, opened["commit_url"], commits)
    (before,) = bridge.reports()
    bodies = [statement.body for statement in before.statements]
    answers = await recording.play(bridge, opened["commit_url"], commits)
    (after,) = bridge.reports()

    assert [statement.body for statement in after.statements] == bodies
    assert after.attempt == before.attempt or after.attempt.last_commit_at != before.attempt.last_commit_at
    assert {answer["disposition"] for answer in answers} <= {"duplicate", "late"}


@pytest.mark.parametrize("name", recording.SCORM_AGAIN)
async def test_no_statement_that_may_come_once_comes_twice(bridge: Bridge, name: str) -> None:
    opened = await bridge.open(scorm_version=recording.version(name))
    await recording.play(bridge, opened["commit_url"], recording.load(name))
    counted = Counter(bridge.rules())

    assert all(
        counted[rule] <= 1 for rule in ("initialized", "completed", "passed", "failed", "suspended", "terminated")
    )


async def _check_golden(bridge: Bridge, name: str, answers: list[dict[str, Any]]) -> None:
    await bridge.let_documents_follow()
    (report,) = bridge.reports()
    result = {
        "dispositions": [answer["disposition"] for answer in answers],
        "statements": [json.loads(statement.body) for statement in report.statements],
        "documents": [_shown(document) for document in report.documents],
    }
    path = GOLDEN / f"{name}.json"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    assert result == json.loads(path.read_text(encoding="utf-8"))


def _shown(document: DocumentLine) -> dict[str, Any]:
    content = document.content.decode()
    return {
        "name": document.name,
        "resource": document.resource,
        "parameters": json.loads(document.parameters),
        "content": json.loads(content) if document.content_type == "application/json" else content,
    }

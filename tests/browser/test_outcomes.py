"""The course played to its end in one go: what the LRS, the start page and the command line then tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Page

from tests.browser.conftest import StartSandbox
from tests.browser.expected_statements import (
    STARTED,
    SUSPENDED,
    VERBS,
    clock_time,
    expect_statements,
    extension,
    failed,
    passed,
    rules,
    seen,
)
from tests.browser.sandbox_bridge import TARGET, SandboxBridge, learner_id
from tests.real_lrs.learning_locker import LearningLocker
from tests.support.accounts import HOME_PAGE

pytestmark = pytest.mark.asyncio(loop_scope="session")

both_versions = pytest.mark.parametrize("version", ["1.2", "2004"])
THREE_OF_FIVE = ("set-is-not-save", "what-it-says", "order-of-calls")


@pytest.fixture
def playable(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of the kind that the test names."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.mark.parametrize(
    ("version", "playable"),
    [("1.2", "sqlite"), ("2004", "sqlite"), ("2004", "postgresql")],
    indirect=["playable"],
)
async def test_a_passed_course_is_told_once_in_order_and_the_same_everywhere(
    # the database before `start`: what was set up first is dropped last, once no bridge asks it for anything
    playable: str,
    start: StartSandbox,
    lrs: LearningLocker,
    page: Page,
    learner: str,
    version: str,
) -> None:
    bridge = await start(playable, lrs.endpoint)
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.play("passed")

    expected = [STARTED, *seen(version, 1, 9), *passed(100, 1)]
    statements = await expect_statements(lrs, learner, version, expected)

    [shown] = await bridge.shown_attempts(page, learner)
    stored = await bridge.verify(learner, version)
    [verified] = stored["attempts"]
    assert [(statement["id"], statement["rule"], _deliveries(statement)) for statement in verified["statements"]] == [
        (statement["id"], rule, [(TARGET, "delivered")])
        for statement, rule in zip(statements, rules(expected), strict=True)
    ]
    assert shown["statements"] == [{"rule": rule, "deliveries": [[TARGET, "delivered"]]} for rule in rules(expected)]
    score = {"scaled": 1, "raw": 100, "min": 0, "max": 100}
    assert (verified["completion_status"], verified["success_status"], verified["score"]) == (
        "completed",
        "passed",
        score,
    )
    assert (stored["total_attempts"], stored["completion_status"], stored["success_status"]) == (
        1,
        "completed",
        "passed",
    )
    assert stored["best_score"] == score
    assert shown["state"] == "terminated"
    assert shown["fields"] == {
        "state": "terminated",
        "completion": "completed",
        "success": "passed",
        "score": "100 (100 %)",
        "time": clock_time(statements[-1]["result"]["duration"]),
    }


@both_versions
async def test_a_failed_course_is_told_with_its_score(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.play("failed", wrong=THREE_OF_FIVE)

    expected = [STARTED, *seen(version, 1, 9, wrong=THREE_OF_FIVE), *failed(version, 40, 0.4)]
    await expect_statements(lrs, learner, version, expected)

    [shown] = await bridge.shown_attempts(page, learner)

    assert shown["fields"]["success"] == "failed"
    assert shown["fields"]["score"] == "40 (40 %)"


@both_versions
async def test_every_statement_says_who_what_and_in_which_attempt(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    began = datetime.now(UTC)
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.save_and_leave()
    await course.expect_end("suspended")
    statements = await expect_statements(lrs, learner, version, [STARTED, *seen(version, 1, 1), SUSPENDED])

    stored = await bridge.verify(learner, version)
    [attempt] = stored["attempts"]
    [session] = attempt["sessions"]
    sco = f"{HOME_PAGE}/courses/sample/sample-{version}"
    for statement in statements:
        verb = statement["verb"]["id"]
        assert statement["verb"]["display"] == {"en-US": verb.removeprefix(VERBS)}
        assert statement["actor"]["account"] == {"homePage": HOME_PAGE, "name": learner_id(learner)}
        assert statement["actor"]["name"] == learner
        assert statement["object"]["definition"] == {
            "type": "http://adlnet.gov/expapi/activities/lesson",
            "name": {"en-US": f"Sample course (SCORM {version})"},
        }
        assert statement["context"]["registration"] == stored["registration"]
        assert [activity["id"] for activity in statement["context"]["contextActivities"]["grouping"]] == [
            f"{HOME_PAGE}/courses/sample",
            f"{sco}?attemptId={attempt['id']}",
        ]
        assert [activity["id"] for activity in statement["context"]["contextActivities"]["category"]] == [
            "https://w3id.org/xapi/scorm"
        ]
        assert extension(statement) == {
            "activity_id": f"sample-{version}",
            "course_id": "sample",
            "attempt": "1",
            "session_id": session["session_id"],
        }
    assert str(UUID(stored["registration"])) == stored["registration"]
    times = [datetime.fromisoformat(statement["timestamp"]) for statement in statements]
    assert began <= times[0]
    assert times[-1] <= datetime.now(UTC)


def _deliveries(statement: dict[str, Any]) -> list[tuple[str, str]]:
    return [(delivery["target"], delivery["state"]) for delivery in statement["deliveries"]]

"""The origin's endpoint, whose ancestor answered 500 and lost every commit."""

from __future__ import annotations

import uuid

from tests.support.bridge import Bridge

PATH = "/scorm/progress/235/"
BODY = {
    "learner": {"id": "learner3_branch1_test"},
    "scorm_version": "1.2",
    "cmi_data": {"core": {"lesson_status": "incomplete", "lesson_location": "p3"}, "suspend_data": "answers"},
}


async def test_a_first_commit_without_a_session_id_is_stored_under_one_that_was_made(bridge: Bridge) -> None:
    status, answer = await bridge.post(PATH, BODY)
    assert status == 200
    assert answer["result"] is True
    assert answer["errorCode"] == 0
    assert uuid.UUID(answer["session_id"])
    assert (answer["attempt"]["number"], answer["enrollment"]["total_attempts"]) == (1, 1)
    assert answer["progress"]["location"] == "p3"
    (report,) = bridge.reports("learner3_branch1_test")
    assert [session.session_id for session in report.sessions] == [answer["session_id"]]
    assert [commit.disposition for commit in report.commits] == ["applied"]


async def test_commits_without_a_session_id_continue_the_session_that_is_open(bridge: Bridge) -> None:
    _, first = await bridge.post(PATH, BODY)
    _, second = await bridge.post(PATH, BODY | {"cmi_data": {"core": {"lesson_status": "passed"}}})

    assert second["session_id"] == first["session_id"]
    assert second["commit"] == 2
    assert second["attempt"]["success_status"] == "passed"


async def test_a_session_id_that_is_given_is_kept(bridge: Bridge) -> None:
    given = str(uuid.UUID(int=7, version=4))
    _, answer = await bridge.post(PATH, BODY | {"session_id": given.upper()})

    assert answer["session_id"] == given


async def test_an_empty_session_id_counts_as_none(bridge: Bridge) -> None:
    for nothing in ("", None):
        status, answer = await bridge.post(PATH, BODY | {"session_id": nothing})

        assert status == 200, nothing
        assert uuid.UUID(answer["session_id"]), nothing


async def test_the_learner_may_be_told_as_user(bridge: Bridge) -> None:
    status, answer = await bridge.post(PATH, {"user": "ada", "scorm_version": "1.2", "cmi_data": {"suspend_data": "x"}})

    assert status == 200
    assert answer["enrollment"]["learner"]["id"] == "ada"
    assert answer["enrollment"]["activity"]["id"] == "235"


async def test_without_its_closing_slash_the_address_works_too(bridge: Bridge) -> None:
    status, _ = await bridge.post("/scorm/progress/235", BODY)

    assert status == 200

"""Where a learner stands over the activities of a course, as the LMS listed them."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from storage.engine import writing
from tests.support.bridge import Bridge
from tests.support.sql import scalar

COMPLETED = {"core": {"lesson_status": "completed"}}
INCOMPLETE = {"core": {"lesson_status": "incomplete"}}
COURSE = {"id": "c7", "activities": ["a", "b", 3]}


async def _standing(bridge: Bridge, course: str = "c7", learner: str = "u1") -> dict[str, Any]:
    status, answer = await bridge.get(f"/v1/courses/{course}?learner={learner}")
    assert status == 200, answer
    return dict(answer)


def _summary(standing: dict[str, Any]) -> tuple[bool | None, int, int]:
    return standing["completed"], standing["completed_activities"], standing["listed_activities"]


async def test_a_course_is_completed_when_all_activities_are_that_the_lms_listed(bridge: Bridge) -> None:
    await bridge.open(activity={"id": "a"}, course=COURSE)
    standings = [_summary(await _standing(bridge))]
    for activity, course in (("a", "c7"), ("b", "c7"), ("not listed", "c7"), ("3", "another"), ("3", "c7")):
        await bridge.commit(COMPLETED, activity={"id": activity}, course={"id": course})
        standings.append(_summary(await _standing(bridge)))

    assert standings == [(False, 0, 3), (False, 1, 3), (False, 2, 3), (False, 2, 3), (False, 2, 3), (True, 3, 3)]


async def test_activities_come_in_the_lms_s_order_with_the_learner_s_results(bridge: Bridge) -> None:
    await bridge.commit(INCOMPLETE, activity={"id": "z"}, course=COURSE)
    await bridge.commit(COMPLETED, activity={"id": "b"}, course={"id": "c7"}, terminated=True)
    activities = (await _standing(bridge))["activities"]

    assert [(each["id"], each["listed"], each["completed"]) for each in activities] == [
        ("a", True, False), ("b", True, True), ("3", True, False), ("z", False, False),
    ]  # fmt: skip
    assert [each["enrollment"] and each["enrollment"]["status"] for each in activities] == [
        None, "terminated", None, "active",
    ]  # fmt: skip


async def test_without_a_list_it_is_not_known_whether_a_course_is_completed(bridge: Bridge) -> None:
    await bridge.commit(COMPLETED, activity={"id": "a"}, course={"id": "c7"})
    await bridge.commit(COMPLETED, activity={"id": "alone"})

    assert _summary(await _standing(bridge)) == (None, 0, 0)
    assert [each["id"] for each in (await _standing(bridge, "alone"))["activities"]] == ["alone"]


async def test_the_list_is_each_learner_s_and_the_newest_one_counts(bridge: Bridge) -> None:
    for learner in ("u1", "u2"):
        await bridge.commit(COMPLETED, learner={"id": learner}, activity={"id": "a"}, course=COURSE)
    await bridge.commit(COMPLETED, activity={"id": "a"}, course={"id": "c7", "activities": ["a"]})
    assert _summary(await _standing(bridge)) == (True, 1, 1)
    assert _summary(await _standing(bridge, learner="u2")) == (False, 1, 3)

    await bridge.commit(INCOMPLETE, activity={"id": "a"}, course={"id": "c7"})
    assert _summary(await _standing(bridge)) == (True, 1, 1)

    await bridge.open(activity={"id": "a"}, course={"id": "c7", "activities": []})
    assert _summary(await _standing(bridge)) == (None, 0, 0)


async def test_what_another_activity_s_session_listed_meanwhile_is_listed_anew(bridge: Bridge) -> None:
    """The session of the first activity is cached, and knows of no other list than its own."""
    for activities in (["a"], ["a", "b"], ["a"]):
        await bridge.open(activity={"id": activities[-1]}, course={"id": "c7", "activities": activities})

    assert (await _standing(bridge))["listed_activities"] == 1


async def test_a_course_whose_id_is_an_iri_is_found_by_its_encoded_id(bridge: Bridge) -> None:
    course = "https://lms.example.org/courses/7?a=1&b=%2F"
    await bridge.open(activity={"id": "a"}, course={"id": course, "activities": ["a"]})
    encoded = "https%3A%2F%2Flms.example.org%2Fcourses%2F7%3Fa%3D1%26b%3D%252F"
    status, answer = await bridge.get(URL(f"/v1/courses/{encoded}?learner=u1", encoded=True))

    assert (status, answer["course"], answer["listed_activities"]) == (200, course, 1)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/courses/c8?learner=u1", 404, "course-unknown"),
        ("/v1/courses/c7?learner=u2", 404, "course-unknown"),
        ("/v1/courses/c7", 400, "malformed-field"),
        ("/v1/courses/c%00?learner=u1", 400, "malformed-field"),
    ],
)
async def test_what_there_is_not_is_said(bridge: Bridge, path: str, status: int, code: str) -> None:
    await bridge.open(activity={"id": "a"}, course=COURSE)
    answer = await bridge.get(URL(path, encoded=True))

    assert (answer[0], answer[1]["code"]) == (status, code)


@pytest.mark.parametrize(
    "activities",
    [["a", ""], ["a\n"], ["x" * 1001], [f"{number}" for number in range(501)], [f"{n:0999}" for n in range(101)]],
    ids=["blank", "control character", "long id", "many", "long"],
)
async def test_a_list_that_cannot_be_meant_is_refused(bridge: Bridge, activities: list[str]) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "a"}, "course": {"id": "c7", "activities": activities}}
    status, answer = await bridge.post("/v1/sessions", body)

    assert (status, answer["code"]) == (400, "malformed-field")
    assert answer["detail"].startswith("course.activities")


async def test_the_same_list_again_writes_nothing(bridge: Bridge) -> None:
    """Players that post everything send the list with each commit."""
    first = await bridge.commit(INCOMPLETE, activity={"id": "a"}, course=COURSE)
    with writing(bridge.engine) as connection:
        connection.exec_driver_sql("UPDATE course_activity_list SET activities = '[]'")
    await bridge.commit(COMPLETED, session_id=first["session_id"], activity={"id": "a"}, course=COURSE)

    assert scalar(bridge, "SELECT activities FROM course_activity_list") == "[]"

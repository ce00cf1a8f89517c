"""ILIAS's packages of several SCOs: all post to one address, and each is an activity of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.formats.ilias import MAX_SCOS
from tests.formats.client import FORM, FormatClient, open_format_client, read
from tests.support.bridge import Bridge
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored

FIVE = [
    [5, "cmi.core.lesson_status", "passed"], [5, "cmi.core.score.raw", "90"], [5, "cmi.core.lesson_location", "end"],
    [5, "cmi.suspend_data", "five"],
]  # fmt: skip
SIX = [
    [6, "cmi.core.lesson_status", "incomplete"], [6, "cmi.core.score.raw", "10"], [6, "cmi.core.lesson_location", "p1"],
    [6, "cmi.suspend_data", "six"],
]  # fmt: skip
TWO_POSTS, ONE_POST = ([FIVE, SIX], [[*FIVE, *SIX]])


async def _post(at: FormatClient, *cmi: Any, **beside: Any) -> None:
    for elements in cmi:
        answer = await at.post({"cmi": elements} | beside, Content_Type=FORM)
        assert (answer.status, answer.text) == (200, "ok"), elements


async def _enrollments(bridge: Bridge, query: str = "learner=u1") -> dict[str, dict[str, Any]]:
    status, body = await bridge.get(f"/v1/enrollments?{query}")
    assert status == 200
    return {enrollment["activity"]["id"]: enrollment for enrollment in body["enrollments"]}


@pytest.mark.parametrize("name", [None, "ilias"])
@pytest.mark.parametrize("posts", [TWO_POSTS, ONE_POST], ids=["two posts", "one post"])
async def test_each_sco_of_a_package_has_data_of_its_own(bridge: Bridge, name: str | None, posts: list[Any]) -> None:
    at = await open_format_client(bridge, name, activity={"id": "package", "name": "A package"}, scorm_version="1.2")
    await _post(at, *posts)

    enrollments = await _enrollments(bridge)
    assert enrollments.keys() == {"package", "6"}
    five, six = enrollments["package"], enrollments["6"]
    assert (five["success_status"], five["completion_status"], five["best_score"]["raw"]) == ("passed", "completed", 90)
    assert (six["success_status"], six["completion_status"]) == ("unknown", "incomplete")
    assert six["course"]["id"] == "package"
    assert six["course"]["registration"] == five["course"]["registration"]
    assert (await at.session())["cmi"]["suspend_data"] == "five"
    (attempt,) = bridge.reports(activity="6")
    (session,) = attempt.sessions
    status, body = await bridge.get(f"/v1/sessions/{session.session_id}")
    assert (status, body["cmi"]["suspend_data"], body["cmi"]["core"]["lesson_location"]) == (200, "six", "p1")
    assert "passed" in bridge.rules(activity="package")
    assert "passed" not in bridge.rules(activity="6")


@pytest.mark.parametrize("posts", [TWO_POSTS, ONE_POST], ids=["two posts", "one post"])
async def test_what_came_in_one_post_is_replayed_sco_by_sco(bridge: Bridge, posts: list[Any]) -> None:
    at = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="1.2")
    await _post(at, *posts)
    await _post(at, [[6, "cmi.core.lesson_status", "completed"]], totalTimeCentisec=4_200)

    statements = stored(bridge.engine)

    assert len(statements) > 4
    assert replayed(bridge.engine, DEFAULT) == statements


async def test_a_post_that_is_repeated_changes_nothing(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="1.2")
    await _post(at, *ONE_POST)
    before = bridge.rules(activity="package"), bridge.rules(activity="6")
    await _post(at, *ONE_POST)

    assert (bridge.rules(activity="package"), bridge.rules(activity="6")) == before
    assert [
        commit.disposition
        for activity in ("package", "6")
        for report in bridge.reports(activity=activity)
        for commit in report.commits
    ] == ["applied", "duplicate", "applied", "duplicate"]


async def test_the_next_launch_knows_which_sco_its_activity_is_whatever_is_posted_first(bridge: Bridge) -> None:
    first = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="1.2")
    await _post(first, *TWO_POSTS)
    again = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="1.2")
    await _post(again, [[6, "cmi.core.lesson_location", "p2"]])
    other = await open_format_client(
        bridge, None, learner={"id": "u2"}, activity={"id": "package"}, scorm_version="1.2"
    )
    await _post(other, [[6, "cmi.core.lesson_status", "completed"]])

    (six,) = bridge.reports(activity="6")

    assert json.loads(six.attempt.state)["snapshot"]["location"] == "p2"
    assert (await again.session())["commits"] == []
    assert bridge.rules("u2", "package") == []
    assert "completed" in bridge.rules("u2", "6")


@pytest.mark.parametrize("first", [SIX, [*FIVE, *SIX]], ids=["its own first", "another one's rest first"])
async def test_an_activity_that_has_a_scos_id_is_that_sco(bridge: Bridge, first: list[Any]) -> None:
    at = await open_format_client(bridge, None, activity={"id": "6"}, course={"id": "C"}, scorm_version="1.2")
    await _post(at, first, FIVE, SIX)

    enrollments = await _enrollments(bridge, "course=C")

    assert {activity: enrollment["success_status"] for activity, enrollment in enrollments.items()} == {
        "6": "unknown",
        "5": "passed",
    }


async def test_a_post_of_too_many_scos_is_refused_in_words(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "ilias")
    answer = await at.post({"cmi": [[sco, "cmi.core.lesson_status", "passed"] for sco in range(MAX_SCOS + 1)]})

    assert answer.status == 400
    assert f"at most {MAX_SCOS}" in answer.text
    assert bridge.rules() == []


@pytest.mark.parametrize("name", [None, "ilias"])
async def test_the_total_time_counts_where_the_content_tells_none(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name, scorm_version="1.2")
    body = {
        "cmi": [
            [7, "cmi.core.lesson_status", "passed"],
            [7, "cmi.core.score.raw", "85"],
            [7, "cmi.suspend_data", "SD"],
        ],
        "saved_global_status": 1, "now_global_status": 2, "percentageCompleted": 100, "lp_mode": 6, "hash": "H",
        "p": "1", "totalTimeCentisec": 33_025,
    }  # fmt: skip
    answer = await at.post(body, Content_Type=FORM)

    assert answer.text == "ok"
    assert (await at.session())["attempt"]["total_time"] == "PT5M30.25S"
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_the_time_of_the_whole_package_is_not_another_scos(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="1.2")
    await _post(at, FIVE, totalTimeCentisec=6_000)
    await _post(at, SIX, totalTimeCentisec=6_000)

    enrollments = await _enrollments(bridge)

    assert enrollments["package"]["total_time"] == "PT1M"
    assert enrollments["6"]["total_time"] == "PT0S"


@pytest.mark.parametrize("total_time", [0, -5, True, "33025", None, 10**18])
def test_a_total_time_that_says_nothing_is_left_out(total_time: object) -> None:
    _, call = read(
        {"cmi": [[7, "cmi.core.lesson_status", "passed"]], "totalTimeCentisec": total_time}, content_type=FORM
    )

    assert call.commit is not None
    assert call.commit.tree == {"cmi": {"core": {"lesson_status": "passed"}}}


def test_a_scos_own_time_comes_before_the_packages() -> None:
    _, call = read({"cmi": [["7", "cmi.core.session_time", "00:01:00"]], "totalTimeCentisec": 7_000}, content_type=FORM)

    assert call.commit is not None
    assert call.commit.tree == {"cmi": {"core": {"session_time": "00:01:00"}}}

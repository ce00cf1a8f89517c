"""Flat maps of everything a player knows."""

from __future__ import annotations

import pytest

from tests.formats.client import SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge

BODY = {
    "elements": {
        "cmi.core.lesson_status": "passed",
        "cmi.core.exit": "suspend",
        "cmi.core.score.raw": "85",
        "cmi.core.session_time": "00:02:00",
        "cmi.core.total_time": "00:00:00",
        "cmi.interactions.0.id": "Q1",
        "cmi.interactions._count": "1",
    }
}


def test_the_map_becomes_the_tree() -> None:
    name, call = read(BODY)

    assert name == "elements"
    assert call.commit is not None
    assert call.commit.tree == {
        "cmi": {
            "core": {
                "lesson_status": "passed",
                "exit": "suspend",
                "score": {"raw": "85"},
                "session_time": "00:02:00",
                "total_time": "00:00:00",
            },
            "interactions": {"0": {"id": "Q1"}, "_count": "1"},
        }
    }
    assert call.commit.terminated is None


@pytest.mark.parametrize("name", [None, "elements"])
async def test_the_same_map_again_says_nothing_new_and_ends_nothing(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answers = [await at.post(BODY, method="PUT", query="launch=1") for _ in range(3)]
    session = await at.session()

    assert [(answer.status, answer.json["result"]) for answer in answers] == [(200, True)] * 3
    assert [answer.json["disposition"] for answer in answers] == ["applied", "duplicate", "duplicate"]
    assert session["ended"] is None
    assert session["attempt"]["total_time"] == "PT2M"


async def test_get_gives_the_map_to_go_on_with(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "elements", learner={"id": "u1", "name": "Ada"})
    await at.post(BODY, method="PUT")
    body = (await at.get("launch=index.html")).json

    assert body["result"] is True
    assert body["elements"]["cmi.core.lesson_status"] == "passed"
    assert body["elements"]["cmi.core.student_name"] == "Ada"
    assert all(isinstance(value, str) for value in body["elements"].values())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"elements": {}}',
        '{"elements": []}',
        '{"elements": "cmi.core.exit"}',
        '{"elements": 1',
    ],
)
async def test_a_body_that_is_none_is_refused_as_a_problem(bridge: Bridge, body: str) -> None:
    at = await open_format_client(bridge, "elements")
    answer = await at.post(body, method="PUT")

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert answer.json["code"] == "malformed-body"
    assert answer.json["result"] is False
    assert (await at.session())["commits"] == []


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "elements")

    assert (await at.post({"elements": {"cmi.suspend_data": SUSPEND_DATA}})).status == 200
    assert (await at.get()).json["elements"]["cmi.suspend_data"] == SUSPEND_DATA


def test_a_map_without_elements_of_cmi_is_left_to_other_formats() -> None:
    assert commit({"elements": {"x": "y"}, "cmi": {"location": "p"}}).wire_format == "scorm-again-json"

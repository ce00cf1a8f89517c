"""hyperf-scorm: commits that were normalised before they were sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.formats.client import SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge

BODY: dict[str, Any] = {
    "student_id": "7",
    "student_name": "Ada",
    "score": 85,
    "score_percentage": 85,
    "session": {
        "total_time": 0,
        "session_time": "00:02:00",
        "session_time_seconds": 0,
        "suspend_data": "s",
        "comments": None,
    },
    "lesson": {
        "status": "passed",
        "location": "p3",
        "mode": "normal",
        "entry": None,
        "exit": "suspend",
        "credit": "credit",
    },
    "interactions": [
        {
            "id": "Q1",
            "type": "choice",
            "description": None,
            "learner_response": ["a", "b"],
            "correct_response": ["a"],
            "result": "wrong",
            "weighting": 1,
            "latency_seconds": 12.5,
            "interaction_timestamp": "2026-01-02T10:20:30Z",
            "objectives": [{"id": "o"}],
        },
        {"id": "Q2", "learner_response": [], "correct_response": [], "latency_seconds": 0},
    ],
    "completedAt": "2026-01-02T10:21:00.000Z",
}


def test_it_becomes_the_tree_again() -> None:
    name, call = read(BODY)

    assert name == "hyperf"
    assert call.commit is not None
    assert call.commit.tree == {
        "cmi": {
            "core": {
                "lesson_status": "passed",
                "lesson_location": "p3",
                "lesson_mode": "normal",
                "entry": None,
                "exit": "suspend",
                "credit": "credit",
                "score": {"raw": 85},
                "session_time": "00:02:00",
                "total_time": "",
            },
            "suspend_data": "s",
            "comments": None,
            "interactions": {
                "0": {
                    "id": "Q1",
                    "type": "choice",
                    "description": None,
                    "learner_response": "a[,]b",
                    "correct_responses": {"0": {"pattern": "a"}},
                    "result": "wrong",
                    "weighting": 1,
                    "latency": "PT12.5S",
                    "timestamp": "2026-01-02T10:20:30Z",
                    "objectives": {"0": {"id": "o"}},
                },
                "1": {"id": "Q2"},
            },
        }
    }
    assert call.commit.scorm_version == "1.2"
    assert call.commit.terminated is None


def test_a_status_nobody_set_says_nothing() -> None:
    core = commit(BODY | {"lesson": {"status": "unknown"}, "score": None}).tree["cmi"]["core"]

    assert "lesson_status" not in core
    assert "score" not in core


@pytest.mark.parametrize("name", [None, "hyperf"])
async def test_the_answer_has_its_status_in_it(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answer = await at.post(BODY)

    assert answer.status == 200
    assert answer.json["status"] == 200
    assert answer.json["result"] is True
    assert answer.json["attempt"]["total_time"] == "PT2M"
    assert answer.json["warnings"] == []


async def test_its_call_of_terminate_ends_the_session(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "hyperf")
    await at.post(BODY)
    answer = await at.post({"action": "terminate", "parameter": ""})

    assert answer.json["status"] == 200
    assert (await at.session())["ended"] == "suspended"


@pytest.mark.parametrize(
    "body",
    ["", "hello", "[]", "{}", '{"lesson": {}}', '{"lesson": [], "session": {}}', '{"lesson": "passed", "session": {}}'],
)
async def test_a_body_that_is_none_is_refused_with_its_status_in_it(bridge: Bridge, body: str) -> None:
    at = await open_format_client(bridge, "hyperf")
    answer = await at.post(body)
    refusal = answer.json

    assert answer.status == 400
    assert refusal.pop("message").endswith(".")
    assert refusal == {"status": 400, "success": False, "result": False, "errorCode": 101}
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize("odd", [None, 3, "x", True, [1], {"a": 1}])
def test_odd_values_are_no_reason_to_refuse(odd: object) -> None:
    body = {
        "lesson": dict.fromkeys(("status", "location", "exit"), odd),
        "session": dict.fromkeys(("total_time", "session_time", "session_time_seconds"), odd),
        "score": odd,
        "interactions": [odd, {"learner_response": odd, "latency_seconds": odd, "objectives": odd}],
    }

    assert commit(body).wire_format == "hyperf"


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "hyperf")

    assert (await at.post(BODY | {"session": {"suspend_data": SUSPEND_DATA}})).status == 200
    assert (await at.session())["cmi"]["suspend_data"] == SUSPEND_DATA

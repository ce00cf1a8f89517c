"""SCORM's API calls posted one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.formats.client import SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge

TRUE = {"result": "true", "errorCode": "0"}


def call(method: str, *parameters: Any) -> dict[str, Any]:
    return {"method": method, "parameters": list(parameters)}


def test_set_value_becomes_the_tree_and_may_be_part_of_something() -> None:
    name, request = read(call("SetValue", "cmi.interactions.0.id", "Q1"))

    assert name == "rpc"
    assert request.commit is not None
    assert request.commit.tree == {"cmi": {"interactions": {"0": {"id": "Q1"}}}}
    assert request.commit.settled is False
    assert request.commit.terminated is False


@pytest.mark.parametrize("method", ["Terminate", "LMSFinish", "Finish", "LMSTerminate", "terminate"])
def test_terminate_by_any_name_ends_the_session(method: str) -> None:
    assert commit(call(method, "")).terminated is True


def test_commit_settles_what_was_said() -> None:
    decoded = commit(call("Commit", ""))

    assert decoded.settled is True
    assert decoded.terminated is False
    assert decoded.tree == {}


@pytest.mark.parametrize("name", [None, "rpc"])
async def test_a_session_is_answered_in_text(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answers = [
        await at.post(call("Initialize", "")),
        await at.post(call("SetValue", "cmi.core.lesson_status", "passed")),
        await at.post(call("SetValue", "cmi.core.score.raw", 85)),
        await at.post(call("SetValue", "cmi.core.session_time", "00:02:00")),
        await at.post(call("Commit", "")),
        await at.post(call("Commit", "")),
        await at.post(call("Terminate", "")),
    ]

    assert [(answer.status, answer.content_type, answer.json) for answer in answers] == [
        (200, "application/json", TRUE)
    ] * 7
    assert bridge.rules() == ["initialized", "completed", "passed", "scored", "terminated"]
    assert (await at.session())["attempt"]["total_time"] == "PT2M"


async def test_a_scores_parts_make_one_statement_at_the_commit(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "rpc")
    await at.post(call("SetValue", "cmi.core.lesson_status", "passed"))
    for element, value in (("raw", 150), ("min", 0), ("max", 200)):
        await at.post(call("SetValue", f"cmi.core.score.{element}", value))
    before = bridge.rules()
    await at.post(call("Commit", ""))
    await at.post(call("Terminate", ""))
    (report,) = bridge.reports()
    scores = [json.loads(statement.body)["result"] for statement in report.statements if statement.rule == "scored"]

    assert before == ["initialized", "completed", "passed"]
    assert bridge.rules() == ["initialized", "completed", "passed", "scored", "terminated"]
    assert scores == [{"score": {"scaled": 0.75, "raw": 150, "min": 0, "max": 200}}]


async def test_values_and_counts_can_be_asked_for(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "rpc", learner={"id": "u1", "name": "Ada"})
    before = await at.post(call("GetValue", "cmi.core.lesson_status"))
    for element, value in (
        ("cmi.core.lesson_location", "p3"),
        ("cmi.interactions.0.id", "Q1"),
        ("cmi.interactions.4.id", "Q5"),
    ):
        await at.post(call("SetValue", element, value))

    async def get_value(element: str) -> str:
        answer = (await at.post(call("GetValue", element))).json
        assert answer["errorCode"] == "0"
        return answer["result"]

    assert before.json == {"result": "not attempted", "errorCode": "0"}
    assert await get_value("cmi.core.lesson_location") == "p3"
    assert await get_value("cmi.core.student_name") == "Ada"
    assert await get_value("cmi.interactions._count") == "5"
    assert await get_value("cmi.objectives._count") == "0"
    assert await get_value("cmi.learner_name") == "Ada"
    assert await get_value("nonsense") == ""
    assert (await at.post(call("GetLastError"))).json == {"result": "0", "errorCode": "0"}
    assert (await at.post(call("GetDiagnostic", "0"))).json == {"result": "", "errorCode": "0"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "{}",
        "null",
        "SetValue=x",
        '{"method": "SetValue"}',
        '{"method": "SetValue", "parameters": ["cmi.core.exit"]}',
        '{"method": "SetValue", "parameters": [3, "x"]}',
        '{"method": "SetValue", "parameters": "cmi.core.exit"}',
        '{"method": "GetValue", "parameters": []}',
        '{"method": "Explode", "parameters": []}',
        '{"method": null, "parameters": []}',
        '{"method": {"a": 1}, "parameters": {}}',
    ],
)
async def test_a_body_that_is_none_is_refused_as_an_invalid_argument(bridge: Bridge, body: str) -> None:
    at = await open_format_client(bridge, "rpc")
    answer = await at.post(body)
    refusal = answer.json

    assert (answer.status, refusal.pop("detail")[-1:]) == (200, ".")
    assert refusal == {"result": "false", "errorCode": "201"}
    assert (await at.session())["commits"] == []


async def test_an_unknown_session_is_refused_in_text(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "rpc")
    at.address = at.address.replace(at.session_id, "99999999-0000-4000-8000-000000000001").split("?")[0]
    answer = await at.post(call("Initialize", ""), Authorization=f"Bearer {bridge.token}")

    assert answer.status == 200
    assert answer.json["result"] == "false"
    assert answer.json["errorCode"] == "101"


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "rpc")

    assert (await at.post(call("SetValue", "cmi.suspend_data", SUSPEND_DATA))).json == TRUE
    assert (await at.post(call("GetValue", "cmi.suspend_data"))).json["result"] == SUSPEND_DATA

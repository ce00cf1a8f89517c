"""Sakai: SCORM's API calls posted one by one, with the SCO that they are of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.formats.client import SUSPEND_DATA, FormatClient, commit, open_format_client, read
from tests.support.bridge import Bridge
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored

DONE = {"value": "true", "errorCode": "0", "diagnostic": "", "sessionEnded": False}


def call(method: str, *arguments: Any, sco: str | None = "item-1", **more: Any) -> dict[str, Any]:
    return {"method": method, "arguments": list(arguments)} | ({} if sco is None else {"scoId": sco}) | more


async def post(at: FormatClient, *calls: dict[str, Any]) -> list[Any]:
    answers = [await at.post(one) for one in calls]
    assert {answer.status for answer in answers} == {200}
    return [answer.json for answer in answers]


SESSION = [
    call("Initialize", ""),
    call("SetValue", "cmi.interactions.0.id", "Q1"),
    call("SetValue", "cmi.interactions.0.type", "choice"),
    call("SetValue", "cmi.interactions.0.learner_response", "a"),
    call("SetValue", "cmi.interactions.0.result", "correct"),
    call("SetValue", "cmi.score.scaled", "0.8"),
    call("SetValue", "cmi.session_time", "PT2M"),
    call("SetValue", "cmi.success_status", "passed"),
    call("SetValue", "cmi.completion_status", "completed"),
    call("SetValue", "cmi.exit", "normal"),
    call("Commit", ""),
    call("GetLastError"),
    call("Terminate", ""),
]


def test_a_call_becomes_the_tree_of_its_sco() -> None:
    name, request = read(call("SetValue", "cmi.interactions.0.id", "Q1"))

    assert (name, request.sco) == ("sakai", "item-1")
    assert request.commit is not None
    assert request.commit.tree == {"cmi": {"interactions": {"0": {"id": "Q1"}}}}
    assert (request.commit.settled, request.commit.terminated, request.commit.scorm_version) == (False, False, "2004")


def test_the_last_call_says_again_what_the_browser_may_not_have_sent() -> None:
    last = commit(
        call("Terminate", "", hintScoreScaled="0.8", hintCompletionStatus="completed", hintSuccessStatus=None)
    )

    assert last.terminated is True
    assert last.tree == {"cmi": {"score": {"scaled": "0.8"}, "completion_status": "completed"}}


@pytest.mark.parametrize("name", [None, "sakai"])
async def test_a_session_of_calls_is_a_session(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name, scorm_version="2004")
    answers = await post(at, *SESSION)

    assert answers == [DONE if one["method"] != "GetLastError" else DONE | {"value": "0"} for one in SESSION]
    assert sorted(bridge.rules()) == ["completed", "initialized", "passed", "responded", "scored", "terminated"]
    assert (await at.session())["attempt"]["total_time"] == "PT2M"
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_a_value_that_was_set_can_be_asked_for_and_that_of_another_sco_is_not_taken_for_it(
    bridge: Bridge,
) -> None:
    at = await open_format_client(bridge, "sakai", learner={"id": "u1", "name": "Ada"}, scorm_version="2004")
    await post(at, call("SetValue", "cmi.location", "p3"), call("SetValue", "cmi.location", "p9", sco="item-2"))
    asked = [
        call("GetValue", "cmi.location"), call("GetValue", "cmi.location", sco="item-2"),
        call("GetValue", "cmi.location", sco="item-3"), call("GetValue", "cmi.learner_name"),
        call("GetValue", "cmi.location", sco=None),
    ]  # fmt: skip

    assert [answer["value"] for answer in await post(at, *asked)] == ["p3", "p9", "", "Ada", "p3"]


async def test_a_score_that_comes_after_the_last_call_still_counts(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None, scorm_version="2004")
    await post(at, call("SetValue", "cmi.score.scaled", "0.4"), call("Commit", ""))
    await post(at, call("Terminate", "", hintScoreScaled="0.8"), call("SetValue", "cmi.score.scaled", "0.8"))

    assert (await at.session())["attempt"]["score"]["scaled"] == 0.8


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "hello",
        "{}",
        call("Explode", ""),
        call("SetValue", "cmi.location"),
        call("SetValue", 1, "x"),
        call("GetValue"),
        call("Commit", "", sco="s" * 251),
        call("Commit", "", sco="a\nb"),
    ],
)
async def test_a_body_that_is_none_is_refused_with_a_message_for_the_player(bridge: Bridge, broken: Any) -> None:
    at = await open_format_client(bridge, "sakai")
    answer = await at.post(broken)

    assert answer.status == 400
    assert answer.json["value"] == "false"
    assert answer.json["errorCode"] == "201"
    assert answer.json["message"] == answer.json["diagnostic"]
    assert (await at.session())["commits"] == []


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "sakai", scorm_version="2004")
    await post(at, call("SetValue", "cmi.suspend_data", SUSPEND_DATA))

    assert (await post(at, call("GetValue", "cmi.suspend_data")))[0]["value"] == SUSPEND_DATA

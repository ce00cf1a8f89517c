"""Elements posted one by one, in whatever order they arrive."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.formats.client import SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge

VALUES: dict[str, Any] = {
    "cmi.interactions.0.result": "correct",
    "cmi.interactions.0.id": "Q1",
    "cmi.core.lesson_status": "passed",
    "cmi.core.score.raw": 85,
}


def test_a_flat_name_below_cmi_becomes_the_tree() -> None:
    name, call = read({"cmi": {"cmi.interactions.0.id": "Q1"}})

    assert name == "single"
    assert call.commit is not None
    assert call.commit.tree == {"cmi": {"interactions": {"0": {"id": "Q1"}}}}
    assert call.commit.settled is False
    assert call.commit.terminated is None
    assert call.commit.full is False


def test_several_at_once_are_settled() -> None:
    assert commit({"cmi": VALUES}).settled is True


def test_a_whole_tree_at_the_same_address_is_scorm_agains() -> None:
    assert read({"cmi": {"core": {"lesson_status": "passed"}}})[0] == "scorm-again"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
async def test_the_order_of_arrival_does_not_matter(bridge: Bridge, order: tuple[int, ...]) -> None:
    at = await open_format_client(bridge, None)
    names = list(VALUES)
    for place in order:
        answer = await at.post({"cmi": {names[place]: VALUES[names[place]]}})
        assert (answer.status, answer.json["result"], answer.json["disposition"]) == (200, True, "applied"), place
    session = await at.session()

    assert session["attempt"]["completion_status"] == "completed"
    assert session["attempt"]["score"] == {"scaled": 0.85, "raw": 85}
    assert session["ended"] is None


SCORE = [("cmi.core.score.raw", 85), ("cmi.core.score.max", 200), ("cmi.core.score.min", 10)]
WHOLE = {"scaled": 0.394737, "raw": 85, "min": 10, "max": 200}
TOLD = WHOLE | {"scaled": 0.85}  # raw / 100, as the SCORM Profile has it


@pytest.mark.parametrize("order", list(itertools.permutations(SCORE)))
async def test_a_scores_parts_make_one_statement_and_one_best_score(
    bridge: Bridge, order: tuple[tuple[str, int], ...]
) -> None:
    at = await open_format_client(bridge, None)
    for name, value in order:
        assert (await at.post({"cmi": {name: value}})).status == 200
    before = bridge.rules()
    tree = {"cmi": {"core": {"score": {"raw": "85", "min": "10", "max": "200"}}}}
    answer = await at.post(tree, query="isTerminateCommit=true")
    (report,) = bridge.reports()
    scores = [json.loads(statement.body)["result"] for statement in report.statements if statement.rule == "scored"]

    assert before == ["initialized"]
    assert scores == [{"score": TOLD}]
    assert answer.json["enrollment"]["best_score"] == WHOLE


@pytest.mark.parametrize(
    "body",
    ["", "hello", "{}", '{"cmi": {}}', '{"cmi": "cmi.core.exit"}', '{"cmi": null}', '{"cmi": ["cmi.core.exit"]}'],
)
async def test_a_body_that_is_none_is_refused_as_a_problem(bridge: Bridge, body: str) -> None:
    at = await open_format_client(bridge, "single")
    answer = await at.post(body)

    assert (answer.status, answer.json["code"]) == (400, "malformed-body")
    assert (await at.session())["commits"] == []


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "single")

    assert (await at.post({"cmi": {"cmi.suspend_data": SUSPEND_DATA}})).status == 200
    assert (await at.get()).json["cmi"]["suspend_data"] == SUSPEND_DATA


WHOLE_TREE = {
    "suspend_data": "",
    "core": {"student_id": "", "lesson_status": "passed", "exit": "suspend", "session_time": "00:05:30.25"},
    "interactions": {
        "0": {"id": "Q1", "time": "10:20:30", "type": "choice", "student_response": "b", "result": "wrong"}
    },
}


async def test_the_formats_own_door_takes_the_whole_tree_that_its_player_posts_at_the_end(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "single")
    await at.post({"cmi": {"cmi.interactions.0.id": "Q1"}})
    await at.post({"cmi": {"cmi.interactions.0.student_response": "b"}})

    for body in ({"cmi": WHOLE_TREE}, {"cmi": WHOLE_TREE | {"suspend_data": "p3"}}):
        answer = await at.post(body)
        assert (answer.status, answer.json["disposition"], answer.json["warnings"]) == (200, "applied", []), body

    assert bridge.rules().count("responded") == 1
    assert (await at.session())["attempt"]["success_status"] == "passed"


async def test_the_formats_own_door_refuses_what_is_neither(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "single")

    for body in ({"learner": "u1"}, [{"name": "cmi.core.exit", "value": "suspend"}], {"cmi": 5}):
        answer = await at.post(body)
        assert (answer.status, answer.json["code"]) == (400, "malformed-body"), body

"""ILIAS, SCORM 2004: rows of tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.formats.ilias import MAX_SCOS
from tests.formats.client import FORM, SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored

COLUMNS = {
    "cmi_node_id": 15, "completion_status": 17, "sco": 19, "credit": 21, "entry": 23, "exit": 24, "learner_name": 27,
    "location": 28, "max": 29, "min": 30, "mode": 31, "raw": 34, "scaled": 35, "session_time": 37,
    "success_status": 38, "suspend_data": 39, "total_time": 40,
}  # fmt: skip


def node(**values: Any) -> list[Any]:
    row: list[Any] = [None] * 43
    for name, value in values.items():
        row[COLUMNS[name]] = value
    return row


def body(*nodes: list[Any], **tables: Any) -> dict[str, Any]:
    """Return a post as the player builds it: tables in which nothing has changed are empty."""
    empty: dict[str, Any] = {"package": [], "comment": [], "correct_response": [], "interaction": [], "objective": []}
    about = {
        "i_check": 0, "i_set": 0, "adl_seq_utilities": {}, "changed_seq_utilities": 0, "saved_global_status": 1,
        "now_global_status": 2, "percentageCompleted": 100, "lp_mode": 6, "hash": "4711", "p": "13",
        "totalTimeCentisec": 6000,
    }  # fmt: skip
    return empty | {"node": list(nodes)} | about | tables


NODE = node(
    cmi_node_id=88, sco=7, completion_status="completed", success_status="passed", scaled=0.9, session_time="PT1M",
    total_time="PT1M", location="p3", suspend_data="SD", entry="ab-initio", mode="normal", credit="credit", exit="",
)  # fmt: skip
QUESTION = ["0", 88, "What?", "Q1", "PT5S", 5, "correct", "2026-01-01T00:00:10", "numeric", 1]
BODY = body(
    NODE,
    interaction=[QUESTION],
    correct_response=[[None, "0", "5"]],
    objective=[
        [None, 88, None, "completed", "Aim", "o1", None, None, None, 0.5, None, "passed", None],
        ["0", 88, None, None, None, "o1"],
        [None, None, None, "completed", None, "shared by the package"],
    ],
    comment=[[None, 88, "Nice", "2026-01-01T00:00:20", "p3", False], [None, 88, "Welcome", None, None, True]],
)


def test_rows_become_the_tree() -> None:
    name, call = read(BODY, content_type=FORM)

    assert (name, call.sco) == ("ilias-2004", "7")
    assert call.commit is not None
    assert (call.commit.scorm_version, call.commit.terminated) == ("2004", None)
    assert call.commit.tree == {
        "cmi": {
            "completion_status": "completed", "success_status": "passed", "score": {"scaled": 0.9}, "exit": "",
            "session_time": "PT1M", "total_time": "PT1M", "location": "p3", "suspend_data": "SD",
            "entry": "ab-initio", "mode": "normal", "credit": "credit",
            "comments_from_learner": [{"comment": "Nice", "timestamp": "2026-01-01T00:00:20", "location": "p3"}],
            "interactions": {
                "0": {
                    "description": "What?", "id": "Q1", "latency": "PT5S", "learner_response": 5, "result": "correct",
                    "timestamp": "2026-01-01T00:00:10", "type": "numeric", "weighting": 1,
                    "objectives": [{"id": "o1"}], "correct_responses": [{"pattern": "5"}],
                },
            },
            "objectives": [
                {
                    "completion_status": "completed", "description": "Aim", "id": "o1", "success_status": "passed",
                    "score": {"scaled": 0.5},
                }
            ],
        }
    }  # fmt: skip


@pytest.mark.parametrize("name", [None, "ilias-2004"])
async def test_a_post_is_stored_and_answered_with_the_status_that_it_counts(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answer = await at.post(BODY, Content_Type=FORM)

    assert (answer.status, answer.content_type) == (200, "text/javascript; charset=utf-8")
    assert answer.json == {"new_global_status": 2}
    assert set(bridge.rules()) >= {"initialized", "responded", "commented", "scored", "completed", "passed"}
    assert (await at.session())["attempt"]["total_time"] == "PT1M"
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_the_same_post_twice_is_one_commit(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None)
    await at.post(BODY)
    rules = bridge.rules()
    await at.post(BODY)

    assert bridge.rules() == rules
    assert [commit["disposition"] for commit in (await at.session())["commits"]] == ["applied", "duplicate"]


def test_a_question_keeps_its_place_when_those_of_an_earlier_session_have_keys_of_the_database() -> None:
    earlier = [[4712, 88, None, "Q2", None, "b", "incorrect", None, "choice"]]
    first = [[4711, 88, None, "Q1", None, "a", "correct", None, "choice"]]
    fresh = [["2", 88, None, "Q3", None, "c", "correct", None, "choice"]]
    both = commit(body(NODE, interaction=first + earlier)).tree["cmi"]["interactions"]
    three = commit(body(NODE, interaction=fresh + first + earlier)).tree["cmi"]["interactions"]

    assert {index: question["id"] for index, question in both.items()} == {"0": "Q1", "1": "Q2"}
    assert {index: question["id"] for index, question in three.items()} == {"0": "Q1", "1": "Q2", "2": "Q3"}


async def test_each_sco_of_one_post_has_data_of_its_own(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="2004")
    other = node(cmi_node_id=89, sco=8, completion_status="incomplete", suspend_data="eight", scaled=0.1)
    questions = [["0", 88, None, "Q1", None, "a", "correct"], [700, 89, None, "Q9", None, "b", "incorrect"]]
    patterns = [[None, "0", "a"], [None, 700, "z"]]
    answer = await at.post(body(NODE, other, interaction=questions, correct_response=patterns))
    (eight,) = bridge.reports(activity="8")
    snapshot = json.loads(eight.attempt.state)["snapshot"]

    assert answer.status == 200
    assert (await at.session())["cmi"]["suspend_data"] == "SD"
    assert "passed" in bridge.rules(activity="package")
    assert snapshot["suspend_data"] == "eight"
    assert [question["id"] for question in snapshot["interactions"].values()] == ["Q9"]
    assert snapshot["interactions"]["0"]["correct_responses"]["0"] == {"pattern": "z"}
    assert eight.attempt.scorm_version == "2004"
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


def test_patterns_of_questions_whose_key_two_scos_have_are_left_out() -> None:
    questions = [["0", 88, None, "Q1"], ["0", 89, None, "Q9"]]
    _, call = read(body(NODE, node(cmi_node_id=89, sco=8), interaction=questions, correct_response=[[None, "0", "a"]]))
    parts = [part.commit.tree["cmi"]["interactions"] for part in (call, *call.others) if part.commit is not None]

    assert parts == [{"0": {"id": "Q1"}}, {"0": {"id": "Q9"}}]


@pytest.mark.parametrize(
    "nothing", [body(), {"hash": "4711", "p": "13", "last": "", "total_time_sec": 61}], ids=["no rows", "unloading"]
)
async def test_what_is_of_no_sco_is_a_success_that_stores_nothing(bridge: Bridge, nothing: dict[str, Any]) -> None:
    at = await open_format_client(bridge, "ilias-2004")

    assert (await at.post(nothing)).status == 200
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "hello",
        "{}",
        {"node": 1},
        body(NODE) | {"node": [1]},
        body(node(completion_status="completed")),
        body(node(sco="a\nb")),
        body(node(sco="s" * 251)),
        body(NODE, interaction={"0": []}),
        body(NODE, objective=["o1"]),
        body(*(node(sco=sco) for sco in range(MAX_SCOS + 1))),
    ],
)
async def test_a_body_that_is_none_is_refused_in_words(bridge: Bridge, broken: Any) -> None:
    at = await open_format_client(bridge, "ilias-2004")
    answer = await at.post(broken)

    assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert answer.text.startswith("error: ")
    assert (await at.session())["commits"] == []


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "ilias-2004", scorm_version="2004")

    assert (await at.post(body(node(sco=7, suspend_data=SUSPEND_DATA)))).status == 200
    assert (await at.session())["cmi"]["suspend_data"] == SUSPEND_DATA

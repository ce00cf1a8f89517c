"""scorm-again: text that is no form, envelopes, wrappers, and the marks of a last commit."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.formats.client import FORM, SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge

TEXT = (
    'cmi.suspend_data={"a":[1],"s":"é & = % + ü"}&cmi.comments=nice & good&cmi.core.lesson_location=page=2&x=1'
    "&cmi.core.lesson_status=passed&cmi.interactions.0.objectives=[object Object]&cmi.interactions.0.id=Q&1"
    "&cmi.launch_data="
)
TREE: Any = {
    "cmi": {
        "suspend_data": '{"a":[1],"s":"é & = % + ü"}',
        "comments": "nice & good",
        "core": {"lesson_location": "page=2&x=1", "lesson_status": "passed"},
        "interactions": {"0": {"id": "Q&1"}},
        "launch_data": "",
    }
}
FLAT = {"cmi.core.lesson_status": "passed", "cmi.core.exit": "", "cmi.objectives": {}}
NESTED = {"cmi": {"core": {"lesson_status": "passed"}}}
EVERYTHING = {
    "cmi": {
        "core": {"session_time": "00:00:01", "entry": "", "credit": "", "lesson_status": "incomplete"},
        "student_data": {},
    }
}


@pytest.mark.parametrize("content_type", [FORM, "text/plain;charset=utf-8", "application/json;charset=UTF-8", ""])
def test_text_is_split_where_elements_begin_and_nothing_is_decoded(content_type: str) -> None:
    name, call = read(TEXT, content_type=content_type)

    assert name == "scorm-again"
    assert call.commit is not None
    assert call.commit.wire_format == "scorm-again-params"
    assert call.commit.tree == TREE
    assert call.commit.sequence is None
    assert call.commit.terminated is None


def test_text_that_is_a_form_in_truth_is_decoded() -> None:
    elements = {"cmi.suspend_data": "é & = % + ü", "cmi.core.lesson_location": "a b"}

    assert commit(urlencode(elements)).tree == {
        "cmi": {"suspend_data": "é & = % + ü", "core": {"lesson_location": "a b"}}
    }
    assert commit(urlencode({"session": "1"} | elements)).tree == commit(urlencode(elements)).tree


def test_a_percent_sign_alone_does_not_make_it_a_form() -> None:
    assert commit("cmi.suspend_data=100%25, a+b&cmi.launch_data=").tree["cmi"]["suspend_data"] == "100%25, a+b"
    assert commit("cmi.core.lesson_location=a+b").tree["cmi"]["core"]["lesson_location"] == "a+b"


@pytest.mark.parametrize(
    ("end", "sequence", "terminated"),
    [
        ("&commitSequence=3", 3, None),
        ("&commitSequence=3&lastOne=true", 3, True),
        ("&lastOne=true&commitSequence=3", 3, True),
        ("&lastOne=true", None, True),
        ("&lastOne=false", None, None),
    ],
)
def test_what_is_appended_to_the_text_counts_and_marks(end: str, sequence: int | None, terminated: object) -> None:
    decoded = commit(f"{TEXT}{end}")

    assert decoded.sequence == sequence
    assert decoded.terminated is terminated
    if terminated is not None or sequence is not None:
        assert decoded.tree == TREE


def test_marks_inside_a_value_are_the_learners() -> None:
    text = "cmi.comments=x&commitSequence=9&done=true&cmi.core.exit=suspend"

    assert commit(text).tree == {"cmi": {"comments": "x&commitSequence=9&done=true", "core": {"exit": "suspend"}}}
    assert commit(text).sequence is None


@pytest.mark.parametrize(
    "data",
    [
        NESTED,
        FLAT,
        ["cmi.core.lesson_status=passed", "cmi.core.exit=", "cmi.objectives=[object Object]"],
        "cmi.core.lesson_status=passed&cmi.core.exit=",
    ],
)
def test_the_envelope_holds_a_tree_a_map_a_list_or_a_text(data: object) -> None:
    decoded = commit({"completionStatus": "incomplete", "totalTimeSeconds": 0, "score": {}, "runtimeData": data})

    assert decoded.wire_format == "scorm-again-common"
    assert decoded.tree["cmi"]["core"]["lesson_status"] == "passed"
    assert "objectives" not in decoded.tree["cmi"]


def test_a_list_keeps_what_is_in_its_texts() -> None:
    decoded = commit({"runtimeData": ["cmi.suspend_data=a=b&c", "cmi.interactions=[object Object]", 3, "x=y"]})

    assert decoded.tree == {"cmi": {"suspend_data": "a=b&c"}}


@pytest.mark.parametrize(
    "body",
    [
        {"session_id": "s", "meta": {"isTerminateCommit": True, "trigger": "x", "sequence": 3}, "data": NESTED},
        {"sequence": 3, "terminated": True, "payload": NESTED},
        {"commitSequence": 3, "isFinal": True, "commitObject": FLAT},
        {"commitSequence": 3, "isLast": True, "whatever": {"runtimeData": NESTED}},
        {"commitSequence": 3, "finish": True, "body": json.dumps(NESTED)},
        {"commitSequence": 3, "terminate": True, "body": "cmi.core.lesson_status=passed"},
        {"terminate": False, "body": {"commitSequence": 3, "done": True, **NESTED}},
    ],
)
def test_one_wrapper_is_taken_off_and_what_is_beside_it_kept(body: object) -> None:
    name, call = read(body)

    assert name == "scorm-again"
    assert call.commit is not None
    assert call.commit.tree["cmi"]["core"]["lesson_status"] == "passed"
    assert call.commit.sequence == 3
    assert call.commit.terminated is True


def test_a_wrapper_may_say_that_it_is_not_the_last_and_has_flags_of_its_own() -> None:
    assert commit({"meta": {"isTerminateCommit": False}, "data": NESTED}).terminated is False
    assert commit({"autosave": True, "data": NESTED}).terminated is None


def test_a_form_around_it_is_a_wrapper_too() -> None:
    assert commit(urlencode({"data": json.dumps(NESTED), "commitSequence": "x"})).tree == NESTED


def test_json_that_was_made_text_twice_is_read() -> None:
    assert commit(json.dumps(json.dumps(NESTED))).tree == NESTED


def test_only_whole_snapshots_are_taken_for_everything_that_is_known() -> None:
    flat = (
        "cmi.core.session_time=00:00:01&cmi.core.entry=&cmi.core.credit=&cmi.core.lesson_status=incomplete"
        "&cmi.student_data.mastery_score="
    )

    assert commit(EVERYTHING).full is True
    assert commit(flat).full is True
    assert commit({"data": EVERYTHING}).full is True
    assert commit(NESTED).full is False
    assert commit(TEXT).full is False


@pytest.mark.parametrize("name", [None, "scorm-again"])
async def test_a_session_of_text_is_answered_in_json(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answer = await at.post(TEXT, Content_Type="text/plain;charset=utf-8", Sec_Fetch_Mode="no-cors")

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert (answer.json["result"], answer.json["errorCode"]) == (True, 0)
    assert (await at.session())["cmi"]["suspend_data"] == TREE["cmi"]["suspend_data"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        " \n",
        "hello",
        "cmi",
        "cmi.core.exit",
        "x=cmi.core.exit",
        "{}",
        "[]",
        "null",
        '"x"',
        '{"cmi": 3}',
        '{"runtimeData": 3}',
        '{"runtimeData": {}}',
        '{"runtimeData": ["x=y"]}',
        '{"data": {"data": {"cmi": {"core": {}}}}}',
        '{"data": "{"}',
        '{"cmi": {"core": ',
        b"\x00\xff",
        b"\x1f\x8b\x08\x00",
    ],
)
async def test_a_body_that_is_none_is_refused_as_a_problem(bridge: Bridge, body: str | bytes) -> None:
    for name in ("scorm-again", None):
        at = await open_format_client(bridge, name)
        answer = await at.post(body)

        assert (answer.status, answer.content_type) == (400, "application/problem+json"), name
        assert answer.json["code"] == "malformed-body", name
        assert (answer.json["result"], answer.json["errorCode"]) == (False, 101), name
        assert (await at.session())["commits"] == [], name


@pytest.mark.parametrize(
    "body",
    [
        {"cmi": {"suspend_data": SUSPEND_DATA}},
        {"cmi.suspend_data": SUSPEND_DATA},
        {"runtimeData": [f"cmi.suspend_data={SUSPEND_DATA}"]},
        {"data": {"cmi": {"suspend_data": SUSPEND_DATA}}},
        f"cmi.suspend_data={SUSPEND_DATA}&cmi.launch_data=",
    ],
    ids=["json", "flattened", "list", "wrapped", "params"],
)
async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge, body: object) -> None:
    at = await open_format_client(bridge, None)

    assert (await at.post(body)).status == 200
    assert (await at.session())["cmi"]["suspend_data"] == SUSPEND_DATA

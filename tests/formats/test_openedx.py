"""Open edX: lists of names and values without any last commit."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bridge.formats.openedx import MAX_QUESTIONS
from tests.formats.client import FORM, SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge


def values(**elements: Any) -> list[dict[str, Any]]:
    return [{"name": f"cmi.{name.replace('__', '.')}", "value": value} for name, value in elements.items()]


def test_a_list_becomes_the_tree_and_the_last_of_a_name_wins() -> None:
    name, call = read(
        [
            {"name": "cmi.core.lesson_location", "value": "p1"},
            {"name": "cmi.objectives.0.id", "value": "o"},
            {"name": "cmi.core.lesson_location", "value": "p2"},
        ],
        content_type=f"{FORM}; charset=UTF-8",
    )

    assert name == "openedx"
    assert call.commit is not None
    assert call.commit.tree == {"cmi": {"core": {"lesson_location": "p2"}, "objectives": {"0": {"id": "o"}}}}
    assert call.commit.terminated is None
    assert call.commit.full is False


def test_one_value_alone_is_read_as_well() -> None:
    assert commit({"name": "cmi.location", "value": "p1"}).tree == {"cmi": {"location": "p1"}}


def test_an_interaction_is_settled_once_content_has_gone_on_to_something_else() -> None:
    assert commit(values(interactions__0__id="Q1", interactions__0__result="correct")).settled is False
    assert commit(values(interactions__0__id="Q1", location="p2")).settled is True


@pytest.mark.parametrize("name", [None, "openedx"])
async def test_a_list_is_answered_with_as_many_successes(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    elements = values(
        core__lesson_status="passed",
        core__score__raw="85",
        core__session_time="00:02:00",
        core__exit="suspend",
    )
    answer = await at.post(elements, Content_Type=FORM)
    single = await at.post(elements[0])

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.json == [{"result": "success"}] * 4
    assert single.json == {"result": "success"}
    assert bridge.rules() == ["initialized", "scored", "completed", "passed"]
    assert (await at.session())["ended"] is None


async def test_values_can_be_asked_for(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "openedx")
    await at.post(values(core__lesson_status="incomplete", core__lesson_location="p3"))

    assert (await at.post({"name": "cmi.core.lesson_status", "url": "https://x"})).json == {"value": "incomplete"}
    assert (await at.post([{"name": "cmi.core.lesson_location"}, {"name": "cmi.core.exit"}])).json == [
        {"value": "p3"},
        {"value": ""},
    ]
    assert (await at.get()).json["cmi"]["core"]["lesson_location"] == "p3"


async def test_an_empty_list_is_answered_with_one(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "openedx")

    assert (await at.post([])).json == []
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "name=cmi.location&value=p",
        "{}",
        "[1, 2]",
        "[[]]",
        "[null]",
        '{"name": 3, "value": "p"}',
        '[{"name": "cmi.location", "value": "p"}, {"value": "p"}]',
        '{"cmi": {"location": "p"}}',
    ],
)
async def test_a_body_that_is_none_is_refused_in_a_list(bridge: Bridge, body: str) -> None:
    at = await open_format_client(bridge, "openedx")
    answer = await at.post(body)

    assert answer.status == 400
    assert [item["result"] for item in answer.json] == ["error"]
    assert answer.json[0]["detail"].endswith(".")
    assert (await at.session())["commits"] == []


async def test_a_refusal_is_as_long_as_what_was_sent(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None)
    at.address = at.address.replace(at.session_id, "99999999-0000-4000-8000-000000000001").split("?")[0]
    answer = await at.post(
        values(location="p", suspend_data="s", progress_measure="1"), Authorization=f"Bearer {bridge.token}"
    )

    assert answer.status == 404
    assert [item["result"] for item in answer.json] == ["error"] * 3


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "openedx")

    assert (await at.post(json.dumps(values(suspend_data=SUSPEND_DATA)))).json == [{"result": "success"}]
    assert (await at.post({"name": "cmi.suspend_data"})).json == {"value": SUSPEND_DATA}


async def test_more_questions_or_longer_answers_than_one_post_may_have_are_refused_in_its_words(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "openedx")
    await at.post([{"name": "cmi.suspend_data", "value": "x" * 100_000}])
    many = await at.post([{"name": "cmi.location"}] * (MAX_QUESTIONS + 1))
    much = await at.post([{"name": "cmi.suspend_data"}] * 22)
    enough = await at.post([{"name": "cmi.suspend_data"}] * 20)

    assert (many.status, much.status, enough.status) == (413, 413, 200)
    for answer in (many, much):
        assert msgspec.json.decode(answer.text)[0]["result"] == "error"
    assert [item["value"] for item in msgspec.json.decode(enough.text)] == ["x" * 100_000] * 20

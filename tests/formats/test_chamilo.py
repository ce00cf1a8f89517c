"""Chamilo: a form with short names."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.formats.client import FORM, SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored

ABOUT = (
    "lid=4&uid=13&vid=6&iid=9&session_id=0&course_id=2&finishSignalReceived=0&userNavigatesAway=0"
    "&statusSignalReceived=1"
)
FINAL = ABOUT.replace("finishSignalReceived=0", "finishSignalReceived=1")
SET = "&s=85&max=100&min=0&loc=p3&status=passed&t=0000:01:00&suspend=a%26b%2B%20c&core_exit=suspend"
QUESTION = "[Q1,choice,10:00:00,1,a@.|@b,b@.|@a,correct]"
BODY = f"{FINAL}{SET}&interact[0]={QUESTION}"


def multipart(fields: str) -> bytes:
    """Return the body of the beacon by which the player sends the same fields as the page closes."""
    parts = [field.partition("=")[::2] for field in fields.split("&")]
    lines = [
        f'------W\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{unquote(value)}\r\n' for name, value in parts
    ]
    return "".join([*lines, "------W--\r\n"]).encode()


def test_fields_become_the_tree() -> None:
    name, call = read(BODY, content_type=FORM)

    assert (name, call.sco) == ("chamilo", "9")
    assert call.commit is not None
    assert (call.commit.scorm_version, call.commit.terminated) == ("1.2", True)
    assert call.commit.tree == {
        "cmi": {
            "core": {
                "lesson_status": "passed", "score": {"raw": "85", "max": "100", "min": "0"}, "exit": "suspend",
                "session_time": "0000:01:00", "lesson_location": "p3",
            },
            "suspend_data": "a&b+ c",
            "interactions": {
                "0": {
                    "id": "Q1", "type": "choice", "time": "10:00:00", "weighting": "1", "student_response": "b,a",
                    "result": "correct", "correct_responses": {"0": {"pattern": "a,b"}},
                },
            },
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [("s", "-1"), ("s", "undefined"), ("max", "-1"), ("min", ""), ("status", "undefined"), ("core_exit", "none"),
     ("t", "1767225600"), ("suspend", ""), ("loc", "null")],
)  # fmt: skip
def test_words_for_nothing_set_nothing(field: str, value: str) -> None:
    assert commit(f"{ABOUT}&{field}={value}").tree == {}


@pytest.mark.parametrize(("latency", "sent"), [("", ""), ("00:00:12", ",00:00:1")])
def test_a_latency_whose_end_the_player_cuts_off_is_not_taken_for_another(latency: str, sent: str) -> None:
    tree = commit(f"{ABOUT}&interact[0]=[Q1,choice,10:00:00,1,a,a,correct{sent}]").tree

    assert "latency" not in tree["cmi"]["interactions"]["0"], latency
    assert tree["cmi"]["interactions"]["0"]["result"] == "correct"


@pytest.mark.parametrize("name", [None, "chamilo"])
@pytest.mark.parametrize("posted", [BODY, multipart(BODY)], ids=["form", "beacon"])
async def test_a_post_is_stored_and_the_page_has_nothing_to_evaluate(
    bridge: Bridge, name: str | None, posted: str | bytes
) -> None:
    at = await open_format_client(bridge, name)
    answer = await at.post(posted)

    assert (answer.status, answer.content_type, answer.text) == (200, "text/javascript; charset=utf-8", "")
    assert sorted(bridge.rules()) == ["completed", "initialized", "passed", "responded", "scored", "suspended"]
    assert (await at.session())["attempt"]["total_time"] == "PT1M"
    assert (await at.session())["cmi"]["suspend_data"] == "a&b+ c"
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_leaving_the_item_does_not_end_the_session_before_the_content_says_so(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None)
    await at.post(f"{ABOUT}&status=incomplete".replace("userNavigatesAway=0", "userNavigatesAway=1"))
    await at.post(f"{FINAL}&status=completed&s=70")
    await at.post(FINAL)

    assert (await at.session())["attempt"]["score"]["raw"] == 70
    assert [entry["disposition"] for entry in (await at.session())["commits"]] == ["applied", "applied", "late"]


async def test_the_learner_in_the_form_is_not_whose_session_it_is(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None, learner={"id": "u1"})
    await at.post(BODY.replace("uid=13", "uid=666"))

    assert "passed" in bridge.rules("u1")
    assert bridge.rules("666") == []


async def test_each_item_of_the_path_is_an_activity_of_its_own(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "chamilo", activity={"id": "path"}, scorm_version="1.2")
    await at.post(f"{ABOUT}&status=completed")
    await at.post(f"{ABOUT}&status=failed&s=3".replace("iid=9", "iid=10"))

    assert "completed" in bridge.rules(activity="path")
    assert "failed" in bridge.rules(activity="10")


@pytest.mark.parametrize("broken", ["", "hello", "{}", "lid=4&uid=13", BODY.replace("iid=9", "iid=a%0Ab"), "cmi.a=b"])
async def test_a_body_that_is_none_is_refused_in_a_comment_that_evaluates_to_nothing(
    bridge: Bridge, broken: Any
) -> None:
    at = await open_format_client(bridge, "chamilo")
    answer = await at.post(broken)

    assert (answer.status, answer.content_type) == (400, "text/javascript; charset=utf-8")
    assert answer.text.startswith("// error: ")
    assert len(answer.text.splitlines()) == 1
    assert (await at.session())["commits"] == []


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "chamilo")

    assert (await at.post(f"{ABOUT}&suspend={quote(SUSPEND_DATA)}")).status == 200
    assert (await at.session())["cmi"]["suspend_data"] == SUSPEND_DATA

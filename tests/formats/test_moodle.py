"""Moodle: forms with rewritten element names, deltas, the beacon of a closing page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.formats.client import FORM, SUSPEND_DATA, commit, open_format_client, read
from tests.support.bridge import Bridge

PREFIX = "id=4&a=2&sesskey=k&attempt=1&scoid=7&"
FINISH = f"{PREFIX}cmi__core__lesson_status=passed&cmi__core__exit=suspend&cmi__core__total_time=00%3A02%3A00"


def multipart(fields: dict[str, str], boundary: str = "----FormBoundaryX1") -> bytes:
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return ("".join(parts) + f"--{boundary}--\r\n").encode()


BEACON = multipart({"id": "4", "scoid": "7", "cmi__core__total_time": "00:02:00", "unloading": "1"})


def test_scorm_12_names_become_the_tree() -> None:
    name, call = read(
        f"{PREFIX}cmi__core__score__raw=85&cmi__core__lesson_location=a%3Db%26c+d&cmi__suspend_data=%C3%A9"
        "&cmi__interactions_0__id=Q1&cmi__interactions_0__correct_responses_0__pattern=a"
        "&cmi__interactions_10__objectives_1__id=o&cmi__objectives_0__score__raw=5",
        content_type=FORM,
    )

    assert name == "moodle"
    assert call.commit is not None
    assert call.commit.tree == {
        "cmi": {
            "core": {"score": {"raw": "85"}, "lesson_location": "a=b&c d"},
            "suspend_data": "é",
            "interactions": {
                "0": {"id": "Q1", "correct_responses": {"0": {"pattern": "a"}}},
                "10": {"objectives": {"1": {"id": "o"}}},
            },
            "objectives": {"0": {"score": {"raw": "5"}}},
        }
    }


def test_scorm_2004_names_become_the_tree() -> None:
    decoded = commit(
        f"{PREFIX}cmi__interactions__0__learner_response=b&cmi__comments_from_learner__0__comment=hi"
        "&cmi__completion_status=completed&adl__nav__request=continue"
    )

    assert decoded.tree == {
        "cmi": {
            "interactions": {"0": {"learner_response": "b"}},
            "comments_from_learner": {"0": {"comment": "hi"}},
            "completion_status": "completed",
        },
        "adl": {"nav": {"request": "continue"}},
    }


@pytest.mark.parametrize("content_type", [FORM, "application/json", "text/plain", ""])
def test_the_label_does_not_matter(content_type: str) -> None:
    assert commit(FINISH, content_type=content_type).tree == commit(FINISH).tree


def test_only_total_time_ends_the_session() -> None:
    assert commit(f"{PREFIX}cmi__core__lesson_status=passed").terminated is False
    assert commit(FINISH).terminated is True
    assert commit(f"{PREFIX}cmi__total_time=PT2M&cmi__session_time=PT2M").terminated is True
    assert commit(multipart({"scoid": "7", "cmi__core__lesson_location": "p", "unloading": "1"})).terminated is False


def test_no_commit_is_taken_for_everything_that_is_known() -> None:
    assert commit(FINISH).full is False


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=----FormBoundaryX1", "", "text/plain"])
def test_the_beacon_is_read_by_its_own_first_line(content_type: str) -> None:
    decoded = commit(BEACON, content_type=content_type)

    assert decoded.tree == {"cmi": {"core": {"total_time": "00:02:00"}}}
    assert decoded.terminated is True
    assert decoded.beacon is True


def test_text_in_a_beacon_is_kept_as_it_was_typed() -> None:
    text = "é = & %41 + \r\n--x\r\n  line\n"
    decoded = commit(multipart({"cmi__suspend_data": text, "cmi__comments": "x"}))

    assert decoded.tree == {"cmi": {"suspend_data": text, "comments": "x"}}


@pytest.mark.parametrize("name", [None, "moodle"])
async def test_a_session_is_answered_as_moodle_answers_and_told_as_it_was(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answers = [
        await at.post(
            f"{PREFIX}cmi__core__lesson_status=incomplete&cmi__core__score__raw=85&cmi__core__score__max=100"
        ),
        await at.post(f"{PREFIX}cmi__core__lesson_location=p3"),
        await at.post(FINISH),
        await at.post(FINISH),
    ]
    session = await at.session()

    assert {(answer.status, answer.content_type, answer.text) for answer in answers} == {
        (200, "text/plain; charset=utf-8", "true\n0")
    }
    assert session["ended"] == "suspended"
    assert session["attempt"]["total_time"] == "PT2M"
    assert session["attempt"]["score"] == {"scaled": 0.85, "raw": 85, "max": 100}
    assert [commit["disposition"] for commit in session["commits"]] == ["applied", "applied", "applied", "duplicate"]
    assert bridge.rules() == ["initialized", "scored", "completed", "passed", "suspended"]


async def test_the_beacon_of_a_closing_page_ends_the_session(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "moodle")
    answer = await at.post(
        BEACON,
        query="api=beacon",
        Content_Type="multipart/form-data; boundary=----FormBoundaryX1",
        Sec_Fetch_Mode="no-cors",
    )

    assert answer.text == "true\n0"
    assert (await at.session())["ended"] == "terminated"


async def test_nothing_changed_is_a_success_that_stores_nothing(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "moodle")

    assert (await at.post(PREFIX.rstrip("&"))).text == "true\n0"
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"id=1&a=2",
        b"cmi__core__lesson_status",
        b"hello",
        b"\xff\xfe\x00",
        b"------\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        b'{"cmi": {"core": {"lesson_status": "passed"}}}',
        b"[1, 2",
    ],
)
async def test_a_body_that_is_none_is_refused_in_two_lines(bridge: Bridge, body: bytes) -> None:
    at = await open_format_client(bridge, "moodle")
    answer = await at.post(body)

    assert (answer.status, answer.text) == (200, "false\n101")
    assert (await at.session())["commits"] == []


async def test_a_wrong_token_is_refused_in_two_lines(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "moodle")
    at.address = at.address[:-4] + "AAAA"

    assert (await at.post(FINISH)).text == "false\n101"


async def test_a_body_that_is_too_large_is_refused_in_two_lines(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "moodle")
    answer = await at.post(b"cmi__suspend_data=" + b"x" * (1024 * 1024))

    assert (answer.status, answer.text) == (200, "false\n101")


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "moodle")
    elements: Any = {"cmi__suspend_data": SUSPEND_DATA, "cmi__core__lesson_status": "incomplete"}

    for body in (urlencode(elements), multipart(elements)):
        assert (await at.post(body)).text == "true\n0"
        assert (await at.session())["cmi"]["suspend_data"] == SUSPEND_DATA, body

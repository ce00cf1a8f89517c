"""ILIAS: triples of SCO, name and value."""

from __future__ import annotations

import pytest

from tests.formats.client import FORM, SUSPEND_DATA, open_format_client, read
from tests.support.bridge import Bridge

BODY = {
    "cmi": [[5, "cmi.core.lesson_status", "passed"], [5, "cmi.core.score.raw", "85"], [5, "cmi.comments", None]],
    "percentageCompleted": 100,
    "hash": "h",
}


def test_triples_become_the_tree() -> None:
    name, call = read(BODY, content_type=FORM)

    assert name == "ilias"
    assert call.commit is not None
    assert call.commit.tree == {"cmi": {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}}
    assert call.commit.terminated is None


@pytest.mark.parametrize("name", [None, "ilias"])
async def test_the_answer_is_the_one_text_that_is_taken_for_a_success(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answer = await at.post(BODY)

    assert (answer.status, answer.content_type, answer.text) == (200, "text/plain; charset=utf-8", "ok")
    assert bridge.rules() == ["initialized", "scored", "completed", "passed"]


async def test_nothing_changed_is_a_success_that_stores_nothing(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "ilias")

    assert (await at.post({"cmi": []})).text == "ok"
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "{}",
        '{"cmi": {}}',
        '{"cmi": [1]}',
        '{"cmi": [[5, "cmi.core.exit"]]}',
        '{"cmi": [[5, 6, 7]]}',
        '{"cmi": [[5, "cmi.core.exit", ""], {}]}',
    ],
)
async def test_a_body_that_is_none_is_refused_in_words(bridge: Bridge, body: str) -> None:
    at = await open_format_client(bridge, "ilias")
    answer = await at.post(body)

    assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert answer.text.startswith("error: The body ") or answer.text.startswith("error: Number ")
    assert (await at.session())["commits"] == []


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "ilias")

    assert (await at.post({"cmi": [[5, "cmi.suspend_data", SUSPEND_DATA]]})).text == "ok"
    assert (await at.session())["cmi"]["suspend_data"] == SUSPEND_DATA

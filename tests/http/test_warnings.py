"""What of a request is not taken is said in its answer, and stays with the commit."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from storage.engine import reading
from storage.tables import journal
from tests.formats.client import open_format_client
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.frames import unpack_frames

WHO: dict[str, Any] = {"learner": {"id": "u1"}, "activity": {"id": "235"}}


def _codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(warning["element"], warning["code"]) for warning in answer["warnings"]]


ODD: list[tuple[dict[str, Any], list[str], str]] = [
    ({"atempt": 2}, ["atempt"], "did you mean attempt?"),
    ({"learner": {"id": "u1", "nmae": "Ada"}}, ["learner.nmae"], "did you mean name?"),
    ({"activity": {"id": "235", "title": "Safety"}}, ["activity.title"], "is not a key that is taken here"),
    ({"course": {"id": "c", "Name": "C"}}, ["course.Name"], "did you mean name?"),
    ({"sessionId": "6f3c2a9e-0000-4000-8000-000000000001"}, ["sessionId"], "did you mean session_id?"),
    ({"a": 1, "b": 2}, ["a", "b"], "is not a key that is taken here"),
    ({"a": None, "b": "", "c": {}}, [], ""),
]


@pytest.mark.parametrize(("fields", "elements", "words"), ODD)
async def test_unknown_keys_of_an_opening_are_warned_of(
    bridge: Bridge, fields: dict[str, Any], elements: list[str], words: str
) -> None:
    opened = await bridge.open(**fields)
    assert _codes(opened) == [(element, "unknown-key") for element in elements]
    assert all(words in warning["message"] and warning["value"] == "" for warning in opened["warnings"])

    status, answer = await bridge.post("/v1/commits", WHO | fields | {"cmi": {"core": {"exit": "suspend"}}})
    assert (status, sorted(_codes(answer))) == (200, sorted((element, "unknown-key") for element in elements))
    status, answer = await bridge.post(
        "/scorm/progress/235/", WHO | fields | {"cmi_data": {"core": {"exit": "logout"}}}
    )
    assert (status, sorted(_codes(answer))) == (200, sorted((element, "unknown-key") for element in elements))


async def test_a_misspelt_key_of_a_commit_is_warned_of(bridge: Bridge) -> None:
    answer = await bridge.commit({"core": {"exit": "suspend"}}, terminate=True, sequence=1)

    assert _codes(answer) == [("terminate", "unknown-key")]
    assert "did you mean terminated?" in answer["warnings"][0]["message"]


async def test_what_players_add_to_their_commits_is_not_warned_of(bridge: Bridge) -> None:
    extras = {"courseId": "c", "scoId": "s", "learnerId": "u1", "learnerName": "A", "commitSequence": 1, "score": {}}
    answer = await bridge.commit({"core": {"lesson_status": "passed"}}, **extras, totalTimeSeconds=3)

    assert answer["warnings"] == []


@pytest.mark.parametrize("control", ["\n", "\t", "\0", "\x1b", "\x7f"])
async def test_a_control_character_in_a_name_is_replaced_and_warned_of(bridge: Bridge, control: str) -> None:
    fields = {
        "learner": {"id": "u1", "name": f"Ada{control}Lovelace"},
        "activity": {"id": "235", "name": f"Safety{control}first"},
        "course": {"id": "c", "name": f"{control}C"},
    }
    names = [(f"{field}.name", "control-character") for field in ("learner", "activity", "course")]
    assert _codes(await bridge.open(**fields)) == names
    answer = await bridge.commit({"core": {"lesson_status": "passed"}}, **fields)
    assert _codes(answer) == names
    assert answer["enrollment"]["learner"]["name"] == "Ada Lovelace"
    assert answer["enrollment"]["activity"]["name"] == "Safety first"


@pytest.mark.parametrize("part", ["learner", "activity", "course"])
async def test_a_control_character_in_an_id_is_refused(bridge: Bridge, part: str) -> None:
    status, answer = await bridge.post("/v1/sessions", WHO | {part: {"id": "a\nb"}})

    assert (status, answer["code"]) == (400, "malformed-field")


async def test_a_commit_before_the_launch_is_warned_of_where_the_lms_opened_the_session(bridge: Bridge) -> None:
    opened = await bridge.open()
    bridge.clock.advance(60)
    for committed_at, codes in (("2025-12-31T23:59:00Z", ["time-before-launch"]), ("2026-01-01T00:00:30Z", [])):
        answer = await bridge.commit({}, session_id=opened["session_id"], committed_at=committed_at)
        assert [warning["code"] for warning in answer["warnings"]] == codes
    answer = await bridge.commit({}, learner={"id": "u2"}, committed_at="2025-12-31T23:59:00Z")

    assert answer["warnings"] == []
    assert bridge.clock() > START


FORMATS: list[tuple[str, Any]] = [
    ("native", {"cmi": {"core": {"lesson_staus": "passed"}}, "sequence": 1}),
    ("scorm-again", {"cmi": {"core": {"lesson_staus": "passed"}}}),
    ("scorm-again", {"cmi.core.lesson_staus": "passed"}),
    ("scorm-again", "cmi.core.lesson_staus=passed&cmi.core.exit=suspend"),
    ("scorm-again", {"runtimeData": {"cmi": {"core": {"lesson_staus": "passed"}}}, "score": {}}),
    ("scorm-again", {"runtimeData": ["cmi.core.lesson_staus=passed"]}),
    ("single", {"cmi": {"cmi.core.lesson_staus": "passed"}}),
    ("elements", {"elements": {"cmi.core.lesson_staus": "passed"}}),
    ("openedx", [{"name": "cmi.core.lesson_staus", "value": "passed"}]),
    ("ilias", {"cmi": [[5, "cmi.core.lesson_staus", "passed"]]}),
    ("rpc", {"method": "SetValue", "parameters": ["cmi.core.lesson_staus", "passed"]}),
    ("sakai", {"method": "SetValue", "arguments": ["cmi.core.lesson_staus", "passed"]}),
    ("moodle", "cmi__core__lesson_staus=passed&scoid=5"),
]


@pytest.mark.parametrize(("name", "body"), FORMATS)
async def test_an_unknown_element_is_warned_of_in_every_format(bridge: Bridge, name: str, body: Any) -> None:
    at = await open_format_client(bridge, name)
    assert (await at.post(body)).status == 200
    _, attempt = await bridge.get(f"/v1/sessions/{at.session_id}")
    # clients of some formats take no warnings; the audit pages read them where they are kept
    assert attempt["commits"][0]["format"].startswith(name)
    assert '"unknown-element","element":"cmi.core.lesson_staus"' in _first_reply(bridge)


def _first_reply(bridge: Bridge) -> str:
    unpack_frames(bridge.engine)
    with reading(bridge.engine) as connection:
        return str(connection.execute(select(journal.c.response)).scalars().first())

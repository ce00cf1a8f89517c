"""SCORM Cloud: results of registrations, with their session, learner and course in them."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from storage.engine import reading
from storage.tables import journal
from tests.formats.client import FORM, SUSPEND_DATA, Answer, commit, open_format_client, raw, read
from tests.support.bridge import Bridge
from tests.support.frames import unpack_frames

RUNTIME: dict[str, Any] = {
    "completionStatus": "completed",
    "exit": "Suspend",
    "entry": "Resume",
    "mode": "Normal",
    "credit": "Credit",
    "location": "p3",
    "scoreScaled": "0.85",
    "scoreRaw": "17",
    "scoreMin": "0",
    "scoreMax": "20",
    "suspendData": "s",
    "runtimeInteractions": [
        {
            "id": "Q1",
            "type": "TrueFalse",
            "objectives": ["o"],
            "timestamp": "10:20:30",
            "timestampUtc": "2026-01-01T00:00:30Z",
            "correctResponses": ["true"],
            "learnerResponse": "false",
            "result": "Incorrect",
            "latency": "PT12.5S",
            "weighting": "1",
            "description": "",
        }
    ],
    "runtimeObjectives": [
        {
            "id": "o",
            "scoreScaled": "0.5",
            "runtimeObjectiveSuccessStatus": "PASSED",
            "runtimeObjectiveCompletionStatus": "COMPLETED",
        }
    ],
    "learnerComments": [{"value": "nice", "location": "p1", "dateTime": "2026-01-01T00:00:31Z"}],
}
BODY: dict[str, Any] = {
    "id": "R-1",
    "instance": 0,
    "updated": "2025-12-31T23:00:00.000Z",
    "registrationCompletion": "COMPLETED",
    "registrationCompletionAmount": 1.0,
    "registrationSuccess": "PASSED",
    "score": {"scaled": 85.0},
    "totalSecondsTracked": 120.25,
    "course": {"id": "C-1", "title": "A course", "version": 0},
    "learner": {"id": "u7", "firstName": "Ada", "lastName": "Lovelace"},
    "activityDetails": {"id": "I-1", "children": [{"id": "I-2", "runtime": RUNTIME}]},
}
DOOR = "/v1/formats/scorm-cloud"


def without_details(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (BODY | changed).items() if name != "activityDetails"}


async def knock(bridge: Bridge, body: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with bridge.client.post(DOOR, data=raw(body), headers=named) as response:
        return Answer(response.status, response.headers["Content-Type"], await response.text())


def basic(bridge: Bridge, user: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{user}:{bridge.token}".encode()).decode()


def test_results_and_run_time_data_become_the_tree() -> None:
    name, call = read(BODY)

    assert name == "scorm-cloud"
    assert call.commit is not None
    assert call.commit.tree == {
        "cmi": {
            "completion_status": "completed",
            "success_status": "passed",
            "progress_measure": 1,
            "score": {"scaled": 0.85, "raw": "17", "min": "0", "max": "20"},
            "total_time": "PT2M0.25S",
            "location": "p3",
            "suspend_data": "s",
            "credit": "credit",
            "mode": "normal",
            "interactions": {
                "0": {
                    "id": "Q1",
                    "type": "true-false",
                    "learner_response": "false",
                    "result": "incorrect",
                    "timestamp": "2026-01-01T00:00:30Z",
                    "weighting": "1",
                    "latency": "PT12.5S",
                    "objectives": {"0": {"id": "o"}},
                    "correct_responses": {"0": {"pattern": "true"}},
                }
            },
            "objectives": {
                "0": {
                    "id": "o",
                    "success_status": "passed",
                    "completion_status": "completed",
                    "score": {"scaled": "0.5"},
                }
            },
            "comments_from_learner": {"0": {"comment": "nice", "location": "p1", "timestamp": "2026-01-01T00:00:31Z"}},
        }
    }
    assert call.commit.sequence == call.commit.committed_at == 1_767_222_000_000
    assert call.commit.terminated is False


@pytest.mark.parametrize(
    ("sent", "scaled"), [(85.0, 0.85), (100, 1), (1, 1), (0.85, 0.85), (0, 0), (-0.5, -0.5), ("33.3", 0.333)]
)
def test_a_score_above_1_is_taken_as_per_cent(sent: Any, scaled: float) -> None:
    assert commit(without_details(score={"scaled": sent})).tree["cmi"]["score"] == {"scaled": scaled}


def test_of_several_scos_only_what_has_an_id_of_its_own_is_taken() -> None:
    details = {"children": [{"runtime": RUNTIME}, {"children": [{"runtime": RUNTIME}]}]}
    cmi = commit(BODY | {"activityDetails": details}).tree["cmi"]

    assert cmi["score"] == {"scaled": 0.85}
    assert "location" not in cmi
    assert "suspend_data" not in cmi
    assert list(cmi["interactions"]) == ["0", "1000"]


@pytest.mark.parametrize("way", ["bearer", "basic", "form"])
async def test_a_postback_opens_its_session_however_it_shows_the_token(bridge: Bridge, way: str) -> None:
    if way == "form":
        fields = {"username": "x", "password": bridge.token, "data": json.dumps(BODY)}
        answer = await knock(bridge, urlencode(fields), Content_Type=FORM)
    else:
        answer = await knock(bridge, BODY, Authorization=basic(bridge) if way == "basic" else f"Bearer {bridge.token}")
    (report,) = bridge.reports("u7", "C-1")

    assert (answer.status, answer.json["disposition"]) == (200, "applied")
    assert report.attempt.enrollment.learner_name == "Ada Lovelace"
    assert report.attempt.enrollment.course_name == "A course"
    assert report.attempt.score_raw == 17
    assert set(bridge.rules("u7", "C-1")) >= {"initialized", "scored", "completed", "passed"}


async def test_the_password_of_a_form_is_not_kept(bridge: Bridge) -> None:
    await knock(bridge, urlencode({"username": "x", "password": bridge.token, "data": json.dumps(BODY)}))
    unpack_frames(bridge.engine)
    with reading(bridge.engine) as connection:
        (row,) = connection.execute(journal.select()).mappings()

    assert bridge.token.encode() not in bytes(row["body"])
    assert json.loads(bytes(row["body"])) == BODY


async def test_an_instance_is_one_session_and_the_next_one_a_new_attempt(bridge: Bridge) -> None:
    async def post(**changed: Any) -> dict[str, Any]:
        return (await knock(bridge, BODY | changed, Authorization=basic(bridge))).json

    first = await post()
    again = await post()
    newer = await post(updated="2025-12-31T23:30:00Z", score={"scaled": 90})
    older = await post(updated="2025-12-31T23:10:00Z", registrationSuccess="FAILED")
    restarted = await post(instance=1, updated="2025-12-31T23:40:00Z")

    assert again["disposition"] == "duplicate"
    assert newer["disposition"] == "applied"
    assert older["disposition"] == "stale"
    assert len({answer["session_id"] for answer in (first, again, newer, older)}) == 1
    assert restarted["session_id"] != first["session_id"]
    assert [first["attempt"]["number"], restarted["attempt"]["number"]] == [1, 2]


async def test_it_is_taken_at_the_address_for_everything_too(bridge: Bridge) -> None:
    status, answer = await bridge.post("/v1/commits", BODY)
    same = await knock(bridge, BODY, Authorization=basic(bridge))

    assert status == 200
    assert same.json["session_id"] == answer["session_id"]
    assert same.json["disposition"] == "duplicate"


async def test_it_can_be_posted_to_a_session_that_is_open(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None)

    assert (await at.post(BODY)).json["disposition"] == "applied"


@pytest.mark.parametrize("authorization", ["", "Basic !", "Basic eDp5", "Bearer nobody", "Digest x"])
async def test_who_has_no_token_is_asked_for_a_password(bridge: Bridge, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with bridge.client.post(DOOR, json=BODY, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")

    assert bridge.reports("u7", "C-1") == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "{}",
        "data=x",
        "data={}",
        '{"cmi": {}}',
        "<registrationreport/>",
        {**BODY, "id": None},
        {**BODY, "learner": {}},
        {**BODY, "learner": "u7"},
        {**BODY, "course": {"title": "t"}},
        {**BODY, "learner": {"id": "a\u0007"}},
    ],
)
async def test_a_body_that_is_none_is_refused_as_a_problem(bridge: Bridge, body: object) -> None:
    answer = await knock(bridge, body, Authorization=basic(bridge))

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert answer.json["code"] in {"malformed-body", "malformed-field"}
    assert bridge.reports("u7", "C-1") == []


@pytest.mark.parametrize("odd", [None, 3, "x", True, [1], {"a": 1}, -1e300])
def test_odd_values_are_no_reason_to_refuse(odd: object) -> None:
    body = dict.fromkeys(BODY, odd) | {
        "activityDetails": {"children": [odd, {"runtime": dict.fromkeys(RUNTIME, odd)}, {"runtime": odd}]}
    }

    assert commit(body).wire_format == "scorm-cloud"


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    details = {"runtime": RUNTIME | {"suspendData": SUSPEND_DATA}}
    answer = await knock(bridge, BODY | {"activityDetails": details}, Authorization=basic(bridge))
    _, session = await bridge.get(f"/v1/sessions/{answer.json['session_id']}")

    assert session["cmi"]["suspend_data"] == SUSPEND_DATA

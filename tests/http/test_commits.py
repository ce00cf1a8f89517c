"""Commits: merged, judged, answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.bridge import Bridge


async def test_an_answer_tells_state_progress_statements_and_warnings(bridge: Bridge) -> None:
    answer = await bridge.commit(
        {"completion_status": "completed", "success_status": "passed", "score": {"scaled": "0.9"}, "location": "end"},
        scorm_version="2004",
        terminated=True,
    )

    assert answer["commit"] == 1
    assert answer["disposition"] == "applied"
    assert answer["attempt"]["completion_status"] == "completed"
    assert answer["attempt"]["status"] == "terminated"
    assert answer["enrollment"]["best_score"] == {"scaled": 0.9}
    assert answer["progress"] == {"completed": True, "passed": True, "score": 0.9, "measure": None, "location": "end"}
    assert [statement["rule"] for statement in answer["statements"]] == [
        "initialized",
        "scored",
        "completed",
        "passed",
        "terminated",
    ]
    assert answer["warnings"] == []


@pytest.mark.parametrize(
    "cmi",
    [
        {"core": {"lesson_status": "passed", "score": {"raw": "85"}}},
        {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "85"},
        {"core.lesson_status": "passed", "core.score.raw": 85},
        {"cmi": {"core": {"lesson_status": "Passed", "score": {"raw": 85.0}}}},
    ],
    ids=["nested", "flat", "flat below cmi", "nested twice"],
)
async def test_cmi_may_be_flat_or_nested(bridge: Bridge, cmi: dict[str, Any]) -> None:
    answer = await bridge.commit(cmi)

    assert answer["attempt"]["scorm_version"] == "1.2"
    assert answer["attempt"]["score"] == {"scaled": 0.85, "raw": 85}
    assert answer["attempt"]["success_status"] == "passed"


async def test_a_repeated_sequence_is_answered_with_the_first_answer_and_has_no_effect(bridge: Bridge) -> None:
    first = await bridge.commit({"core": {"score": {"raw": "10"}}}, sequence=1)
    second = await bridge.commit({"core": {"score": {"raw": "99"}}}, sequence=1, session_id=first["session_id"])

    (warning,) = second.pop("warnings")

    assert (warning["code"], warning["element"], warning["value"]) == ("sequence-repeated", "sequence", "1")
    assert second | {"warnings": []} == first | {"disposition": "duplicate"}
    assert bridge.rules() == ["initialized", "scored"]


async def test_a_repeated_idempotency_key_is_answered_with_the_first_answer(bridge: Bridge) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"core": {"score": {"raw": "10"}}}}
    headers = {"Idempotency-Key": "k1"}
    _, first = await bridge.post("/v1/commits", body, headers=headers)
    _, second = await bridge.post("/v1/commits", body, headers=headers)

    assert second == first | {"disposition": "duplicate"}


@pytest.mark.parametrize("terminated", [False, True])
async def test_an_idempotency_key_with_another_body_is_refused_and_nothing_of_it_is_stored(
    bridge: Bridge, *, terminated: bool
) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"core": {"score": {"raw": "10"}}}}
    headers = {"Idempotency-Key": "k1"}
    _, first = await bridge.post("/v1/commits", body | {"terminated": terminated}, headers=headers)
    for fields in ({}, {"session_id": first["session_id"]}):
        other = body | {"cmi": {"core": {"score": {"raw": "11"}}}} | fields
        status, answer = await bridge.post("/v1/commits", other, headers=headers)
        assert (status, answer["code"], answer["result"]) == (422, "idempotency-key-reused", False), fields

    (report,) = bridge.reports()
    assert len(report.commits) == 1
    assert report.attempt.score_raw == 10
    status, answer = await bridge.post("/v1/commits", body | {"terminated": terminated}, headers=headers)
    assert (status, answer["disposition"]) == (200, "duplicate")


async def test_an_empty_idempotency_key_is_none(bridge: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_location": "1"}})
    for page in ("2", "3"):
        body = {"session_id": first["session_id"], "cmi": {"core": {"lesson_location": page}}}
        status, answer = await bridge.post("/v1/commits", body, headers={"Idempotency-Key": " "})
        assert (status, answer["disposition"], answer["progress"]["location"]) == (200, "applied", page)


async def test_identical_commits_are_kept_but_count_once(bridge: Bridge) -> None:
    cmi = {"core": {"lesson_status": "incomplete", "session_time": "00:01:00"}}
    first = await bridge.commit(cmi)
    for _ in range(3):
        again = await bridge.commit(cmi)
    (report,) = bridge.reports()

    assert again == first | {"disposition": "duplicate"}
    assert [commit.disposition for commit in report.commits] == ["applied", "duplicate", "duplicate", "duplicate"]
    assert report.attempt.total_time == 6000


async def test_an_older_sequence_is_kept_and_takes_nothing_back(bridge: Bridge) -> None:
    newest = await bridge.commit(
        {"core": {"lesson_status": "passed", "lesson_location": "p9", "session_time": "00:09:00"}}, sequence=5
    )
    older = await bridge.commit(
        {
            "core": {"lesson_status": "incomplete", "lesson_location": "p2", "session_time": "00:02:00"},
            "suspend_data": "only here",
        },
        sequence=3,
        session_id=newest["session_id"],
    )
    _, session = await bridge.get(f"/v1/sessions/{newest['session_id']}")

    assert older["disposition"] == "stale"
    assert session["attempt"]["success_status"] == "passed"
    assert session["cmi"]["core"]["lesson_location"] == "p9"
    assert session["cmi"]["suspend_data"] == "only here"
    assert session["attempt"]["total_time"] == "PT9M"


async def test_a_commit_after_the_end_is_late_and_does_not_open_the_session_again(bridge: Bridge) -> None:
    ended = await bridge.commit({"core": {"lesson_status": "incomplete", "lesson_location": "p9"}}, terminated=True)
    late = await bridge.commit(
        {"core": {"lesson_status": "passed", "lesson_location": "p1"}}, session_id=ended["session_id"]
    )

    assert late["disposition"] == "late"
    assert late["attempt"]["status"] == "terminated"
    assert late["progress"]["location"] == "p9"
    # what the end has told is not so any more, and is told as it is now
    assert bridge.rules() == ["initialized", "terminated", "completed", "passed", "terminated"]


async def test_a_client_time_dates_the_statements_unless_it_lies_ahead(bridge: Bridge) -> None:
    await bridge.commit({"core": {"score": {"raw": "1"}}}, committed_at="2025-12-31T23:00:00+00:00")
    ahead = await bridge.commit({"core": {"score": {"raw": "2"}}}, committed_at="2026-01-01T12:00:00Z")
    (report,) = bridge.reports()

    assert [json.loads(statement.body)["timestamp"] for statement in report.statements] == [
        "2025-12-31T23:00:00.000Z",
        "2025-12-31T23:00:00.000Z",
        "2026-01-01T00:00:00.000Z",
    ]
    assert [warning["code"] for warning in ahead["warnings"]] == ["future-time"]


async def test_statements_are_never_dated_before_earlier_ones_of_their_attempt(bridge: Bridge) -> None:
    await bridge.commit({"core": {"score": {"raw": "1"}}})
    bridge.clock.advance(-3600)
    await bridge.commit({"core": {"score": {"raw": "2"}}})
    (report,) = bridge.reports()
    times = [json.loads(statement.body)["timestamp"] for statement in report.statements]

    assert times == sorted(times)


@pytest.mark.parametrize(
    ("cmi", "element", "code"),
    [
        ({"core": {"score": {"raw": "150"}}}, "cmi.core.score.raw", "score-out-of-range"),
        ({"core": {"score": {"raw": "many"}}}, "cmi.core.score.raw", "not-a-number"),
        ({"score": {"scaled": "1.5"}}, "cmi.score.scaled", "out-of-range"),
        ({"score": {"raw": "5", "min": "9", "max": "3"}}, "cmi.score.max", "score-range"),
        ({"core": {"session_time": "yesterday"}}, "cmi.core.session_time", "bad-time"),
        ({"session_time": "P1H"}, "cmi.session_time", "bad-time"),
        ({"core": {"lesson_status": "finished"}}, "cmi.core.lesson_status", "unknown-word"),
        ({"progress_measure": "2"}, "cmi.progress_measure", "out-of-range"),
    ],
)
async def test_a_bad_value_is_warned_of_and_never_becomes_a_statement(
    bridge: Bridge, cmi: dict[str, Any], element: str, code: str
) -> None:
    answer = await bridge.commit(cmi | {"suspend_data": "kept"})
    (report,) = bridge.reports()

    assert answer["result"] is True
    assert [(warning["element"], warning["code"]) for warning in answer["warnings"]] == [(element, code)]
    assert [statement.rule for statement in report.statements if statement.rule != "scored"] == ["initialized"]
    assert all("150" not in statement.body for statement in report.statements)


async def test_an_impossible_score_takes_the_last_possible_one_from_nobody(bridge: Bridge) -> None:
    await bridge.commit({"core": {"score": {"raw": "85"}}})
    await bridge.commit({"core": {"score": {"raw": "150"}}})
    await bridge.commit({"core": {"lesson_status": "passed"}}, terminated=True)
    (report,) = bridge.reports()
    results = {statement.rule: json.loads(statement.body).get("result") for statement in report.statements}

    assert results["passed"]["score"] == {"scaled": 0.85, "raw": 85}
    assert results["terminated"]["score"] == {"scaled": 0.85, "raw": 85}


async def test_suspend_data_of_126_kib_is_stored_whole(bridge: Bridge) -> None:
    quotes = '"' * 63_000
    committed = await bridge.commit({"suspend_data": quotes, "core": {"exit": "suspend"}}, terminated=True)
    _, session = await bridge.get(f"/v1/sessions/{committed['session_id']}")

    assert session["cmi"]["suspend_data"] == quotes


async def test_text_that_no_strict_parser_takes_is_stored_as_well_as_can_be(bridge: Bridge) -> None:
    """A text cut in the middle of an emoji, a zero byte, a byte order mark, a byte that is not UTF-8."""
    opened = await bridge.open()
    path = opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    for body in (
        rb'{"cmi":{"suspend_data":"half \ud83d"}}',
        rb'{"cmi":{"suspend_data":"zero \u0000 byte"}}',
        b'\xef\xbb\xbf{"cmi":{"suspend_data":"marked"}}',
        b'{"cmi":{"suspend_data":"latin \xe9"}}',
        b'{"cmi":{"suspend_data":"line\nbreak"}}',
    ):
        status, answer = await bridge.post("/" + path, token=None, data=body)

        assert (status, answer["result"]) == (200, True), body


async def test_two_sessions_of_one_attempt_add_their_times(bridge: Bridge) -> None:
    first = await bridge.open(attempt=1)
    second = await bridge.open(attempt=1)
    for opened, time in ((first, "00:01:00"), (second, "00:02:00"), (first, "00:03:00")):
        answer = await bridge.commit({"core": {"session_time": time}}, session_id=opened["session_id"])

    assert answer["attempt"]["total_time"] == "PT5M"


@pytest.mark.parametrize(
    "body",
    [
        {"cmi": {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}},
        {"cmi": {"core.lesson_status": "passed", "core.score.raw": "85"}},
        {"cmi": {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "85"}},
        {"cmi_data": {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}},
        {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "85"},
    ],
    ids=["nested", "flat below cmi", "flat with cmi", "cmi_data", "flattened"],
)
async def test_every_shape_of_cmi_is_understood_at_a_sessions_own_address(bridge: Bridge, body: dict[str, Any]) -> None:
    opened = await bridge.open()
    path = "/" + opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    status, answer = await bridge.post(path, body, token=None)

    assert status == 200
    assert answer["attempt"]["success_status"] == "passed"
    assert answer["attempt"]["score"] == {"scaled": 0.85, "raw": 85}


async def test_a_commit_sent_again_without_its_session_id_begins_no_other_attempt(bridge: Bridge) -> None:
    """The answer was lost; the LMS's server sends the same once more, and its session has ended meanwhile."""
    body = {
        "learner": {"id": "u1"},
        "activity": {"id": "235"},
        "cmi": {"core": {"score": {"raw": "10"}}},
        "terminated": True,
    }
    _, first = await bridge.post("/v1/commits", body)
    _, again = await bridge.post("/v1/commits", body)
    _, keyed = await bridge.post("/v1/commits", body | {"cmi": {}}, headers={"Idempotency-Key": "k"})
    bridge.clock.advance(3600)
    _, keyed_again = await bridge.post("/v1/commits", body | {"cmi": {}}, headers={"Idempotency-Key": "k"})
    _, later = await bridge.post("/v1/commits", body)

    assert again == first | {"disposition": "duplicate"}
    assert keyed_again == keyed | {"disposition": "duplicate"}
    assert (first["attempt"]["number"], keyed["attempt"]["number"], later["attempt"]["number"]) == (1, 2, 2)


async def test_a_launch_goes_on_with_an_attempt_whose_content_meant_to_come_back(bridge: Bridge) -> None:
    """Its browser died: no last commit ever came."""
    await bridge.commit({"core": {"exit": "suspend", "lesson_location": "p5"}, "suspend_data": "so far"})
    opened = await bridge.open(scorm_version="1.2")

    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (1, "resume")
    assert opened["cmi"]["suspend_data"] == "so far"


async def test_two_pages_of_one_session_cannot_spend_more_time_than_passes(bridge: Bridge) -> None:
    first = await bridge.commit({"core": {"session_time": "00:10:00"}})
    for minute in range(1, 31):
        bridge.clock.advance(30)
        await bridge.commit({"core": {"session_time": f"00:{minute:02d}:00"}}, session_id=first["session_id"])
        bridge.clock.advance(30)
        last = await bridge.commit(
            {"core": {"session_time": f"00:{10 + minute:02d}:00"}}, session_id=first["session_id"]
        )

    minutes = int(last["attempt"]["total_time"].removeprefix("PT").split("H")[-1].split("M")[0])
    hours = "H" in last["attempt"]["total_time"]

    assert (60 if hours else 0) + minutes <= 10 + 30 * 2


async def test_the_version_that_the_lms_declared_is_the_one_resume_data_comes_in(bridge: Bridge) -> None:
    opened = await bridge.open(scorm_version="2004")
    await bridge.commit({"suspend_data": "x"}, session_id=opened["session_id"])
    _, session = await bridge.get(f"/v1/sessions/{opened['session_id']}")

    assert session["attempt"]["scorm_version"] == "2004"
    assert "core" not in session["cmi"]
    assert session["cmi"]["learner_id"] == "u1"


async def test_a_whole_number_is_one_however_it_is_written(bridge: Bridge) -> None:
    """To JSON, 7.0 is 7; some languages write it so."""
    body = b'{"learner":{"id":7.0},"activity":235.0,"cmi":{"suspend_data":"x"},"sequence":3.0,"attempt":2.0}'
    status, answer = await bridge.post("/v1/commits", data=body)

    assert status == 200
    assert (answer["enrollment"]["learner"]["id"], answer["enrollment"]["activity"]["id"]) == ("7", "235")
    assert answer["attempt"]["number"] == 2

"""Opening sessions, attempts and their numbers, and what comes back for the next launch."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.accounts import START, register_lms
from tests.support.bridge import Bridge, StartBridge

FINISHED = {"core": {"lesson_status": "passed", "score": {"raw": "90"}, "session_time": "00:10:00"}}
SUSPENDED = {
    "core": {
        "lesson_status": "incomplete",
        "lesson_location": "p7",
        "exit": "suspend",
        "session_time": "00:05:30.25",
        "score": {"raw": "40"},
    },
    "suspend_data": "answers so far",
    "objectives": {"0": {"id": "o1", "status": "completed"}},
}


def _path(commit_url: str) -> str:
    address = urlsplit(commit_url)
    return f"{address.path}?{address.query}"


async def test_a_session_gets_an_address_that_takes_commits_without_any_header(bridge: Bridge) -> None:
    opened = await bridge.open(learner={"id": "u1", "name": "Ada"}, scorm_version="1.2")
    status, answer = await bridge.post(
        _path(opened["commit_url"]),
        token=None,
        data=b'{"cmi":{"suspend_data":"x"}}',
        headers={"Content-Type": "text/plain"},
    )

    assert status == 200
    assert answer["session_id"] == opened["session_id"]
    assert opened["attempt"]["number"] == 1
    assert opened["attempt"]["entry"] == "ab-initio"
    assert opened["cmi"]["core"]["student_name"] == "Ada"


async def test_a_suspended_attempt_is_resumed_with_everything_the_content_left(bridge: Bridge) -> None:
    await bridge.commit(SUSPENDED, terminated=True)
    opened = await bridge.open(scorm_version="1.2")

    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (1, "resume")
    assert opened["cmi"] == {
        "core": {
            "student_id": "u1",
            "student_name": "",
            "lesson_status": "incomplete",
            "lesson_location": "p7",
            "entry": "resume",
            "lesson_mode": "normal",
            "credit": "credit",
            "score": {"raw": "40"},
            "total_time": "0000:05:30.25",
        },
        "suspend_data": "answers so far",
        "objectives": {"0": {"id": "o1", "status": "completed"}},
    }


async def test_an_attempt_that_was_finished_is_followed_by_the_next(bridge: Bridge) -> None:
    await bridge.commit(FINISHED, terminated=True)
    opened = await bridge.open()

    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (2, "ab-initio")
    assert opened["enrollment"]["total_attempts"] == 1  # it counts from its first commit
    assert opened["enrollment"]["best_score"] == {"scaled": 0.9, "raw": 90}
    assert opened["cmi"]["core"]["lesson_status"] == "not attempted"


async def test_a_suspended_attempt_that_is_opened_but_not_played_can_be_resumed_again(bridge: Bridge) -> None:
    await bridge.commit(SUSPENDED, terminated=True)
    await bridge.open()
    again = await bridge.open()

    assert (again["attempt"]["number"], again["attempt"]["entry"]) == (1, "resume")


async def test_an_attempt_number_that_the_lms_gives_wins(bridge: Bridge) -> None:
    fifth = await bridge.open(attempt=5)
    await bridge.commit(FINISHED, session_id=fifth["session_id"], terminated=True)
    same = await bridge.open(attempt=5)
    following = await bridge.open()

    assert (fifth["attempt"]["number"], same["attempt"]["number"], following["attempt"]["number"]) == (5, 5, 6)
    assert same["attempt"]["id"] == fifth["attempt"]["id"]


async def test_opening_a_session_again_under_its_id_is_the_same_session(bridge: Bridge) -> None:
    opened = await bridge.open()
    again = await bridge.open(session_id=opened["session_id"])

    assert again["session_id"] == opened["session_id"]
    assert again["attempt"]["id"] == opened["attempt"]["id"]


async def test_the_time_of_all_sessions_adds_up(bridge: Bridge) -> None:
    await bridge.commit(SUSPENDED, terminated=True)
    bridge.clock.advance(3600)
    second = await bridge.commit(SUSPENDED, terminated=True)

    assert second["attempt"]["total_time"] == "PT11M0.5S"
    assert second["enrollment"]["total_time"] == "PT11M0.5S"


async def test_the_best_score_and_status_of_all_attempts_stay_with_the_enrollment(bridge: Bridge) -> None:
    await bridge.commit(FINISHED, terminated=True)
    worse = await bridge.commit({"core": {"lesson_status": "failed", "score": {"raw": "10"}}}, terminated=True)

    assert worse["attempt"]["number"] == 2
    assert worse["attempt"]["success_status"] == "failed"
    assert worse["enrollment"]["success_status"] == "passed"
    assert worse["enrollment"]["best_score"]["raw"] == 90


async def test_a_session_tells_its_commits_statements_documents_and_where_they_are(bridge: Bridge) -> None:
    committed = await bridge.commit(SUSPENDED, terminated=True)
    await bridge.let_documents_follow()
    status, session = await bridge.get(f"/v1/sessions/{committed['session_id']}")
    assert status == 200
    assert session["ended"] == "suspended"
    assert [commit["disposition"] for commit in session["commits"]] == ["applied"]
    assert [statement["rule"] for statement in session["statements"]] == [
        "initialized",
        "objective-completed",
        "scored",
        "suspended",
    ]
    assert {way["state"] for statement in session["statements"] for way in statement["deliveries"]} == {"waiting"}
    way = {"target": None, "state": "waiting", "tries": 0}
    assert session["documents"] == [
        {"name": name, "resource": resource, "commit": 1, "deliveries": [way]}
        for name, resource in (
            ("activity-state", "activities/state"),
            ("agent-profile", "agents/profile"),
            ("attempt-state", "activities/state"),
        )
    ]
    assert session["cmi"]["suspend_data"] == "answers so far"


async def test_a_session_tells_the_documents_that_it_changed_last(bridge: Bridge) -> None:
    first = await bridge.commit(SUSPENDED, terminated=True)
    await bridge.let_documents_follow()
    bridge.clock.advance(1)
    second = await bridge.commit({"core": {"lesson_location": "p9"}})
    await bridge.let_documents_follow()
    documents_by_session = [
        (await bridge.get(f"/v1/sessions/{session['session_id']}"))[1]["documents"] for session in (first, second)
    ]

    assert [[document["name"] for document in documents] for documents in documents_by_session] == [
        ["activity-state", "agent-profile"],
        ["attempt-state"],
    ]


async def test_enrollments_can_be_asked_for_by_learner_and_by_activity(bridge: Bridge) -> None:
    for learner in ("u1", "u2"):
        for activity in ("a", "b"):
            await bridge.commit(FINISHED, learner={"id": learner}, activity={"id": activity})

    async def enrollments(query: str) -> list[tuple[str, str]]:
        _, answer = await bridge.get(f"/v1/enrollments{query}")
        return [(enrollment["learner"]["id"], enrollment["activity"]["id"]) for enrollment in answer["enrollments"]]

    assert len(await enrollments("")) == 4
    assert await enrollments("?learner=u2") == [("u2", "a"), ("u2", "b")]
    assert await enrollments("?learner=u1&activity=b") == [("u1", "b")]


async def test_names_that_the_lms_tells_later_are_kept(bridge: Bridge) -> None:
    await bridge.open()
    opened = await bridge.open(learner={"id": "u1", "name": "Ada Lovelace"}, activity={"id": "235", "name": "Engines"})

    assert opened["enrollment"]["learner"]["name"] == "Ada Lovelace"
    assert opened["enrollment"]["activity"]["name"] == "Engines"


async def test_another_lms_sees_nothing_of_a_session(bridge: Bridge) -> None:
    """A session of another LMS is not even confirmed to exist."""
    committed = await bridge.commit(SUSPENDED)
    stranger = _another_lms(bridge)
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "session_id": committed["session_id"], "cmi": {}}
    answers: list[tuple[int, Any]] = [
        await bridge.get(f"/v1/sessions/{committed['session_id']}", token=stranger),
        await bridge.post("/v1/commits", body, token=stranger),
        await bridge.post("/v1/sessions", body, token=stranger),
        await bridge.post(
            f"/v1/sessions/{committed['session_id']}/commits", {"cmi": {"suspend_data": "x"}}, token=stranger
        ),
    ]

    assert [(status, answer["code"]) for status, answer in answers] == [(404, "session-unknown")] * 4
    assert (await bridge.get("/v1/enrollments", token=stranger))[1]["enrollments"] == []


async def test_a_session_cannot_be_used_for_another_learner_or_activity(bridge: Bridge) -> None:
    opened = await bridge.open()
    for other in ({"learner": {"id": "u2"}}, {"activity": {"id": "236"}}):
        body = {
            "learner": {"id": "u1"},
            "activity": {"id": "235"},
            "session_id": opened["session_id"],
            "cmi": {},
        } | other
        status, answer = await bridge.post("/v1/commits", body)

        assert (status, answer["code"]) == (409, "session-mismatch"), other


async def test_a_commit_url_permits_commits_to_its_own_session_until_it_expires(start: StartBridge) -> None:
    bridge = await start(commit_token_lifetime=60)
    opened, other = await bridge.open(), await bridge.open(learner={"id": "u2"})
    token = urlsplit(opened["commit_url"]).query
    data = b'{"cmi":{"suspend_data":"x"}}'
    forged = "E" if token.endswith("A") else "A"

    async def code(path: str) -> str:
        status, answer = await bridge.post(path, token=None, data=data)
        return "stored" if status == 200 else f"{status} {answer['code']}"

    assert await code(f"/v1/sessions/{other['session_id']}/commits?{token}") == "401 bad-commit-token"
    assert await code(f"/v1/sessions/{opened['session_id']}/commits?{token[:-1]}{forged}") == "401 bad-commit-token"
    assert await code(f"/v1/sessions/{opened['session_id']}/commits?token=") == "401 bad-commit-token"
    assert await code(f"/v1/sessions/{opened['session_id']}/commits") == "401 no-token"
    assert await code(f"/v1/sessions/{opened['session_id']}/commits?{token}") == "stored"
    bridge.clock.advance(61)
    assert await code(f"/v1/sessions/{opened['session_id']}/commits?{token}") == "401 bad-commit-token"


async def test_a_restarted_bridge_still_takes_the_commit_urls_it_gave(start: StartBridge) -> None:
    first = await start()
    opened = await first.open()
    await first.close()
    second = await start(token=first.token)
    status, _ = await second.post(_path(opened["commit_url"]), token=None, data=b'{"cmi":{"suspend_data":"x"}}')

    assert status == 200


async def test_the_public_address_is_the_one_that_is_set(start: StartBridge) -> None:
    bridge = await start(public_url="https://bridge.example.org/scorm/")
    opened = await bridge.open()

    assert opened["commit_url"].startswith(
        f"https://bridge.example.org/scorm/v1/sessions/{opened['session_id']}/commits?"
    )


@pytest.mark.parametrize(
    ("host", "commit_host"),
    [
        ("localhost:1234", "localhost:1234"),
        ("127.0.0.9", "127.0.0.9"),
        ("[::1]:8080", "[::1]:8080"),
        ("evil.example.org", None),
        ("localhost.evil.example.org", None),
        ("127.0.0.1.evil.example.org", None),
        ("127.0.0.1@evil.example.org", None),
        ("localhost:x", None),
        ("localhost/evil", None),
        ("[", None),
    ],
)
async def test_without_a_public_address_the_request_s_host_counts_only_if_it_is_this_machine(
    bridge: Bridge, host: str, commit_host: str | None
) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}}
    status, opened = await bridge.post("/v1/sessions", body, headers={"Host": host})

    assert status == 200
    assert opened["commit_url"].startswith(f"http://{commit_host or f'127.0.0.1:{bridge.client.port}'}/v1/sessions/")


def _another_lms(bridge: Bridge) -> str:
    return register_lms(bridge.engine, uuid.uuid4().hex).token


async def test_a_second_launch_that_is_never_played_takes_nothing_from_the_first(bridge: Bridge) -> None:
    played, _idle = await bridge.open(attempt=1), await bridge.open(attempt=1)
    await bridge.commit(SUSPENDED, session_id=played["session_id"], terminated=True)
    opened = await bridge.open(scorm_version="1.2")

    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (1, "resume")
    assert opened["cmi"]["suspend_data"] == "answers so far"


async def test_ids_of_sessions_are_uuids_that_tell_the_order_in_which_they_began(bridge: Bridge) -> None:
    ids = []
    for learner in range(5):
        opened = await bridge.open(learner={"id": f"u{learner}"})
        ids.append(uuid.UUID(opened["session_id"]))
        bridge.clock.advance(0.001)

    assert ids == sorted(ids)
    assert len(set(ids)) == 5
    assert {(session_id.variant, session_id.version) for session_id in ids} == {(uuid.RFC_4122, 7)}
    assert ids[0].int >> 80 == START

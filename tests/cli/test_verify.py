"""`scorm-bridge verify`."""

from __future__ import annotations

import json

from bridge.settings import TargetSettings
from tests.cli.conftest import Run, Script
from tests.support.bridge import StartBridge

PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}
KEY = "SCORM_BRIDGE_DATABASE__URL"


def test_of_an_unknown_learner_nothing_is_shown_and_the_status_is_1(run: Run, script: Script) -> None:
    run("migrate")
    result = script("verify", "u1", "235")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Nothing is stored for learner 'u1' and activity '235'.\n"


def test_of_an_unknown_learner_json_has_no_items(run: Run, database_url: str) -> None:
    result = run("verify", "u1", "235", "--json", **{KEY: database_url})

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"items": [], "next": None}


async def test_all_that_is_stored_is_shown(start: StartBridge, run: Run, database_url: str) -> None:
    bridge = await start()
    first = await bridge.commit(PASSED, terminated=True)
    second = await bridge.commit({"core": {"lesson_status": "incomplete"}})
    result = run("verify", "u1", "235", **{KEY: database_url})

    assert (result.exit_code, result.stderr) == (0, "")
    for shown in ("u1 in 235 of lms: 2 attempts", "attempt 1 terminated", "attempt 2 active", "no LRS yet: waiting"):
        assert shown in result.stdout
    for answer in (first, second):
        assert answer["session_id"] in result.stdout
        for statement in answer["statements"]:
            assert f"{statement['rule']} {statement['id']}" in result.stdout
    assert "raw 85" in result.stdout


async def test_a_course_can_be_chosen_where_the_activity_is_in_several(
    start: StartBridge, run: Run, database_url: str
) -> None:
    bridge = await start()
    for course in ("C1", "C2"):
        await bridge.commit(PASSED, course={"id": course})
    both = run("verify", "u1", "235", "--json", **{KEY: database_url})
    in_course = run("verify", "u1", "235", "--course", "C2", **{KEY: database_url})
    none = run("verify", "u1", "235", "--course", "C3", **{KEY: database_url})

    assert [item["course"]["id"] for item in json.loads(both.stdout)["items"]] == ["C1", "C2"]
    assert "u1 in 235 of course C2 of lms" in in_course.stdout
    assert "C1" not in in_course.stdout
    assert none.exit_code == 1
    assert none.stderr == "Nothing is stored for learner 'u1' and activity '235' in course 'C3'.\n"


async def test_documents_are_shown_with_the_commit_that_changed_them_last(
    start: StartBridge, run: Run, database_url: str
) -> None:
    bridge = await start()
    await bridge.commit(PASSED)
    await bridge.let_documents_follow()
    await bridge.commit({"core": {"lesson_location": "p2"}})
    await bridge.let_documents_follow()
    lines = run("verify", "u1", "235", **{KEY: database_url}).stdout.splitlines()
    entries = [words[-1].strip() for line in lines if len(words := line.split("── ")) > 1]
    first, second = (at for at, line in enumerate(entries) if line.startswith("commit "))

    assert "agent-profile agents/profile no LRS yet: waiting" in entries[first:second]
    assert "attempt-state activities/state no LRS yet: waiting" in entries[second:]


async def test_json_holds_what_was_stored_and_sent(start: StartBridge, run: Run, database_url: str) -> None:
    bridge = await start()
    answer = await bridge.commit(PASSED)
    await bridge.commit(PASSED, learner={"id": "u2"})
    await bridge.let_documents_follow()
    result = run("verify", "u1", "235", "--json", **{KEY: database_url})
    assert (result.exit_code, result.stderr) == (0, "")
    (enrollment,) = json.loads(result.stdout)["items"]
    (attempt,) = enrollment["attempts"]
    (session,) = attempt["sessions"]
    assert (enrollment["learner"]["id"], enrollment["lms"], enrollment["total_attempts"]) == ("u1", "lms", 1)
    assert (attempt["number"], attempt["success_status"], attempt["score"]["raw"]) == (1, "passed", 85)
    assert attempt["cmi"]
    assert session["session_id"] == answer["session_id"]
    assert [commit["disposition"] for commit in session["commits"]] == ["applied"]
    assert [statement["id"] for statement in attempt["statements"]] == [
        statement["id"] for statement in answer["statements"]
    ]
    ways = [way for statement in attempt["statements"] for way in statement["deliveries"]]
    ways += [way for document in attempt["documents"] for way in document["deliveries"]]
    assert {(way["target"], way["state"], way["tries"]) for way in ways} == {(None, "waiting", 0)}
    (profile,) = (document for document in attempt["documents"] if document["name"] == "agent-profile")
    assert (profile["content"], profile["content_type"]) == ({"learner_id": "u1"}, "application/json")
    assert profile["parameters"]["profileId"] == "https://w3id.org/xapi/scorm/agent-profile"
    assert (profile["session_id"], profile["commit"]) == (answer["session_id"], 1)
    assert {document["name"] for document in attempt["documents"]} == {
        "activity-state",
        "attempt-state",
        "agent-profile",
    }


async def test_what_went_wrong_at_the_lrs_is_shown_without_its_password(
    start: StartBridge, run: Run, database_url: str
) -> None:
    target = TargetSettings(
        name="lrs",
        endpoint="http://127.0.0.1:1/",
        username="ada",
        password="canary-7c1e",
        documents={"adl-suspend-data": True},
    )
    bridge = await start(targets=(target,))
    await bridge.commit(PASSED | {"suspend_data": "s1"})
    await bridge.let_documents_follow()
    await bridge.close()
    for flag in ([], ["--json"]):
        result = run("verify", "u1", "235", *flag, **{KEY: database_url})
        assert "lrs" in result.stdout, flag
        assert "waiting" in result.stdout, flag
        assert "canary-7c1e" not in result.stdout + result.stderr, flag
    (attempt,) = json.loads(result.stdout)["items"][0]["attempts"]
    (suspended,) = (document for document in attempt["documents"] if document["name"] == "adl-suspend-data")

    assert (suspended["content"], suspended["content_type"]) == ("s1", "text/plain")
    assert suspended["deliveries"][0]["state"] == "waiting"


async def test_names_that_look_like_markup_are_shown_as_they_are(
    start: StartBridge, run: Run, database_url: str
) -> None:
    bridge = await start()
    for name in ("[red]x[/red]", "[/]", "[bold", ":smile:", "☃ \\[a]"):
        await bridge.commit(PASSED, learner={"id": name}, activity={"id": name})
        result = run("verify", name, name, **{KEY: database_url})
        assert result.exit_code == 0, name
        assert f"{name} in {name} of lms" in result.stdout


async def test_lines_are_whole_when_they_go_into_a_pipe(start: StartBridge, run: Run, database_url: str) -> None:
    bridge = await start()
    learner = "u" * 200
    await bridge.commit(PASSED, learner={"id": learner})
    result = run("verify", learner, "235", COLUMNS="40", **{KEY: database_url})

    assert learner in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_on_a_database_that_was_not_migrated_it_says_what_to_do(run: Run) -> None:
    result = run("verify", "u1", "235")

    assert result.exit_code != 0
    assert result.stdout == ""
    assert "scorm-bridge migrate" in result.stderr

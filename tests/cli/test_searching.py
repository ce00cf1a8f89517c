"""`scorm-bridge sessions` and `scorm-bridge statements`."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest

from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from storage.states import AttemptStatus
from tests.cli.conftest import Run
from tests.support.bridge import Bridge, StartBridge

URL = "SCORM_BRIDGE_DATABASE__URL"
PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}


@pytest.fixture
async def bridge(start: StartBridge) -> Bridge:
    """Two learners: u1's session has ended, u2's is open and newer."""
    bridge = await start()
    await bridge.commit(PASSED, learner={"id": "u1", "name": "Ada"}, terminated=True)
    bridge.clock.advance(60)
    await bridge.commit(PASSED, learner={"id": "u2"}, activity={"id": "236"})
    return bridge


@pytest.fixture
def run_json(run: Run, database_url: str) -> Any:
    """Run a command and read the JSON that it prints."""

    def runner(*arguments: str) -> Any:
        result = run(*arguments, "--json", **{URL: database_url})
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return runner


def _all(bridge: Bridge) -> list[str]:
    ids = [
        [statement.id for statement in bridge.reports(*whose)[0].statements] for whose in (("u1", "235"), ("u2", "236"))
    ]
    return (ids[0] + ids[1])[::-1]


async def test_sessions_are_listed_by_what_is_asked_for(
    bridge: Bridge, run_json: Any, run: Run, database_url: str
) -> None:
    newest, oldest = run_json("sessions", "list")["items"]
    assert (newest["learner_id"], newest["ended"], newest["commits"]) == ("u2", None, 1)
    assert (oldest["learner_id"], oldest["learner_name"], oldest["ended"]) == ("u1", "Ada", "terminated")
    assert oldest["last_commit_at"] == "2026-01-01T00:00:00.000Z"
    for arguments in (
        ("--learner", "u2"),
        ("--learner-prefix", "u2"),
        ("--activity", "236"),
        ("--open",),
        ("--status", "active"),
        ("--completion", "completed", "--learner", "u2"),
        ("--since", "2026-01-01T00:01:00Z"),
        ("--enrollment", newest["registration"]),
    ):
        assert run_json("sessions", "list", *arguments)["items"] == [newest]
    assert run_json("sessions", "list", "--until", "2026-01-01T00:01:00Z")["items"] == [oldest]
    assert run_json("sessions", "list", "--learner", "u3") == {"items": [], "next": None}
    shown = run("sessions", "list", **{URL: database_url})
    assert shown.stdout.index(newest["session_id"]) < shown.stdout.index(oldest["session_id"])


async def test_sessions_are_chosen_by_the_statuses_that_pages_offer(run_json: Any, bridge: Bridge) -> None:
    await bridge.commit({"completion_status": "not attempted"}, learner={"id": "u3"})
    for option, words in (
        ("--status", AttemptStatus),
        ("--completion", CompletionStatus),
        ("--success", SuccessStatus),
    ):
        chosen = [
            [item["learner_id"] for item in run_json("sessions", "list", option, word.value)["items"]] for word in words
        ]
        assert sorted(chain(*chosen)) == ["u1", "u2", "u3"], option

    assert [item["learner_id"] for item in run_json("sessions", "list", "--completion", "not attempted")["items"]] == [
        "u3"
    ]


async def test_statements_are_listed_by_what_is_asked_for(
    bridge: Bridge, run_json: Any, run: Run, database_url: str
) -> None:
    everything = run_json("statements", "list")["items"]
    assert [statement["id"] for statement in everything] == _all(bridge)
    assert everything[0]["deliveries"] == [{"target": None, "state": "waiting", "form": None}]
    for arguments, chosen in (
        (("--learner", "u1"), [statement for statement in everything if statement["learner_id"] == "u1"]),
        (("--rule", "passed"), [statement for statement in everything if statement["rule"] == "passed"]),
        (("--state", "waiting"), everything),
        (("--state", "dead"), []),
        (("--statement", everything[1]["id"]), [everything[1]]),
    ):
        assert run_json("statements", "list", *arguments)["items"] == chosen
    shown = run("statements", "list", "--limit", "1", **{URL: database_url})
    assert everything[0]["id"] in shown.stdout
    assert "no LRS yet: waiting" in shown.stdout
    assert everything[1]["id"] not in shown.stdout


@pytest.mark.parametrize("command", ["sessions", "statements"])
async def test_a_list_goes_on_where_the_last_page_ended(bridge: Bridge, run_json: Any, command: str) -> None:
    items: list[Any] = []
    more: list[str] = []
    while True:
        page = run_json(command, "list", "--limit", "1", *more)
        items += page["items"]
        if page["next"] is None:
            break
        more = ["--after", page["next"]]

    assert items == run_json(command, "list")["items"]
    assert len(items) >= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sessions", "list", "--after", "!"), "start from the first page"),
        (("statements", "list", "--after", "WzFd"), "of another search"),
        (("sessions", "list", "--open", "--learner", "u1"), "--open cannot be combined"),
        (("explain", "12"), "'12' is not a UUID"),
        (("explain", "00000000-0000-4000-8000-000000000000"), "No statement has the id"),
    ],
)
async def test_what_cannot_be_done_is_told_in_words(
    bridge: Bridge, run: Run, database_url: str, arguments: tuple[str, ...], words: str
) -> None:
    result = run(*arguments, **{URL: database_url})

    assert result.exit_code != 0
    assert words in result.stderr


async def test_what_is_not_there_is_told_in_words(bridge: Bridge, run: Run, database_url: str) -> None:
    assert "No matching sessions." in run("sessions", "list", "--learner", "nobody", **{URL: database_url}).stderr
    assert "No matching statements." in run("statements", "list", "--learner", "nobody", **{URL: database_url}).stderr


async def test_a_statement_is_explained_down_to_the_commit_as_it_was_received(
    bridge: Bridge, run_json: Any, run: Run, database_url: str
) -> None:
    first = _all(bridge)[-1]
    statement = run_json("explain", first, "--body")
    assert (statement["learner"], statement["commit"]["disposition"], statement["left"]["success_status"]) == (
        "u1",
        "applied",
        "passed",
    )
    assert json.loads(statement["received"])["cmi"] == PASSED
    assert statement["body"]["id"] == first
    assert run_json("deliveries", "explain", first, "--body") == statement
    shown = run("explain", first, **{URL: database_url})
    assert "which left the attempt terminated, completed, passed" in shown.stdout

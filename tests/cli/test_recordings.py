"""`scorm-bridge recordings`: the file of a session's calls, its replay, and how long and to whom calls are there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest

from bridge.database import Database
from bridge.operations.audit_context import AuditContext
from bridge.operations.learner_export import export_learner
from bridge.retention import Retention
from bridge.sandbox.credentials import SandboxCredentials
from bridge.settings import RetentionSettings
from storage.engine import open_engine
from storage.queries.learner_data import Learner
from tests.cli.conftest import Run
from tests.support.bridge import Bridge, FakeMonotonic
from tests.support.browser_keys import create_key, open_page, path_of, send
from tests.support.recordings import call, send_calls
from tests.support.sql import scalar

HEADER: dict[str, Any] = {
    "recording": 1, "session_id": "6f3c2a9e-1111-4111-8111-111111111111", "attempt": "", "attempt_number": 1,
    "entry": "ab-initio", "scorm_version": "1.2", "lms": "campus", "home_page": "https://lms.example.org",
    "learner": {"id": "u1", "name": "Ada"}, "activity": {"id": "235", "name": "Engines"}, "course": {"id": ""},
    "started": None, "started_at": 1_767_225_600_000, "made": 8, "kept": 8,
}  # fmt: skip


def _line(number: int, commit: int, method: str, *arguments: Any, **fields: Any) -> dict[str, Any]:
    line = {"number": number, "at_ms": number * 1000, "duration_ms": 5, "commit": commit, "method": method}
    return line | {"arguments": [*arguments], "answer": "true"} | fields


CALLS = [
    _line(1, 1, "Initialize", ""),
    _line(2, 1, "GetValue", "cmi.core.entry", answer="ab-initio", manner="tap"),
    _line(3, 1, "GetValue", "cmi.core.lesson_mode", answer="normal", manner="tap"),
    _line(4, 2, "SetValue", "cmi.core.score.raw", 92),
    _line(5, 2, "SetValue", "cmi.core.score.max", "refused", answer="false"),
    _line(6, 2, "SetValue", "cmi.suspend_data", {"length": 10}),
    _line(7, 3, "SetValue", "cmi.core.lesson_status", "passed"),
    _line(8, 3, "Terminate", "", answer=None),
    _line(9, 4, "GetLastError", answer="0"),
]


def _write(**header: Any) -> Path:
    file = Path("session.ndjson")
    file.write_text("\n".join(map(json.dumps, [HEADER | header, *CALLS])), encoding="utf-8")
    return file


def _be_the_sandbox(bridge: Bridge) -> None:
    """Keep what the sandbox keeps of itself."""
    Path(".run").mkdir()
    Path(".run/sandbox.json").write_bytes(msgspec.json.encode(SandboxCredentials(bridge.token, "")))


async def _recorded(bridge: Bridge) -> str:
    """Record a session, and return its id."""
    url = await open_page(bridge, create_key(bridge).key)
    await send(bridge, url, {"cmi.core.score.raw": "5"}, sequence=1)
    await send_calls(bridge, url, [call(1, "Initialize", ""), call(2, "SetValue", "cmi.core.score.raw", "5")])
    return path_of(url).split("/")[3]


def test_the_commits_of_a_recording_are_those_of_its_page(run: Run) -> None:
    result = run("recordings", "replay", str(_write()), "--commits")

    commits = [json.loads(line) for line in result.stdout.splitlines()]

    assert [(commit["cmi"], commit["sequence"], commit["terminated"]) for commit in commits] == [
        ({"cmi.core.entry": "ab-initio"}, 1, False),
        ({"cmi.core.score.raw": "92"}, 2, False),
        ({"cmi.core.lesson_status": "passed"}, 3, True),
    ]
    assert [commit["committed_at"] for commit in commits][1:] == [
        "2026-01-01T00:00:06.005Z",
        "2026-01-01T00:00:08.005Z",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "The file is empty"),
        ('{"recording": 2}', "Line 1 is none of a recording"),
        (f"{json.dumps(HEADER)}\n\n{{}}", "Line 2 is none of a recording"),
        ("\udcff", "Line 1 is none of a recording"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(run: Run, content: str, words: str) -> None:
    Path("x.ndjson").write_bytes(content.encode(errors="surrogateescape"))

    result = run("recordings", "replay", "x.ndjson", "--commits")

    assert result.exit_code == 1
    assert words in result.stderr


def test_without_a_sandbox_nothing_is_replayed(run: Run) -> None:
    result = run("recordings", "replay", str(_write()))

    assert (result.exit_code, "start `scorm-bridge sandbox` first" in result.stderr) == (1, True)


async def test_a_recording_is_replayed_in_the_sandbox_and_what_can_differ_is_said(run: Run, bridge: Bridge) -> None:
    _be_the_sandbox(bridge)
    file, url = str(_write(made=12, entry="resume")), str(bridge.url).rstrip("/")

    result = await asyncio.to_thread(run, "recordings", "replay", file, "--url", url, "--json", "--learner", "u9")

    answer = json.loads(result.stdout)
    (report,) = bridge.reports("u9", "235")
    assert (report.attempt.success_status, report.attempt.score_raw) == ("passed", 92)
    assert report.attempt.uuid == answer["session"]["attempt"]
    rules = [statement["rule"] for commit in answer["session"]["commits"] for statement in commit["statements"]]
    assert rules == bridge.rules("u9", "235")
    assert [sentence.split(" ")[0] for sentence in answer["differences"]] == ["3", "The"]
    table = await asyncio.to_thread(run, "recordings", "replay", file, "--url", url)
    assert "initialized" in table.stdout
    assert "May differ: 3 calls were not kept." in table.stderr
    refused = await asyncio.to_thread(run, "recordings", "replay", file, "--url", f"{url}/nowhere")
    assert (refused.exit_code, "The bridge refused the replay" in refused.stderr) == (1, True)


async def test_the_file_is_that_of_the_pages(run: Run, bridge: Bridge, database_url: str) -> None:
    session_id = await _recorded(bridge)
    settings = f'[database]\nurl = "{database_url}"\n'
    shown = await asyncio.to_thread(run, "recordings", "show", session_id, file=settings)
    written = await asyncio.to_thread(run, "recordings", "show", session_id, "-o", "a.ndjson", file=settings)
    again = await asyncio.to_thread(run, "recordings", "show", session_id, "-o", "a.ndjson", file=settings)
    none = await asyncio.to_thread(run, "recordings", "show", "6f3c2a9e-1111-4111-8111-111111111111", file=settings)

    assert [json.loads(line).get("method") for line in shown.stdout.splitlines()] == [None, "Initialize", "SetValue"]
    assert (written.exit_code, await asyncio.to_thread(Path("a.ndjson").read_bytes)) == (0, shown.stdout_bytes)
    assert again.exit_code == none.exit_code == 1
    assert "Nothing was recorded of session 6f3c2a9e" in none.stderr


async def test_calls_that_have_become_old_go_and_others_stay(bridge: Bridge, database_url: str) -> None:
    await _recorded(bridge)
    bridge.clock.advance(20 * 86_400)
    for days, left in ((30, 1), (10, 0)):
        database = Database(open_engine(database_url))
        settings = RetentionSettings(recordings=days)
        task = Retention(
            database, settings, now=bridge.clock, new_id=lambda: HEADER["session_id"], monotonic=FakeMonotonic()
        )
        assert not await task.run_once(), days
        await asyncio.to_thread(database.close)
        assert scalar(bridge, "SELECT count(*) FROM recording_part") == left, days


async def test_a_learner_gets_their_calls(bridge: Bridge, tmp_path: Path) -> None:
    await _recorded(bridge)
    context = AuditContext("ada", "asked", bridge.clock())
    exported = export_learner(bridge.engine, Learner("u1"), tmp_path / "u1.zip", context)
    with ZipFile(tmp_path / "u1.zip") as archive:
        (line,) = archive.read("recordings.ndjson").splitlines()

    assert exported.rows["recordings"] == 1
    assert [each[4] for each in json.loads(line)["calls"]] == ["Initialize", "SetValue"]

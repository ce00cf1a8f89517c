"""What one commit costs in the pure core, and what compiling mapping documents saves.

Run with `make bench` or `python -m benchmarks.mapping`. The commit is a typical one: some 20 CMI elements and 500
characters of suspend data, whose score and status changed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import tincan
from rich.console import Console
from rich.table import Table

import mappings
from mappings.attempt import AttemptState, Commit, ReceivedCommit, SessionState, update_attempt
from mappings.cmi import parse_cmi
from mappings.definition import compile_definition, load_definition
from mappings.definition.statement_context import StatementContext
from mappings.generation.statements import GeneratedStatements, generate_statements
from mappings.xapi.timestamps import rfc3339

ROUNDS, CALLS = 15, 400
NOW = 1_767_225_600_000
CMI: dict[str, Any] = {
    "suspend_data": "x" * 500,
    "launch_data": "",
    "comments": "",
    "core": {
        "student_id": "u42",
        "student_name": "Lovelace, Ada",
        "lesson_location": "page-12",
        "credit": "credit",
        "lesson_status": "passed",
        "entry": "ab-initio",
        "lesson_mode": "normal",
        "exit": "",
        "session_time": "00:05:30.25",
        "score": {"raw": "85", "min": "0", "max": "100"},
    },
    "objectives": {"0": {"id": "obj-1", "status": "completed", "score": {"raw": "50", "min": "", "max": "100"}}},
    "student_data": {"mastery_score": "80", "max_time_allowed": "", "time_limit_action": ""},
    "student_preference": {"audio": "", "language": "", "speed": "", "text": ""},
    "interactions": {},
}
BODY = msgspec.json.encode({"cmi": CMI})
CONTEXT = StatementContext(
    lms="1",
    lms_name="lms",
    home_page="https://lms.example.org",
    learner_id="u42",
    learner_name="Ada Lovelace",
    activity_id="235",
    activity_name="Engines",
    registration="7d2b1f6e-0c53-4b3a-9d58-0a5f6a1f2c11",
    attempt_id="2f0c4a9e-8c1b-4f7d-b0a4-5f3f9f6b7a22",
    attempt_number=1,
    session_id="b1a7e7a0-3f63-4b0e-8a55-0d9a5c0e6b33",
)


def main() -> None:
    """Measure and print."""
    text = (Path(mappings.__file__).parent / "scorm-profile.toml").read_text(encoding="utf-8")
    mapping = compile_definition(load_definition(text, "scorm-profile"), "scorm-profile")
    tree = msgspec.json.decode(BODY)
    reading = parse_cmi(tree)
    attempt, session = AttemptState(commits=1, firing_counts={"initialized": 1}, statements=1), SessionState(commits=1)
    arrival = ReceivedCommit(
        commit=Commit(wire_format="native", tree=tree), parsed_cmi=reading, digest="0" * 64, received_at=NOW
    )
    update = update_attempt(attempt, session, arrival)
    result = _map(mapping, update)
    verbs = [statement.rule for statement in result.statements]
    per_statement = len(result.statements)

    decode = measure(lambda: msgspec.json.decode(BODY))
    reads = measure(lambda: parse_cmi(tree))
    updates = measure(lambda: update_attempt(attempt, session, arrival))
    maps = measure(lambda: _map(mapping, update))
    with_tincan = measure(lambda: [_with_tincan(verb) for verb in verbs], calls=20)

    table = Table(title=f"One commit of {len(BODY)} bytes, {per_statement} statements ({', '.join(verbs)})")
    table.add_column("step")
    table.add_column("µs a commit", justify="right")
    table.add_column("of bare decoding", justify="right")
    for name, cost in (
        ("decoding JSON with msgspec (baseline)", decode),
        ("reading CMI", reads),
        ("classifying, merging, finding changes", updates),
        ("mapping with compiled templates", maps),
        ("reading + changes + mapping", reads + updates + maps),
        ("mapping with tincan objects", with_tincan),
    ):
        table.add_row(name, f"{cost:.1f}", f"{cost / decode:.1f}")
    console = Console()
    console.print(table)
    console.print(f"Mapping with tincan objects costs {with_tincan / maps:.0f} times what compiled templates cost.")


def measure(function: Callable[[], object], calls: int = CALLS) -> float:
    """Return the median of several rounds, in microseconds a call."""
    function()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        rounds.append((time.perf_counter() - start) / calls * 1e6)
    return statistics.median(rounds)


def _map(mapping: Any, update: Any) -> GeneratedStatements:
    return generate_statements(mapping, CONTEXT, update.attempt, update.session, update.changes, update.at)


def _with_tincan(verb: str) -> str:
    """Build the same kind of statement from tincan's objects, as a bridge without compiled documents would."""
    activities = "http://adlnet.gov/expapi/activities"
    sco = "https://lms.example.org/activities/235"
    statement = tincan.Statement(
        id="2586c785-df07-49c6-a979-a0c3db3e452f",
        actor=tincan.Agent(
            name=CONTEXT.learner_name, account=tincan.AgentAccount(home_page=CONTEXT.home_page, name=CONTEXT.learner_id)
        ),
        verb=tincan.Verb(id=f"http://adlnet.gov/expapi/verbs/{verb}", display=tincan.LanguageMap({"en-US": verb})),
        object=tincan.Activity(
            id=sco,
            definition=tincan.ActivityDefinition(
                type=f"{activities}/lesson", name=tincan.LanguageMap({"en-US": CONTEXT.activity_name})
            ),
        ),
        result=tincan.Result(success=True, score=tincan.Score(scaled=0.85, raw=85, min=0, max=100)),
        context=tincan.Context(
            registration=CONTEXT.registration,
            context_activities=tincan.ContextActivities(
                category=[tincan.Activity(id="https://w3id.org/xapi/scorm")],
                grouping=[
                    tincan.Activity(
                        id="https://lms.example.org/courses/235",
                        definition=tincan.ActivityDefinition(type=f"{activities}/course"),
                    ),
                    tincan.Activity(
                        id=f"{sco}?attemptId={CONTEXT.attempt_id}",
                        definition=tincan.ActivityDefinition(type=f"{activities}/attempt"),
                    ),
                ],
            ),
        ),
        timestamp=rfc3339(NOW),
    )
    return str(statement.to_json())


if __name__ == "__main__":
    main()

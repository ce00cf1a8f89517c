"""Statements to look at: the shipped mappings, facts to fill them with, and a judge as strict as the strictest LRS."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mappings
from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import ABOUT_SESSIONS, Change, Trigger
from mappings.cmi.comments import Comment
from mappings.cmi.interactions import interaction
from mappings.cmi.objectives import Objective
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import CompletionStatus, Snapshot, SuccessStatus
from mappings.definition import compile_definition, load_definition
from mappings.definition.compiled import CompiledMapping
from mappings.definition.statement_context import StatementContext
from mappings.generation.statements import generate_statements
from mappings.xapi.validation import Edition, check_statement
from tests.mappings.builders import NOON

ATTEMPT = "11111111-1111-4111-8111-111111111111"
SESSION = "22222222-2222-4222-8222-222222222222"
ENROLLMENT = "33333333-3333-4333-8333-333333333333"
DOCUMENTS = {
    path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(mappings.__file__).parent.glob("*.toml"))
}
"""All shipped mapping documents by name."""

SHIPPED = DOCUMENTS["scorm-profile"]
FOR_CREDIT = """if = 'session.mode == "normal" && session.credit == "credit"'\n"""
"""The condition of the shipped rules that tell completion, success and score, as it stands there."""
TOLD = [trigger for trigger in Trigger if trigger is not Trigger.LOCATION_CHANGED]
"""The triggers that the SCORM Profile has statements for."""

_TRIGGERS = {trigger.value: trigger for trigger in Trigger}

ANSWER = {
    "id": "Q 1",
    "type": "choice",
    "description": "Which?",
    "learner_response": "a[,]b",
    "result": "incorrect",
    "weighting": "2",
    "latency": "PT12.5S",
    "timestamp": "2026-01-31T11:59:00Z",
    "correct_responses": {"0": {"pattern": "a[,]c"}},
}
OBJECTIVE = Objective(
    id="O 1",
    description="Knows fire",
    completion_status=CompletionStatus.COMPLETED,
    success_status=SuccessStatus.PASSED,
    score=Score(scaled=0.5, raw=5, min=0, max=10),
    progress_measure=0.29,
)
COMMENT = Comment("0", "Too fast", {"location": "page 3"})

ODD_IDS = [
    "235",
    "unit 5",
    "unit:5",
    "a#b",
    "50%",
    "a%20b",
    "a?b=c&d",
    "a/b",
    "../..",
    'say "hi"',
    "it's",
    "back\\slash",
    "</script><script>alert(1)</script>",
    "{activity.id}",
    "ünï",
    "名前",
    "😀",
    "line\nbreak",
    "\u2028",
    "\ue000activity.id\ue001",
    "x" * 2_000,
]


@cache
def compiled(text: str = SHIPPED) -> CompiledMapping:
    """Return a mapping document ready for use."""
    return compile_definition(load_definition(text, "test.toml"), "test.toml")


def encoded(own_id: str) -> str:
    """Return an id as a part of an IRI: what is an escape already stays one."""
    return "".join(
        part if re.fullmatch("%[0-9A-Fa-f]{2}", part) else quote(part, safe="")
        for part in re.split("(%[0-9A-Fa-f]{2})", own_id)
    )


def facts(**changes: Any) -> StatementContext:
    """Return who and what an attempt is about, as an LMS that tells everything would."""
    whole: dict[str, Any] = {
        "lms": "lms-1",
        "lms_name": "Example LMS",
        "home_page": "https://lms.example.org/",
        "learner_id": "u42",
        "learner_name": "Doe, Jane",
        "activity_id": "235",
        "activity_name": "Fire safety",
        "course_id": "7",
        "course_name": "Safety",
        "registration": ENROLLMENT,
        "attempt_id": ATTEMPT,
        "attempt_number": 2,
        "session_id": SESSION,
    }
    return StatementContext(**whole | changes)


def reached(known: Snapshot) -> AttemptState:
    """Return an attempt that has reached what a snapshot says."""
    return AttemptState(snapshot=known, score=score(known))


def change_of(trigger: str, spent: int = 33_025) -> Change:
    """Return a change of a trigger, about something where it must be."""
    kind = trigger.partition(".")[0]
    about = {"interaction": interaction(ANSWER), "objective": OBJECTIVE, "comment": COMMENT}.get(kind)
    return Change(_TRIGGERS[trigger], about=about, duration=spent if trigger in ABOUT_SESSIONS else None)


def tell(
    *triggers: Change | str,
    known: Snapshot | None = None,
    spent: int = 0,
    mapping: CompiledMapping | None = None,
    at: int = NOON,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Return the statements of changes, or of a sample change of triggers, as JSON values, each judged."""
    done = generate_statements(
        mapping or compiled(),
        facts(**changes),
        reached(known or Snapshot()),
        SessionState(time_spent=spent, time_known=True),
        [change_of(trigger, spent) if isinstance(trigger, str) else trigger for trigger in triggers],
        at,
    )
    return [judged(statement.body) for statement in done.statements]


def everything() -> str:
    """Return the bodies of one statement of each trigger, one a line."""
    known = Snapshot(
        completion_status=CompletionStatus.COMPLETED,
        success_status=SuccessStatus.PASSED,
        score_raw=8.5,
        score_min=0,
        score_max=10,
        progress_measure=0.29,
    )
    changes = [change_of(trigger) for trigger in TOLD]
    done = generate_statements(
        compiled(), facts(), reached(known), SessionState(time_spent=33_025, time_known=True), changes, NOON
    )
    return "\n".join(statement.body for statement in done.statements)


_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20\x7f]+")
_DURATION = re.compile(r"PT(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,2})?S)?")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def judged(body: str) -> dict[str, Any]:
    """Return a statement that no LRS would refuse and that the SCORM Profile's schemas take."""
    statement = json.loads(body)
    assert [*check_statement(statement, "", Edition.ONE), *check_statement(statement, "", Edition.TWO)] == []
    assert set(statement) - {"result"} == {"id", "actor", "verb", "object", "context", "timestamp"}
    assert str(uuid.UUID(statement["id"])) == statement["id"]
    assert not list(_nulls(statement))
    actor, verb, context = statement["actor"], statement["verb"], statement["context"]
    assert set(actor) - {"name"} == {"objectType", "account"}
    assert actor["objectType"] == "Agent"
    assert set(actor["account"]) == {"homePage", "name"}
    assert actor["account"]["name"]
    assert set(verb) == {"id", "display"}
    assert set(context) - {"extensions"} == {"registration", "contextActivities"}
    assert str(uuid.UUID(context["registration"])) == context["registration"]
    groups = context["contextActivities"]
    assert set(groups) <= {"parent", "grouping", "category", "other"}
    activities = [statement["object"], *(activity for group in groups.values() for activity in group)]
    for activity in activities:
        definition = activity["definition"]
        assert set(activity) == {"objectType", "id", "definition"}
        assert set(definition) - {"name", "description", "interactionType", "correctResponsesPattern"} == {"type"}, (
            activity
        )
        assert all(definition.get("name", {"en": "x"}).values()), activity
        assert all(definition.get("description", {"en": "x"}).values()), activity
        assert "correctResponsesPattern" not in definition or "interactionType" in definition, activity
    extensions = [*context.get("extensions", ()), *statement.get("result", {}).get("extensions", ())]
    iris = [verb["id"], actor["account"]["homePage"], *extensions]
    for iri in [
        *iris,
        *(activity["id"] for activity in activities),
        *(activity["definition"]["type"] for activity in activities),
    ]:
        assert _IRI.fullmatch(iri), iri
    assert _TIMESTAMP.fullmatch(statement["timestamp"])
    assert datetime.fromisoformat(statement["timestamp"]).tzinfo is not None
    if "result" in statement:
        _judge_result(statement["result"])
    return statement


def _judge_result(result: dict[str, Any]) -> None:
    assert result
    assert set(result) <= {"completion", "success", "score", "duration", "response", "extensions"}
    assert isinstance(result.get("response", ""), str)
    assert all(result[key] in (True, False) for key in ("completion", "success") if key in result)
    assert "duration" not in result or _DURATION.fullmatch(result["duration"])
    score = result.get("score")
    if score is not None:
        assert score
        assert set(score) <= {"scaled", "raw", "min", "max"}
        low, high, raw = score.get("min"), score.get("max"), score.get("raw")
        assert -1 <= score.get("scaled", 0) <= 1
        assert low is None or high is None or low < high
        assert raw is None or low is None or low <= raw
        assert raw is None or high is None or raw <= high


def _nulls(value: object) -> Iterator[None]:
    if value is None:
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nulls(below)

"""Two judges that nobody here wrote accept every statement that the project makes, and refuse broken ones."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mappings.attempt import SessionState
from mappings.attempt.changes import Trigger
from mappings.cmi.snapshot import CompletionStatus, Snapshot, SuccessStatus
from mappings.generation.statements import generate_statements
from tests.judges import panel
from tests.judges.sessions import sampled
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import DOCUMENTS, ODD_IDS, change_of, compiled, facts, reached
from tests.recordings.recording import FOLDER

SOUND: dict[str, Any] = {
    "id": "7d2b1f6e-0c53-4b3a-9d58-0a5f6a1f2c11",
    "actor": {"objectType": "Agent", "account": {"homePage": "https://lms.example.org", "name": "u42"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/scored", "display": {"en-US": "scored"}},
    "object": {
        "id": "https://lms.example.org/activities/235",
        "objectType": "Activity",
        "definition": {"type": "http://adlnet.gov/expapi/activities/lesson", "name": {"en-US": "Fire safety"}},
    },
    "result": {"score": {"scaled": 0.85, "raw": 85, "min": 0, "max": 100}, "duration": "PT1M30.5S", "success": True},
    "context": {
        "registration": "2f0c4a9e-8c1b-4f7d-b0a4-5f3f9f6b7a22",
        "contextActivities": {"category": [{"id": "https://w3id.org/xapi/scorm", "objectType": "Activity"}]},
    },
    "timestamp": "2026-01-31T12:00:00.000Z",
}
BROKEN: dict[str, dict[str, Any]] = {
    "no actor": {"actor": None},
    "two identifiers": {"actor.mbox": "mailto:u42@example.org"},
    "relative home page": {"actor.account.homePage": "/lms"},
    "relative verb": {"verb.id": "scored"},
    "no verb id": {"verb.id": None},
    "bad language tag": {"verb.display": {"en_US!": "scored"}},
    "relative activity": {"object.id": "activities/235"},
    "unknown interaction type": {"object.definition.interactionType": "multiple"},
    "scaled above 1": {"result.score.scaled": 1.01},
    "scaled below -1": {"result.score.scaled": -1.00001},
    "raw above max": {"result.score.raw": 101},
    "raw below min": {"result.score.min": 90},
    "min above max": {"result.score.min": 200},
    "success as text": {"result.success": "yes"},
    "duration that is none": {"result.duration": "00:01:30"},
    "weeks mixed with days": {"result.duration": "P4W1D"},
    "registration that is no UUID": {"context.registration": "42"},
    "unknown group of context activities": {
        "context.contextActivities.category": None,
        "context.contextActivities.x": [],
    },
    "timestamp that is none": {"timestamp": "yesterday"},
    "unknown property": {"results": {}},
}
OVERLOOKED: dict[str, set[str]] = {
    "Learning Locker": set(),
    "Ralph": {"duration that is none", "weeks mixed with days"},
}
"""What a judge takes although it is broken: why there are two."""


def broken(changes: dict[str, Any]) -> str:
    """Return a sound statement with parts replaced by dotted name; None takes a part out."""
    statement = copy.deepcopy(SOUND)
    for name, value in changes.items():
        *path, leaf = name.split(".")
        part: Any = statement
        for key in path:
            part = part[key]
        if value is None:
            del part[leaf]
        else:
            part[leaf] = value
    return json.dumps(statement)


def recorded() -> list[str]:
    """Return the statements of all recordings."""
    golden = sorted((FOLDER / "golden").glob("*.json"))
    assert golden
    return [
        json.dumps(statement, ensure_ascii=False)
        for path in golden
        for statement in json.loads(path.read_text(encoding="utf-8"))["statements"]
    ]


def one_of_each() -> list[str]:
    """Return a statement of each rule of each shipped document, for a learner and a course with each odd id."""
    snapshot = Snapshot(
        completion_status=CompletionStatus.COMPLETED,
        success_status=SuccessStatus.PASSED,
        score_raw=8.5,
        score_min=0,
        score_max=10,
        progress_measure=0.29,
    )
    changes = [change_of(trigger) for trigger in Trigger]
    return [
        statement.body
        for text in DOCUMENTS.values()
        for odd_id in ODD_IDS
        for statement in generate_statements(
            compiled(text),
            facts(learner_id=odd_id, activity_id=odd_id, course_id=odd_id, learner_name=odd_id, activity_name=odd_id),
            reached(snapshot),
            SessionState(time_spent=33_025),
            changes,
            NOON,
        ).statements
        if statement.problem is None
    ]


@pytest.fixture(scope="module", params=list(panel.PANEL))
def judge(request: pytest.FixtureRequest) -> str:
    """Return a judge's name."""
    return request.param


@pytest.fixture(scope="module")
def reasons(judge: str) -> dict[str, list[str]]:
    """Return what the judge finds wrong with each statement of this module, asked once for all."""
    statements = [json.dumps(SOUND), *(broken(changes) for changes in BROKEN.values())]
    statements += [*recorded(), *one_of_each(), *sampled()]
    return panel.verdicts(judge, list(dict.fromkeys(statements)))


def refused(reasons: dict[str, list[str]], statements: Iterable[str]) -> dict[str, list[str]]:
    """Return the statements that the judge refused, with its reasons."""
    return {statement: reasons[statement] for statement in statements if reasons[statement]}


def test_a_judge_takes_a_sound_statement(reasons: dict[str, list[str]]) -> None:
    assert reasons[json.dumps(SOUND)] == []


@pytest.mark.parametrize("fault", list(BROKEN))
def test_a_judge_refuses_a_broken_statement(reasons: dict[str, list[str]], judge: str, fault: str) -> None:
    assert bool(reasons[broken(BROKEN[fault])]) == (fault not in OVERLOOKED[judge])


def test_the_statements_of_all_recordings_are_accepted(reasons: dict[str, list[str]]) -> None:
    assert refused(reasons, recorded()) == {}


def test_a_statement_of_each_rule_is_accepted_whatever_the_ids(reasons: dict[str, list[str]]) -> None:
    assert refused(reasons, one_of_each()) == {}


def test_the_statements_of_made_up_sessions_are_accepted(reasons: dict[str, list[str]]) -> None:
    assert refused(reasons, sampled()) == {}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_made_up_sessions_make_statements_of_every_rule(name: str) -> None:
    verbs = Counter(json.loads(body)["verb"]["id"] for body, made_by in sampled().items() if made_by == name)
    document = compiled(DOCUMENTS[name]).definition

    assert set(verbs) == {document.verbs[rule.verb].id for rule in document.rules}


def test_a_judge_that_is_not_installed_says_how_to_install_it(
    judge: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(panel, "VALIDATOR", tmp_path / "package.json")
    monkeypatch.setattr(panel, "RALPH", tmp_path)
    with pytest.raises(RuntimeError, match="make test-tools"):
        panel.verdicts(judge, [])

"""Whole sessions of random CMI data: everything that is told is valid, told once, and told the same again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.definition.compiled import CompiledMapping
from mappings.generation.statements import Statement, generate_statements
from tests.mappings.builders import NOON, Play, delta, scorm_12
from tests.mappings.statement_builders import DOCUMENTS, compiled, facts, judged

proven = settings(deadline=None, max_examples=120, derandomize=True, database=None)

_IDS = st.sampled_from(["Q1", "Q2", "urn:x:…", "a b#c%20", "", "7"])
_SCORES = st.sampled_from(["", "0", "50", "85,5", "101", "-1", "1e308", "NaN"])
_STATUSES = st.sampled_from(["", "passed", "failed", "completed", "incomplete", "unknown", "Passed", "nonsense"])


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return items of which each part may be missing."""
    return st.fixed_dictionaries({}, optional=parts)


_ANSWERS = some(
    id=_IDS,
    type=st.sampled_from(["choice", "matching", "numeric", "true-false", "performance", "hotspot", ""]),
    student_response=st.sampled_from(["a,b", "{1.a,2.b}", "t", "", "4:5", " "]),
    learner_response=st.sampled_from(["a[,]b", "{case_matters=true}x", "", "é\n\u2028"]),
    result=st.sampled_from(["correct", "wrong", "neutral", "0.75", "1e308", "NaN", ""]),
    latency=st.sampled_from(["00:00:05", "PT1.255S", "9999:99:99.99", "soon"]),
    weighting=_SCORES,
    description=st.sampled_from(["", "What?"]),
    correct_responses=st.just({"0": {"pattern": "{a,b}"}, "1": {"pattern": ""}}),
)
_OBJECTIVES = some(
    id=_IDS,
    status=_STATUSES,
    success_status=_STATUSES,
    completion_status=_STATUSES,
    progress_measure=st.sampled_from(["0", "0.29", "1.1", ""]),
    score=some(raw=_SCORES, min=_SCORES, max=_SCORES, scaled=_SCORES),
)
_COMMENTS = some(comment=st.sampled_from(["", " ", "Dull"]), location=st.just("p1"), timestamp=st.just("then"))


def some_of(items: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    """Return a collection of few items."""
    return st.dictionaries(st.sampled_from(["0", "1", "2"]), items, max_size=3)


_TREES = some(
    **{
        "core.lesson_status": _STATUSES,
        "core.score.raw": _SCORES,
        "core.exit": st.sampled_from(["", "suspend"]),
        "comments": st.sampled_from(["", "a", "ab"]),
        "progress_measure": st.sampled_from(["0.29", "1"]),
        "interactions": some_of(_ANSWERS),
        "objectives": some_of(_OBJECTIVES),
        "comments_from_learner": some_of(_COMMENTS),
    }
)
_COMMITS = st.tuples(_TREES, st.sampled_from([None, None, True]), st.booleans(), st.none() | st.integers(1, 4))
SESSIONS = st.lists(st.lists(_COMMITS, max_size=5), min_size=1, max_size=3)

SentCommit = tuple[dict[str, Any], bool | None, bool, int | None]
"""Elements by dotted name, whether the commit is the last one, whether it is settled, and its number."""


def statements_of(sessions: list[list[SentCommit]], mapping: CompiledMapping, *, full: bool = False) -> list[Statement]:
    """Return the statements of an attempt, from its journal."""
    play = Play(policy=mapping.definition.status)
    statements: list[Statement] = []
    for count, session in enumerate(sessions):
        who = facts(session_id=f"22222222-2222-4222-8222-00000000000{count}", activity_id="unit 5")
        for tree, terminated, settled, sequence in session:
            done = play.send(
                scorm_12(tree) if full else delta(tree),
                at=NOON + count,
                full=full,
                terminated=terminated,
                settled=settled,
                sequence=sequence,
            )
            generated = generate_statements(mapping, who, done.attempt, done.session, done.changes, done.at)
            play.attempt, play.session = generated.attempt, generated.session
            statements += generated.statements
        play = play.next_session()
    return statements


@pytest.mark.parametrize("name", DOCUMENTS)
@given(sessions=SESSIONS, full=st.booleans())
@proven
@pytest.mark.slow
def test_everything_told_is_valid_and_has_an_id_of_its_own(
    name: str, sessions: list[list[SentCommit]], *, full: bool
) -> None:
    generated = statements_of(sessions, compiled(DOCUMENTS[name]), full=full)
    statements = [judged(statement.body) for statement in generated]

    assert [statement.problem for statement in generated] == [None] * len(generated)
    assert len({statement["id"] for statement in statements}) == len(statements)
    assert [statement.position for statement in generated] == list(range(1, len(generated) + 1))


@given(SESSIONS)
@proven
@pytest.mark.slow
def test_the_same_journal_gives_the_same_bytes(sessions: list[list[SentCommit]]) -> None:
    first, again = (statements_of(sessions, compiled()) for _ in range(2))

    assert [statement.body for statement in first] == [statement.body for statement in again]


@given(SESSIONS, st.sampled_from(["objective-completed", "objective-passed", "objective-failed", "completed"]))
@proven
@pytest.mark.slow
def test_what_is_told_once_an_attempt_is_told_once_of_each_object(sessions: list[list[SentCommit]], rule: str) -> None:
    objects = [
        judged(statement.body)["object"]["id"]
        for statement in statements_of(sessions, compiled())
        if statement.rule == rule
    ]

    assert len(set(objects)) == len(objects)


@given(SESSIONS)
@proven
@pytest.mark.slow
def test_no_objective_fails_after_it_passed(sessions: list[list[SentCommit]]) -> None:
    passed = set()
    for statement in statements_of(sessions, compiled()):
        objective = judged(statement.body)["object"]["id"]
        assert statement.rule != "objective-failed" or objective not in passed
        if statement.rule == "objective-passed":
            passed.add(objective)


def rules(text: str, *statuses: str, key: str = "core.lesson_status") -> list[str]:
    """Return the rules that spoke of statuses which came one after the other."""
    sessions: list[list[SentCommit]] = [[({key: status}, None, True, None) for status in statuses]]
    return [statement.rule for statement in statements_of(sessions, compiled(text))]


FAILED_COMPLETES = DOCUMENTS["scorm-profile"].replace("failed_completes = false", "failed_completes = true")


@pytest.mark.slow
def test_failed_completes_where_the_document_says_so() -> None:
    assert rules(FAILED_COMPLETES, "failed") == ["initialized", "completed", "failed"]
    assert rules(DOCUMENTS["scorm-profile"], "failed") == ["initialized", "failed"]


@pytest.mark.slow
def test_an_attempt_that_failed_and_passed_is_completed_once() -> None:
    assert rules(FAILED_COMPLETES, "failed", "incomplete", "passed") == ["initialized", "completed", "failed", "passed"]


@pytest.mark.slow
def test_failed_completes_speaks_of_scorm_12_only() -> None:
    assert rules(FAILED_COMPLETES, "failed", key="success_status") == ["initialized", "failed"]

"""The journal told once more: by the version of its time as it was told, by another one as that would have told it."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bridge.mapping_library.enrollment_history import UnreadableCommitError
from bridge.mapping_library.explain import explain_commit
from bridge.mapping_library.impact import ImpactInput, measure_impact
from storage.engine import open_engine, reading, writing
from storage.journal_replay import JournalSpan
from storage.tables import journal
from tests.mappings.builders import delta, scorm_12
from tests.mappings.test_session_properties import SESSIONS
from tests.support.bridge import Bridge
from tests.support.commit_path import Writer
from tests.support.mapping import DEFAULT, MASTERED, variant
from tests.support.replay import replayed, stored

_numbers = count()


@settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sessions=SESSIONS,
    full=st.booleans(),
    together=st.booleans(),
    closed=st.lists(st.booleans(), min_size=3, max_size=3),
)
@pytest.mark.slow
def test_whatever_was_committed_the_journal_gives_exactly_what_is_stored(
    sqlite_template: Path,
    tmp_path: Path,
    sessions: Any,
    full: Any,
    together: Any,
    closed: Any,
) -> None:
    path = tmp_path / f"{next(_numbers)}.db"
    shutil.copy(sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    writer = Writer(engine)
    ids = [writer.open() for _ in sessions] if together else []
    for number, session in enumerate(sessions):
        session_id = ids[number] if together else writer.open()
        for tree, terminated, settled, sequence in session:
            marks = {"sequence": sequence, "terminated": terminated}
            fields = {name: value for name, value in marks.items() if value is not None}
            cmi = scorm_12(tree) if full else delta(tree)
            # settled: as one of many small posts, or marked as the last one by the address
            writer.post(session_id, cmi | fields, **({} if settled else {"last": "true"}))
        if closed[number]:
            writer.close(session_id)
    try:
        assert replayed(engine, DEFAULT) == stored(engine)
    finally:
        engine.dispose()
        path.unlink()


async def _play(bridge: Bridge) -> str:
    opened = await bridge.open()
    session_id = opened["session_id"]
    for number, raw in enumerate(("40", "40", "95"), 1):
        cmi = {"core": {"lesson_status": "incomplete", "score": {"raw": raw, "max": "100"}}}
        await bridge.commit(cmi, session_id=session_id, sequence=number)
        bridge.clock.advance(60)
    await bridge.commit(cmi, session_id=session_id, sequence=3)
    await bridge.commit({"core": {"lesson_status": "passed"}}, session_id=session_id, sequence=4, terminated=True)
    return session_id


async def test_a_stored_commit_is_explained_as_it_was_told(bridge: Bridge) -> None:
    session_id = await _play(bridge)
    with reading(bridge.engine) as connection:
        second, third, again = (explain_commit(connection, session_id, number) for number in (2, 3, 4))
        nothing = explain_commit(connection, session_id, 9)
    assert second is not None
    assert third is not None
    assert again is not None
    (report,) = bridge.reports()
    statement_ids = [statement.id for statement in report.statements if statement.commit_number == 3]
    rules = {rule.rule: rule for rule in third.explanation.rules}
    (change,) = third.explanation.changes

    assert nothing is None
    assert second.explanation.statements == ()
    assert [statement.id for statement in third.explanation.statements] == statement_ids
    assert (change.trigger, change.before["raw"], change.after["raw"]) == ("score.changed", 40, 95)
    assert (rules["scored"].reason, rules["scored"].statement) == ("fired", statement_ids[0])
    assert rules["initialized"].reason == "no-change"
    assert third.version_id is not None
    assert (again.explanation.disposition, again.explanation.duplicate_of) == ("duplicate", 3)


async def test_a_stored_commit_is_explained_by_another_mapping_as_if_that_had_always_held(bridge: Bridge) -> None:
    session_id = await _play(bridge)
    mapping = variant(add=MASTERED)
    with reading(bridge.engine) as connection:
        first = explain_commit(connection, session_id, 1, mapping=mapping)
        third = explain_commit(connection, session_id, 3, mapping=mapping)
    assert first is not None
    assert third is not None
    silent = next(rule for rule in first.explanation.rules if rule.rule == "mastered")

    assert (silent.reason, silent.condition) == ("condition", "score.scaled >= 0.9")
    assert silent.variables is not None
    assert silent.variables["score"] == {"scaled": 0.4, "raw": 40, "max": 100}
    assert [statement.rule for statement in third.explanation.statements] == ["scored", "mastered"]
    assert third.version_id is None


async def test_the_impact_of_a_version_is_counted_by_rule_with_examples(bridge: Bridge) -> None:
    for learner in range(5):
        opened = await bridge.open(learner={"id": f"u{learner}"})
        for raw in ("40", "95"):
            cmi = {"core": {"lesson_status": "passed", "score": {"raw": raw, "max": "100"}}}
            await bridge.commit(cmi, session_id=opened["session_id"], learner={"id": f"u{learner}"})
            bridge.clock.advance(60)
    new = variant(add=MASTERED, drop="attempt.started", **{'result = ["success", "score"]': 'result = ["success"]'})
    documents = DEFAULT.definition.text, new.definition.text
    impact = measure_impact(bridge.engine, ImpactInput(*documents, JournalSpan()), processes=0)
    counts_by_rule = {
        rule: (counts.added, counts.dropped, counts.changed, counts.same) for rule, counts in impact.rules.items()
    }
    shared = measure_impact(bridge.engine, ImpactInput(*documents, JournalSpan()), processes=2, single_process_limit=0)
    later = measure_impact(bridge.engine, ImpactInput(*documents, JournalSpan(bridge.clock() - 60_000)), processes=0)
    nobody = measure_impact(bridge.engine, ImpactInput(*documents, JournalSpan(lms="another")), processes=0)

    assert (impact.enrollments, impact.commits) == (5, 10)
    assert counts_by_rule == {
        "initialized": (0, 5, 0, 0),
        "scored": (0, 0, 0, 10),
        "completed": (0, 0, 0, 5),
        "passed": (0, 0, 5, 0),
        "mastered": (5, 0, 0, 0),
    }
    assert {(example.kind, example.rule) for example in impact.examples} == {
        ("dropped", "initialized"), ("changed", "passed"), ("added", "mastered"),
    }  # fmt: skip
    assert (shared.rules, shared.commits) == (impact.rules, impact.commits)
    assert later.commits == 1
    assert [(rule, counts.added, counts.same) for rule, counts in later.rules.items()] == [
        ("scored", 0, 1),
        ("mastered", 1, 0),
    ]
    assert nobody.commits == 0


async def test_the_same_document_has_no_impact(bridge: Bridge) -> None:
    await _play(bridge)
    impact = measure_impact(bridge.engine, ImpactInput(*(DEFAULT.definition.text,) * 2, JournalSpan()), processes=0)

    assert {(counts.added, counts.dropped, counts.changed) for counts in impact.rules.values()} == {(0, 0, 0)}
    assert sum(counts.same for counts in impact.rules.values()) == len(bridge.rules())


async def test_a_commit_that_cannot_be_read_any_more_is_left_out_and_counted(bridge: Bridge) -> None:
    session_id = await _play(bridge)
    with writing(bridge.engine) as connection:
        connection.execute(update(journal).where(journal.c.number == 2).values(wire_format="of old"))
    impact = measure_impact(bridge.engine, ImpactInput(*(DEFAULT.definition.text,) * 2, JournalSpan()), processes=0)
    assert (impact.skipped, impact.commits) == (1, 3)
    with pytest.raises(UnreadableCommitError), reading(bridge.engine) as connection:
        explain_commit(connection, session_id, 3)

"""Objectives: told by their ids, each for itself, and never back from what they reached."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.attempt.update import AttemptUpdate
from mappings.cmi.objectives import Objective, objectives
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import CompletionStatus, ScormVersion, SuccessStatus
from mappings.cmi.tree import Tree
from mappings.generation.statements import generate_statements
from tests.mappings.builders import DAY, NOON, Play, delta, numbered, scorm_12, scorm_2004
from tests.mappings.statement_builders import compiled, facts


def old(*items: dict[str, Any], **changes: str) -> Tree:
    """Return a SCORM 1.2 snapshot with objectives."""
    return scorm_12({"objectives": numbered(*items)} | changes)


def new(*items: dict[str, Any], **changes: str) -> Tree:
    """Return a SCORM 2004 snapshot with objectives."""
    return scorm_2004({"objectives": numbered(*items)} | changes)


def objective_events(done: AttemptUpdate) -> list[tuple[str, str]]:
    """Return what a commit told of objectives: the trigger's second word and the id."""
    return [
        (change.trigger.partition(".")[2], change.about.id)
        for change in done.changes
        if isinstance(change.about, Objective)
    ]


def statements_of(play: Play, *trees: Tree) -> list[str]:
    """Return the rules and objects' ids of the statements that commits make."""
    made_all = []
    for tree in trees:
        done = play.send(tree)
        generated = generate_statements(compiled(), facts(), done.attempt, done.session, done.changes, done.at)
        play.attempt, play.session = generated.attempt, generated.session
        made_all += [statement.rule for statement in generated.statements if statement.rule.startswith("objective-")]
    return made_all


PASSED = {"id": "A", "status": "passed", "score": {"raw": "80", "min": "", "max": "100"}}
UNTOUCHED = {"id": "B", "status": "not attempted", "score": {"raw": "", "min": "", "max": "100"}}


def test_each_thing_reached_is_told_in_the_order_of_the_triggers() -> None:
    item = {"id": "A", "success_status": "passed", "completion_status": "completed", "progress_measure": "1"}
    done = Play().send(new(item | {"score": {"scaled": "0.9"}}))

    assert objective_events(done) == [("scored", "A"), ("progressed", "A"), ("completed", "A"), ("passed", "A")]
    assert [change.after for change in done.changes if change.about] == [
        Score(scaled=0.9),
        1,
        "completed",
        "passed",
    ]


def test_nothing_is_told_of_an_objective_that_was_not_touched() -> None:
    assert objective_events(Play().send(old(UNTOUCHED))) == []


def test_a_snapshot_that_repeats_objectives_tells_them_once() -> None:
    play = Play()

    assert [
        objective_events(play.send(tree)) for tree in (old(PASSED), old(PASSED, UNTOUCHED), old(PASSED, location="2"))
    ] == [
        [("scored", "A"), ("completed", "A"), ("passed", "A")],
        [],
        [],
    ]


def test_an_objective_without_an_id_is_not_told() -> None:
    assert objective_events(Play().send(old(PASSED | {"id": ""}))) == []
    assert objective_events(Play().send(delta({"objectives": {"0": {"status": "passed"}}}))) == []


def test_an_objective_whose_id_comes_later_is_told_then() -> None:
    play = Play()
    play.send(delta({"objectives": {"0": {"status": "failed"}}}))

    assert objective_events(play.send(delta({"objectives": {"0": {"id": "A"}}}))) == [("failed", "A")]


@pytest.mark.parametrize(
    ("status", "triggers"),
    [
        ("passed", ["completed", "passed"]),
        ("failed", ["failed"]),
        ("completed", ["completed"]),
        ("Completed", ["completed"]),
        ("incomplete", []),
        ("browsed", []),
        ("not attempted", []),
        ("not_attempted", []),
        ("done", []),
        ("", []),
    ],
)
def test_scorm_12s_status_words(status: str, triggers: list[str]) -> None:
    assert objective_events(Play().send(old({"id": "A", "status": status}))) == [(trigger, "A") for trigger in triggers]


@pytest.mark.parametrize(
    ("version", "sent", "score"),
    [
        ("1.2", {"raw": "80", "min": "", "max": "100"}, Score(scaled=0.8, raw=80, max=100)),
        ("1.2", {"raw": "8", "min": "0", "max": "10"}, Score(scaled=0.8, raw=8, min=0, max=10)),
        ("2004", {"scaled": "0.5"}, Score(scaled=0.5)),
        ("2004", {"scaled": "0.5", "raw": "5", "min": "0", "max": "10"}, Score(scaled=0.5, raw=5, min=0, max=10)),
        ("1.2", {"raw": "85,5"}, Score(scaled=0.855, raw=85.5)),
        ("1.2", {"raw": "", "min": "", "max": "100"}, None),
        ("1.2", {"raw": "110", "max": "100"}, None),
        ("1.2", {"raw": "many"}, None),
        ("2004", {"scaled": "1.5"}, None),
        ("2004", {"scaled": "85"}, None),
        ("2004", {"scaled": "0.5", "raw": "11", "min": "0", "max": "10"}, Score(scaled=0.5)),
        ("2004", {}, None),
        ("2004", "80", None),
    ],
    ids=str,
)
def test_a_score_is_told_as_far_as_it_is_possible(
    version: ScormVersion, sent: str | dict[str, str], score: Score | None
) -> None:
    assert objectives({"0": {"id": "A", "score": sent}}, version)["A"].score == score


@pytest.mark.parametrize(("measure", "read"), [("0.5", 0.5), ("1.5", None), ("-0.1", None), ("half", None), ("", None)])
def test_progress_out_of_range_is_left_out(measure: str, read: float | None) -> None:
    assert objectives({"0": {"id": "A", "progress_measure": measure}}, "2004")["A"].progress_measure == read


def test_a_bad_value_leaves_the_others_alone() -> None:
    items = {"0": {"id": "A", "success_status": "passed", "completion_status": "done", "score": {"scaled": "7"}}}

    assert objectives(items, "2004") == {"A": Objective(id="A", success_status=SuccessStatus.PASSED)}


def test_scores_and_progress_are_told_at_every_change() -> None:
    play = Play()
    sent = [("0.5", "0.1"), ("0.5", "0.2"), ("0.7", "0.2"), ("0.5", "0.1")]
    trees = [
        new({"id": "A", "score": {"scaled": scaled}, "progress_measure": progress}, {"id": "B"})
        for scaled, progress in sent
    ]

    assert [[trigger for trigger, _ in objective_events(play.send(tree))] for tree in trees] == [
        ["scored", "progressed"],
        ["progressed"],
        ["scored"],
        ["scored", "progressed"],
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_each_objective_is_told_for_itself(first: int) -> None:
    play = Play()
    items = [PASSED, PASSED | {"id": "B"}]
    play.send(old(items[first]))

    assert objective_events(play.send(old(items[first], items[1 - first]))) == [
        (trigger, items[1 - first]["id"]) for trigger in ("scored", "completed", "passed")
    ]


def test_an_objective_that_moved_to_another_index_is_not_told_again() -> None:
    play = Play()
    play.send(old(PASSED, **{"core.exit": "suspend"}), terminated=True)
    play = play.next_session()

    assert objective_events(play.send(old(UNTOUCHED, PASSED))) == []
    assert objective_events(play.send(old(UNTOUCHED | {"status": "failed"}, PASSED))) == [("failed", "B")]


def test_an_objective_takes_nothing_from_the_one_that_had_its_index() -> None:
    play = Play()
    play.send(new({"id": "A", "success_status": "passed", "score": {"scaled": "0.9"}, "description": "First"}))
    play.send(new({"id": "B", "success_status": "", "score": {"scaled": ""}, "description": ""}))

    assert [id_ for _, id_ in objective_events(play.folds[1])] == []
    assert objectives(play.known.objectives, "2004")["B"] == Objective(id="B")


@pytest.mark.parametrize("between", ["incomplete", "not attempted", "failed", ""])
def test_an_objective_once_passed_and_completed_stays_so(between: str) -> None:
    play = Play()
    rules = statements_of(play, *(old({"id": "A", "status": word}) for word in ("passed", between, "failed", "passed")))

    assert rules == ["objective-completed", "objective-passed"]


@pytest.mark.parametrize("between", ["unknown", "failed", ""])
def test_a_scorm_2004_objective_once_passed_stays_so(between: str) -> None:
    play = Play()
    words = ("passed", between, "failed", "passed")
    rules = statements_of(play, *(new({"id": "A", "success_status": word}) for word in words))

    assert rules == ["objective-passed"]


def test_an_objective_that_failed_can_still_be_passed() -> None:
    play = Play()
    rules = statements_of(play, *(new({"id": "A", "success_status": word}) for word in ("failed", "passed", "failed")))

    assert rules == ["objective-failed", "objective-passed"]


def test_an_older_commit_takes_nothing_from_an_objective_and_adds_missing_ones_once() -> None:
    play = Play()
    play.send(old(PASSED), sequence=3)
    older = [old(UNTOUCHED | {"id": "A", "status": "incomplete"}, {"id": "B", "status": "failed"})] * 2

    assert [objective_events(play.send(tree, sequence=2, at=NOON + DAY)) for tree in older] == [[("failed", "B")], []]
    assert objectives(play.known.objectives, "1.2")["A"].success_status == "passed"


def test_an_older_commit_with_other_indices_mixes_no_objectives() -> None:
    play = Play()
    play.send(old({"id": "B", "status": "incomplete"}, PASSED), sequence=3)

    assert objective_events(play.send(old(PASSED), sequence=2)) == []
    assert objectives(play.known.objectives, "1.2")["B"] == Objective(
        id="B", completion_status=CompletionStatus.INCOMPLETE
    )

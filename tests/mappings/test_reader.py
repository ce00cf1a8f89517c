"""A commit's CMI tree read: every element of both versions, every spelling, every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mappings.cmi.parser import parse_cmi
from mappings.cmi.snapshot import COLLECTIONS, EMPTY, CompletionStatus, LessonStatus, ScormVersion, Snapshot
from mappings.cmi.tree import Tree, unflatten
from tests.mappings.builders import delta, flatten, scorm_12, scorm_2004, spelled_out

SCORM_12 = {
    "core.lesson_status": ("browsed", "lesson_status", "browsed"),
    "core.lesson_location": ("page=2&x=1", "location", "page=2&x=1"),
    "core.lesson_mode": ("review", "mode", "review"),
    "core.credit": ("no-credit", "credit", "no-credit"),
    "core.entry": ("ab-initio", "entry", "ab-initio"),
    "core.exit": ("time-out", "exit", "time-out"),
    "core.score.raw": ("85", "score_raw", 85),
    "core.score.min": ("0", "score_min", 0),
    "core.score.max": ("100", "score_max", 100),
    "core.session_time": ("00:05:30.25", "session_time", 33_025),
    "core.total_time": ("0001:00:00", "total_time", 360_000),
    "student_data.mastery_score": ("80", "mastery_score", 80),
    "student_data.max_time_allowed": ("02:00:00", "max_time_allowed", "02:00:00"),
    "student_data.time_limit_action": ("exit,message", "time_limit_action", "exit,message"),
    "student_preference.audio": ("-1", "audio_level", -1),
    "student_preference.language": ("de", "language", "de"),
    "student_preference.speed": ("100", "delivery_speed", 100),
    "student_preference.text": ("1", "audio_captioning", 1),
    "comments": ("nice & good", "comments", "nice & good"),
    "suspend_data": ('{"a":[1,2]}', "suspend_data", '{"a":[1,2]}'),
    "launch_data": ("ld=1", "launch_data", "ld=1"),
}
SCORM_2004 = {
    "completion_status": ("incomplete", "completion_status", "incomplete"),
    "success_status": ("failed", "success_status", "failed"),
    "score.scaled": ("-0.25", "score_scaled", -0.25),
    "score.raw": ("12.5", "score_raw", 12.5),
    "score.min": ("-10", "score_min", -10),
    "score.max": ("20", "score_max", 20),
    "progress_measure": ("0.75", "progress_measure", 0.75),
    "location": ("slide-3", "location", "slide-3"),
    "mode": ("browse", "mode", "browse"),
    "credit": ("credit", "credit", "credit"),
    "entry": ("resume", "entry", "resume"),
    "exit": ("normal", "exit", "normal"),
    "session_time": ("PT5M30.25S", "session_time", 33_025),
    "total_time": ("PT1H", "total_time", 360_000),
    "completion_threshold": ("1.0", "completion_threshold", 1),
    "scaled_passing_score": ("0.8", "scaled_passing_score", 0.8),
    "max_time_allowed": ("PT2H", "max_time_allowed", "PT2H"),
    "time_limit_action": ("continue,no message", "time_limit_action", "continue,no message"),
    "learner_preference.audio_level": ("1.5", "audio_level", 1.5),
    "learner_preference.language": ("en-US", "language", "en-US"),
    "learner_preference.delivery_speed": ("2", "delivery_speed", 2),
    "learner_preference.audio_captioning": ("-1", "audio_captioning", -1),
    "suspend_data": ("opaque", "suspend_data", "opaque"),
    "launch_data": ("ld=2", "launch_data", "ld=2"),
}
BOTH = [*SCORM_12.items(), *SCORM_2004.items()]


def snapshot_of(tree: Tree, **options: Any) -> Snapshot:
    """Return what a tree that is sound says."""
    reading = parse_cmi(tree, **options)
    assert reading.warnings == ()
    return reading.snapshot


@pytest.mark.parametrize(("element", "case"), BOTH, ids=[f"{name}={case[0]}" for name, case in BOTH])
def test_every_element_is_read_flat_and_nested(element: str, case: tuple[str, str, str | float]) -> None:
    text, field, value = case
    nested, flat = snapshot_of(delta({element: text})), snapshot_of(unflatten({f"cmi.{element}": text}))

    assert getattr(nested, field) == value
    assert isinstance(getattr(nested, field), type(value))
    assert flat == nested


@pytest.mark.parametrize(("elements", "version"), [(SCORM_12, "1.2"), (SCORM_2004, "2004")])
def test_a_whole_snapshot_is_read_at_once(elements: dict[str, Any], version: ScormVersion) -> None:
    snapshot = snapshot_of(delta({name: text for name, (text, _, _) in elements.items()}))

    assert {field: getattr(snapshot, field) for _, field, _ in elements.values()} == {
        field: value for _, field, value in elements.values()
    }
    assert snapshot.scorm_version == version


def test_every_field_of_a_snapshot_can_be_read() -> None:
    read_here = {field for _, (_, field, _) in BOTH}

    assert set(Snapshot.__struct_fields__) - read_here == {"scorm_version", "nav_request", *COLLECTIONS}


@pytest.mark.parametrize("build", [scorm_12, scorm_2004])
def test_an_untouched_snapshot_says_the_same_flat_and_nested(build: Callable[[], Tree]) -> None:
    assert snapshot_of(unflatten(flatten(build()))) == snapshot_of(build())


def test_an_untouched_scorm_12_snapshot_says_little() -> None:
    assert snapshot_of(scorm_12()) == Snapshot(
        scorm_version="1.2",
        lesson_status=LessonStatus.NOT_ATTEMPTED,
        completion_status=CompletionStatus.NOT_ATTEMPTED,
        credit="credit",
        entry="ab-initio",
        mode="normal",
        session_time=0,
        score_max=100,
    )


def test_collections_keep_items_as_sent_and_leave_keywords_out() -> None:
    tree = delta({"interactions": {"0": {"id": "Q1"}, "_count": "1", "_children": "id,type"}, "objectives": {}})
    snapshot = snapshot_of(tree)

    assert spelled_out(snapshot.interactions) == {"0": {"id": "Q1"}}
    assert snapshot.objectives is None


def test_collections_sent_as_lists_are_numbered() -> None:
    snapshot = snapshot_of(delta({"objectives": [{"id": "a"}, {"id": "b"}]}))

    assert snapshot.objectives == {"0": {"id": "a"}, "1": {"id": "b"}}


@pytest.mark.parametrize("empty", ["", None, {}, []], ids=repr)
@pytest.mark.parametrize(
    "element", ["core.score", "core.exit", "core.score.raw", "suspend_data", "interactions", "core"]
)
def test_what_is_empty_is_not_set(element: str, empty: str | dict[str, Any] | list[Any] | None) -> None:
    assert snapshot_of(delta({element: empty})) == EMPTY or snapshot_of(delta({element: empty})) == Snapshot(
        scorm_version="1.2"
    )


@pytest.mark.parametrize("element", ["core.score.raw", "core.session_time", "core.lesson_status", "progress_measure"])
def test_spaces_where_a_value_belongs_are_not_set(element: str) -> None:
    assert snapshot_of(delta({element: "  "})).score_raw is None


@pytest.mark.parametrize("tree", [{}, {"cmi": None}, {"cmi": []}, {"cmi": {}}, {"adl": 1}], ids=repr)
def test_a_tree_without_cmi_data_says_nothing(tree: Tree) -> None:
    assert snapshot_of(tree) == EMPTY


@pytest.mark.parametrize(
    ("tree", "version"),
    [
        (delta({"core.exit": "suspend"}), "1.2"),
        (delta({"student_data.mastery_score": "80"}), "1.2"),
        (delta({"student_preference.audio": "1"}), "1.2"),
        (delta({"comments": "nice"}), "1.2"),
        (delta({"interactions.0.student_response": "a"}), "1.2"),
        (delta({"core.completion_status": "completed"}), "1.2"),
        (delta({"core.lesson_mode": "normal", "mode": "normal"}), "1.2"),
        (delta({"completion_status": "unknown"}), "2004"),
        (delta({"success_status": ""}), "2004"),
        (delta({"learner_id": "u42"}), "2004"),
        (delta({"location": "3"}), "2004"),
        (delta({"mode": "normal"}), "2004"),
        (delta({"score.raw": "3"}), "2004"),
        (delta({"session_time": "PT1S"}), "2004"),
        (delta({"comments_from_learner.0.comment": "nice"}), "2004"),
        (delta({"suspend_data": "x"}), None),
        (delta({"interactions.0.id": "Q1"}), None),
        (delta({"objectives.0.id": "o1"}), None),
        (delta({"launch_data": "x", "max_time_allowed": "PT1H", "time_limit_action": "exit,message"}), None),
        (delta({"comments_from_lms": ""}), None),
    ],
)
def test_the_version_is_told_by_what_only_one_of_them_has(tree: Tree, version: ScormVersion) -> None:
    """Wire format 3.1. Elements that both have say nothing, and the session keeps its version."""
    assert parse_cmi(tree).snapshot.scorm_version == version


@pytest.mark.parametrize("declared", ["1.2", "2004"])
@pytest.mark.parametrize("build", [scorm_12, scorm_2004, dict])
def test_a_declared_version_wins_over_the_looks(build: Callable[[], Tree], declared: ScormVersion) -> None:
    assert snapshot_of(build(), declared=declared).scorm_version == declared


@pytest.mark.parametrize(
    ("status", "completion", "success"),
    [
        ("not attempted", "not attempted", None),
        ("browsed", "incomplete", None),
        ("incomplete", "incomplete", None),
        ("completed", "completed", None),
        ("passed", "completed", "passed"),
        ("failed", None, "failed"),
    ],
)
def test_scorm_12s_one_status_tells_completion_and_success(
    status: str, completion: str | None, success: str | None
) -> None:
    """Passed implies completed; failed says nothing of completion (wire format 3.5)."""
    snapshot = snapshot_of(delta({"core.lesson_status": status}))

    assert (snapshot.completion_status, snapshot.success_status) == (completion, success)


def test_a_completion_that_is_told_wins_over_the_one_that_follows() -> None:
    snapshot = snapshot_of(delta({"core.lesson_status": "passed", "completion_status": "incomplete"}))

    assert (snapshot.completion_status, snapshot.success_status) == ("incomplete", "passed")


@pytest.mark.parametrize(
    ("element", "spelling", "field", "word"),
    [
        ("core.lesson_status", "Passed", "lesson_status", "passed"),
        ("core.lesson_status", " COMPLETED ", "lesson_status", "completed"),
        ("core.lesson_status", "not_attempted", "lesson_status", "not attempted"),
        ("core.lesson_status", "not-attempted", "lesson_status", "not attempted"),
        ("core.lesson_status", "Not Attempted", "lesson_status", "not attempted"),
        ("completion_status", "NOT_ATTEMPTED", "completion_status", "not attempted"),
        ("completion_status", "Unknown", "completion_status", "unknown"),
        ("success_status", "FAILED", "success_status", "failed"),
        ("core.exit", "timeout", "exit", "time-out"),
        ("core.exit", "time_out", "exit", "time-out"),
        ("core.exit", "Suspend", "exit", "suspend"),
        ("exit", "Logout", "exit", "logout"),
        ("core.entry", "ab_initio", "entry", "ab-initio"),
        ("core.credit", "no credit", "credit", "no-credit"),
        ("core.lesson_mode", "Browse", "mode", "browse"),
    ],
)
def test_words_are_understood_in_every_spelling(element: str, spelling: str, field: str, word: str) -> None:
    assert getattr(snapshot_of(delta({element: spelling})), field) == word


@pytest.mark.parametrize(
    ("sent", "raw"),
    [
        ("85", 85),
        ("85.0", 85),
        ("85.5", 85.5),
        ("85,5", 85.5),
        (" 85 ", 85),
        ("85%", 85),
        ("85 %", 85),
        ("+85", 85),
        ("-5", -5),
        (".5", 0.5),
        ("85.", 85),
        ("8.5e1", 85),
        ("85.0000001", 85.0000001),
        ("-0", 0),
        (85, 85),
        (85.0, 85),
        (85.5, 85.5),
        (0, 0),
        (1e20, 1e20),
        ("1e15", 1e15),
        ("-999999999999999", -999999999999999),
        ("0.5" + "0" * 61, 0.5),
    ],
    ids=repr,
)
def test_scores_are_read_leniently(sent: float | str, raw: float) -> None:
    value = snapshot_of(delta({"core.score.raw": sent})).score_raw

    assert value == raw
    assert type(value) is type(raw)


@pytest.mark.parametrize(
    ("element", "bounds"),
    [
        ("score.scaled", ["-1", "1"]),
        ("scaled_passing_score", ["-1", "1"]),
        ("progress_measure", ["0", "1"]),
        ("completion_threshold", ["0", "1"]),
    ],
)
def test_the_bounds_of_a_measure_belong_to_it(element: str, bounds: list[str]) -> None:
    field = element.replace(".", "_")

    assert [getattr(snapshot_of(delta({element: bound})), field) for bound in bounds] == [
        int(bound) for bound in bounds
    ]


@pytest.mark.parametrize(
    ("element", "sent", "field", "value"),
    [
        ("core.lesson_location", 12, "location", "12"),
        ("core.lesson_location", 0, "location", "0"),
        ("suspend_data", True, "suspend_data", "true"),
        ("suspend_data", False, "suspend_data", "false"),
        ("suspend_data", 1.5, "suspend_data", "1.5"),
        ("location", " spaced ", "location", " spaced "),
    ],
)
def test_json_numbers_and_booleans_are_text_where_text_belongs(
    element: str, sent: float | str, field: str, value: str
) -> None:
    assert getattr(snapshot_of(delta({element: sent})), field) == value


def test_keywords_of_scorm_say_nothing() -> None:
    assert snapshot_of(delta({"_version": "3.4", "core._children": "x", "core.score._children": "raw"})) == Snapshot(
        scorm_version="1.2"
    )


@pytest.mark.parametrize(
    ("adl", "request_"),
    [
        ({"nav": {"request": "suspendAll"}}, "suspendAll"),
        ({"nav": {"request": "_none_"}}, None),
        ({"nav": {"request": ""}}, None),
        ({"nav": {"request": 5}}, None),
        ({"nav": {}}, None),
        ({"nav": "continue"}, None),
        ("x", None),
        (None, None),
    ],
)
def test_a_navigation_request_is_read(adl: str | dict[str, Any] | None, request_: str | None) -> None:
    assert snapshot_of({"adl": adl}).nav_request == request_
